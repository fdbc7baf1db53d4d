from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.stream.encode import Encoder
from bridge.simulator.stream.feed import Source
from bridge.simulator.stream.pump import Fed, RecordPump

CATALOG = load()
NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
ACCOUNT = "12345678-01"


def pump(
    rate: float | None, *names: tuple[str, str], exchange: Exchange | None = None
) -> tuple[RecordPump, Exchange]:
    made = exchange or Exchange(seed=1, accounts=[with_holdings(ACCOUNT, 10**9, [])])
    filled = RecordPump(made, rate)
    for tr_id, key in names:
        channel = CATALOG.channels[tr_id]
        encoder = Encoder(channel)
        tape = OffBook(1, ())
        feed = Source(made, 1, {}, tape).feed(channel, encoder, key)
        filled.add((tr_id, key, encoder.layout.width), feed, encoder)
    return filled, made


def run(filled: RecordPump, seconds: int = 5) -> dict[Fed, list[str]]:
    out: dict[Fed, list[str]] = {}
    for turn in range(seconds * 20):
        for fed, records in filled.turn(0.05, NOW + timedelta(seconds=turn * 0.05)):
            out.setdefault(fed, []).extend(records)
    return out


@pytest.mark.parametrize("rate", [20, 100, 500, 4_000])
def test_the_rate_is_kept_and_shared(rate: int) -> None:
    filled, _ = pump(rate, ("H0STCNT0", "005930"), ("H0STASP0", "005930"), ("H0STCNT0", "000660"))
    counts = {fed: len(records) for fed, records in run(filled).items()}
    assert len(counts) == 3
    for count in counts.values():
        assert count == pytest.approx(rate * 5 / 3, rel=0.1, abs=3)


@pytest.mark.parametrize("rate", [50, 1_500])
def test_time_and_volume_never_go_back(rate: float) -> None:
    filled, _ = pump(rate, ("H0STCNT0", "005930"))
    ((fed, records),) = run(filled).items()
    encoder = Encoder(CATALOG.channels[fed[0]])
    places = [encoder.place(name) for name in ("STCK_CNTG_HOUR", "ACML_VOL", "ACML_TR_PBMN")]
    rows = [record.split("^") for record in records]
    marks = [tuple(int(row[place or 0]) for place in places) for row in rows]
    assert all(len(row) == 47 for row in rows)
    for before, after in pairwise(marks):
        assert before[0] <= after[0]
        assert before[1] < after[1]
        assert before[2] < after[2]


def test_every_trade_of_a_user_is_printed() -> None:
    filled, exchange = pump(1, ("H0STCNT0", "005930"))
    run(filled, 1)
    ticket = exchange.place(OrderRequest(ACCOUNT, "005930", Side.BUY, 3, kind="01"), NOW)
    ((_, records),) = filled.turn(0.0, NOW)
    assert sum(int(record.split("^")[12]) for record in records) == ticket.filled == 3


def test_a_market_with_a_waiting_order_lives_unwatched() -> None:
    filled, exchange = pump(None)
    bid = exchange.market("005930", NOW).book.best(Side.BUY)
    ticket = exchange.place(OrderRequest(ACCOUNT, "005930", Side.BUY, 1, bid), NOW)
    run(filled, 60)
    assert ticket.filled == 1
    volume = exchange.market("005930", NOW).volume
    run(filled, 1)
    assert exchange.market("005930", NOW).volume == volume


def test_a_reservation_is_sent_at_its_hour_with_nobody_watching() -> None:
    calendar = Calendar(CATALOG.hours)
    account = with_holdings(ACCOUNT, 10**9, [])
    made = Exchange(seed=1, calendar=calendar, accounts=[account])
    filled, _ = pump(None, exchange=made)
    evening, morning = NOW.replace(hour=18), NOW.replace(day=23, hour=8, minute=20)
    price = made.market("005930", evening).lower
    made.reservations.add(OrderRequest(ACCOUNT, "005930", Side.BUY, 1, price), "", evening)
    assert list(filled.turn(0.05, morning - timedelta(seconds=1))) == []
    assert made.events == []
    assert list(filled.turn(0.05, morning)) == []
    assert [event.kind for event in made.events] == ["taken"]


@pytest.mark.parametrize("rate", [None, 5_000.0])
def test_a_closed_market_is_silent(rate: float | None) -> None:
    filled, _ = pump(
        rate,
        ("H0STCNT0", "005930"),
        ("H0STASP0", "005930"),
        exchange=Exchange(seed=1, calendar=Calendar(load().hours)),
    )
    assert list(filled.turn(1.0, NOW.replace(hour=20))) == []


def test_a_removed_feed_gets_nothing() -> None:
    filled, _ = pump(None, ("H0UPCNT0", "0001"))
    filled.remove(("H0UPCNT0", "0001", 30))
    assert run(filled, 1) == {}
