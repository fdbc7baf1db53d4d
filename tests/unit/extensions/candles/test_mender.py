"""Charts as KIS has them, asked for seldom, and taken only when they tell what was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from bridge.catalog.compile import load
from bridge.extensions.candles import mender as mender_module
from bridge.extensions.candles.chart import Chart, chart_of
from bridge.extensions.candles.mender import Mender, Torn
from bridge.extensions.candles.series import Series
from bridge.extensions.candles.tally import Tally
from bridge.extensions.candles.trades import Moment
from bridge.kis.replies import KisError, KisUnknownError, Reply
from bridge.kis.throttle import Priority

CATALOG = load()
SEOUL = timezone(timedelta(hours=9))
NINE = int(datetime(2026, 11, 25, 9, 0, tzinfo=SEOUL).timestamp())
SECOND = 1_000_000


def chart(tr_id: str, venue: str, symbol: str, *, paper: bool = False) -> Chart:
    found = chart_of(CATALOG, CATALOG.channels[tr_id], venue, symbol, paper=paper)
    assert found is not None
    return found


STOCK = chart("H0STCNT0", "krx", "005930")

# how KIS is asked


def test_each_market_is_asked_in_its_own_words() -> None:
    at = NINE + 3_600
    assert STOCK.params(at) == {
        "FID_COND_MRKT_DIV_CODE": "J",
        "FID_INPUT_ISCD": "005930",
        "FID_INPUT_HOUR_1": "100000",
        "FID_PW_DATA_INCU_YN": "N",
        "FID_ETC_CLS_CODE": "",
    }
    unified = chart("H0UNCNT0", "unified", "005930").params(at)
    assert unified["FID_COND_MRKT_DIV_CODE"] == "UN"
    future = chart("H0MFCNT0", "krx_night", "101V06").params(at)
    assert future == {
        "FID_COND_MRKT_DIV_CODE": "CM",
        "FID_INPUT_ISCD": "101V06",
        "FID_HOUR_CLS_CODE": "60",
        "FID_PW_DATA_INCU_YN": "N",
        "FID_FAKE_TICK_INCU_YN": "N",
        "FID_INPUT_DATE_1": "20261125",
        "FID_INPUT_HOUR_1": "100000",
    }
    american = chart("HDFSCNT0", "nas", "AAPL").params(at)
    assert american == {
        **dict.fromkeys(("AUTH", "FILL", "KEYB", "NEXT"), ""),
        "EXCD": "NAS",
        "SYMB": "AAPL",
        "NMIN": "1",
        "PINC": "0",
        "NREC": "120",
    }


@pytest.mark.parametrize(
    ("tr_id", "venue", "paper", "there"),
    [
        ("H0STCNT0", "krx", True, True),
        ("H0NXCNT0", "nxt", False, True),
        ("HDFSCNT0", "nas", True, False),  # KIS does not offer it in paper trading
        ("H0IFCNT0", "krx", True, False),
        ("H0IFCNT0", "krx", False, True),
        ("H0BJCNT0", "krx", False, False),
        ("HDFFF020", "all", False, False),
    ],
)
def test_where_there_is_a_chart(tr_id: str, venue: str, paper: bool, there: bool) -> None:
    found = chart_of(CATALOG, CATALOG.channels[tr_id], venue, "X", paper=paper)
    assert (found is not None) is there


# what its rows say


def row(clock: str, *figures: int | str, day: str = "20261125", total: int = 0) -> dict[str, str]:
    names = ("stck_oprc", "stck_hgpr", "stck_lwpr", "stck_prpr", "cntg_vol")
    values = dict(zip(names, map(str, figures), strict=True))
    return {"stck_bsop_date": day, "stck_cntg_hour": clock, "acml_tr_pbmn": str(total), **values}


def told(*rows: Mapping[str, str]) -> dict[int, Tally]:
    return STOCK.tallies(STOCK.rows({"output2": list(rows)}))


def test_two_rows_tell_the_value_of_the_second() -> None:
    found = told(
        row("090100", 100, 102, 99, 101, 30, total=5_000),
        row("090000", 100, 101, 100, 100, 20, total=2_000),
        row("090200", 101, 101, 101, 101, 0, total=5_000),
        row("090300", 101, 103, 101, 103, 1, total=5_103),
    )
    assert sorted(start - NINE for start in found) == [0, 60, 180]
    assert [found[NINE + 60 * n].value for n in (0, 1, 3)] == [None, 3_000, 103]
    first = found[NINE]
    assert [*map(int, first.figures())] == [100, 101, 100, 100, 20]
    assert first.trades is None


def test_rows_that_say_nothing_are_left_out() -> None:
    found = told(
        row("090000", 100, 101, 100, 100, 20),
        row("250000", 100, 101, 100, 100, 20),
        row("", 100, 101, 100, 100, 20, day=""),
        row("090100", "", 101, 100, 100, 20),
        {},
    )
    assert list(found) == [NINE]
    assert STOCK.rows({}) == {}
    assert STOCK.rows({"output2": "nothing"}) == {}
    assert len(STOCK.rows({"output2": [row("090000", 1, 1, 1, 1, 1)] * 5_000})) == 1


def test_american_rows_are_in_new_yorks_time_and_tell_no_exact_value() -> None:
    american = chart("HDFSCNT0", "nas", "AAPL")
    body = {
        "output2": [
            {
                "tymd": "20261125",
                "xymd": "20261125",
                "xhms": "093100",
                "kymd": "20261125",
                "khms": "233100",
                "open": "169.9200",
                "high": "170.1",
                "low": "169.42",
                "last": "169.7850",
                "evol": "201",
                "eamt": "34126",
            }
        ]
    }
    [(start, tally)] = american.tallies(american.rows(body)).items()
    local = datetime.fromtimestamp(start, ZoneInfo("America/New_York"))
    assert local.isoformat() == "2026-11-25T09:31:00-05:00"
    assert (
        f"{tally.open} {tally.close} {tally.volume} {tally.value}" == "169.9200 169.7850 201 None"
    )


# asking


class Days:
    def span(self, day: date) -> tuple[int, int]:
        return NINE, NINE + 23_400

    def minutes(self, day: date) -> tuple[int, int] | None:
        return None

    def is_quiet(self, since: float, until: float) -> bool:
        return False


class Kis:
    """Has the chart of a market in which one share a second is traded, at a rising price."""

    def __init__(self, first: int = NINE) -> None:
        self.first = first
        self.asked: list[str] = []
        self.failure: KisError | None = None
        self.refusal = ""
        self.wrong = 0

    async def call(self, api: str, params: Mapping[str, str], **more: Any) -> Reply:
        assert more["priority"] is Priority.POLL, "orders and queries go first"
        self.asked.append(params["FID_INPUT_HOUR_1"])
        if self.failure is not None:
            raise self.failure
        text = f"20261125{params['FID_INPUT_HOUR_1']}+0900"
        last = int(datetime.strptime(text, "%Y%m%d%H%M%S%z").timestamp())
        newest = last - last % 60
        starts = [newest - 60 * n for n in range(30) if newest - 60 * n >= self.first]
        rows = [self.minute(start) for start in starts]
        return Reply("1" if self.refusal else "0", self.refusal, "", {"output2": rows})

    def minute(self, start: int) -> dict[str, str]:
        prices = [price(start + second) for second in range(60)]
        total = sum(price(second) for second in range(self.first, start + 60))
        clock = f"{datetime.fromtimestamp(start, SEOUL):%H%M%S}"
        volume = 60 + self.wrong
        return row(clock, prices[0], max(prices), min(prices), prices[-1], volume, total=total)


def price(second: int) -> int:
    return 70_000 + (second - NINE) % 97


class World:
    """A series that sees one trade a second, but for what is lost."""

    def __init__(self, *intervals: Any, first: int = NINE) -> None:
        self.kis = Kis(first)
        self.series = Series(intervals, Days(), SEOUL, mends=True)
        self.series.covered((first - 600) * SECOND)
        self.second = first
        self.torn = Torn(self.series, STOCK)
        self.mender = Mender([cast("Any", self.kis)], lambda: self.second * SECOND, 1.0)
        self.closed: dict[int, Any] = {}

    def until(self, second: int, *, lost: bool = False) -> None:
        """Let time pass."""
        if lost:
            self.series.uncovered(self.second * SECOND)
        while self.second < second:
            if not lost:
                at = self.second
                local = datetime.fromtimestamp(at, SEOUL)
                clock = local.hour * 3_600 + local.minute * 60 + local.second
                tally = Tally.of(Decimal(price(at)), Decimal(1), at)
                self.series.add(Moment(at, clock, local.date(), regular=True), tally, at * SECOND)
            self.second += 1
            self.turn()
        if lost:
            self.series.covered(self.second * SECOND)

    def turn(self) -> None:
        for candle, _ in self.series.turn(self.second * SECOND):
            if candle.closed:
                self.closed[candle.start - NINE] = candle


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(_: float) -> None:
        return None

    monkeypatch.setattr(mender_module.asyncio, "sleep", sleep)  # type: ignore[attr-defined]


async def test_what_a_gap_took_is_as_if_there_had_been_none() -> None:
    world = World("1m")
    world.until(NINE + 90)
    world.until(NINE + 200, lost=True)
    world.until(NINE + 308)
    assert [world.closed[60 * n].complete for n in range(2)] == [True, False]
    await world.mender.mend(world.torn)
    world.turn()
    assert world.kis.asked == ["090508"]
    for start in (60, 120, 180):
        prices = [price(NINE + start + second) for second in range(60)]
        tally = world.closed[start].tally
        assert world.closed[start].complete
        assert [*map(int, tally.figures())] == [
            *(prices[0], max(prices), min(prices), prices[-1], 60),
        ]
        assert tally.value == sum(prices)
        assert tally.trades is None


async def test_pages_are_asked_until_the_whole_gap_is_known() -> None:
    world = World("1h")
    world.until(NINE + 90)
    world.until(NINE + 130, lost=True)
    world.until(NINE + 3_610)
    assert not world.closed[0].complete
    await world.mender.mend(world.torn)
    world.turn()
    assert world.kis.asked == ["100010", "093059", "090059", "085959"]
    assert world.closed[0].complete
    assert world.closed[0].tally.volume == 3_600


async def test_a_chart_that_tells_something_else_is_not_taken_and_not_asked_for_again() -> None:
    world = World("1m")
    world.kis.wrong = 1
    world.until(NINE + 90)
    world.until(NINE + 100, lost=True)
    world.until(NINE + 308)
    await world.mender.mend(world.torn)
    await world.mender.mend(world.torn)
    world.turn()
    assert not world.closed[60].complete
    assert len(world.kis.asked) == 1


async def test_what_the_chart_does_not_reach_is_asked_for_less_and_less_often() -> None:
    world = World("1h")
    world.torn.chart = replace(STOCK, pages=False)
    world.until(NINE + 90)
    world.until(NINE + 130, lost=True)
    world.until(NINE + 3_610)
    now = asyncio.get_running_loop().time()
    await world.mender.mend(world.torn)
    world.turn()
    assert not world.closed[0].complete
    assert world.torn.again_at - now > 25


@pytest.mark.parametrize("fault", ["unknown", "refused"])
async def test_what_kis_does_not_answer_is_asked_for_later_and_later(fault: str) -> None:
    world = World("1m")
    world.until(NINE + 90)
    world.until(NINE + 100, lost=True)
    world.until(NINE + 308)
    if fault == "unknown":
        world.kis.failure = KisUnknownError("no answer")
    else:
        world.kis.refusal = "OPSQ2001"
    now = asyncio.get_running_loop().time()
    await world.mender.mend(world.torn)
    assert 25 < world.torn.again_at - now < 40
    await world.mender.mend(world.torn)
    assert 55 < world.torn.again_at - now < 70
    world.kis.failure, world.kis.refusal = None, ""
    await world.mender.mend(world.torn)
    world.turn()
    assert world.closed[60].complete


async def test_it_asks_for_one_symbol_after_the_other_and_only_for_what_is_missing() -> None:
    worlds = [World("1m") for _ in range(3)]
    for world in worlds[:2]:
        world.until(NINE + 90)
        world.until(NINE + 100, lost=True)
    for world in worlds:
        world.until(NINE + 308)
    mender, asked = worlds[0].mender, []
    left = 5

    async def sleep(_: float) -> None:
        nonlocal left
        asked.append(len(worlds[0].kis.asked))
        left -= 1
        if not left:
            raise asyncio.CancelledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await mender.run(lambda: [world.torn for world in worlds])
    assert asked == [0, 1, 2, 2, 2]


def test_it_takes_a_fifth_of_the_calls_at_most() -> None:
    paces = {per_second: Mender([], lambda: 0, per_second).pause_s for per_second in (1, 2, 18)}
    assert paces == {1: 5.0, 2: 2.5, 18: 1.0}
