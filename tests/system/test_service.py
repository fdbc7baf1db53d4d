"""The bridge as a service of systemd's."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.system.programs import DEADLINE_S, World


def test_systemd_hears_when_it_is_ready_alive_and_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        World.running(tmp_path) as world,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        world.bridge.__exit__()
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        world.start_bridge()

        def until(what: str) -> str:
            while not (told := systemd.recv(4096).decode()).startswith(what):
                assert told.startswith(("WATCHDOG=1", "READY=1", "STATUS="))
            return told

        until("WATCHDOG=1")
        until("READY=1")
        assert "1 of 1 sessions connected" in until("STATUS=")
        until("WATCHDOG=1")
        world.bridge.process.send_signal(signal.SIGTERM)
        assert until("STOPPING=1")
        assert world.bridge.ended() == 0
