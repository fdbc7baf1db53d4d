"""Ports of the long-running commands."""

from __future__ import annotations

import socket

from bridge.cli.process import free_port


def test_a_busy_default_port_is_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(None, port) == 0
        assert free_port(port, 1) == port  # what the user wants is not second-guessed
        assert free_port(0, port) == 0
    assert free_port(None, port) == port
