"""Orders beside more connections to the web page than a process may have open."""

from __future__ import annotations

import json
import resource
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.system.programs import KIS_BRIDGE, World

LIMIT = 1024
IDLE = 1100
ATTEMPTS = 1000


@contextmanager
def room_for_sockets() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit: util-linux")
def test_orders_are_answered_beside_a_thousand_idle_connections_and_a_thousand_attempts(
    tmp_path: Path,
) -> None:
    limited = ["prlimit", f"--nofile={LIMIT}:{LIMIT}", *KIS_BRIDGE]
    more = '[dashboard]\nlisten = "127.0.0.1:0"\n'
    running = World.running(tmp_path, more, program=limited)
    with running as world, room_for_sockets(), ExitStack() as stack:
        page = urlsplit(json.loads(world.bridge.line())["dashboard"])
        where = (page.hostname, page.port)
        order = world.resting()

        def acked(name: str) -> str:
            before = world.command("place", order | {"client_order_id": name})
            return str(world.ack(name, before)["status"])

        assert acked("before") == "accepted"
        idle: list[socket.socket] = []
        for number in range(IDLE):
            idle.append(stack.enter_context(socket.create_connection(where, timeout=5)))
            if number % 400 == 399:
                assert acked(f"idle-{number}") == "accepted"
        for number in range(ATTEMPTS):
            socket.create_connection(where, timeout=5).close()
            if number % 400 == 399:
                assert acked(f"attempt-{number}") == "accepted"
        assert acked("after") == "accepted"
        # So that there is room for what the bridge opens only now: to KIS, the broker, the disk.
        assert sum(map(is_open, idle)) <= 64
        said = [line for line in world.bridge.err if "connections to the web page closed" in line]
        assert len(said) == 1
