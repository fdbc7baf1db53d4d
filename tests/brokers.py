"""Real brokers on free loopback ports, for tests."""

from __future__ import annotations

import contextlib
import getpass
import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.embedded.broker import EmbeddedBroker

__all__ = [
    "Mosquitto",
    "embedded",
    "free_port",
    "listening",
    "mosquitto_program",
    "wait_for_port",
]

_START_S = 10.0
_FIRST_PORT, _EACH, _WORKERS = 12_000, 1_200, 16


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody is given before it is used.

    Not one that the system would choose: until a program listens on it, any connection of any other
    test may be given the same one.
    """
    for port in itertools.islice(_PORTS, _EACH):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("somebody listens on every port that tests may have")


def _ports() -> Iterator[int]:
    """Return ports below those that systems choose, others for each worker; over and over."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _WORKERS
    first = _FIRST_PORT + worker * _EACH
    # Two runs at a time begin at different places.
    begin = os.getpid() % _EACH
    return itertools.cycle([first + (begin + n) % _EACH for n in range(_EACH)])


_PORTS = _ports()


def mosquitto_program() -> str:
    """Return where Mosquitto is; skip the test without it, but fail under CI=true."""
    found = shutil.which(
        "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    if found is None:
        reason = "needs Mosquitto: apt-get install mosquitto (macOS: brew install mosquitto)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody takes connections on ``port``."""
    deadline = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            output = process.communicate()[0]
            pytest.fail(f"no broker on port {port}: {(output or b'').decode(errors='replace')}")
        time.sleep(0.005)  # a start has no event to wait for


def listening(pid: int) -> set[tuple[str, int]]:
    """Return the addresses and ports on which a process takes connections, as the kernel says."""
    process = Path(f"/proc/{pid}")
    if not process.exists():
        pytest.skip("needs /proc to see what a process listens on")
    mine = {str(fd.readlink()) for fd in (process / "fd").iterdir()}
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in mine:
                address, port = local.split(":")
                words = [bytes.fromhex(address[i : i + 8]) for i in range(0, len(address), 8)]
                # The kernel prints each word of four bytes as a number of this machine.
                packed = b"".join(w if sys.byteorder == "big" else w[::-1] for w in words)
                found.add((socket.inet_ntop(family, packed), int(port, 16)))
    return found


class Mosquitto:
    """One Mosquitto process; it can be stopped and started again on the same ports."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true\n") -> None:
        self._program = mosquitto_program()
        self.port = free_port()
        self.ws_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"{extra}"
            f"user {getpass.getuser()}\n"  # started by root it would change to one without access
            "set_tcp_nodelay true\n"
            "max_queued_messages 100000\n"
            "persistence true\n"
            f"persistence_location {folder}/\n"
            f"listener {self.port} 127.0.0.1\n"
            f"listener {self.ws_port} 127.0.0.1\n"
            "protocol websockets\n"
        )

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.ws_port}/mqtt"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", self._config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for port in (self.port, self.ws_port):
            wait_for_port(port, self._process)

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP to freeze it."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Stop in good order: sessions and retained messages are kept for the next start."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=_START_S)
            self._process = None

    def forget(self) -> None:
        """Lose what was kept for the next start, as a new broker in its place would."""
        for kept in self._config.parent.glob("*.db"):
            kept.unlink()

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path, extra: str = "allow_anonymous true\n") -> Iterator[Mosquitto]:
        broker = cls(folder, extra)
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


@contextlib.contextmanager
def embedded() -> Iterator[EmbeddedBroker]:
    """Start the embedded broker on free ports."""
    with EmbeddedBroker() as broker:
        yield broker
