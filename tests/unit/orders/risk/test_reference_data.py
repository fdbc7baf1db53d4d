from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.catalog.compile import load
from bridge.kis.replies import Reply
from bridge.orders.risk.reference_data import ReferenceData
from bridge.orders.risk.rules import TradingAccount

CATALOG = load()


class Rest:
    """Answers every inquiry with a price, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def call(self, api: str, params: Mapping[str, str], **more: Any) -> Reply:
        raise AssertionError(api)

    async def pages(self, api: str, params: Mapping[str, str], **more: Any) -> AsyncIterator[Reply]:
        self.asked.append((api, params))
        values = {"stck_prpr": "71900", "futs_prpr": "400.00", "ord_psbl_qty": "3"}
        yield Reply("0", "", "", {"rt_cd": "0", "output": values, "output1": values}, "D")


def reference_data(
    rest: Rest, prices: Mapping[tuple[str, str, str], int]
) -> tuple[ReferenceData, TradingAccount]:
    def last(market: str, venue: str, symbol: str) -> Decimal | None:
        price = prices.get((market, venue, symbol))
        return None if price is None else Decimal(price)

    found = ReferenceData(CATALOG, paper=False, last_price=last, clock=lambda: 1)
    return found, TradingAccount(SecretStr("12345678-03"), rest)


@pytest.mark.parametrize(
    ("place", "symbol", "market"),
    [
        (("domestic_stock", "krx"), "005930", "J"),
        (("domestic_stock", "nxt"), "005930", "NX"),
        (("domestic_stock", "sor"), "005930", "UN"),
        (("domestic_derivative", "krx"), "A01603", "F"),
        (("domestic_derivative", "krx"), "B01603955", "O"),
        (("domestic_derivative", "krx_night"), "A01603", "CM"),
        (("domestic_derivative", "krx_night"), "C01603955", "EU"),
    ],
)
async def test_a_price_is_asked_where_the_order_goes(
    place: tuple[str, str], symbol: str, market: str
) -> None:
    rest = Rest()
    found, account = reference_data(rest, {})
    known = await found.reference(account, place, symbol, Decimal(1), limits=False)
    assert known.last in (71900, Decimal("400.00"))
    [(_, params)] = rest.asked
    assert params["FID_COND_MRKT_DIV_CODE"] == market


async def test_the_feeds_price_is_of_the_same_venue() -> None:
    rest = Rest()
    prices = {("domestic_stock", "krx", "005930"): 1, ("domestic_stock", "unified", "005930"): 2}
    found, account = reference_data(rest, prices)
    for venue, price in (("krx", 1), ("sor", 2)):
        place = ("domestic_stock", venue)
        known = await found.reference(account, place, "005930", None, limits=False)
        assert known.last == found.last(place, "005930") == price
    assert found.last(("domestic_stock", "nxt"), "005930") is None
    assert not rest.asked


class ContractRest(Rest):
    """Knows crude oil, and an option on an index."""

    async def pages(self, api: str, params: Mapping[str, str], **more: Any) -> AsyncIterator[Reply]:
        self.asked.append((api, params))
        detail = {"crc_cd": "USD", "tick_sz": "0.01", "tick_val": "10"}
        price = {"last_price": "68.82", "tick_size": "0.01"}
        block = detail if api.endswith("detail") else price
        yield Reply("0", "", "", {"rt_cd": "0", "output1": block}, "D")


@pytest.mark.parametrize(
    ("symbol", "calls"),
    [("CLF27", ("inquire_price", "stock_detail")), ("OESH23 C3900", ("opt_price", "opt_detail"))],
)
async def test_kis_tells_what_a_contract_overseas_is_worth(
    symbol: str, calls: tuple[str, ...]
) -> None:
    rest, place = ContractRest(), ("overseas_derivative", "all")
    account = TradingAccount(SecretStr("12345678-08"), rest)
    feed: Any = lambda *_: Decimal(6882)  # noqa: E731 - the feed has no point in these prices
    rates = {"USD": Decimal(1_400)}
    found = ReferenceData(CATALOG, paper=False, last_price=feed, clock=lambda: 1, rates=rates)
    known = await found.reference(account, place, symbol, Decimal("68.5"), limits=True)
    assert (known.last, known.tick) == (Decimal("68.82"), Decimal("0.01"))
    assert known.unit == 1_400_000, "a thousand barrels"
    assert [api for api, _ in rest.asked] == [f"overseas_futureoption/{api}" for api in calls]
    poor = ReferenceData(CATALOG, paper=False, last_price=feed, clock=lambda: 1)
    known = await poor.reference(account, place, symbol, Decimal("68.5"), limits=True)
    assert known.unit is None, "without a rate nobody knows"


@pytest.mark.parametrize(
    ("venue", "api"), [("krx", "inquire_psbl_order"), ("krx_night", "inquire_psbl_ngt_order")]
)
async def test_funds_are_asked_of_the_session(venue: str, api: str) -> None:
    rest = Rest()
    found, account = reference_data(rest, {})
    place = ("domestic_derivative", venue)
    assert await found.orderable(account, place, "A01603", "buy", "limit", Decimal(400)) == 3
    assert rest.asked[0][0] == f"domestic_futureoption/{api}"
