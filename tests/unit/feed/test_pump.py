"""Frames in, records on topics out; what does not decode is told and harms nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container
from decimal import Decimal
from itertools import count

import pytest
from structlog.testing import capture_logs

from bridge.catalog.compile import load
from bridge.catalog.model import Catalog
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.kis.decode import Drift, Problem, Quarantined
from bridge.kis.frames import DataFrame
from bridge.mqtt.topics import Topics

NOW = 1_771_820_109_123_456
TRADE = "kis/market/domestic_stock/krx/trade/005930"
EXPECTED = "kis/market/domestic_derivative/krx/expected/{}"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


class Line:
    """A pump, and the lane behind it that nobody empties."""

    def __init__(
        self,
        catalog: Catalog,
        wanted: Container[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.problems: list[Problem] = []
        self.lane = Lane({})
        self.pump = Pump(
            catalog,
            Topics(),
            self.lane,
            self.problems.append,
            subscribed=lambda _, key: key in wanted,
            clock=clock,
        )

    def feed(self, tr_id: str, *records: str, count: int | None = None) -> None:
        body = "^".join(records)
        self.pump.frame(DataFrame(tr_id, False, count or len(records), body), NOW)

    def last(self, topic: str = TRADE) -> dict[str, object]:
        [route] = [route for route in self.pump.routes() if route.topic == topic]
        record: dict[str, object] = json.loads(route.last)
        return record


def record(price: str, symbol: str = "005930", width: int = 46) -> str:
    return "^".join([symbol, "131509", price, "2", "395", "15.64", *["1"] * (width - 6)])


def expected(symbol: str) -> str:
    """Return a record of the channel with the fewest values."""
    return "^".join([symbol, "131509", "371.5", "1.0", "2", "0.3", "1"])


def overseas(key: str) -> str:
    """Return a trade at an exchange overseas."""
    values = "4^20241227^20241227^070229^20241227^210229^258.6^259.0^258.4^259.0^3^0.0^0.00^258.9"
    return f"{key}^{key[4:]}^{values}^259.2^200^20^10^4629^1198097^2222^680^30.60^1"


def test_a_frame_becomes_records_on_its_topic(catalog: Catalog) -> None:
    line = Line(catalog)
    line.feed("H0STCNT0", record("71900"), record("71800"), record("1", "000660"))
    assert line.last() == line.last() | {
        "symbol": "005930",
        "channel": "H0STCNT0",
        "seq": 2,
        "received_at": NOW,
        "time": "2026-02-23T13:15:09+09:00",
        "price": 71800,
    }
    assert sorted(route.symbol for route in line.pump.routes()) == ["000660", "005930"]
    assert (line.pump.counters.frames, line.pump.counters.records) == (1, 3)
    assert line.problems == []


def test_the_numbers_go_on_after_a_bad_record(catalog: Catalog) -> None:
    line = Line(catalog)
    line.feed("H0STCNT0", record("71900"))
    line.feed("H0STCNT0", record("71,900"))
    line.feed("H0STCNT0", record("71800"))
    [problem] = line.problems
    assert isinstance(problem, Quarantined)
    assert line.pump.counters.quarantined == {"H0STCNT0": 1}
    assert (line.last()["price"], line.last()["seq"]) == (71800, 2)


def test_a_new_width_is_told(catalog: Catalog) -> None:
    line = Line(catalog)
    widest = max(layout.width for layout in catalog.channels["H0STCNT0"].layouts)
    for _ in range(3):
        line.feed("H0STCNT0", record("71900", width=widest + 2))
    [problem] = line.problems
    assert isinstance(problem, Drift)
    assert line.pump.counters.drifted == {"H0STCNT0": 1}
    assert line.last()["extra"] == ["1", "1"]


@pytest.mark.parametrize("tr_id", ["H0XXXXX0", "H0STCNI0", "H0STCNI9"])
def test_what_is_no_market_data(catalog: Catalog, tr_id: str) -> None:
    line = Line(catalog)
    line.feed(tr_id, "secret^values")
    [problem] = line.problems
    assert isinstance(problem, Quarantined)
    assert (problem.channel, problem.raw) == (tr_id, "")
    assert list(line.pump.routes()) == []


def test_the_last_price(catalog: Catalog) -> None:
    line = Line(catalog)
    place = ("domestic_stock", "krx", "005930")
    assert line.pump.last_price(*place) is None
    line.feed("H0STCNT0", record("71900"))
    assert line.pump.last_price(*place) == Decimal(71900)
    at = line.last()["received_at"]
    assert isinstance(at, int)
    assert line.pump.last_price(*place, at) == Decimal(71900)
    assert line.pump.last_price(*place, at + 1) is None, "that one is too old"
    assert line.pump.last_price("domestic_stock", "nxt", "005930") is None
    line.feed("H0STCNT0", record(""))
    assert line.last()["price"] is None
    assert line.pump.last_price(*place) is None


def test_a_name_is_put_into_each_record_when_there_is_one() -> None:
    from bridge.catalog.compile import load
    from bridge.feed.lane import Lane
    from bridge.feed.pump import Pump
    from bridge.kis.frames import DataFrame
    from bridge.mqtt.topics import Topics

    names = {("domestic_index", "0001"): 'KOSPI "종합"'}
    pump = Pump(
        load(), Topics("kis"), Lane({}), lambda problem: None, lambda *key: names.get(key, "")
    )
    body = "0001^091240^2624.54^2^32.68^63952^1650684^439^10335^1.26^2615.72^2624.82^2610.00^23.86"
    body += "^2^32.96^2^18.14^2^0.92^1.27^0.70^0^670^72^177^0^0^0^19"
    for number in range(2):  # the first record takes the slow path, the second the fast one
        pump.frame(DataFrame("H0UPCNT0", False, 1, body), 1_771_820_109_123_456)
        [route] = pump.routes()
        record = json.loads(route.last)
        assert (record["seq"], record["name"]) == (number + 1, 'KOSPI "종합"')
    pump.frame(DataFrame("H0UPCNT0", False, 1, body.replace("0001", "1001")), 1)
    assert not [r for r in pump.routes() if r.symbol == "1001" and b'"name"' in r.last]


def test_a_faulty_line_cannot_fill_the_memory_with_topics(catalog: Catalog) -> None:
    # A new symbol each ten seconds for two days: each may have its topic.
    wanted = {"005930", "000660"}
    line = Line(catalog, wanted=wanted, clock=count(0, 10).__next__)
    line.feed("H0STCNT0", record("71900"), record("1", "000660"))
    for _ in range(3):
        line.feed("H0STCNT0", record("2", "035720"))
    with capture_logs() as logs:
        for first in range(0, 17_000, 500):
            line.feed("H0ZFANC0", *(expected(f"X{first + n}") for n in range(500)))
    assert len(list(line.pump.routes())) <= 16_384
    assert {entry["event"] for entry in logs} == {"too many symbols: the rarest are forgotten"}
    line.feed("H0STCNT0", record("71800"), record("3", "035720"))
    line.feed("H0ZFANC0", expected("X16999"))
    assert line.last()["seq"] == 2
    assert line.last(TRADE.replace("005930", "035720"))["seq"] == 4
    assert line.pump.last_price("domestic_stock", "krx", "000660") == 1
    assert line.last(EXPECTED.format("X16999"))["seq"] == 2
    # Forgotten: it begins anew, also where the decoder had not many symbols to remember.
    line.feed("H0ZFANC0", expected("X0"))
    assert line.last(EXPECTED.format("X0"))["seq"] == 1


def test_symbols_that_nobody_subscribed_get_few_topics(catalog: Catalog) -> None:
    now = 0.0
    line = Line(catalog, wanted={"005930", "DNASAAPL"}, clock=lambda: now)
    line.feed("H0ZFANC0", *(expected(f"X{n}") for n in range(1_100)))
    assert len(list(line.pump.routes())) == 1_024
    reasons = {problem.reason for problem in line.problems if isinstance(problem, Quarantined)}
    assert reasons == {"too many symbols that nobody subscribed", "like those before"}
    assert line.pump.counters.quarantined == {"H0ZFANC0": 1_100 - 1_024}
    # What is subscribed is served all the same, and so is what was met before.
    line.feed("H0STCNT0", record("71900"))
    line.feed("HDFSCNT0", overseas("DNASAAPL"))
    line.feed("H0ZFANC0", expected("X0"))
    assert line.last()["seq"] == 1
    assert line.last("kis/market/overseas_stock/nas/trade/AAPL")["seq"] == 1
    assert line.last(EXPECTED.format("X0"))["seq"] == 2
    # As time goes by others can follow: KIS spells some symbols otherwise than the key.
    line.feed("HDFSCNT0", overseas("DNYSAAPL"))
    assert len(list(line.pump.routes())) == 1_026
    now = 10.0
    line.feed("HDFSCNT0", overseas("DNYSAAPL"))
    assert len(list(line.pump.routes())) == 1_027


def test_unknown_channels_are_counted_together(catalog: Catalog) -> None:
    line = Line(catalog)
    for number in range(300):
        line.feed(f"H0X{number:05}", "1^2")
    line.feed("H0STCNT0", record("x"))
    assert line.pump.counters.quarantined == {"other": 300, "H0STCNT0": 1}
