"""Since when KIS tells of executions without a gap: what was not told then did not happen."""

from __future__ import annotations

from collections.abc import Callable

from bridge.catalog.model import Catalog
from bridge.kis.session import Lost, SessionEvent, Subscribed
from bridge.runtime.clock import now_us

__all__ = ["Listening"]


_FILLS_ALONE = frozenset({"HDFFF2C0"})
"""Channels that never tell of an order that was only placed: their silence proves nothing."""


class Listening:
    """Execution notices by app key and market; times are µs since the epoch.

    ``heard_at(app)`` is when a session said anything last: a connection that has died in silence
    tells of nothing.
    """

    def __init__(
        self, catalog: Catalog, heard_at: Callable[[str], int], clock: Callable[[], int] = now_us
    ) -> None:
        self._catalog = catalog
        self._heard_at = heard_at
        self._clock = clock
        self._since: dict[tuple[str, str], int] = {}

    def happened(self, app: str, event: SessionEvent) -> bool:
        """Take what happened to a session; returns whether notices begin to come."""
        if isinstance(event, Lost):
            self._since = {key: since for key, since in self._since.items() if key[0] != app}
        channel = self._catalog.channel(event.tr_id) if isinstance(event, Subscribed) else None
        if channel is None or not channel.encrypted:
            return False
        if channel.tr_id not in _FILLS_ALONE:
            self._since[app, channel.market] = self._clock()
        return True

    def span(self, app: str, market: str) -> tuple[int, int] | None:
        """Return since and until when they were heard; None: not at all."""
        since = self._since.get((app, market))
        return None if since is None else (since, self._heard_at(app))
