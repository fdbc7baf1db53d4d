"""KIS asked for its own list of an account's orders: complete, or not at all."""

from __future__ import annotations

from bridge.kis import listing
from bridge.kis.listing import ListedOrder
from bridge.kis.replies import KisUnknownError
from bridge.kis.throttle import Priority
from bridge.orders.model.blotter import Blotter
from bridge.orders.risk.rules import Terms
from bridge.runtime.clock import seoul_day

__all__ = ["OrderLists"]

_PAGES = 1_000
"""More than anybody's day has: a server that always says "more" must not be asked for ever."""
_PAGE_S = 30.0
"""How long a page may take: on paper KIS answers one call a second, and orders go first."""


class OrderLists:
    """Reads lists, of all days and sessions in which an account has orders of ours."""

    def __init__(self, terms: Terms, blotter: Blotter) -> None:
        self._terms = terms
        self._blotter = blotter

    async def read(self, alias: str, market: str) -> list[ListedOrder]:
        """Return the rows of a market, oldest first.

        Raises :class:`BridgeError` unless the list is complete, because what is not in it counts as
        never placed.
        """
        nights = [False, True] if self._blotter.at_night(alias, market) else [False]
        rows = [row for night in nights for row in await self._pages(alias, market, night=night)]
        # An order that comes in while pages are read shifts the rows, so that one can come twice.
        rows.sort(key=lambda row: row.at or 0)
        return list({row.key: row for row in rows}.values())

    async def _pages(self, alias: str, market: str, *, night: bool) -> list[ListedOrder]:
        account, today = self._terms.accounts[alias], seoul_day(self._terms.clock())
        first = min([today, *self._blotter.days(alias, market)])
        call = listing.ask(
            self._terms.catalog,
            market=market,
            account=account.number.get_secret_value(),
            first=first,
            last=today,
            paper=self._terms.rules.paper,
            night=night,
        )
        rows: list[ListedOrder] = []
        more = False
        async for reply in account.rest.pages(
            call.api,
            call.params,
            variant=call.variant,
            priority=Priority.RECONCILE,
            page_s=_PAGE_S,
            limit=_PAGES,
        ):
            if not reply.ok:
                raise KisUnknownError(f"{call.api}: {reply.msg_cd} {reply.msg1}".strip())
            rows += listing.rows(self._terms.catalog, call, reply.body, self._terms.clock())
            more = reply.more
        if more:
            raise KisUnknownError(f"{call.api}: more than {_PAGES} pages")
        return rows
