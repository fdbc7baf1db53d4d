"""How large a packet a broker takes: what it announces, and what its hanging up tells; pure.

Sizes are in bytes, times in seconds. Brokers of MQTT 3.1.1 announce nothing, and end the
connection of whoever sends too much. Sent again after each reconnect, one record would then hold
up all others for ever.
"""

from __future__ import annotations

__all__ = ["PacketSizes"]

_SURE = 4096
"""A broker that does not take so much could not carry what the bridge says of itself either."""
_BELIEVED_S = 600.0
"""How long a limit that no broker announced is believed in: it may have been chance after all."""


class PacketSizes:
    """Judges the packets of one connection after another.

    The rule for what is not announced: when the broker ends two connections in a row, and on both
    a packet was under way that is larger than all it is known to take, it is taken not to take the
    smaller of the two. What is not larger than an arrived packet is never held to be too large.
    """

    def __init__(self) -> None:
        self.sure = _SURE
        """Up to this size nothing has to be asked."""
        self._announced: int | None = None
        self._learned: tuple[int, float] | None = None
        self._written = self._asked = 0
        """The largest that is not known to be taken: since the last ping, and before it."""
        self._suspect = 0
        """The largest that was under way when the connection before broke."""

    def connected(self, announced: int | None) -> None:
        """Begin a connection; ``announced`` is the broker's own maximum."""
        self._announced = announced
        # Another broker may answer now, or the same one with other limits.
        self.sure = min(_SURE, announced or _SURE)
        self._written = self._asked = 0

    def limit(self, now: float) -> int | None:
        """Return the size of the largest packet that the broker takes; None: nothing is known."""
        if self._learned is not None and now - self._learned[1] >= _BELIEVED_S:
            self._learned = None
        limits = [self._announced, None if self._learned is None else self._learned[0]]
        return min((limit for limit in limits if limit is not None), default=None)

    def takes(self, size: int, now: float) -> bool:
        """Say whether a packet may be sent, which then counts as under way."""
        if size <= self.sure:
            return True
        limit = self.limit(now)
        if limit is not None and size > limit:
            return False
        self._written = max(self._written, size)
        return True

    def pinged(self) -> None:
        """Say that a ping is sent: its answer comes when all before it was read."""
        self._asked, self._written = max(self._asked, self._written), 0

    def answered(self) -> None:
        """Say that the last ping is answered."""
        self.sure = max(self.sure, self._asked)
        if self._asked >= self._suspect:
            self._suspect = 0
        self._asked = 0

    def ended(self, now: float, *, too_large: bool = False) -> None:
        """Say that the broker ended the connection; ``too_large``: for that, as it says."""
        largest, before = max(self._written, self._asked), self._suspect
        self._suspect = largest
        if largest and (before or too_large):
            self._learned = (min(largest, before or largest) - 1, now)
            self._suspect = 0
