"""Channels of which nothing is sent because somebody has said so (pure)."""

from __future__ import annotations

from bridge.simulator.stream.connection import Slot

__all__ = ["Mutes"]

_MOST = 1_000


class Mutes:
    """What is muted, by TR id and key (blank: all keys), until when."""

    def __init__(self) -> None:
        self._until: dict[Slot, float] = {}

    def add(self, slot: Slot, until: float) -> bool:
        """Mute a channel; False: there are too many already."""
        if slot not in self._until and len(self._until) >= _MOST:
            return False
        self._until[slot] = until
        return True

    def now(self, now: float) -> list[Slot]:
        """Return what is muted now."""
        self._until = {slot: until for slot, until in self._until.items() if until > now}
        return list(self._until)

    def covers(self, tr_id: str, key: str, now: float) -> bool:
        """Tell whether nothing of a registration is sent now."""
        if not self._until:
            return False
        return any(now < self._until.get((tr_id, one), 0.0) for one in (key, ""))
