"""When orders overseas are taken and executed, by the calendar of each exchange (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from bridge.calendar.hours import Calendar
from bridge.calendar.sessions import SessionHours
from bridge.simulator.exchange.sessions import Session
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.dates import ZONES

__all__ = ["VENUES", "OffBookHours"]

VENUES = {
    "NASD": "nas",
    "NYSE": "nys",
    "AMEX": "ams",
    "SEHK": "hks",
    "SHAA": "shs",
    "SZAA": "szs",
    "TKSE": "tse",
    "HASE": "hnx",
    "VNSE": "hsx",
}
"""KIS's exchange of an order → the venue that the timetable names."""
_MARKET = "overseas_stock"
_CONTINUOUS = ("regular", "morning")
_CLOSING = ("regular", "afternoon", "closing_auction")
_DAYTIME = "baq"
_SEARCHED = 15
"""Days; no exchange is closed for longer."""


@dataclass(frozen=True, slots=True, eq=False)
class OffBookHours:
    """Hours of the exchanges overseas; ``always`` takes orders and trades at any time."""

    calendar: Calendar
    always: bool = True
    _held: Callable[[str, date], tuple[SessionHours, ...]] = lambda *_: ()

    def __post_init__(self) -> None:
        # A day's sessions are asked for with every order and every turn of the market.
        def held(venue: str, day: date) -> tuple[SessionHours, ...]:
            return self.calendar.sessions(_MARKET, venue, day)

        object.__setattr__(self, "_held", lru_cache(maxsize=512)(held))

    def check(self, exchange: str, now: datetime, *, daytime: bool = False) -> None:
        """Raise :class:`OrderRefused` while an exchange takes no orders; others are not ours."""
        if self.always or exchange not in VENUES:
            return
        state = self.session(exchange, now, daytime=daytime)
        if state != "open":
            raise OrderRefused("session", state)

    def session(self, exchange: str, now: datetime, *, daytime: bool = False) -> Session:
        """Return the state of an exchange, whether or not it matters here."""
        held = self._sessions(exchange, now, daytime=daytime)
        if any(one.opens <= now < one.closes for one in held):
            return "open"
        today = now.astimezone(ZONES[exchange]).date()
        own = [one for one in held if one.opens.date() == today]
        if not own:
            return "holiday"
        return "before" if now < min(one.opens for one in own) else "after"

    def trades(self, exchange: str, now: datetime, *, daytime: bool = False) -> bool:
        """Tell whether orders are executed now."""
        if self.always or exchange not in VENUES:
            return True
        return any(
            one.opens <= now < one.closes and one.session.data
            for one in self._sessions(exchange, now, daytime=daytime)
        )

    def opening(self, exchange: str, after: datetime) -> datetime:
        """Return when continuous trading begins the next time."""
        return self._next(exchange, after, _CONTINUOUS, last=False)

    def closing(self, exchange: str, after: datetime) -> datetime:
        """Return when continuous trading or its closing auction ends the next time."""
        return self._next(exchange, after, _CLOSING, last=True)

    def _next(
        self, exchange: str, after: datetime, names: tuple[str, ...], *, last: bool
    ) -> datetime:
        day = after.astimezone(ZONES[exchange]).date()
        for offset in range(_SEARCHED):
            held = self._held(VENUES[exchange], day + timedelta(days=offset))
            named = [one for one in held if one.session.name in names]
            if named:
                at = max(one.closes for one in named) if last else min(one.opens for one in named)
                if at > after:
                    return at.astimezone(after.tzinfo)
        return after

    def _sessions(self, exchange: str, now: datetime, *, daytime: bool) -> list[SessionHours]:
        # The daytime market is held by the Korean clock: there it is a day later than in New York.
        zone = now.tzinfo if daytime else ZONES[exchange]
        day = now.astimezone(zone).date()
        return list(self._held(_DAYTIME if daytime else VENUES[exchange], day))
