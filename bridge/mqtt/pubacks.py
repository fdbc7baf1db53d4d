"""PUBACKs of what came with QoS 1, in the order in which it came (MQTT 5, 4.6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["PubAcks", "Unacknowledged"]


@dataclass(slots=True)
class Unacknowledged:
    """A message whose handler has not let it be acknowledged."""

    mid: int
    ready: bool = False
    """The handler wants it acknowledged."""
    passed: bool = False
    """The handler is done with it and later ones need not wait."""


class PubAcks:
    """Sends each when it is ready and everything before it is, or when nothing waits for it."""

    def __init__(self, send: Callable[[Sequence[int]], None]) -> None:
        self._send = send
        self._waiting: deque[Unacknowledged] = deque()
        self._together: list[int] | None = None

    def hold(self, mid: int) -> Unacknowledged:
        """Keep the place of a message."""
        entry = Unacknowledged(mid)
        self._waiting.append(entry)
        return entry

    def acknowledge(self, entry: Unacknowledged) -> None:
        """Let a message be acknowledged; a second time changes nothing."""
        if entry.ready:
            return
        entry.ready = True
        if entry.passed:
            self._out(entry.mid)  # late, and no longer in its place
        else:
            self._flush()

    def let_by(self, entry: Unacknowledged) -> None:
        """Let no later message wait for this one."""
        entry.passed = True
        self._flush()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send at once, at the end, what becomes ready meanwhile: a flood has one write for many.

        Nothing may be awaited meanwhile.
        """
        self._together = []
        try:
            yield
        finally:
            mids, self._together = self._together, None
            if mids:
                self._send(mids)

    def _flush(self) -> None:
        while self._waiting and (self._waiting[0].ready or self._waiting[0].passed):
            entry = self._waiting.popleft()
            if entry.ready:
                self._out(entry.mid)

    def _out(self, mid: int) -> None:
        if self._together is None:
            self._send((mid,))
        else:
            self._together.append(mid)
