"""The one calendar: when a market sends data, and when it takes orders.

Both follow from one timetable, so that the feed and the orders cannot disagree about a day.
Nothing in here reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from bridge.calendar.holidays import holidays_of
from bridge.calendar.sessions import SessionHours, held, in_force, time_of, told
from bridge.catalog.timetable import (
    FIRST,
    TRADING,
    SpecialDay,
    Timetable,
    TradingSession,
    matches,
)

__all__ = ["Calendar", "Phase"]

Phase = Literal["busy", "open", "closed"]
"""``busy``: something comes every minute in any usual symbol. ``open``: something may come."""

_MICROSECOND, _DAY_S = 1_000_000, 86_400
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_SATURDAY = 5
_LULL_S = 60.0
"""After the opening of a busy session the first records may take so long."""
_NIGHT_ENDS = timedelta(minutes=30)
"""After a night's close KIS still settles what was not filled."""
_CACHED = 1_024
_RESERVED = "_reserved"
"""End of the name of a venue whose orders wait for the next opening."""
_LONGEST_BREAK = 30
"""Days in which every exchange opens once."""


class _Span(NamedTuple):
    """A session on one day in seconds since the epoch, for whoever asks all the time."""

    opens: float
    data: float
    """Since when records are to be expected."""
    closes: float
    session: TradingSession


class _Place(NamedTuple):
    """What does not change from day to day where orders are taken."""

    zone: ZoneInfo
    calendar: str
    night_closes: time | None
    """When the session over midnight closes; None: there is none."""


class Calendar:
    """Answers what is traded when, after a timetable and what KIS says of days."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self._whole_days = [day for day in timetable.special_days if day.whole_day]
        self._special_days = [day for day in timetable.special_days if not day.whole_day]
        self._known: Mapping[date, bool] = MappingProxyType({})
        self._spans_at: dict[tuple[str, str, int], tuple[_Span, ...]] = {}
        self._rows_of: dict[tuple[str, str], tuple[TradingSession, ...]] = {}
        self._taking_of: dict[tuple[tuple[str, str], str], tuple[TradingSession, ...]] = {}
        self._places: dict[tuple[str, str, bool], _Place] = {}

    # days

    @property
    def known(self) -> Mapping[date, bool]:
        """KRX days as KIS told them; it knows of elections and other days that are set late."""
        return self._known

    @known.setter
    def known(self, days: Mapping[date, bool]) -> None:
        self._known = MappingProxyType(dict(days))
        self._spans_at.clear()

    def trades(self, calendar: str, day: date) -> bool:
        """Tell whether ``KRX``, ``NYSE`` … trades.

        KIS goes before the workbook, and the workbook before what the library knows of holidays;
        a calendar that nobody knows has weekdays.
        """
        # KIS first: it knows of days that were set after the workbook and the library were made.
        if calendar == "KRX" and day in self._known:
            return self._known[day]
        for special in reversed(self._whole_days):
            if special.calendar == calendar and self._on(special, day):
                return special.opens == TRADING
        return day.weekday() < _SATURDAY and day not in holidays_of(calendar, day.year)

    def sessions(self, market: str, venue: str, day: date) -> tuple[SessionHours, ...]:
        """Return the sessions that open on a day of the exchange, in the timetable's order."""
        return tuple(
            hours
            for row in self._rows(market, venue)
            if in_force(row, day)
            and self.trades(row.calendar, day)
            and (hours := held(row, day, self._special(row, market, venue, day))) is not None
        )

    # data

    def phase(self, market: str, venue: str, kind: str, now: datetime) -> Phase:
        """Return what may be expected of a channel's records; ``now`` carries its offset."""
        moment = now.timestamp()
        found: Phase = "closed"
        for span in self._spans(market, venue, moment):
            if span.session.data and span.data <= moment < span.closes:
                if kind in span.session.busy:
                    return "busy"
                found = "open"
        return found

    def phase_since(self, market: str, venue: str, kind: str, now: datetime) -> tuple[Phase, float]:
        """Return the phase, and when the timetable last changed before; seconds since the epoch.

        Right after the opening of a busy session it is ``open``: something may come, and mostly
        does.
        """
        moment = now.timestamp()
        spans = [span for span in self._spans(market, venue, moment) if span.session.data]
        edges = (
            edge
            for span in spans
            for edge in (span.opens, span.data, span.closes)
            if edge <= moment
        )
        found = self.phase(market, venue, kind, now)
        if found == "closed" and any(span.opens <= moment < span.closes for span in spans):
            found = "open"
        return found, max(edges, default=0.0)

    # orders; places are market and venue, times µs since the epoch

    def takes(self, place: tuple[str, str], order_type: str, now: int) -> bool:
        """Tell whether a place takes orders of a type at that time.

        One that the timetable has no sessions of always does: KIS refuses by itself.
        """
        taking = self._taking(place, order_type)
        moment = now / _MICROSECOND
        return not taking or any(
            span.opens <= moment < span.closes and span.session in taking
            for span in self._spans(*place, moment)
        )

    def closed(self, place: tuple[str, str], order_type: str, now: int) -> str:
        """Return why an order cannot go in now, for people; blank: it can."""
        if self.takes(place, order_type, now):
            return ""
        venue, exchange = place[1], self._place(place, by_data=True)
        local = datetime.fromtimestamp(now / _MICROSECOND, exchange.zone)
        if not self.trades(exchange.calendar, local.date()):
            return f"{venue} does not trade on {local:%A, %Y-%m-%d}"
        taking = self._taking(place, order_type)
        today = [one for one in self.sessions(*place, local.date()) if one.session in taking]
        zone = exchange.zone.key
        if not today:
            return f"{venue} takes no {order_type} on {local:%A, %Y-%m-%d} ({zone})"
        return f"{venue} takes {order_type} {told(today)} ({zone}), and it is {local:%H:%M}"

    def over(self, place: tuple[str, str], submitted_at: int) -> int:
        """Return when an order for the day is over at the latest."""
        market, venue = place
        exchange = self._place((market, venue.removesuffix(_RESERVED)), by_data=True)
        day = _date_at(exchange, submitted_at)
        if venue.endswith(_RESERVED):
            # It waits for the next opening, which may be today's; a day too late does no harm.
            later = (day + days * _DAY for days in range(1, _LONGEST_BREAK))
            opens = (one for one in later if self.trades(exchange.calendar, one))
            day = next(opens, day + _LONGEST_BREAK * _DAY)
        end = datetime.combine(
            day + _DAY,
            exchange.night_closes or time(0),
            exchange.zone,
        )
        if exchange.night_closes is not None:
            end += _NIGHT_ENDS
        return int(end.timestamp()) * _MICROSECOND

    def trading_date(self, place: tuple[str, str], at: int) -> date:
        """Return the exchange's own date of a moment; a night belongs to the day it began on."""
        return _date_at(self._place(place), at)

    # inside

    def _rows(self, market: str, venue: str) -> tuple[TradingSession, ...]:
        found = self._rows_of.get((market, venue))
        if found is None:
            found = self._rows_of[market, venue] = tuple(
                row
                for row in self._timetable.sessions
                if market in row.markets and venue in row.venues
            )
        return found

    def _spans(self, market: str, venue: str, moment: float) -> tuple[_Span, ...]:
        """Return what is held around a moment; asked for every second, so it is kept by the day."""
        number = int(moment // _DAY_S)
        found = self._spans_at.get((market, venue, number))
        if found is None:
            if len(self._spans_at) >= _CACHED:
                self._spans_at.clear()
            # In UTC it is one day, at the exchange maybe the one before or after; a night began
            # one earlier still.
            day = _EPOCH + timedelta(days=number)
            found = self._spans_at[market, venue, number] = tuple(
                _span(hours)
                for offset in range(-2, 2)
                for hours in self.sessions(market, venue, day + timedelta(days=offset))
            )
        return found

    def _special(
        self, row: TradingSession, market: str, venue: str, day: date
    ) -> SpecialDay | None:
        """Return what changes a session on a day: of several rows the last one."""
        for special in reversed(self._special_days):
            if (
                special.calendar == row.calendar
                and row.name in (special.sessions or (row.name,))
                and market in (special.markets or (market,))
                and venue in (special.venues or (venue,))
                and self._on(special, day)
            ):
                return special
        return None

    def _on(self, special: SpecialDay, day: date) -> bool:
        return in_force(special, day) and any(
            self._first(special.calendar, day) if text == FIRST else matches(text, day)
            for text in special.days
        )

    def _first(self, calendar: str, day: date) -> bool:
        """Tell whether it is the first trading day of its year; no holiday ends later."""
        return (
            day.month == 1
            and day.day <= 10
            and not any(self.trades(calendar, day.replace(day=d)) for d in range(1, day.day))
        )

    def _ordering(self, place: tuple[str, str]) -> list[TradingSession]:
        """Return the sessions that take orders: where none says so, those that have data."""
        rows = list(self._rows(*place))
        return [row for row in rows if row.orders] or rows

    def _taking(self, place: tuple[str, str], order_type: str) -> tuple[TradingSession, ...]:
        """Return the sessions that take an order type: those that name it, or name none."""
        found = self._taking_of.get((place, order_type))
        if found is None:
            if len(self._taking_of) >= _CACHED:
                self._taking_of.clear()
            rows = self._ordering(place)
            own = tuple(row for row in rows if order_type in row.order_types)
            found = own or tuple(row for row in rows if not row.order_types)
            self._taking_of[place, order_type] = found
        return found

    def _place(self, place: tuple[str, str], *, by_data: bool = False) -> _Place:
        """Return what does not change; ``by_data``: of data, where nothing takes orders."""
        found = self._places.get((*place, by_data))
        if found is None:
            rows = [row for row in self._rows(*place) if row.orders]
            if by_data:
                rows = self._ordering(place)
            nights = [
                time_of(row.closes) for row in rows if time_of(row.closes) <= time_of(row.opens)
            ]
            found = self._places[*place, by_data] = _Place(
                ZoneInfo(rows[0].timezone if rows else "Asia/Seoul"),
                rows[0].calendar if rows else "weekdays",
                max(nights, default=None),
            )
        return found


def _date_at(exchange: _Place, at: int) -> date:
    local = datetime.fromtimestamp(at / _MICROSECOND, exchange.zone)
    # Before noon it can only be the night: its evening session begins in the afternoon.
    yesterday = exchange.night_closes is not None and local.hour < 12
    return local.date() - _DAY if yesterday else local.date()


def _span(hours: SessionHours) -> _Span:
    opens, closes = hours.opens.timestamp(), hours.closes.timestamp()
    lull = _LULL_S if hours.session.busy else 0.0
    return _Span(opens, opens + lull, closes, hours.session)
