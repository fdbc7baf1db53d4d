"""When orders are taken, and that the feed says the same of the same minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load

TIMETABLE = load().hours
CALENDAR = Calendar(TIMETABLE)
KRX, NXT, SOR = ("domestic_stock", "krx"), ("domestic_stock", "nxt"), ("domestic_stock", "sor")
FUTURES, NIGHT = ("domestic_derivative", "krx"), ("domestic_derivative", "krx_night")
DAYTIME, BONDS = ("overseas_stock", "baq"), ("domestic_bond", "krx")
NASDAQ, HONG_KONG = ("overseas_stock", "nas"), ("overseas_stock", "hks")
ZONES = {
    KRX: "Asia/Seoul",
    NXT: "Asia/Seoul",
    SOR: "Asia/Seoul",
    FUTURES: "Asia/Seoul",
    NIGHT: "Asia/Seoul",
    NASDAQ: "America/New_York",
    HONG_KONG: "Asia/Hong_Kong",
    ("overseas_stock", "tse"): "Asia/Tokyo",
    ("overseas_stock", "shs"): "Asia/Shanghai",
    ("overseas_stock", "hsx"): "Asia/Ho_Chi_Minh",
    ("overseas_stock", "hnx"): "Asia/Ho_Chi_Minh",
}
Place = tuple[str, str]


def micros(text: str, place: Place) -> int:
    at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONES.get(place, "Asia/Seoul")))
    return int(at.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("place", "order_type", "at", "taken"),
    [
        (KRX, "limit", "2026-11-20 08:19", False),
        (KRX, "limit", "2026-11-20 08:20", True),
        (KRX, "limit", "2026-11-20 15:29", True),
        (KRX, "limit", "2026-11-20 15:30", False),
        (KRX, "limit", "2026-11-20 15:45", False),
        (KRX, "limit", "2026-11-21 10:00", False),
        (KRX, "pre_open_after_hours", "2026-11-20 08:29", False),
        (KRX, "pre_open_after_hours", "2026-11-20 08:39", True),
        (KRX, "pre_open_after_hours", "2026-11-20 10:00", False),
        (KRX, "post_close_after_hours", "2026-11-20 15:35", True),
        (KRX, "post_close_after_hours", "2026-11-20 16:00", False),
        (KRX, "after_market_limit", "2026-11-20 15:59", False),
        (KRX, "after_market_limit", "2026-11-20 19:59", True),
        # The college exam: everything an hour later, the after-market ends as usual.
        (KRX, "limit", "2026-11-19 09:10", False),
        (KRX, "limit", "2026-11-19 09:30", True),  # in the opening auction
        (KRX, "limit", "2026-11-19 15:45", True),
        (KRX, "limit", "2026-11-19 16:30", False),
        (KRX, "pre_open_after_hours", "2026-11-19 08:35", False),
        (KRX, "pre_open_after_hours", "2026-11-19 09:35", True),
        (KRX, "post_close_after_hours", "2026-11-19 16:45", True),
        (KRX, "after_market_limit", "2026-11-19 16:30", False),
        (KRX, "after_market_limit", "2026-11-19 19:59", True),
        (KRX, "after_market_limit", "2026-11-19 20:00", False),
        (NXT, "limit", "2026-11-19 08:30", False),
        (NXT, "gtp_limit", "2026-11-19 08:30", False),
        (NXT, "limit", "2026-11-19 16:19", True),
        (NXT, "limit", "2026-11-19 16:25", False),
        (NXT, "limit", "2026-11-19 20:00", False),
        (FUTURES, "limit", "2026-11-19 09:00", False),
        (FUTURES, "limit", "2026-11-19 16:40", True),
        (NIGHT, "limit", "2026-11-19 18:30", False),
        (NIGHT, "limit", "2026-11-19 18:50", True),
        (NIGHT, "limit", "2026-11-20 05:59", True),
        # The first trading day of a year opens an hour later and closes as usual.
        (KRX, "limit", "2027-01-04 09:10", False),
        (KRX, "limit", "2027-01-04 09:30", True),
        (KRX, "limit", "2027-01-04 15:29", True),
        (KRX, "limit", "2027-01-04 15:45", False),
        (NXT, "limit", "2027-01-04 08:30", False),
        (NIGHT, "limit", "2027-01-04 17:55", True),
        (KRX, "limit", "2026-12-31 10:00", False),
        (NXT, "limit", "2026-11-20 09:00:20", False),
        (NXT, "limit", "2026-11-20 15:25", False),
        (NXT, "limit", "2026-11-20 15:35", True),
        (NXT, "gtp_limit", "2026-11-20 08:30", True),
        (NXT, "gtp_limit", "2026-11-20 10:00", False),
        (SOR, "limit", "2026-11-20 08:55", True),
        (SOR, "limit", "2026-11-20 15:35", False),
        (NIGHT, "limit", "2026-11-21 03:00", True),
        (NIGHT, "limit", "2026-11-22 03:00", False),
        (NASDAQ, "limit", "2026-11-25 04:00", True),
        (NASDAQ, "limit", "2026-11-26 10:00", False),
        (NASDAQ, "limit", "2026-11-27 16:59", True),  # the day after Thanksgiving
        (NASDAQ, "limit", "2026-11-27 17:00", False),
        (NASDAQ, "limit", "2026-12-24 17:30", False),
        (HONG_KONG, "limit", "2026-12-23 12:30", True),  # may wait over lunch
        (HONG_KONG, "limit", "2026-12-24 12:05", True),
        (HONG_KONG, "limit", "2026-12-24 12:30", False),
        (HONG_KONG, "limit", "2026-12-24 14:00", False),
        (DAYTIME, "limit", "2026-11-20 09:59", False),
        (DAYTIME, "limit", "2026-11-20 10:00", True),
        (DAYTIME, "limit", "2026-11-21 12:00", False),
        (BONDS, "limit", "2026-11-20 15:29", True),
        (BONDS, "limit", "2026-11-20 15:30", False),
    ],
)
def test_orders_are_taken(place: Place, order_type: str, at: str, taken: bool) -> None:
    assert (CALENDAR.closed(place, order_type, micros(at, place)) == "") is taken


@pytest.mark.parametrize(
    ("place", "at", "said"),
    [
        (KRX, "2026-11-21 10:00", "krx does not trade on Saturday, 2026-11-21"),
        (KRX, "2026-11-20 16:00", "krx takes limit 08:20-15:30 (Asia/Seoul), and it is 16:00"),
        (KRX, "2026-11-19 09:00", "krx takes limit 09:20-16:30 (Asia/Seoul), and it is 09:00"),
        (
            NASDAQ,
            "2026-11-27 18:00",
            "nas takes limit 04:00-17:00 (America/New_York), and it is 18:00",
        ),
    ],
)
def test_a_refusal_tells_the_hours_of_that_day(place: Place, at: str, said: str) -> None:
    assert CALENDAR.closed(place, "limit", micros(at, place)) == said


def test_a_place_without_hours_refuses_nothing() -> None:
    assert CALENDAR.closed(("overseas_stock", "xyz"), "limit", 0) == ""


@pytest.mark.parametrize(
    ("place", "at", "over"),
    [
        (("domestic_stock", "krx_reserved"), "2026-11-19 17:00", "2026-11-21 00:00"),
        (("domestic_stock", "krx_reserved"), "2026-11-20 17:00", "2026-11-24 00:00"),
        (("domestic_stock", "krx_reserved"), "2026-11-21 12:00", "2026-11-24 00:00"),
        # In Seoul at 10:00, when it is the evening before in New York; Thursday is Thanksgiving.
        (("overseas_stock", "nas_reserved"), "2026-11-26 10:00", "2026-11-28 14:00"),
    ],
)
def test_a_reservation_lives_to_the_end_of_the_day_that_it_is_for(
    place: Place, at: str, over: str
) -> None:
    assert CALENDAR.over(place, micros(at, place)) == micros(over, place)


@pytest.mark.parametrize("at", ["2026-11-23 18:00", "2026-11-24 03:00", "2026-11-24 15:59"])
def test_an_order_around_the_clock_lives_at_least_to_the_end_of_its_session(at: str) -> None:
    chicago = ZoneInfo("America/Chicago")
    sent = int(datetime.fromisoformat(at).replace(tzinfo=chicago).timestamp()) * 1_000_000
    end = int(datetime(2026, 11, 24, 16, tzinfo=chicago).timestamp()) * 1_000_000
    assert CALENDAR.over(("overseas_derivative", "all"), sent) >= end


def test_what_kis_says_about_a_day_counts_for_orders_too() -> None:
    calendar = Calendar(TIMETABLE)
    calendar.known = {date(2026, 11, 20): False, date(2026, 11, 21): True}
    assert "does not trade" in calendar.closed(KRX, "limit", micros("2026-11-20 10:00", KRX))
    assert calendar.closed(KRX, "limit", micros("2026-11-21 10:00", KRX)) == ""
    calendar.known = {}
    assert calendar.closed(KRX, "limit", micros("2026-11-20 10:00", KRX)) == ""


@pytest.mark.parametrize(
    ("place", "at", "day", "over"),
    [
        (KRX, "2026-11-20 10:00", "2026-11-20", "2026-11-21 00:00"),
        (NIGHT, "2026-11-20 23:00", "2026-11-20", "2026-11-21 06:30"),
        (NIGHT, "2026-11-21 03:00", "2026-11-20", "2026-11-21 06:30"),
        (NASDAQ, "2026-11-20 19:00", "2026-11-20", "2026-11-21 00:00"),
        (DAYTIME, "2026-11-20 12:00", "2026-11-20", "2026-11-21 00:00"),
        (NASDAQ, "2026-11-01 00:30", "2026-11-01", "2026-11-02 00:00"),  # the clocks go back
    ],
)
def test_an_order_lives_to_the_end_of_its_trading_day(
    place: Place, at: str, day: str, over: str
) -> None:
    assert CALENDAR.trading_date(place, micros(at, place)) == date.fromisoformat(day)
    assert CALENDAR.over(place, micros(at, place)) == micros(over, place)


CONTINUOUS = {"regular", "morning", "afternoon", "night"}
DAYS = {
    "ordinary": "2026-11-23",
    "the college exam": "2026-11-19",
    "first of the year": "2027-01-04",
    "half day": "2026-12-24",
    "the clocks go back": "2026-11-01",
    "the Monday after": "2026-11-02",
    "the clocks go forward": "2027-03-14",
    "holiday": "2026-12-25",
}


@cache
def minutes(zone: str, day: str) -> list[datetime]:
    """Return every minute of 24 hours from a day's midnight."""
    midnight = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone)).timestamp()
    return [datetime.fromtimestamp(midnight + minute * 60, UTC) for minute in range(24 * 60)]


@pytest.mark.parametrize("place", ZONES)
@pytest.mark.parametrize("day", DAYS.values(), ids=DAYS)
def test_feed_and_orders_agree_on_every_minute(place: Place, day: str) -> None:
    """Busy data means that orders are taken; and in a continuous session there is data."""
    market, venue = place
    feed = "unified" if venue == "sor" else venue
    local = date.fromisoformat(day)
    continuous = [
        (hours.opens.timestamp(), hours.closes.timestamp(), bool(hours.session.busy))
        for date_ in (local - timedelta(days=1), local, local + timedelta(days=1))
        for hours in CALENDAR.sessions(market, venue, date_)
        if hours.session.name in CONTINUOUS
    ]
    for minute in minutes(ZONES[place], day):
        at = minute.timestamp()
        taken = CALENDAR.takes(place, "limit", int(at) * 1_000_000)
        phase = CALENDAR.phase(market, feed, "trade", minute)
        assert taken or phase != "busy", minute
        now = [(at - opens, busy) for opens, closes, busy in continuous if opens <= at < closes]
        assert now or phase != "busy", minute
        for since, busy in now:
            assert taken, minute
            if since >= 60:
                assert phase == ("busy" if busy else "open"), minute


def test_two_calendars_made_of_one_timetable_do_not_share_what_kis_said() -> None:
    one, other = Calendar(TIMETABLE), Calendar(TIMETABLE)
    one.known = {date(2026, 11, 20): False}
    assert not one.trades("KRX", date(2026, 11, 20))
    assert other.trades("KRX", date(2026, 11, 20))
