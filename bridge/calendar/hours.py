"""When which market sends data, so that its silence can be told from a fault. Pure.

A window belongs to the trading day on which it opens, in the time of its exchange; that is how
daylight saving and nights across midnight come out right. ``busy``: something comes every minute
in any usual symbol. ``open``: something may come. Everything else is closed.

The table is data and nothing else; source: KIS's and the exchanges' hours as of September 2026
(the KRX after-market began on 2026-09-14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

__all__ = ["WINDOWS", "Phase", "Trades", "Window", "phase"]

Phase = Literal["busy", "open", "closed"]
Trades = Callable[[str, date], bool]
"""``(calendar, day)`` → whether the exchange trades on that day."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the trading day; ``closes`` before ``opens`` is on the next day."""

    markets: frozenset[str]
    venues: frozenset[str]
    opens: time
    closes: time
    zone: str
    calendar: str
    busy: frozenset[str]
    """Kinds that are busy in it; all others are open."""
    since: date = date.min
    until: date = date.max


_AFTER_MARKET = date(2026, 9, 14)
_TABLE = """
# markets                 venues            opens    closes   zone             calendar busy
domestic_stock            krx,unified       08:30    09:00    Asia/Seoul       KRX      - <
domestic_stock            krx,unified       08:20    09:00    Asia/Seoul       KRX      - >
domestic_stock            krx,unified       09:00    15:20    Asia/Seoul       KRX       trade,quote
domestic_stock            krx,unified       15:20    18:00    Asia/Seoul       KRX      - <
domestic_stock            krx,unified       15:20    20:00    Asia/Seoul       KRX      - >
domestic_stock            nxt,unified       08:00    08:50    Asia/Seoul       KRX       -
domestic_stock            nxt               09:00:30 15:20    Asia/Seoul       KRX       trade,quote
domestic_stock            nxt,unified       15:30    20:00    Asia/Seoul       KRX       -
domestic_etf,domestic_elw krx               08:20    09:00    Asia/Seoul       KRX       -
domestic_etf,domestic_elw krx               09:00    15:20    Asia/Seoul       KRX       nav
domestic_etf,domestic_elw krx               15:20    18:00    Asia/Seoul       KRX       -
domestic_index            krx               08:20    09:00    Asia/Seoul       KRX       -
domestic_index            krx               09:00    15:20    Asia/Seoul       KRX       index
domestic_index            krx               15:20    18:00    Asia/Seoul       KRX       -
domestic_derivative       krx               08:30    15:45    Asia/Seoul       KRX       -
domestic_derivative       krx_night         18:00    06:00    Asia/Seoul       KRX       -
domestic_bond             krx               08:30    15:30    Asia/Seoul       KRX       -
overseas_stock            nas,nys,ams       04:00    09:30    America/New_York NYSE      -
overseas_stock            nas,nys,ams       09:30    16:00    America/New_York NYSE      trade,quote
overseas_stock            nas,nys,ams       16:00    20:00    America/New_York NYSE      -
overseas_stock            baq,bay,baa       10:00    17:00    Asia/Seoul       -         -
overseas_stock            hks               09:30    12:00    Asia/Hong_Kong   HKEX      trade,quote
overseas_stock            hks               13:00    16:00    Asia/Hong_Kong   HKEX      trade,quote
overseas_stock            tse               09:00    11:30    Asia/Tokyo       JPX       trade,quote
overseas_stock            tse               12:30    15:30    Asia/Tokyo       JPX       trade,quote
overseas_stock            shs,szs           09:30    11:30    Asia/Shanghai    SSE       trade,quote
overseas_stock            shs,szs           13:00    15:00    Asia/Shanghai    SSE       trade,quote
overseas_stock            hsx,hnx           09:00    15:00    Asia/Ho_Chi_Minh -         -
overseas_derivative       all               17:00    16:00    America/Chicago  -         -
"""
"""A last column of ``<`` holds until the KRX after-market began, ``>`` since."""


def _read(table: str) -> tuple[Window, ...]:
    windows = []
    for line in table.strip().splitlines():
        if line.startswith("#"):
            continue
        markets, venues, opens, closes, zone, calendar, busy, *era = line.split()
        windows.append(
            Window(
                frozenset(markets.split(",")),
                frozenset(venues.split(",")),
                time.fromisoformat(opens),
                time.fromisoformat(closes),
                zone,
                calendar,
                frozenset(busy.split(",")),
                since=_AFTER_MARKET if era == [">"] else date.min,
                until=_AFTER_MARKET - timedelta(days=1) if era == ["<"] else date.max,
            )
        )
    return tuple(windows)


WINDOWS = _read(_TABLE)

_LATE_OPENING, _LATE_BY = time(9), timedelta(hours=1)
_LULL = timedelta(minutes=1)
"""After an opening the first records may take so long."""


def phase(market: str, venue: str, kind: str, now: datetime, trades: Trades) -> Phase:
    """Return what may be expected of a channel's records; ``now`` carries its offset."""
    found: Phase = "closed"
    for window in _windows(market, venue):
        if _within(window, now, trades):
            if kind in window.busy:
                return "busy"
            found = "open"
    return found


@lru_cache(maxsize=256)
def _windows(market: str, venue: str) -> tuple[Window, ...]:
    return tuple(w for w in WINDOWS if market in w.markets and venue in w.venues)


def _within(window: Window, now: datetime, trades: Trades) -> bool:
    zone = ZoneInfo(window.zone)
    there = now.astimezone(zone)
    overnight = window.closes <= window.opens
    for day in (there.date(), there.date() - timedelta(days=1))[: 2 if overnight else 1]:
        if not window.since <= day <= window.until or not trades(window.calendar, day):
            continue
        opens = datetime.combine(day, window.opens, zone)
        closes = datetime.combine(day + timedelta(days=overnight), window.closes, zone)
        if window.busy != {"-"}:
            opens += _LULL
            if window.calendar == "KRX" and window.opens >= _LATE_OPENING:
                opens += _late(day, trades)
        if opens <= there < closes:
            return True
    return False


def _late(day: date, trades: Trades) -> timedelta:
    """Return how much later KRX opens: on the year's first trading day, and for the college exam.

    The exam is on the third Thursday of November.
    """
    exam = day.month == 11 and day.weekday() == 3 and 15 <= day.day <= 21
    first = (
        day.month == 1
        and day.day <= 7
        and not any(trades("KRX", day.replace(day=d)) for d in range(1, day.day))
    )
    return _LATE_BY if exam or first else timedelta()
