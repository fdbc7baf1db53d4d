"""An MQTT broker on this machine without installing one: rumqttd, from the iotcore package.

For demos and tests; a deployment runs Mosquitto. One TCP and one WebSocket port, on loopback,
both for MQTT 5, 3.1.1 and 3.1. rumqttd alone gives each version a port of its own, has only
3.1.1 on WebSocket, and its 3.1.1 listener dies of the first message with an MQTT 5 property
(an expiry, say) that it has to deliver: so it runs with an MQTT 5 listener only, and
`bridge.embedded.proxy` stands before it and translates.

It has no users, passwords, ACLs or TLS. It keeps nothing across a restart. It knows neither "retain
as published" nor the duplicate flag, and refuses a publish without a reason code. It closes the
connection on PUBACKs out of order and on payloads above ``max_payload``. A subscriber that falls
some 32 MiB behind loses the oldest messages.
"""

from __future__ import annotations

import importlib.util
import json
import queue
import subprocess
import sys
import threading
from types import TracebackType
from typing import Final, Self

from bridge.errors import BrokerError, ConfigError

__all__ = ["MEND", "MISSING", "EmbeddedBroker", "installed"]

MISSING: Final = "the embedded broker is not installed"
MEND: Final = "pip install 'kis-mqtt-bridge[demo]', or set mqtt.url to a broker that runs"

_START_S = 15.0
"""Longer than the proxy itself waits for rumqttd."""
_STOP_S = 5.0


def installed() -> bool:
    """Return whether it can be started here: it is an extra that no deployment needs."""
    return importlib.util.find_spec("iotcore") is not None


class EmbeddedBroker:
    """A context manager around the broker's process, which ends with this one however it ends.

    ``port`` and ``ws_port`` 0 take free ones; the attributes then hold what was taken.
    Starting blocks for about half a second: from a coroutine use ``asyncio.to_thread``.
    """

    def __init__(
        self,
        port: int = 0,
        ws_port: int = 0,
        *,
        max_connections: int = 1000,
        max_payload: int = 1024 * 1024,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.ws_port = ws_port
        self._options = {"max_connections": max_connections, "max_payload": max_payload}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For `Endpoint.parse`."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """For browsers."""
        return f"ws://{self.host}:{self.ws_port}/mqtt"

    @property
    def pid(self) -> int | None:
        """Of the broker's process, None when stopped."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and wait until it takes connections.

        :raises ConfigError: it is not installed.
        :raises BrokerError: a port is taken, or it does not start.
        """
        if self._process is not None:
            return
        if not installed():
            raise ConfigError(f"{MISSING}: {MEND}")
        options = self._options | {"port": self.port, "ws_port": self.ws_port}
        # A process of its own, because rumqttd ends only with its process. ``-P`` keeps the current
        # folder off the import path, where a file of the user's may be named like a module.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bridge.embedded.proxy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._process = process
        answer: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        try:
            assert process.stdin is not None  # noqa: S101
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(json.dumps(options).encode() + b"\n")
            process.stdin.flush()
            # Reading a pipe has no time-out, so that a thread waits in our place.
            read = process.stdout.readline
            threading.Thread(target=lambda: answer.put(read()), daemon=True).start()
            said = json.loads(answer.get(timeout=_START_S) or b'{"error":"it ended at once"}')
        except (OSError, queue.Empty):
            said = {"error": f"no sign of life within {_START_S:.0f} s"}
        except BaseException:
            self.stop()
            raise
        if "error" in said:
            self.stop()
            raise BrokerError(f"embedded broker on {self.host}: {said['error']}")
        self.port, self.ws_port = said["port"], said["ws_port"]

    def stop(self) -> None:
        """Stop it and free its ports; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
