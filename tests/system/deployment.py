"""The deployment that the project ships, on free ports: Mosquitto with TLS, users and roles."""

from __future__ import annotations

import getpass
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bridge.broker.certificates import Authority, default_hosts
from bridge.broker.folder import BrokerFolder
from bridge.broker.password_file import generate
from bridge.broker.roles import Grant
from bridge.broker.users import FileUsers
from tests.brokers import free_port, mosquitto_program
from tests.system.programs import DEADLINE_S, Program

__all__ = ["NOT_AUTHORISED", "ROLES", "Deployment", "Intruder", "shipped_conf"]

ROOT: Final = Path(__file__).parents[2]
ROLES: Final[Mapping[str, str]] = {
    "bridge": "bridge",
    "alice": "trader main",
    "bob": "reader",
    "eve": "trader other",
    "carol": "admin",
}
PORTS: Final = (8883, 8884, 8885)
NOT_AUTHORISED: Final = 0x87


def shipped_conf(folder: Path, name: str = "mosquitto.conf") -> tuple[int, int, int]:
    """Copy a shipped configuration with free ports; return them: TLS, WebSocket, own."""
    text = (ROOT / "mosquitto" / name).read_text()
    ports = (free_port(), free_port(), free_port())
    for documented, free in zip(PORTS, ports, strict=True):
        assert f"listener {documented}" in text
        text = text.replace(f"listener {documented}", f"listener {free}")
    shutil.copy(ROOT / "mosquitto/start.sh", folder)
    # Started by root it would change to a user without access to the folder.
    (folder / "mosquitto.conf").write_text(f"user {getpass.getuser()}\n{text}")
    return ports


class Deployment(Program):
    """Mosquitto, started as the shipped files say."""

    def __init__(self, folder: Path, ports: tuple[int, int, int]) -> None:
        self.folder = folder
        self.port, self.ws_port, self.own_port = ports
        self.ca = folder / "tls/ca.crt"
        self.passwords: dict[str, str] = {}
        mosquitto_program()  # or the test is skipped
        super().__init__("/bin/sh", str(folder / "start.sh"))
        try:
            self.until_logged(" running")
        except BaseException:
            self.__exit__()
            raise

    @classmethod
    @contextmanager
    def running(cls, folder: Path, roles: Mapping[str, str] = ROLES) -> Iterator[Self]:
        """Fill the folder and start; users are those of ``roles``."""
        broker = BrokerFolder(folder)
        Authority(broker).server(default_hosts())
        users = FileUsers(broker)
        passwords = {name: generate() for name in roles}
        for name, role in roles.items():
            users.add(name, passwords[name], frozenset([Grant.parse(role)]))
        with cls(folder, shipped_conf(folder)) as deployment:
            deployment.passwords |= passwords
            yield deployment

    @property
    def url(self) -> str:
        return f"mqtts://localhost:{self.port}"

    def options(self, name: str) -> tuple[str, ...]:
        """Return what mosquitto_pub and mosquitto_sub need to come in as this user."""
        return ("-h", "localhost", "--cafile", str(self.ca), "-u", name, "-P", self.passwords[name])

    def until_logged(self, text: str, after: int = 0) -> str:
        """Wait for a line of the broker's log."""
        return str(
            self.wait(text, lambda: next((li for li in self.err[after:] if text in li), None))
        )

    @property
    def refusals(self) -> int:
        """How many publications the log says that the broker has refused."""
        said = (re.search(r"refusals so far: (\d+)\)$", line) for line in reversed(self.err))
        return next((int(found[1]) for found in said if found), 0)

    def intruder(self, name: str | None, password: str | None = None, **options: Any) -> Intruder:
        """Return a client that comes in as this user, by default with the right password."""
        if name is not None and password is None:
            password = self.passwords.get(name, "")
        return Intruder(self, name, password, **options)


class Intruder:
    """An MQTT client that tells what the broker answered to each try."""

    def __init__(
        self,
        broker: Deployment,
        name: str | None,
        password: str | None,
        *,
        will: str = "",
        port: int = 0,
        tls: bool = True,
        transport: Literal["tcp", "websockets"] = "tcp",
        version: int = paho.MQTTv5,
    ) -> None:
        self._changed = threading.Condition()
        self._answers: dict[int, int] = {}
        self._refused: list[int] | None = None
        self.login: int | None = None
        self.ended = False
        self.heard: list[paho.MQTTMessage] = []
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,  # type: ignore[attr-defined]
            transport=transport,
            protocol=version,  # type: ignore[arg-type]
            reconnect_on_failure=False,
        )
        client: Any = self.client
        if name is not None:
            client.username_pw_set(name, password)
        if tls:
            client.tls_set_context(ssl.create_default_context(cafile=broker.ca))
        if will:
            client.will_set(will, b'{"will":true}', 1, True)
        client.on_connect = self._connected
        client.on_disconnect = lambda *_: self._set("ended", True)
        client.on_publish = lambda _c, _d, mid, reason, _p: self._answered(mid, reason.value)
        client.on_subscribe = lambda _c, _d, _m, reasons, _p: self._set(
            "_refused", [reason.value for reason in reasons if reason.is_failure]
        )
        client.on_message = self._took
        client.connect("localhost", port or broker.port)
        client.loop_start()
        self.wait("an answer to the login", lambda: self.login is not None or self.ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, topic: str, payload: str | bytes = b"{}", *, retain: bool = False) -> int:
        """Publish with QoS 1 and return the broker's reason code."""
        mid = self.client.publish(topic, payload, 1, retain).mid
        self.wait("PUBACK", lambda: mid in self._answers or self.ended)
        return self._answers.get(mid, -1)

    def flood(self, topic: str, payload: bytes, count: int) -> None:
        """Publish many with QoS 0, as fast as the connection takes them."""
        for _ in range(count):
            self.client.publish(topic, payload, 0)

    def subscribe(self, topic_filter: str) -> list[int]:
        """Subscribe; return the reason codes that refuse it."""
        self._set("_refused", None)
        self.client.subscribe(topic_filter, 1)
        self.wait("SUBACK", lambda: self._refused is not None)
        return list(self._refused or [])

    def property_bomb(self, topic: str, size: int) -> None:
        """Publish two bytes with that many bytes of user properties."""
        properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.UserProperty = [("k" * 1000, "v" * 1000)] * (size // 2000)
        self.client.publish(topic, b"{}", 1, properties=properties)

    def drop(self) -> None:
        """Leave without a good-bye: the broker has to publish the will."""
        sock: Any = self.client.socket()
        sock.shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()

    def wait(self, what: str, found: Callable[[], Any]) -> Any:
        until = time.monotonic() + DEADLINE_S
        with self._changed:
            while not (result := found()):
                if not self._changed.wait(until - time.monotonic()):
                    pytest.fail(f"{what}: nothing came")
            return result

    def _set(self, name: str, value: object) -> None:
        with self._changed:
            setattr(self, name, value)
            self._changed.notify_all()

    def _connected(self, _c: object, _d: object, _f: object, reason: Any, _p: object) -> None:
        self._set("login", reason.value)

    def _answered(self, mid: int, reason: int) -> None:
        with self._changed:
            self._answers[mid] = reason
            self._changed.notify_all()

    def _took(self, _c: object, _d: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()
