"""The timetable of the markets, from its rows in the sheet ``hours``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from bridge.catalog.model import Channel, Code
from bridge.catalog.sheets import SheetRow, Tables
from bridge.catalog.timetable import (
    CALENDARS,
    CLOSED,
    FIRST,
    TRADING,
    SpecialDay,
    Timetable,
    TradingSession,
    is_day,
)

__all__ = ["read_hours"]

_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?")
_CHANGE = re.compile(rf"[+-]?{_CLOCK.pattern}")
_MOST_ROWS, _MOST_NAMES = 1_000, 100
"""More than any timetable needs, and little enough to be asked every second."""
_OF_SESSIONS = ("markets", "venues", "session", "opens", "closes", "timezone")
"""What every session has to say."""
_OF_SESSIONS_ALONE = ("timezone", "data", "busy", "orders", "order_types")

_Places = Mapping[str, Collection[str]]
"""Market → its venues."""


def read_hours(
    tables: Tables,
    channels: Mapping[str, Channel],
    codes: Mapping[str, Sequence[Code]],
    markets: Sequence[str],
) -> Timetable:
    """Return the sessions and the special days, each in the order of the sheet."""
    rows = tables.rows["hours"]
    order_types = {
        code.name for name, codes_ in codes.items() if "order_type" in name for code in codes_
    }
    for row in rows[_MOST_ROWS:]:
        row.wrong("calendar", f"more than {_MOST_ROWS} rows: take out what is over")
        break
    venues: dict[str, set[str]] = {market: set() for market in markets}
    kinds: dict[str, set[str]] = {market: set() for market in markets}
    for channel in channels.values():
        at_home = [channel.venue, *(venue.venue for venue in channel.venues)]
        venues.setdefault(channel.market, set()).update(filter(None, at_home))
        kinds.setdefault(channel.market, set()).add(channel.kind)
    # KIS's router of orders is an exchange to order at, and has no channel.
    venues["domestic_stock"] |= {code.name for code in codes.get("exchange", ())}
    usual = [row for row in rows[:_MOST_ROWS] if not row["days"]]
    sessions = tuple(_session(row, markets, venues, kinds, order_types) for row in usual)
    _agree(usual, sessions)
    special = [row for row in rows[:_MOST_ROWS] if row["days"]]
    return Timetable(sessions, tuple(_special_day(row, sessions) for row in special))


def _session(
    row: SheetRow,
    markets: Sequence[str],
    venues: _Places,
    kinds: _Places,
    order_types: Collection[str],
) -> TradingSession:
    for column in _OF_SESSIONS:
        if not row[column]:
            row.wrong(column, "is missing: every session has it (a special day has days)")
    row.word("session")
    row.timezone("timezone")
    _calendar(row)
    _era(row)
    named = _names(row, "markets", markets)
    at = {venue for market in named for venue in venues.get(market, ())}
    of = {kind for market in named for kind in kinds.get(market, ())} - {"notice"}
    for column in ("opens", "closes"):
        if row[column] and not _CLOCK.fullmatch(row[column]):
            row.wrong(column, f"{row[column]!r} is no time of day (HH:MM or HH:MM:SS)")
    if row["opens"] and row["opens"] == row["closes"]:
        row.wrong("closes", "it closes when it opens")
    if row["busy"] and not row.flag("data"):
        row.wrong("data", "must be yes where a kind is busy")
    if row["order_types"] and not row.flag("orders"):
        row.wrong("orders", "must be yes where order types are named")
    if not row.flag("data") and not row.flag("orders"):
        row.wrong("data", "neither data nor orders: say yes to one, or take the row out")
    return TradingSession(
        name=row["session"],
        markets=named,
        venues=_names(row, "venues", at),
        calendar=row["calendar"],
        timezone=row["timezone"],
        opens=row["opens"],
        closes=row["closes"],
        since=row["since"],
        until=row["until"],
        data=row.flag("data"),
        busy=_names(row, "busy", of),
        orders=row.flag("orders"),
        order_types=_names(row, "order_types", order_types),
        english=row["english"],
    )


def _agree(rows: Sequence[SheetRow], sessions: Sequence[TradingSession]) -> None:
    """Complain where the orders of one place would follow two clocks."""
    clocks: dict[tuple[str, str], tuple[str, str]] = {}
    for row, session in zip(rows, sessions, strict=True):
        for place in ((m, v) for m in session.markets for v in session.venues if session.orders):
            own = session.timezone, session.calendar
            if clocks.setdefault(place, own) != own:
                row.wrong("timezone", f"{'/'.join(place)} has another zone or calendar above")
                break


def _special_day(row: SheetRow, sessions: Sequence[TradingSession]) -> SpecialDay:
    for column in _OF_SESSIONS_ALONE:
        if row[column]:
            row.wrong(column, "leave it blank: days only change when a session is held")
    _calendar(row)
    _era(row)
    own = [session for session in sessions if session.calendar == row["calendar"]]
    days = tuple(row["days"].split())
    if len(days) > _MOST_NAMES:
        row.wrong("days", f"more than {_MOST_NAMES} days: use a second row")
    for day in days:
        if not is_day(day):
            row.wrong("days", f"{day!r} is no day, e.g. 2026-11-19, 12-24, 11-thu-3, {FIRST}")
    special = SpecialDay(
        calendar=row["calendar"],
        days=days,
        markets=_names(row, "markets", {m for session in own for m in session.markets}),
        venues=_names(row, "venues", {v for session in own for v in session.venues}),
        sessions=_names(row, "session", {session.name for session in own}),
        opens=row["opens"],
        closes=row["closes"],
        since=row["since"],
        until=row["until"],
        english=row["english"],
    )
    words = (CLOSED, TRADING)
    if special.opens not in ("", *words) and not _CHANGE.fullmatch(special.opens):
        row.wrong("opens", f"{special.opens!r} is no time (10:00, +01:00, {CLOSED}, {TRADING})")
    if special.closes and not _CHANGE.fullmatch(special.closes):
        row.wrong("closes", f"{special.closes!r} is no time (16:30, +01:00, or blank: as usual)")
    if special.closes and special.opens in words:
        row.wrong("closes", f"leave it blank where opens says {special.opens}")
    if special.opens == TRADING and (special.markets or special.venues or special.sessions):
        row.wrong("opens", f"{TRADING} is about a whole calendar: leave markets to session blank")
    if special.whole_day and FIRST in days:
        row.wrong("days", f"{FIRST} depends on which days are trading days: name a date")
    return special


def _calendar(row: SheetRow) -> None:
    if row["calendar"]:
        row.one_of("calendar", CALENDARS)


def _era(row: SheetRow) -> None:
    for column in ("since", "until"):
        text = row[column]
        try:
            sound = not text or date.fromisoformat(text).isoformat() == text
        except ValueError:
            sound = False
        if not sound:
            row.wrong(column, f"{text!r} is no date (YYYY-MM-DD)")
    if row["since"] and row["until"] and row["since"] > row["until"]:
        row.wrong("until", "is before since")


def _names(row: SheetRow, column: str, known: Collection[str]) -> tuple[str, ...]:
    names = tuple(row[column].split())
    if len(names) > _MOST_NAMES:
        row.wrong(column, f"more than {_MOST_NAMES} names")
        return ()
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(known)) or "there are none"
            row.wrong(column, f"unknown {name!r} (one of {listed})")
    if len(set(names)) < len(names):
        row.wrong(column, "a name comes twice")
    return names
