"""When the simulated exchanges are open, and for which orders (pure). Times are Korean.

The hours are the timetable's, so that the simulator and whoever reads the same timetable agree.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from bridge.calendar.hours import Calendar
from bridge.simulator.exchange.kinds import OrderKind, in_auction

__all__ = ["Admission", "Hours", "Session", "SessionTurn", "Timing"]

Hours = Literal["always", "krx"]
Session = Literal["open", "before", "after", "holiday"]
Admission = Literal["continuous", "auction", "fixed", "kind", "before", "after", "holiday"]
"""What becomes of an order of a kind: how it trades, or why it is refused. ``kind``: there is a
session, which does not take it."""

_VENUES = ("krx", "nxt", "sor")
_SLOTS = {
    "main": {
        *("opening_auction", "regular", "closing_auction"),
        *("pre_market", "closing_price", "after_market"),
    },
    "pre_open": {"pre_open_after_hours"},
    "post_close": {"post_close"},
    "after_market": {"after_market"},
    "pre_market": {"pre_market_only"},
}
_KRX_MAIN = {"opening_auction", "regular", "closing_auction"}
"""The after-market of KRX has kinds of its own, that of NXT takes those of the day."""
_CONTINUOUS = {"regular", "after_market", "pre_market", "pre_market_only"}
_BEFORE_TRADING = {"opening_auction", "pre_open_after_hours"}
_EXTENDED = {"pre_market", "after_market"}
_SETTLES_AFTER = 2
_POST_CLOSE_TRADES = timedelta(minutes=10)
"""Orders for today's close are taken ten minutes before they trade: 15:30 and 15:40."""


class SessionTurn(NamedTuple):
    """A session of a venue begins or ends; ``trades``: what it has taken begins to trade."""

    at: datetime
    venue: str
    session: str
    what: Literal["opens", "trades", "closes"]


class _Held(NamedTuple):
    opens: datetime
    closes: datetime
    name: str


class Timing:
    """The sessions of the exchanges, a day at a time; without a calendar they are always open."""

    def __init__(self, calendar: Calendar | None) -> None:
        self.calendar = calendar
        self.closed: set[date] = set()
        """Days on which there is no trading, whatever the calendar says."""
        self.decreed: Session | None = None
        """The state of all exchanges, whatever the clock says."""
        self._day: date | None = None
        self._held: dict[str, list[_Held]] = {}
        self._turns: list[SessionTurn] = []

    def trades_on(self, day: date) -> bool:
        if day in self.closed:
            return False
        return self.calendar is None or self.calendar.trades("KRX", day)

    def close(self, day: date, *, closed: bool) -> None:
        """Make a day a holiday, or take that back."""
        (self.closed.add if closed else self.closed.discard)(day)
        self._day = None

    def _said(self, now: datetime) -> Session | None:
        """Return the state that somebody has set; None: the calendar and the clock decide."""
        if now.date() in self.closed:
            return "holiday"
        return self.decreed or ("open" if self.calendar is None else None)

    def business_day(self, day: date, after: int) -> date:
        """Return the day so many trading days later; 0: the day itself, or the next that trades."""
        while not self.trades_on(day):
            day += timedelta(days=1)
        for _ in range(after):
            day += timedelta(days=1)
            while not self.trades_on(day):
                day += timedelta(days=1)
        return day

    def settlement(self, traded: date) -> date:
        """Return the day on which the trades of a day are paid for."""
        return self.business_day(traded, _SETTLES_AFTER)

    def previous_day(self, day: date) -> date:
        """Return the trading day before a day."""
        day -= timedelta(days=1)
        while not self.trades_on(day):
            day -= timedelta(days=1)
        return day

    def session(self, now: datetime) -> Session:
        """Return the state of the market as a whole: open while any venue trades."""
        if said := self._said(now):
            return said
        if self.running(now):
            return "open"
        held = self._of("krx", now) + self._of("nxt", now)
        return _state(held, now)

    def running(self, now: datetime) -> bool:
        """Tell whether somewhere there is continuous trading."""
        if said := self._said(now):
            return said == "open"
        return any(
            one.name in _CONTINUOUS and one.opens <= now < one.closes
            for venue in _VENUES
            for one in self._of(venue, now)
        )

    def shows(self, venue: str, at: datetime) -> bool:
        """Tell whether a trade of that moment can be one of a venue, its auctions included."""
        if said := self._said(at):
            return said == "open"
        return any(
            one.opens <= at <= one.closes and one.name not in _BEFORE_TRADING
            for one in self._of(venue, at)
        )

    def admission(self, venue: str, kind: OrderKind, now: datetime) -> Admission:
        """Return how an order of a kind trades at a venue now, or why it does not."""
        fixed = kind.pricing == "fixed"
        if said := self._said(now):
            return said if said != "open" else "fixed" if fixed else "continuous"
        names = _KRX_MAIN if venue == "KRX" and kind.slot == "main" else _SLOTS[kind.slot]
        held = [one for one in self._of(venue.lower(), now) if one.name in names]
        running = {one.name for one in held if one.opens <= now < one.closes}
        if not running:
            state = _state(held, now)
            return "after" if state == "open" else state
        if fixed:
            return "fixed"
        if running & _CONTINUOUS:
            extended = kind.slot == "main" and not running - _EXTENDED - {"opening_auction"}
            return "kind" if extended and not _named(kind) else "continuous"
        closing = "opening_auction" not in running
        return "auction" if in_auction(kind, closing=closing) else "kind"

    def takes_changes(self, venue: str, now: datetime) -> Admission:
        """Tell whether orders of a venue can be cancelled now."""
        if said := self._said(now):
            return "continuous" if said == "open" else said
        held = self._of(venue.lower(), now)
        if any(one.opens <= now < one.closes for one in held):
            return "continuous"
        state = _state(held, now)
        return "after" if state == "open" else state

    def fixed_trades(self, kind: OrderKind, now: datetime) -> bool:
        """Tell whether orders at a close trade by now, or still only wait."""
        if self._said(now) == "open" or kind.slot != "post_close":
            return True
        return any(
            one.opens + _POST_CLOSE_TRADES <= now < one.closes
            for one in self._of("krx", now)
            if one.name == "post_close"
        )

    def turns(self, after: datetime, until: datetime) -> list[SessionTurn]:
        """Return what begins and ends on a day between two moments of it, in order."""
        if self.decreed is not None:
            return []
        self._load(until.date())
        return [turn for turn in self._turns if after < turn.at <= until]

    def next_turn(self, now: datetime) -> datetime | None:
        """Return when something next begins or ends on that day."""
        self._load(now.date())
        return next((turn.at for turn in self._turns if turn.at > now), None)

    def _of(self, venue: str, now: datetime) -> list[_Held]:
        self._load(now.date())
        return self._held.get(venue, [])

    def _load(self, day: date) -> None:
        if self._day == day or self.calendar is None:
            return
        self._day, self._turns = day, []
        for venue in _VENUES:
            held = self._held[venue] = [
                _Held(one.opens, one.closes, one.session.name)
                for one in self.calendar.sessions("domestic_stock", venue, day)
                if day not in self.closed
            ]
            for one in held:
                self._turns.append(SessionTurn(one.opens, venue, one.name, "opens"))
                self._turns.append(SessionTurn(one.closes, venue, one.name, "closes"))
                if one.name == "post_close":
                    trades = one.opens + _POST_CLOSE_TRADES
                    self._turns.append(SessionTurn(trades, venue, one.name, "trades"))
        # What ends makes room for what begins in the same moment.
        self._turns.sort(key=lambda turn: (turn.at, turn.what == "opens"))


def _named(kind: OrderKind) -> bool:
    """Tell whether a kind is one of the limit types, all that the long hours take."""
    return kind.pricing in ("limit", "best", "top")


def _state(held: list[_Held], now: datetime) -> Session:
    if not held:
        return "holiday"
    return "before" if any(now < one.opens for one in held) else "after"
