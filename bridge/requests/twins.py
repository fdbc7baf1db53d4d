"""Requests that come twice, on a connection of their own and on that of everything else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from hashlib import sha256

from bridge.mqtt.message import Message
from bridge.runtime.turns import News

__all__ = ["Twins"]

_LATE_S = 0.5
"""How much later than its twin a request may come on the connection that is meant for it."""
_KEPT_S = 600.0
"""How long a twin may wait behind what the broker holds back. After that it counts as a request of
its own: a halt once more does no harm, and one that is lost does."""
_MOST = 1_000


class Twins:
    """Remembers what came on the way of its own until the other way has brought it, too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._came: deque[tuple[float, bytes]] = deque(maxlen=_MOST)
        self._news = News()

    def came(self, message: Message) -> None:
        """Remember a request that came on the way of its own and is served from there."""
        self._came.append((self._clock(), _content(message)))
        self._news.tell()

    async def served(self, message: Message) -> bool:
        """Tell whether a request of the other way is served already; wait a moment for that."""
        until = self._clock() + _LATE_S
        while not self._take(_content(message)):
            left = until - self._clock()
            if left <= 0:
                return False
            await self._news.wait(left)
        return True

    def _take(self, content: bytes) -> bool:
        while self._came and self._came[0][0] < self._clock() - _KEPT_S:
            self._came.popleft()
        # Each takes one away: whoever asks twice with the same bytes is served twice.
        found = next((one for one in self._came if one[1] == content), None)
        if found is not None:
            self._came.remove(found)
        return found is not None


def _content(message: Message) -> bytes:
    # Not the request itself: it may be as large as the broker lets it be, and is read later.
    parts = (message.topic.encode(), message.payload, message.correlation)
    return b"".join(sha256(part).digest() for part in parts)
