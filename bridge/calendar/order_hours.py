"""When a market takes orders, as data; pure.

Sources: the sessions of KRX from 2026-09-14 and of NXT as KIS describes them; the other exchanges'
regular hours with what KIS takes before and after. Half days are not known: KIS refuses by itself.
A break at noon counts as open, since orders may wait through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bridge.kis.markets import Place

__all__ = ["TradingDays", "closed", "over", "trading_date"]

_MICROSECOND = 1_000_000
_DAY = timedelta(days=1)

TradingDays = Callable[[str, date], bool]
"""``(calendar, day)``: does the exchange trade on that day?"""

_Sessions = tuple[tuple[time, time], ...]


@dataclass(frozen=True, slots=True)
class _Exchange:
    """Where, by which calendar, and when on a trading day; an end before its start is tomorrow."""

    zone: str
    calendar: str
    sessions: _Sessions

    @property
    def night(self) -> bool:
        return any(end < start for start, end in self.sessions)


def _at(*texts: str) -> _Sessions:
    pairs = (text.split("-") for text in texts)
    return tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in pairs)


_SEOUL, _HANOI = "Asia/Seoul", "Asia/Ho_Chi_Minh"
_US = _Exchange("America/New_York", "NYSE", _at("04:00-20:00"))
_CHINA = _Exchange("Asia/Shanghai", "SSE", _at("09:15-15:00"))
_KRX = _Exchange(_SEOUL, "KRX", _at("08:20-15:30"))
_NXT = _at("08:00-08:50", "09:00:30-15:20", "15:30-20:00")

_EXCHANGES: Mapping[Place, _Exchange] = {
    ("domestic_stock", "krx"): _KRX,
    ("domestic_stock", "nxt"): _Exchange(_SEOUL, "KRX", _NXT),
    ("domestic_stock", "sor"): _Exchange(_SEOUL, "KRX", _at("08:00-15:30", "15:40-20:00")),
    ("domestic_derivative", "krx"): _Exchange(_SEOUL, "KRX", _at("08:30-15:45")),
    ("domestic_derivative", "krx_night"): _Exchange(_SEOUL, "KRX", _at("17:50-06:00")),
    ("overseas_stock", "nas"): _US,
    ("overseas_stock", "nys"): _US,
    ("overseas_stock", "ams"): _US,
    ("overseas_stock", "hks"): _Exchange("Asia/Hong_Kong", "HKEX", _at("09:00-16:10")),
    ("overseas_stock", "tse"): _Exchange("Asia/Tokyo", "JPX", _at("08:00-15:30")),
    ("overseas_stock", "shs"): _CHINA,
    ("overseas_stock", "szs"): _CHINA,
    ("overseas_stock", "hsx"): _Exchange(_HANOI, "VN", _at("09:00-15:00")),
    ("overseas_stock", "hnx"): _Exchange(_HANOI, "VN", _at("09:00-15:00")),
}

_OWN_HOURS: Mapping[tuple[str, str], _Sessions] = {
    ("krx", "pre_open_after_hours"): _at("08:30-08:40"),
    ("krx", "post_close_after_hours"): _at("15:30-16:00"),
    ("krx", "after_market"): _at("16:00-20:00"),
    ("nxt", "gtp"): _at("08:00-08:50"),
}
"""Domestic order types (the start of their names) that have hours of their own."""


def closed(place: Place, order_type: str, now: int, trades: TradingDays) -> str:
    """Return why an order cannot go in now (µs since the epoch), for people; blank: it can."""
    market, venue = place
    exchange = _EXCHANGES[place]
    local = datetime.fromtimestamp(now / _MICROSECOND, ZoneInfo(exchange.zone))
    sessions = exchange.sessions
    for (where, start_of_name), own in _OWN_HOURS.items():
        if (market, venue) == ("domestic_stock", where) and order_type.startswith(start_of_name):
            sessions = own
    for start, end in sessions:
        for day in (local.date(), local.date() - _DAY):
            if _within(local, day, start, end) and trades(exchange.calendar, day):
                return ""
    if not trades(exchange.calendar, local.date()):
        return f"{venue} does not trade on {local:%A, %Y-%m-%d}"
    times = ", ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in sessions)
    return f"{venue} takes {order_type} {times} ({exchange.zone}), and it is {local:%H:%M}"


def over(place: Place, submitted_at: int) -> int:
    """Return when an order for the day is over at the latest, µs since the epoch."""
    exchange = _EXCHANGES[place]
    day = trading_date(place, submitted_at)
    end = datetime.combine(
        day + _DAY, time(6, 30) if exchange.night else time(0), ZoneInfo(exchange.zone)
    )
    return int(end.timestamp()) * _MICROSECOND


def trading_date(place: Place, at: int) -> date:
    """Return the exchange's own date of a moment; a night belongs to the day it began on."""
    exchange = _EXCHANGES[place]
    local = datetime.fromtimestamp(at / _MICROSECOND, ZoneInfo(exchange.zone))
    return local.date() - _DAY if exchange.night and local.hour < 12 else local.date()


def _within(local: datetime, day: date, start: time, end: time) -> bool:
    first = datetime.combine(day, start, local.tzinfo)
    last = datetime.combine(day if end > start else day + _DAY, end, local.tzinfo)
    return first <= local < last
