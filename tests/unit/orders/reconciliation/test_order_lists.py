"""The exchange's list is complete, or it is none, or it proves no absence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.kis.listing import OrderList
from bridge.kis.replies import KisUnknownError, Reply
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.reconciliation.order_lists import OrderLists
from bridge.orders.risk.rules import Rules, Terms, TradingAccount
from tests.unit.orders.commands import DAY, HOUR, MONDAY, accept, managed, place, submit

CATALOG = load()
CALENDAR = Calendar(CATALOG.hours)
STOCK = "domestic_stock"


class PlayedRest:
    """Answers with these pages, call by call."""

    def __init__(self, *calls: list[Reply]) -> None:
        self.calls = list(calls)
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def pages(self, api: str, params: Mapping[str, str], **more: Any) -> AsyncIterator[Reply]:
        assert more["by_key"], "a page that only its key announces belongs to the list"
        self.asked.append((api, params))
        for reply in self.calls.pop(0):
            yield reply


def row(order_no: str, time: str = "100000") -> dict[str, str]:
    return {
        "ord_dt": "20261123",
        "ord_tmd": time,
        "odno": order_no,
        "ord_qty": "10",
        "ord_unpr": "71900",
        "pdno": "005930",
    }


def page(*rows: dict[str, str], tr_cont: str = "D", following: bool | None = None) -> Reply:
    body = {"rt_cd": "0", "output1": list(rows), "output2": [{}]}
    return Reply("0", "", "", body, tr_cont, following=following)


REFUSED = Reply("7", "APBK1680", "no such page ", {"rt_cd": "7"})


async def read(
    rest: PlayedRest, *orders: ManagedOrder, market: str = STOCK, now: int = MONDAY
) -> OrderList:
    blotter = Blotter(CALENDAR)
    for one in orders:
        blotter.add(one)
    played: Any = rest
    accounts = {"main": TradingAccount(SecretStr("12345678-01"), played)}
    rules = Rules(paper=False)
    terms = Terms.of(CATALOG, accounts, rules, CALENDAR, lambda: now, lambda: "")
    return await OrderLists(terms, blotter).read("main", market)


def numbers(found: OrderList) -> list[str]:
    return [row.order_no for row in found.rows]


async def test_all_pages_are_one_list_oldest_first() -> None:
    first = page(row("9", "100002"), row("8", "100001"), tr_cont="F")
    found = await read(PlayedRest([first, page(row("7"), tr_cont="E")]))
    assert (numbers(found), found.complete) == (["7", "8", "9"], True)


async def test_a_row_that_moved_to_the_next_page_while_it_was_read_is_there_once() -> None:
    first = page(row("7"), row("8", "100001"), tr_cont="F")
    found = await read(PlayedRest([first, page(row("08", "100001"), row("9", "100002"))]))
    assert numbers(found) == ["7", "08", "9"]


@pytest.mark.parametrize("tr_cont", ["F", "M"])
async def test_without_a_page_that_was_announced_there_is_no_list(tr_cont: str) -> None:
    with pytest.raises(KisUnknownError, match=r"APBK1680 no such page$"):
        await read(PlayedRest([page(row("7"), tr_cont=tr_cont), REFUSED]))


async def test_a_page_that_only_its_key_announced_and_kis_does_not_give_proves_nothing() -> None:
    found = await read(PlayedRest([page(row("7"), following=True), REFUSED]))
    assert (numbers(found), found.complete) == (["7"], False)


async def test_a_list_that_never_ends_is_none() -> None:
    with pytest.raises(KisUnknownError, match="more than"):
        await read(PlayedRest([page(row("7"), tr_cont="F")]))


async def test_a_refusal_is_no_empty_list() -> None:
    with pytest.raises(KisUnknownError, match="APBK1680"):
        await read(PlayedRest([REFUSED]))


async def test_it_is_asked_since_the_first_day_of_which_something_may_be_open() -> None:
    rest = PlayedRest([page()], [page()])
    await read(rest)
    sent = MONDAY - 3 * DAY
    await read(rest, managed(place(), submit(sent), accept(at=sent), at=sent))
    spans = [(asked["INQR_STRT_DT"], asked["INQR_END_DT"]) for _, asked in rest.asked]
    assert spans == [("20261123", "20261123"), ("20261120", "20261123")]


async def test_a_night_has_a_list_of_its_own() -> None:
    evening = MONDAY + 13 * HOUR
    fields = {"market": "domestic_derivative", "venue": "krx_night", "symbol": "A01603"}
    night = managed(place(**fields), submit(evening), accept(at=evening), at=evening)
    day = {"rt_cd": "0", "output1": [], "output2": {}}
    lists = [[Reply("0", "", "", day, "D")], [Reply("0", "", "", day, "D")]]
    rest = PlayedRest(*lists)
    found = await read(rest, night, market="domestic_derivative", now=evening)
    assert (found.rows, found.complete) == ([], True)
    assert [api for api, _ in rest.asked] == [
        "domestic_futureoption/inquire_ccnl",
        "domestic_futureoption/inquire_ngt_ccnl",
    ]


async def test_of_two_lists_both_have_to_be_complete() -> None:
    evening = MONDAY + 13 * HOUR
    fields = {"market": "domestic_derivative", "venue": "krx_night", "symbol": "A01603"}
    night = managed(place(**fields), submit(evening), accept(at=evening), at=evening)
    body = {"rt_cd": "0", "output1": [], "output2": {}}
    whole = [Reply("0", "", "", body, "D")]
    part = [Reply("0", "", "", body, "D", following=True), REFUSED]
    for lists in ([whole, part], [part, whole]):
        rest = PlayedRest(*map(list, lists))
        found = await read(rest, night, market="domestic_derivative", now=evening)
        assert not found.complete
