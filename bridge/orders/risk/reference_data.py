"""What the limits need to know of a symbol: from the market data, else asked from KIS and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog

from bridge.catalog.model import Catalog
from bridge.errors import RequestError
from bridge.kis import query
from bridge.kis.markets import NEW_LOANS, NIGHT, Place, stands_at, venue
from bridge.kis.params import prepare
from bridge.kis.prices import grid
from bridge.kis.replies import KisError
from bridge.kis.throttle import Priority
from bridge.orders.risk.limits import Reference
from bridge.orders.risk.rules import TradingAccount
from bridge.runtime.clock import seoul_day

__all__ = ["ReferenceData"]

log = structlog.get_logger()

_FRESH = 10_000_000
"""How old (µs) a price that KIS was asked for may be."""
_ASK_S = 5.0
"""How long an order waits for what a limit needs, before that counts as not known."""
_QUOTED = {"krx": "krx", "nxt": "nxt", "sor": "unified"}
"""Where domestic stock of a venue has its price; smart orders go to either exchange."""


@dataclass(frozen=True, slots=True)
class _Quote:
    at: int
    last: Decimal | None
    lower: Decimal | None
    upper: Decimal | None
    tick: Decimal | None
    """At ``last``."""
    unit: Decimal | None = None
    """What one contract, at a price of 1, is worth in won."""


class ReferenceData:
    """Prices and price limits by symbol; None where neither the market data nor KIS tells one.

    The limits that need it then refuse the order: they fail closed.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        paper: bool,
        last_price: Callable[[str, str, str], Decimal | None],
        clock: Callable[[], int],
        rates: Mapping[str, Decimal] | None = None,
    ) -> None:
        self._catalog = catalog
        self._rates = rates or {}
        """Won for one unit of a currency."""
        self._paper = paper
        self._last_price = last_price
        self._clock = clock
        self._quotes: dict[tuple[Place, str], _Quote] = {}
        self._asking: dict[tuple[Place, str], asyncio.Lock] = {}

    def last(self, place: Place, symbol: str) -> Decimal | None:
        """Return the last price as far as the market data has it."""
        market, where = stands_at(place, "")
        if market == "overseas_derivative":
            return None  # the feed's prices are without their point
        quoted = _QUOTED.get(where, where) if market == "domestic_stock" else where
        return self._last_price(market, quoted, symbol)

    async def reference(
        self,
        account: TradingAccount,
        place: Place,
        symbol: str,
        price: Decimal | None,
        *,
        limits: bool,
    ) -> Reference:
        """Return what is known of a symbol; ``limits``: with the day's limits and the tick."""
        last = self.last(place, symbol)
        if last is not None and not limits:
            return Reference(last)
        quote = await self._quote(account, place, symbol, fresh=last is None)
        if quote is None:
            return Reference(last)
        told = None
        if quote.last is not None and quote.tick is not None:
            told = (quote.last, quote.tick)
        return Reference(
            last if last is not None else quote.last,
            quote.lower,
            quote.upper,
            None if price is None else grid(place, symbol, price, told),
            quote.unit,
        )

    async def orderable(
        self,
        account: TradingAccount,
        place: Place,
        symbol: str,
        side: str,
        order_type: str,
        price: Decimal | None,
        *,
        credit_type: str = "",
        loan_date: str = "",
    ) -> int | None:
        """Return what funds (a purchase) or holdings (a sale) suffice for."""
        given = {"symbol": symbol}
        text = "0" if price is None else format(price, "f")
        match place[0], side:
            case "domestic_stock", _ if credit_type and credit_type not in NEW_LOANS:
                balance = "domestic_stock/inquire_balance"
                return await self._held(account, balance, {}, symbol, loan_date)
            case "domestic_stock", _ if credit_type:
                api, path = "domestic_stock/inquire_credit_psamount", "max_buy_quantity"
                given |= {"price": text, "order_type": order_type, "credit_type": credit_type}
                given |= {"include_cma": "no", "include_overseas": "no"}
            case "domestic_stock", "buy":
                api, path = "domestic_stock/inquire_psbl_order", "buy_quantity"
                given |= {"price": text, "order_type": order_type}
            case "domestic_stock", _ if not self._paper:
                api, path = "domestic_stock/inquire_psbl_sell", "orderable_quantity"
            case "domestic_stock", _:  # paper trading has no call for it
                return await self._held(account, "domestic_stock/inquire_balance", {}, symbol)
            case "overseas_stock", "buy":
                api, path = "overseas_stock/inquire_psamount", "max_order_quantity"
                given |= {"order_price": text, "exchange": venue(place).exchange}
            case "overseas_derivative", _:
                api, path = "overseas_futureoption/inquire_psamount", "max_order_quantity"
                given |= {"order_price": text, "side": side}
                if order_type in ("market", "stop"):
                    path = "market_max_order_quantity"
            case "domestic_bond", "buy":
                api, path = "domestic_bond/inquire_psbl_order", "buy_possible_quantity"
                given |= {"order_price": text, "small_market": venue(place).variant}
            case "domestic_bond", _:
                own = {"inquiry_condition": "all"}
                return await self._held(account, "domestic_bond/inquire_balance", own, symbol)
            case "overseas_stock", _:
                at = venue(place)
                own = {"exchange": at.exchange, "currency": at.currency}
                return await self._held(account, "overseas_stock/inquire_balance", own, symbol)
            case _:
                name = "inquire_psbl_ngt_order" if place == NIGHT else "inquire_psbl_order"
                api, path = f"domestic_futureoption/{name}", "orderable_quantity"
                given |= {"order_price": text, "side": side, "order_type": order_type}
        for row in await self._ask(account, api, given):
            if isinstance(row.get(path), Decimal):
                return int(row[path])
        return None

    async def _quote(
        self, account: TradingAccount, place: Place, symbol: str, *, fresh: bool
    ) -> _Quote | None:
        key = (place, symbol)
        # Orders of one symbol that come together share one question: on paper KIS answers one call
        # a second, and each of them is waiting for it.
        async with self._asking.setdefault(key, asyncio.Lock()):
            known, now = self._quotes.get(key), self._clock()
            today = seoul_day(now)
            if known is not None:
                age = now - known.at
                day = seoul_day(known.at)
                if age < _FRESH or (not fresh and day == today and known.upper is not None):
                    return known
            api, given = self._price_call(place, symbol)
            rows = await self._ask(account, api, given)
            if not rows:
                return None
            last, lower, upper, tick = (
                _positive(rows[0].get(path))
                for path in ("price", "lower_limit", "upper_limit", "tick_size")
            )
            unit = None
            if place[0] == "overseas_derivative":
                unit = await self._unit(account, symbol, tick)
            quote = self._quotes[key] = _Quote(now, last, lower, upper, tick, unit)
            return quote

    async def _unit(
        self, account: TradingAccount, symbol: str, tick: Decimal | None
    ) -> Decimal | None:
        """Return what a contract overseas is worth in won at a price of 1; None: not known."""
        api = "opt_detail" if _is_option(symbol) else "stock_detail"
        rows = await self._ask(account, f"overseas_futureoption/{api}", {"symbol": symbol})
        row = rows[0] if rows else {}
        value, told = _positive(row.get("tick_value")), _positive(row.get("tick_size"))
        currency = str(row.get("currency") or "")
        rate = Decimal(1) if currency == "KRW" else self._rates.get(currency)
        # Where two answers differ in the tick, the smaller one makes more of each contract.
        smallest = min((one for one in (tick, told) if one is not None), default=None)
        if value is None or smallest is None or rate is None:
            return None
        return value / smallest * rate

    def _price_call(self, place: Place, symbol: str) -> tuple[str, dict[str, str]]:
        place = stands_at(place, "")
        match place[0]:
            case "domestic_stock":
                return "domestic_stock/inquire_price", {
                    "symbol": symbol,
                    "market": _QUOTED[place[1]],
                }
            case "overseas_stock":
                return "overseas_stock/price", {"symbol": symbol, "exchange": place[1].upper()}
            case "overseas_derivative":
                api = "opt_price" if _is_option(symbol) else "inquire_price"
                return f"overseas_futureoption/{api}", {"symbol": symbol}
            case "domestic_bond":
                return "domestic_bond/inquire_price", {"symbol": symbol}
        kind = "option" if symbol[:1] in tuple("23BC") else "future"
        board = f"night_{kind}" if place == NIGHT else f"index_{kind}"
        return "domestic_futureoption/inquire_price", {"symbol": symbol, "market": board}

    async def _held(
        self,
        account: TradingAccount,
        api: str,
        given: Mapping[str, str],
        symbol: str,
        loan_date: str = "",
    ) -> int | None:
        """Return what can be sold, from the balance; ``loan_date``: of what that loan is for."""
        rows = await self._ask(account, api, given)
        own = [row for row in rows if row.get("symbol") == symbol]
        if loan_date:
            own = [row for row in own if row.get("loan_date") == loan_date]
        quantities = [row.get("orderable_quantity") for row in own]
        if not rows or not all(isinstance(quantity, Decimal) for quantity in quantities):
            return None
        return sum(int(quantity) for quantity in quantities if isinstance(quantity, Decimal))

    async def _ask(
        self, account: TradingAccount, name: str, given: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Return the rows of an answer, all blocks and pages of it; none: KIS did not answer."""
        api = self._catalog.apis[name]
        try:
            params = prepare(api, self._catalog, given, account.number)
            rows = []
            async for reply in account.rest.pages(
                name,
                params,
                variant=api.tr_ids[0].variant,
                priority=Priority.ORDER,
                deadline=asyncio.get_running_loop().time() + _ASK_S,
            ):
                if not reply.ok:
                    raise RequestError("kis_refused", f"{reply.msg_cd} {reply.msg1}".strip())
                for block in query.shape(api, reply.body, account.number).values():
                    rows += block if isinstance(block, list) else [block]
        except (KisError, RequestError) as error:
            log.warning("a limit needs what KIS did not tell", api=name, cause=str(error))
            return []
        return [row for row in rows if isinstance(row, dict)]


def _is_option(symbol: str) -> bool:
    """Tell whether a contract overseas is an option: they name their strike after a blank."""
    return " " in symbol


def _positive(value: object) -> Decimal | None:
    return value if isinstance(value, Decimal) and value > 0 else None
