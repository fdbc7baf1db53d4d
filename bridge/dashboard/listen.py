"""Where the dashboard listens; apart from the server, which takes long to import."""

from __future__ import annotations

import socket
from typing import NamedTuple

import structlog

from bridge.errors import ConfigError

__all__ = ["Listen", "open_socket"]

log = structlog.get_logger()


class Listen(NamedTuple):
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int
    or_free: bool = False
    """Take a free port when this one is busy, and say so."""


def open_socket(listen: Listen) -> socket.socket:
    """Return a socket that listens; raises :class:`ConfigError` when it cannot."""
    host, port, or_free = listen
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        if or_free and port:
            log.warning("port busy, taking another", what="dashboard", port=port)
            return open_socket(Listen(host, 0))
        raise ConfigError(f"dashboard.listen {host}:{port}: {error}; take another port") from None
    listener.listen()
    listener.setblocking(False)
    return listener
