"""What is told to systemd: ready, alive, stopping (``sd_notify``). Elsewhere nothing happens.

The protocol is one datagram to the socket that ``$NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping

import structlog

__all__ = ["ServiceManager"]

log = structlog.get_logger()

_STATUS_S = 10.0


class ServiceManager:
    """Tells a service manager how this process is; without one it tells nobody.

    Takes its variables out of ``environ``, so that no child speaks for this process.
    """

    def __init__(
        self,
        environ: MutableMapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._address = environ.pop("NOTIFY_SOCKET", "")
        period, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = pid in ("", str(os.getpid()))
        self._every_s = int(period) / 2e6 if period.isdecimal() and mine else 0.0
        self._clock = clock
        self._alive_at = self._status_at = float("-inf")
        self._is_ready = self._is_stopping = False

    def ready(self) -> None:
        """Say that the service is up."""
        self._is_ready = True
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say, once, that the service is about to end."""
        if not self._is_stopping:
            self._is_stopping = True
            self._tell("STOPPING=1", "STATUS=stopping")

    def alive(self, status: Callable[[], str]) -> None:
        """Say that the event loop runs; to be called from it, often."""
        if not self._address:
            return
        now = self._clock()
        if self._every_s and now >= self._alive_at + self._every_s:
            self._alive_at = now
            self._tell("WATCHDOG=1")
        if self._is_ready and not self._is_stopping and now >= self._status_at + _STATUS_S:
            self._status_at = now
            self._tell(f"STATUS={status()}")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is no file.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.warning("service manager not told", what=lines[0], reason=str(error))
