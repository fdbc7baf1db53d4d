"""Orders while their market is closed, from the command to the acknowledgement."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.orders.gateway import Rules
from tests.component.gateway_fixture import CATALOG, bench

SEOUL = ZoneInfo("Asia/Seoul")
RULES = Rules(paper=False, market_hours=True, pause_s=0.001, grace_s=0.05)


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=SEOUL).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("2026-11-20 15:20", ""),
        ("2026-11-20 15:45", "krx takes limit 08:20-15:30 (Asia/Seoul), and it is 15:45"),
        # The college exam: KRX trades from 10:00 to 16:30, after an opening auction from 09:20.
        ("2026-11-19 08:45", "krx takes limit 09:20-16:30 (Asia/Seoul), and it is 08:45"),
        ("2026-11-19 09:15", "krx takes limit 09:20-16:30 (Asia/Seoul), and it is 09:15"),
        ("2026-11-19 09:30", ""),
        ("2026-11-19 15:45", ""),
        ("2026-11-19 16:30", "krx takes limit 09:20-16:30 (Asia/Seoul), and it is 16:30"),
        ("2026-11-21 10:00", "krx does not trade on Saturday, 2026-11-21"),
    ],
)
async def test_an_order_goes_in_when_its_market_takes_it(
    tmp_path: Path, at: str, message: str
) -> None:
    async with bench(tmp_path, rules=RULES, clock=lambda: micros(at)) as b:
        ack = await b.place("a-1")
        if message:
            assert (ack["status"], ack["reason"]) == ("refused", "market_closed")
            assert ack["message"] == message
        else:
            assert ack["status"] == "accepted"


async def test_what_kis_says_about_a_day_is_known_to_orders_at_once(tmp_path: Path) -> None:
    calendar = Calendar(CATALOG.hours)
    at = micros("2026-11-20 10:00")
    async with bench(tmp_path, rules=RULES, calendar=calendar, clock=lambda: at) as b:
        assert (await b.place("a-1"))["status"] == "accepted"
        calendar.known = {date(2026, 11, 20): False}
        assert (await b.place("a-2", symbol="000660"))["reason"] == "market_closed"
