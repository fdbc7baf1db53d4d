"""What systemd is told, seen at the socket that it would listen to."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.runtime.service_manager import ServiceManager

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is not there")


class Listener:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def told(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Listener, str]]:
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        if sys.platform != "linux":
            pytest.skip("only Linux has such names")
        name = f"@{name}"
    listener = Listener(name.replace("@", "\0", 1) if name.startswith("@") else name)
    yield listener, name
    listener.socket.close()


def test_a_service_that_starts_lives_and_stops(listener: tuple[Listener, str]) -> None:
    systemd, address = listener
    now = 100.0
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000", "HOME": "/"}
    manager = ServiceManager(environ, clock=lambda: now)
    assert environ == {"HOME": "/"}, "no child speaks for this process"
    manager.alive(lambda: "starting")
    assert systemd.told() == ["WATCHDOG=1"], "also while it starts, without a status"
    manager.ready()
    manager.alive(lambda: "2 sessions")
    assert systemd.told() == ["READY=1", "STATUS=2 sessions"]
    now += 1.9
    manager.alive(lambda: "")
    assert systemd.told() == []
    now += 0.2
    manager.alive(lambda: "")
    assert systemd.told() == ["WATCHDOG=1"]
    manager.stopping()
    manager.stopping()
    now += 60
    manager.alive(lambda: "not any more")
    assert systemd.told() == ["STOPPING=1\nSTATUS=stopping", "WATCHDOG=1"]


def test_a_watchdog_of_somebody_else_is_not_fed(listener: tuple[Listener, str]) -> None:
    systemd, address = listener
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}
    ServiceManager(environ).alive(lambda: "")
    assert systemd.told() == []


def test_without_a_service_manager_nobody_is_told(tmp_path: Path) -> None:
    manager = ServiceManager({"WATCHDOG_USEC": "nonsense"})
    manager.ready()
    manager.alive(lambda: pytest.fail("nobody wants to know"))
    with capture_logs() as logs:
        ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert [line["event"] for line in logs] == ["service manager not told"]
