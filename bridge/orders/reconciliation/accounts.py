"""What accounts hold: published, kept up to date after fills, compared with what the fills say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import structlog

from bridge.catalog.model import Catalog
from bridge.errors import BridgeError, RequestError
from bridge.kis import query
from bridge.kis.listing import ListedOrder
from bridge.kis.markets import NEW_LOANS, told_of_fills, venue
from bridge.kis.params import prepare
from bridge.kis.replies import KisUnknownError
from bridge.kis.throttle import Priority
from bridge.mqtt.event_payloads import PositionDifferenceEvent
from bridge.mqtt.strict_json import encode
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Place
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing import payloads
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.publishing.reports import (
    AccountBalance,
    AccountOrders,
    AccountPositions,
    BalanceRow,
    PositionRow,
)
from bridge.orders.reconciliation.balances import public, quantity, rows_of, traded
from bridge.orders.risk.rules import Rules, TradingAccount

__all__ = ["Accounts"]

log = structlog.get_logger()

_PAGE_S = 30.0
"""How long a page may take: on paper KIS answers one call a second, and orders go first."""
_PAGES = 100
_UNSURE = 3_000_000
"""How long (µs) after a fill the balance may not have it yet."""
_BONDS = "domestic_bond/inquire_balance"
_OWN: Mapping[str, tuple[str, dict[str, str]]] = {
    "domestic_derivative": (
        "domestic_futureoption/inquire_balance",
        {"margin_class": "initial", "settlement_status": "settlement_price"},
    ),
    "overseas_derivative": ("overseas_futureoption/inquire_unpd", {"derivative_class": "all"}),
}
"""What to ask of markets with accounts of their own."""
_MOST = 2_000
"""Working orders in one payload."""


@dataclass(slots=True)
class _Holding:
    """What one account had when it was asked last."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    """µs since the epoch; 0: never answered."""
    calls: Sequence[object] = ()
    """What was asked: of other markets nothing is known."""
    quantities: dict[tuple[str, str], int] = field(default_factory=dict)
    """By market and symbol; short positions are negative."""
    fills: list[tuple[int, tuple[str, str], int]] = field(default_factory=list)
    """Since ``asked``: when, what, and how much more it is now."""


class Accounts:
    """Asks KIS for balance and positions, at the start, after fills, and on a period."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        accounts: Mapping[str, TradingAccount],
        rules: Rules,
        blotter: Blotter,
        publisher: Publisher,
        clock: Callable[[], int],
        after_fills: Callable[[str], None],
    ) -> None:
        self._catalog = catalog
        self._accounts = accounts
        self._rules = rules
        self._blotter = blotter
        self._publisher = publisher
        self._clock = clock
        self._held = {alias: _Holding() for alias in accounts}
        self._after_fills = after_fills

    async def run(self) -> None:
        """Keep every account up to date, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for alias, held in self._held.items():
                tasks.create_task(self._keep(alias, held))

    def filled(self, order: ManagedOrder, quantity: int) -> None:
        """Take note of a fill."""
        place, held = order.command, self._held.get(order.identity.account)
        if held is None or not isinstance(place, Place):
            return
        more = quantity if place.side == "buy" else -quantity
        held.fills.append((self._clock(), (place.market, place.symbol), more))
        held.wake.set()

    def listed(self, alias: str, rows: Sequence[ListedOrder]) -> None:
        """Publish the orders that work at the exchange, ours with their names."""
        working = [row for row in rows if row.remaining > 0 and row.action != "cancel"]
        markets = {row.market for row in rows}
        own = {
            (market, key): order
            for market in markets
            for key, order in self._blotter.owned(
                alias, market, [row for row in rows if row.market == market]
            ).items()
        }
        orders = [
            payloads.working_order(row, own.get((row.market, row.key))) for row in working[:_MOST]
        ]
        said: AccountOrders = {"at": self._clock(), "orders": orders}
        self._say(alias, "orders", said)

    def reducible(self, alias: str, place: Place, *, but: ManagedOrder) -> int | None:
        """Return how much of an order would only make a position smaller; None: not known.

        What other orders of that side may still take of it is taken off.
        """
        held = self._held.get(alias)
        if held is None or not held.asked:
            return None
        if place.credit_type in NEW_LOANS:
            return 0  # what borrows makes nothing smaller
        key = (place.market, place.symbol)
        quantity = held.quantities.get(key, 0)
        moved = [more for at, what, more in held.fills if what == key]
        sells = place.side == "sell"
        left = quantity + sum(more for more in moved if (more < 0) is sells)
        left = left if sells else -left
        for order in self._blotter.working(alias):
            other = order.command
            same = isinstance(other, Place) and (other.market, other.symbol) == key
            if same and order is not but and order.identity != but.identity._replace(command_id=""):
                assert isinstance(other, Place)  # noqa: S101
                left -= order.progress.remaining if other.side == place.side else 0
        return max(0, left)

    # asking

    async def _keep(self, alias: str, held: _Holding) -> None:
        while True:
            held.wake.clear()
            try:
                await self._refresh(alias, held)
            except BridgeError as error:
                log.warning("account not read", account=alias, cause=str(error))
            # What was filled just now may not be in it yet, which proves nothing: ask again soon.
            soon = _UNSURE / 1_000_000 if held.fills else self._rules.reconcile_s
            try:
                async with asyncio.timeout(min(soon, self._rules.reconcile_s)):
                    await held.wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(self._rules.settle_s)  # fills come in bursts
            self._after_fills(alias)

    async def _refresh(self, alias: str, held: _Holding) -> None:
        account, asked = self._accounts[alias], self._clock()
        balance: list[dict[str, Any]] = []
        positions: list[dict[str, Any]] = []
        calls = self._calls(alias, account)
        for market, api, given in calls:
            rows, totals = await self._read(account, api, given)
            balance += [{"market": market, **row} for row in totals]
            known = map(traded, rows)
            positions += [{"market": market, **row} for row in known if quantity(row)]
        quantities: dict[tuple[str, str], int] = {}
        for row in positions:
            key = (row["market"], str(row.get("symbol")))
            quantities[key] = quantities.get(key, 0) + quantity(row)
        self._compare(alias, held, calls, asked, quantities)
        now = self._clock()
        # Beside what is named here, the rows have whatever the workbook calls KIS's columns.
        worth: AccountBalance = {"at": now, "balance": cast("list[BalanceRow]", balance)}
        holds: AccountPositions = {"at": now, "positions": cast("list[PositionRow]", positions)}
        self._say(alias, "balance", worth)
        self._say(alias, "positions", holds)

    def _calls(self, alias: str, account: TradingAccount) -> list[tuple[str, str, dict[str, str]]]:
        """Return what to ask for: markets where the account has orders of ours, and its own."""
        markets = account.markets(self._rules.markets)
        if markets[0] in _OWN:
            return [(markets[0], *_OWN[markets[0]])]
        calls = [("domestic_stock", "domestic_stock/inquire_balance", dict[str, str]())]
        if "domestic_bond" in markets and not self._rules.paper:
            calls.append(("domestic_bond", _BONDS, {"inquiry_condition": "all"}))
        places = {
            order.command.place
            for order in self._blotter
            if order.identity.account == alias
            and isinstance(order.command, Place)
            and order.command.market == "overseas_stock"
        }
        exchanges = {(venue(place).exchange, venue(place).currency) for place in places}
        if not self._rules.paper:  # the real servers take Nasdaq for all of the United States
            exchanges = {("nasdaq" if c == "USD" else e, c) for e, c in exchanges}
        for exchange, currency in sorted(exchanges):
            where = {"exchange": exchange, "currency": currency}
            calls.append(("overseas_stock", "overseas_stock/inquire_balance", where))
        return calls

    async def _read(
        self, account: TradingAccount, name: str, given: Mapping[str, str]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return positions and totals; raises :class:`BridgeError` unless they are complete."""
        api = self._catalog.apis[name]
        params = prepare(api, self._catalog, given, account.number)
        pages, more = [], False
        async for reply in account.rest.pages(
            name,
            params,
            variant=api.tr_ids[0].variant,
            priority=Priority.RECONCILE,
            page_s=_PAGE_S,
            limit=_PAGES,
        ):
            if not reply.ok:
                raise RequestError("kis_refused", f"{name}: {reply.msg_cd} {reply.msg1}".strip())
            pages.append(query.shape(api, reply.body, account.number))
            more = reply.more
        if more:
            raise KisUnknownError(f"{name}: more than {_PAGES} pages")
        joined = query.join(pages)
        held = joined.get("output1", joined.get("output"))
        return [public(row) for row in rows_of(held)], [
            public(row) for row in rows_of(joined.get("output2"))[:1]
        ]

    def _compare(
        self,
        alias: str,
        held: _Holding,
        calls: Sequence[object],
        asked: int,
        quantities: dict[tuple[str, str], int],
    ) -> None:
        """Tell what changed without a fill of ours, when no fill is too young to tell."""
        if any(at > asked - _UNSURE for at, _, _ in held.fills) and held.asked:
            if held.asked < asked - 10 * _UNSURE:
                log.info("positions not compared, fills keep coming", account=alias)
            return
        if held.asked and held.calls == calls:
            expected = dict(held.quantities)
            for _, key, more in held.fills:
                expected[key] = expected.get(key, 0) + more
            for key in sorted(expected.keys() | quantities.keys()):
                before, now = expected.get(key, 0), quantities.get(key, 0)
                # Without notices the balance may be ahead of what the list told of fills.
                if before != now and told_of_fills(key[0]):
                    self._differ(alias, key, before, now)
        held.asked, held.calls, held.quantities, held.fills = asked, calls, quantities, []

    def _differ(self, alias: str, key: tuple[str, str], expected: int, found: int) -> None:
        at = self._clock()
        event: PositionDifferenceEvent = {
            "kind": "position_difference",
            "account": alias,
            "market": key[0],
            "symbol": key[1],
            "expected_quantity": expected,
            "quantity": found,
        }
        self._publisher.post(lambda: self._publisher.difference(event, at))

    def _say(
        self, alias: str, what: str, content: AccountBalance | AccountPositions | AccountOrders
    ) -> None:
        payload = encode(content)
        self._publisher.post(lambda: self._publisher.account(alias, what, payload))
