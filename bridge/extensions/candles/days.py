"""Which trading day a trade belongs to, and when a market trades; the one calendar decides. Pure.

A day's candle holds the regular session with its auctions, as the daily prices of an exchange do.
What is traded before and after it has candles of minutes, but no part in the day's.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bridge.calendar.hours import Calendar

__all__ = ["TradingDays"]

_EXTENDED = frozenset(
    {
        "pre_market",
        "pre_market_only",
        "pre_open_after_hours",
        "closing_price",
        "post_close",
        "single_price",
        "after_market",
    }
)
"""Sessions beside the regular one."""
_WITHOUT_TRADES = frozenset({"opening_auction"})
"""Its trades come when it has ended."""
_IDLE_S = {
    (("domestic_stock", "krx"), "post_close"): 600,
    (("domestic_stock", "unified"), "post_close"): 600,
}
"""Sessions whose trades begin so long after their orders: KRX's at the close come from 15:40."""
_PRINT_S = 60
"""The trades of a closing auction may carry a time so long after its end."""
_CACHED = 16

_Hours = tuple[tuple[int, int], ...]


class TradingDays:
    """The days of one market and venue; times are seconds since the epoch.

    ``always``: it never closes, as the simulator's markets do not.
    """

    def __init__(
        self, calendar: Calendar, market: str, venue: str, zone: str, *, always: bool = False
    ) -> None:
        self._calendar = calendar
        self._always = always
        self._place = market, venue
        self._zone = ZoneInfo(zone)
        self._days: dict[date, tuple[_Hours, _Hours]] = {}

    def day_of(self, second: int) -> date:
        """Return the trading day of a moment; a night belongs to the day it began on."""
        return self._calendar.trading_date(self._place, second * 1_000_000)

    def is_regular(self, second: int) -> bool:
        """Tell whether a trade of that time belongs to the regular session, where no code says."""
        regular, _ = self._hours(self.day_of(second))
        return not regular or any(opens <= second <= closes + _PRINT_S for opens, closes in regular)

    def span(self, day: date) -> tuple[int, int]:
        """Return when the regular session of a day opens and closes."""
        regular, _ = self._hours(day)
        if not regular:
            midnight = datetime.combine(day, time(), self._zone)
            following = midnight + timedelta(days=1)
            return int(midnight.timestamp()), int(following.timestamp())
        return min(opens for opens, _ in regular), max(closes for _, closes in regular)

    def minutes(self, day: date) -> tuple[int, int] | None:
        """Return from when to when whole minutes hold a day's regular session and nothing else.

        None: they do not, because another session begins in the minute of the closing auction.
        """
        regular, trading = self._hours(day)
        if not regular:
            return None
        opens, closes = self.span(day)
        since, until = opens - opens % _PRINT_S, closes + _PRINT_S
        extended = set(trading) - set(regular)
        mixed = any(begin < until and since < end for begin, end in extended)
        return None if mixed else (since, until)

    def is_quiet(self, since: float, until: float) -> bool:
        """Tell whether nothing is traded between two times, so that nothing can be missed."""
        if self._always:
            return False
        day = datetime.fromtimestamp(since, self._zone).date() - timedelta(days=1)
        last = datetime.fromtimestamp(until, self._zone).date()
        known = False
        while day <= last:
            _, trading = self._hours(day)
            known = known or bool(trading)
            if any(opens < until and since < closes + _PRINT_S for opens, closes in trading):
                return False
            day += timedelta(days=1)
        # A market that the calendar does not know may trade at any time.
        return known or bool(self._calendar.sessions(*self._place, _A_WEEKDAY))

    def forget(self) -> None:
        """Ask the calendar anew: KIS may have told it of other days."""
        self._days.clear()

    def _hours(self, day: date) -> tuple[_Hours, _Hours]:
        """Return the regular sessions of a day, and all in which something is traded."""
        if self._always:
            return (), ()
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _CACHED:
                self._days.clear()
            sessions = [
                (
                    one.session.name,
                    int(one.opens.timestamp()) + _IDLE_S.get((self._place, one.session.name), 0),
                    int(one.closes.timestamp()),
                )
                for one in self._calendar.sessions(*self._place, day)
                if one.session.data and one.session.name not in _WITHOUT_TRADES
            ]
            found = self._days[day] = (
                tuple((o, c) for name, o, c in sessions if name not in _EXTENDED),
                tuple((o, c) for _, o, c in sessions),
            )
        return found


_A_WEEKDAY = date(2026, 11, 25)
"""No holiday of any exchange."""
