"""The business date of an order, as the exchange has it that it goes to (pure)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.simulator.off_book.tickets import NIGHT, OffBookMarket

__all__ = ["ZONES", "business_date", "next_weekday"]

ZONES = {
    **dict.fromkeys(("NASD", "NYSE", "AMEX"), ZoneInfo("America/New_York")),
    "SEHK": ZoneInfo("Asia/Hong_Kong"),
    **dict.fromkeys(("SHAA", "SZAA"), ZoneInfo("Asia/Shanghai")),
    "TKSE": ZoneInfo("Asia/Tokyo"),
    **dict.fromkeys(("HASE", "VNSE"), ZoneInfo("Asia/Ho_Chi_Minh")),
}
_CHICAGO = ZoneInfo("America/Chicago")
_NEXT = timedelta(hours=7)
"""At five in the afternoon the next day of the futures exchanges begins."""


def business_date(market: OffBookMarket, exchange: str, at: datetime) -> date:
    """Return the day that an order or execution belongs to."""
    if market == "overseas_stock":
        zone = ZONES.get(exchange)
        return at.astimezone(zone).date() if zone else at.date()
    if market == "overseas_derivative":
        return next_weekday((at.astimezone(_CHICAGO).replace(tzinfo=None) + _NEXT).date())
    if exchange == NIGHT:
        return next_weekday(at.date() + timedelta(days=at.hour >= 12))
    return at.date()


def next_weekday(day: date) -> date:
    """Return that day, or the Monday after it."""
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() > 4 else day
