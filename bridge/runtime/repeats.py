"""Keeps what one client causes from filling the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from structlog.typing import EventDict, WrappedLogger

__all__ = ["Repeats"]

log = structlog.get_logger()

_A_SECOND = 10
_MOST = 1_000
_LEFT_OUT = "log lines left out"


@dataclass(slots=True)
class _Window:
    since: float
    lines: int = 0
    left_out: int = 0


class Repeats:
    """A processor of structlog: of lines of one kind about one client, ten a second are written.

    How many were left out stands in a line of its own, a second later or with the next line of
    anything. Lines that name neither ``client`` nor ``topic`` are ours to bound, and errors are
    always written. ``clock`` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._settled_at = 0.0

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Pass a line on, or raise :class:`structlog.DropEvent`."""
        kind, now = str(event.get("event", "")), self._clock()
        if kind == _LEFT_OUT:
            return event
        if now - self._settled_at >= 1:
            self._settled_at = now
            self._settle(now)
        who = event.get("client", event.get("topic"))
        if who is None or method not in ("debug", "info", "warning"):
            return event
        key = (kind, str(who)[:200])
        if key not in self._windows and len(self._windows) >= _MOST:
            key = (kind, "(others)")
        window = self._windows.setdefault(key, _Window(now))
        if window.lines >= _A_SECOND:
            window.left_out += 1
            raise structlog.DropEvent
        window.lines += 1
        return event

    def _settle(self, now: float) -> None:
        over = [key for key, window in list(self._windows.items()) if now - window.since >= 1]
        for kind, who in over:
            window = self._windows.pop((kind, who), None)  # another thread may have taken it
            if window is not None and window.left_out:
                log.info(_LEFT_OUT, of=kind, client=who, count=window.left_out)
