"""KIS asked for its own list of an account's orders: complete, or not at all."""

from __future__ import annotations

from typing import Any

from bridge.kis import listing, reservations
from bridge.kis.listing import ListedOrder, OrderList, Part
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

    async def read(self, alias: str, market: str) -> OrderList:
        """Return the list of a market.

        Raises :class:`BridgeError` unless every page was read that ``tr_cont`` announced.
        """
        parts = listing.lists(market, self._blotter.venues(alias, market))
        return OrderList.of([await self._pages(alias, market, part) for part in parts])

    async def _pages(self, alias: str, market: str, part: Part) -> OrderList:
        account, today = self._terms.accounts[alias], seoul_day(self._terms.clock())
        first = min([today, *self._blotter.days(alias, market)])
        asked: Any = {
            "market": market,
            "account": account.number.get_secret_value(),
            "first": first,
            "last": today,
        }
        reserved = part == "reserved"
        if reserved:
            call = reservations.ask(self._terms.catalog, **asked)
        else:
            paper = self._terms.rules.paper
            call = listing.ask(self._terms.catalog, **asked, paper=paper, part=part)
        rows: list[ListedOrder] = []
        more = hinted = False
        async for reply in account.rest.pages(
            call.api,
            call.params,
            variant=call.variant,
            priority=Priority.RECONCILE,
            page_s=_PAGE_S,
            limit=_PAGES,
            by_key=True,  # a row that is missed would count as never placed
        ):
            if not reply.ok and hinted and not more:
                # Only a key said that there is another page, and KIS does not give it. What was
                # read may be used, but what is not in it proves nothing.
                return OrderList(rows, complete=False)
            if not reply.ok:
                raise KisUnknownError(f"{call.api}: {reply.msg_cd} {reply.msg1}".strip())
            if reserved:
                rows += reservations.rows(self._terms.catalog, call, reply.body)
            else:
                rows += listing.rows(self._terms.catalog, call, reply.body, self._terms.clock())
            more, hinted = reply.tr_cont in ("F", "M"), reply.more
        if hinted:
            raise KisUnknownError(f"{call.api}: more than {_PAGES} pages")
        return OrderList(rows, complete=True)
