"""The answer that is made of the workbook's outputs alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.catalog.model import Api
from bridge.kis.pages import next_page
from bridge.kis.replies import Reply
from bridge.simulator.board.past import HistoryDays
from bridge.simulator.board.quotes import Quotes
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.history.history import History
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.facts import DomesticFacts, OffBookFacts
from bridge.simulator.rest.generic.handlers import GenericHandlers
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.rest.params import InputError
from bridge.simulator.rest.price_handlers import PriceHandlers
from bridge.simulator.settings import SimulatorSettings
from tests.sound_params import sound, upper

CATALOG = load()
CALENDAR = Calendar(CATALOG.hours)
NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
PAGED = [api for api in CATALOG.apis.values() if api.pages][::3]
"""A third of them: they come in the same few ways."""


class Generic:
    """Every call, as if none were written by hand."""

    def __init__(self, *, seed: int = 1, hours: bool = False) -> None:
        settings = SimulatorSettings(environment="real", seed=seed, manual=True)
        self.exchange = Exchange(seed=seed, calendar=CALENDAR if hours else None)
        self.off_book = OffBook(seed, settings.accounts)
        self.history = History(CALENDAR, seed=seed, began=NOW)
        quotes = Quotes(self.exchange, HistoryDays(self.history))
        facts = (DomesticFacts(self.exchange, quotes), OffBookFacts(self.off_book))
        self._handlers = GenericHandlers(self.exchange, CATALOG, settings, facts, self.history)

    def ask(self, name: str, cont: str = "", **changes: str) -> Answer:
        api = CATALOG.apis[name]
        params = upper(sound(api, CATALOG, NOW) | changes)
        return self._handlers.handler(api)("", params, cont, NOW)

    def pages(self, api: Api) -> Iterator[Answer]:
        """Yield one page after the other, as the bridge asks for them."""
        params, cont = sound(api, CATALOG, NOW), ""
        for _ in range(10):
            answer = self.ask(api.name, cont, **params)
            yield answer
            body = answer.body
            reply = Reply("0", answer.msg_cd, answer.msg1, body, answer.tr_cont)
            further = next_page(api, params, reply)
            if further is None:
                return
            params, cont = further
        pytest.fail("no end")


def longest(api: Api, answer: Answer) -> list[dict[str, str]]:
    """Return the list of an answer; beside it there may be a head that KIS writes as one."""
    return max((answer.outputs[one.name] for one in api.outputs if one.array), key=len, default=[])


def test_pages_follow_one_another_to_the_end_and_have_no_row_twice() -> None:
    generic = Generic()
    for api in PAGED:
        pages = [*generic.pages(api)]
        marks = [page.tr_cont for page in pages]
        if api.pages == "key":
            assert set(marks) == {""}, api.name
        elif len(pages) == 1:
            assert marks == ["D"], api.name
        else:
            assert marks == ["F", *["M"] * (len(pages) - 2), "E"], api.name
        rows = [tuple(row.items()) for page in pages for row in longest(api, page)]
        assert len(set(rows)) == len(rows), api.name
        assert len(pages) > 1 or len(rows) < 20, api.name


def test_keys_of_pages_are_padded_to_the_width_in_their_name() -> None:
    generic = Generic()
    for api in PAGED:
        first = generic.ask(api.name).body
        for param in api.params:
            name = param.name.lower()
            if api.pages == "tr_cont+ctx_area" and name.startswith("ctx_area"):
                blocks = [first, *(block for block in first.values() if isinstance(block, dict))]
                value = next(block[name] for block in blocks if name in block)
                assert len(value) == int(name[11:] or 20), (api.name, name)


@pytest.mark.parametrize("key", ["x", "-1", "999999999999", "١"])
def test_a_key_that_nobody_gave_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="KEYB"):
        Generic().ask("overseas_stock/trade_vol", KEYB=key)


def test_the_same_seed_and_parameters_give_the_same_answer() -> None:
    name = "domestic_stock/finance_ratio"
    first = Generic().ask(name).outputs
    assert Generic().ask(name).outputs == first
    assert Generic(seed=2).ask(name).outputs != first
    assert Generic().ask(name, FID_INPUT_ISCD="000660").outputs != first


def test_what_the_exchange_knows_is_said_and_nothing_else() -> None:
    generic = Generic()
    market = generic.exchange.market("005930", NOW)
    for name in ("inquire_price_2", "inquire_price", "capture_uplowprice", "volume_rank"):
        api = CATALOG.apis[f"domestic_stock/{name}"]
        for block in generic.ask(api.name).outputs.values():
            row: dict[str, Any] = block[0] if isinstance(block, list) else block
            assert row["stck_prpr"] == str(market.last), name
            assert row["acml_vol"] == str(market.volume), name
            assert row["prdy_vrss_sign"] == "3" if market.last == market.listing.base else "25"
    book = generic.ask("domestic_stock/inquire_asking_price_exp_ccn").outputs["output1"]
    assert book["askp1"] == str(market.book.best(Side.SELL))
    abroad = generic.ask("overseas_stock/price_detail").outputs["output"]
    assert Decimal(abroad["last"]) == generic.off_book.price("AAPL")
    assert abroad["last"].endswith("00")


def test_days_that_are_over_are_those_of_the_charts() -> None:
    generic = Generic()
    today, *days = generic.ask("domestic_stock/inquire_daily_price").outputs["output"]
    assert today["stck_bsop_date"] == "20260922"
    bars = generic.history.bars("domestic_stock", "005930", "day", date(2026, 9, 21), len(days))
    assert [row["stck_bsop_date"] for row in days] == [f"{bar.start:%Y%m%d}" for bar in bars]
    assert [row["stck_clpr"] for row in days] == [f"{bar.close:.0f}" for bar in bars]
    assert [row["acml_vol"] for row in days] == [str(bar.volume) for bar in bars]


def test_a_list_that_names_symbols_names_none_twice() -> None:
    rows = Generic().ask("domestic_stock/volume_rank", FID_INPUT_ISCD="0000").outputs["output"]
    assert [row["data_rank"] for row in rows] == [str(place) for place in range(1, len(rows) + 1)]
    assert len({row["mksc_shrn_iscd"] for row in rows}) == len(rows) > 3


def test_what_is_not_known_looks_like_its_kind() -> None:
    row = Generic().ask("domestic_stock/search_stock_info").outputs["output"]
    assert len(row["scts_mket_lstg_dt"]) == 8
    assert row["scts_mket_lstg_dt"] < "20260922"
    assert row["lstg_abol_dt"] == ""
    trades = Generic().ask("domestic_stock/inquire_ccnl").outputs["output"]
    assert [one["stck_cntg_hour"] for one in trades[:3]] == ["100000", "095900", "095800"]
    held = Generic().ask("domestic_stock/inquire_balance_rlz_pl").outputs["output1"]
    assert all(one["pdno"] for one in held)


def test_every_order_has_a_number_of_its_own() -> None:
    generic = Generic()
    numbers = {generic.ask("domestic_stock/order_cash").outputs["output"]["ODNO"] for _ in "123"}
    assert len(numbers) == 3
    assert {len(number) for number in numbers} == {10}


def test_a_symbol_that_cannot_be_one_is_refused() -> None:
    for name, symbol in (
        ("etfetn/inquire_price", "SAMSUNG"),
        ("domestic_stock/inquire_ccnl", "\n"),
    ):
        answer = Generic().ask(name, FID_INPUT_ISCD=symbol)
        assert (answer.rt_cd, answer.msg_cd) == ("1", "MCA05918")


def test_asking_opens_no_market_and_remembers_no_end_of_symbols() -> None:
    generic = Generic()
    for number in range(20):
        generic.ask("domestic_stock/inquire_ccnl", FID_INPUT_ISCD=f"{number:06d}")
    assert generic.exchange.markets == {}
    for number in range(2_100):
        generic.off_book.tape(f"X{number}")
    row = generic.ask("overseas_stock/price_detail", SYMB="NEW").outputs["output"]
    assert row["last"]
    assert len(generic.off_book.tapes) == 2_000


def test_a_call_for_several_symbols_has_a_row_for_each() -> None:
    asked = {"EXCD_01": "NAS", "SYMB_01": "MSFT", "SYMB_02": "AAPL", "SYMB_10": "TSLA"}
    rows = Generic().ask("overseas_stock/multprice", **asked).outputs["output2"]
    assert [row["symb"] for row in rows] == ["MSFT", "AAPL", "TSLA"]


def test_a_ranking_is_in_the_order_of_what_it_ranks() -> None:
    generic = Generic()
    by_volume = generic.ask("overseas_stock/trade_vol", EXCD="NAS").outputs["output2"]
    volumes = [int(row["tvol"]) for row in by_volume]
    assert volumes == sorted(volumes, reverse=True)
    assert len(volumes) > 3
    by_value = generic.ask("overseas_stock/trade_pbmn", EXCD="NAS").outputs["output2"]
    values = [Decimal(row["tamt"]) for row in by_value]
    assert values == sorted(values, reverse=True)
    assert [row["rank"] for row in by_value] == [str(place) for place in range(1, len(values) + 1)]
    hong_kong = generic.ask("overseas_stock/trade_vol", EXCD="HKS").outputs["output2"]
    assert [row["symb"] for row in hong_kong] == ["00700"]


def test_no_call_has_two_answers_written_by_hand() -> None:
    settings = SimulatorSettings(environment="real", manual=True)
    handlers = Handlers(Exchange(seed=1), CATALOG, settings, OffBook(1, settings.accounts))
    answered: dict[str, list[str]] = {}
    for family in handlers.families:
        if not isinstance(family, PriceHandlers):  # for what nobody else answers
            for name in family.handlers():
                answered.setdefault(name, []).append(type(family).__name__)
    assert {name: by for name, by in answered.items() if len(by) > 1} == {}
