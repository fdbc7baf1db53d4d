"""Takes a journal into use that lacks orders: a person has said so, and the exchange was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from bridge.errors import RequestError
from bridge.orders.journal.identity import Mark
from bridge.orders.journal.journal import Journal
from bridge.orders.reconciliation.reconciler import Reconciler
from bridge.orders.risk.rules import Terms
from bridge.runtime.turns import News

__all__ = ["Adoption"]

log = structlog.get_logger()

_LISTS_S = 20.0


@dataclass(frozen=True, slots=True)
class Adoption:
    """``news`` comes whenever lists were read."""

    terms: Terms
    journal: Journal
    reconciler: Reconciler
    news: News

    async def adopt(self) -> Mark:
        """Read the exchange's lists, then go on with the journal as it is.

        Raises :class:`RequestError`, and :class:`bridge.errors.JournalError`.
        """
        standing = self.journal.standing
        if not standing.replaced:
            raise RequestError("not_replaced", "the journal is in use, and nothing is missing")
        if not standing.adoptable:
            text = (
                f"{standing.replaced}. To go on with what is there now, restart it and adopt then"
            )
            raise RequestError("restart_needed", text)
        await self._read_lists()
        why = standing.replaced
        await self.journal.adopt()
        log.warning("journal adopted", cause=why, **self.journal.mark._asdict())
        return self.journal.mark

    async def _read_lists(self) -> None:
        """Have everything listed anew that stands at the exchange: what is unknown is told."""
        accounts = self.terms.accounts
        for alias in accounts:
            self.reconciler.gap(alias)
        missing = {
            (alias, market)
            for alias, account in accounts.items()
            for market in account.markets(self.terms.rules.markets)
        }
        try:
            async with asyncio.timeout(_LISTS_S):
                while not all(self.reconciler.complete(*one) for one in missing):
                    await self.news.wait()
        except TimeoutError:
            problems = [self.reconciler.missing(alias) for alias in accounts]
            text = "; ".join(filter(None, problems)) or f"no list within {_LISTS_S:.0f} s"
            raise RequestError("lists_not_read", text) from None
