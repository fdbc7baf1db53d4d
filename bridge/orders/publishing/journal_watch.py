"""Looks after the journal while nothing is written, and tells what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog

from bridge.errors import JournalError
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.orders.journal.journal import Journal

__all__ = ["JournalWatch"]

log = structlog.get_logger()

_LOOK_S = 1.0


class JournalWatch:
    """``tell`` publishes an event."""

    def __init__(self, journal: Journal, tell: Callable[[BridgeEvent], None]) -> None:
        self._journal = journal
        self._tell = tell
        self._replaced = ""
        self._failing = False

    async def run(self) -> None:
        """Look once a second, and tell every change, until cancelled."""
        while True:
            # Nobody may have ordered anything since the file was taken away.
            with suppress(JournalError):
                await self._journal.look()
            self._tell_changes()
            await self._journal.standing.news.wait(_LOOK_S)

    def _tell_changes(self) -> None:
        standing = self._journal.standing
        if standing.replaced != self._replaced:
            self._replaced = standing.replaced
            log.error("journal replaced", cause=standing.replaced)
            self._tell({"kind": "journal_replaced", "message": standing.replaced})
        if bool(standing.failing) != self._failing:
            self._failing = bool(standing.failing)
            if self._failing:
                log.error("journal cannot be written", cause=standing.failing)
            else:
                log.info("journal is written again")
            self._tell(
                {
                    "kind": "journal_unavailable",
                    "available": not self._failing,
                    "message": standing.failing,
                }
            )
