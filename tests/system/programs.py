"""Programs as a user runs them: started, listened to, stopped by their id."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import pytest

from bridge.simulator.server import Simulator
from tests.brokers import Mosquitto, mosquitto_program
from tests.system.leaks import overheard

__all__ = [
    "DEADLINE_S",
    "KIS_BRIDGE",
    "Ear",
    "Heard",
    "Program",
    "World",
    "answer",
    "ask",
    "bridge_toml",
    "client",
    "environ",
    "publish",
    "simulator",
    "where",
]

DEADLINE_S = 20.0
KIS_BRIDGE = [sys.executable, "-c", "from bridge.cli import main; main()"]


def environ() -> dict[str, str]:
    # An installed program has its bytecode, whatever those who test it want to keep.
    no = ("KIS_", "COV_", "PYTHONDONTWRITEBYTECODE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(no)}
    return kept | {"COLUMNS": "200"}


class Program:
    """A process whose lines are read as they come; waits are for lines, with a deadline."""

    def __init__(
        self, *args: str, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        self.name = " ".join(args)[-200:]
        # The simulator and the demo say how to reach them; a client of Mosquitto logs in as told.
        self.exempt = bool({"simulate", "demo"}.intersection(args))
        self._looked_at = [0, 0]
        self._args = args
        self.process = subprocess.Popen(
            args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
            env=environ() if env is None else env,
        )  # fmt: skip
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        overheard.hear(self)

    def news(self) -> str:
        """Return what it has written since this was called last."""
        told = []
        for number, lines in enumerate((self.out, self.err)):
            first, self._looked_at[number] = self._looked_at[number], len(lines)
            told += lines[first : self._looked_at[number]]
        return "\n".join(told)

    def over(self) -> bool:
        """Whether everything that it will ever write has been read."""
        return not any(reader.is_alive() for reader in self._readers)

    def arguments(self) -> str:
        """Return what the process list shows of it."""
        if list(self._args[:3]) != KIS_BRIDGE or self.process.returncode is not None:
            return ""
        with suppress(OSError):
            shown = Path(f"/proc/{self.process.pid}/cmdline").read_bytes()
            return shown.replace(b"\0", b" ").decode(errors="replace")
        return ""

    def _read(self, pipe: Any, lines: list[str]) -> None:
        for line in pipe:
            self.took(lines, line.rstrip("\n"))
        self.took(lines, None)

    def took(self, lines: list[str], line: str | None) -> None:
        with self._changed:
            if line is not None:
                lines.append(line)
            self._changed.notify_all()

    def wait(self, what: str, found: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """Return what ``found`` returns as soon as it is true."""
        until = time.monotonic() + deadline_s
        with self._changed:
            while not (result := found()):
                left = until - time.monotonic()
                if left < 0 or not any(reader.is_alive() for reader in self._readers):
                    pytest.fail(f"{what}: not seen; {self.out[-3:]} {self.err[-5:]}")
                self._changed.wait(min(left, 0.5))  # the end of the readers notifies nobody
            return result

    def line(self) -> str:
        """Return the first line that it prints."""
        return str(self.wait("a line", lambda: self.out[:1])[0])

    def ended(self, deadline_s: float = DEADLINE_S) -> int:
        """Return the exit code, when everything that it wrote has been read."""
        code = self.process.wait(deadline_s)
        for reader in self._readers:
            reader.join(deadline_s)
        return code

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.ended()
        finally:
            self.process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@dataclass(frozen=True)
class Heard:
    """A message as mosquitto_sub shows it."""

    topic: str
    text: str
    retain: bool
    properties: dict[str, Any]

    @property
    def payload(self) -> Any:
        return json.loads(self.text)


class Ear(Program):
    """mosquitto_sub on a filter; keeps every message."""

    def __init__(
        self,
        port: int,
        topic_filter: str = "kis/#",
        version: str = "5",
        login: tuple[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self.heard: list[Heard] = []
        if login:
            options += ("-u", login[0], "-P", login[1])
        super().__init__(
            *(client("mosquitto_sub"), "-V", version, "-p", str(port), "-q", "1"),
            *("-t", topic_filter, "-F", "%j", *options),
        )

    def took(self, lines: list[str], line: str | None) -> None:
        if line is not None and lines is self.out:
            said = json.loads(line)
            message = Heard(
                said["topic"], said["payload"], bool(said["retain"]), said.get("properties", {})
            )
            with self._changed:
                self.heard.append(message)
        super().took(lines, line)

    def until(
        self,
        topic: str,
        accept: Callable[[Any], Any] = lambda _: True,
        *,
        after: int = 0,
        deadline_s: float = DEADLINE_S,
    ) -> Heard:
        """Wait for a message on ``topic`` whose payload is accepted, the ``after``-th or later."""

        def found() -> Heard | None:
            return next(
                (m for m in self.heard[after:] if m.topic == topic and accept(m.payload)), None
            )

        heard: Heard = self.wait(topic, found, deadline_s)
        return heard


def client(name: str) -> str:
    mosquitto_program()
    found = shutil.which(name)
    if found is None:
        reason = f"needs {name}: apt-get install mosquitto-clients"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def publish(
    port: int, topic: str, payload: object, *options: str, version: str = "5", check: bool = True
) -> None:
    """Publish with mosquitto_pub, QoS 1; ``check``: it must succeed."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    subprocess.run(
        [client("mosquitto_pub"), "-V", version, "-p", str(port), "-q", "1", "-t", topic,
         "-m", text, *options],
        check=check, timeout=DEADLINE_S, env=environ(), capture_output=True,
    )  # fmt: skip


def answer(world: World, verb: str, content: object, client: str = "") -> Any:
    """Return what the bridge answers to a request of MQTT 3.1.1."""
    own = f"/{client}" if client else ""
    before = len(world.ear.heard)
    publish(world.broker.port, f"kis/bridge/request/{verb}{own}", content, version="311")
    return world.ear.until(f"kis/bridge/response/{verb}{own}", after=before).payload


def ask(*args: str) -> subprocess.CompletedProcess[str]:
    """Run a command of kis-bridge to its end."""
    done = subprocess.run(
        [*KIS_BRIDGE, *args],
        capture_output=True, text=True, timeout=30, check=False, env=environ(),
    )  # fmt: skip
    overheard.take(done.stdout + done.stderr, " ".join(args))
    return done


@contextmanager
def simulator(*options: str) -> Iterator[tuple[Program, dict[str, str]]]:
    """Run ``kis-bridge simulate`` on free ports; gives what its ready line says of KIS."""
    ports: tuple[str, ...] = ("--rest-port", "0", "--ws-port", "0")
    if "--rest-port" in options:
        ports = ()
    with Program(*KIS_BRIDGE, "simulate", "--json", "--rest-rate", "0", *ports, *options) as run:
        kis = json.loads(run.line())["kis"]
        overheard.know_kis(kis)
        yield run, kis


def where(simulator: Simulator) -> dict[str, str]:
    """Return what :func:`bridge_toml` wants of a simulator that runs in the test."""
    return {
        "rest": simulator.rest_url,
        "ws": simulator.ws_url,
        "app_key": simulator.app_key,
        "app_secret": simulator.app_secret,
        "account": simulator.account,
        "hts_id": simulator.hts_id,
    }


def bridge_toml(folder: Path, kis: dict[str, str], mqtt_url: str, more: str = "") -> Path:
    """Write a configuration for this simulator and broker; others cannot read it."""
    overheard.know_kis(kis)
    overheard.know_state(folder / "state")
    path = folder / "bridge.toml"
    path.touch(mode=0o600)
    path.write_text(f"""
[kis]
environment = "simulator"
rest_url = "{kis["rest"]}"
ws_url = "{kis["ws"]}"
state_dir = "state"
[[kis.apps]]
alias = "app1"
app_key = "{kis["app_key"]}"
app_secret = "{kis["app_secret"]}"
hts_id = "{kis["hts_id"]}"
[[kis.accounts]]
alias = "main"
app = "app1"
number = "{kis["account"]}"
[mqtt]
url = "{mqtt_url}"
[orders.clients.alice]
accounts = ["main"]
[[market.subscriptions]]
market = "domestic_stock"
venue = "krx"
kinds = ["trade", "quote"]
symbols = ["005930", "000660"]
[log]
level = "debug"
{more}""")
    return path


@dataclass
class World:
    """Broker, simulator, bridge and somebody who listens to everything."""

    broker: Mosquitto
    kis: dict[str, str]
    config: Path
    ear: Ear
    bridge: Program
    exchange: Program | None = None
    """The simulator, where it is a process of its own."""

    @classmethod
    @contextmanager
    def running(
        cls,
        folder: Path,
        more: str = "",
        *options: str,
        environment: str = "simulator",
        program: Sequence[str] = KIS_BRIDGE,
    ) -> Iterator[World]:
        """Start all four; ``more`` is configuration, ``options`` are the simulator's.

        ``environment`` is what the bridge takes the simulator for, ``program`` is the bridge's.
        """
        with (
            Mosquitto.running(folder) as broker,
            simulator(*options) as (exchange, kis),
            Ear(broker.port) as ear,
        ):
            config = bridge_toml(folder, kis, broker.url, more)
            named = f'environment = "{environment}"'
            config.write_text(config.read_text().replace('environment = "simulator"', named))
            world = cls(broker, kis, config, ear, _run(config, program), exchange)
            try:
                world.bridge.line()
                yield world
            finally:
                world.bridge.__exit__()

    def start_bridge(self) -> None:
        """Start the bridge again, after its end."""
        self.bridge = _run(self.config)
        self.bridge.line()

    def command(
        self,
        verb: str,
        content: object,
        *options: str,
        version: str = "5",
        client: str = "alice",
        account: str = "main",
    ) -> int:
        """Send a command with mosquitto_pub; return where to listen from for what follows."""
        before = len(self.ear.heard)
        topic = f"kis/orders/{account}/{client}/command/{verb}"
        publish(self.broker.port, topic, content, *options, version=version)
        return before

    def resting(self, symbol: str = "005930") -> dict[str, Any]:
        """Return an order that rests in the book, without its name."""
        last = self.ear.until(f"kis/market/domestic_stock/krx/trade/{symbol}").payload["price"]
        return {
            "market": "domestic_stock",
            "venue": "krx",
            "symbol": symbol,
            "side": "buy",
            "order_type": "limit",
            "quantity": 1,
            "price": last * 9 // 10_000 * 1_000,
            "expires_at": "2999-01-01T00:00:00+09:00",
        }

    def ack(self, client_order_id: str, after: int = 0, client: str = "alice") -> Any:
        """Return the next ack of an order."""
        topic = f"kis/orders/main/{client}/ack/{client_order_id}"
        return self.ear.until(topic, after=after).payload

    def placed(self) -> list[dict[str, Any]]:
        """Return the orders of today that the exchange has, through the bridge."""
        done = ask(
            *("query", "inquire_daily_ccld", "--account", "main", "--json", "--pages", "20"),
            *("--url", self.broker.url, "--variant", "within_3_months"),
            *(f"{name}={value}" for name, value in _today().items()),
        )
        assert done.returncode == 0, done.stderr
        orders: list[dict[str, Any]] = json.loads(done.stdout)["output1"]
        return orders


def _today() -> dict[str, str]:
    today = datetime.now(ZoneInfo("Asia/Seoul")).strftime("%Y%m%d")
    return {"from_date": today, "to_date": today, "org_no": "", "product": "", "exchange": "ALL"}


def _run(config: Path, program: Sequence[str] = KIS_BRIDGE) -> Program:
    return Program(*program, "run", "--config", str(config), "--json")
