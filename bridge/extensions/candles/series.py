"""The candles of one symbol: open, closed, corrected, mended. Pure.

A candle stays open for a moment after its end, because trades of its last second are still under
way then. What comes later corrects it: it is published once more. Candles of one interval are
published in the order of their time: a new one is not shown before the one before it is closed.

``now`` and the times of what is missing are µs since the epoch, those of candles seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from typing import Literal, NamedTuple, Protocol, TypeAlias

from bridge.config.candles import DAY, INTERVALS, Interval
from bridge.extensions.candles.tally import Tally
from bridge.extensions.candles.trades import Moment

__all__ = ["Candle", "Due", "Mending", "Series"]

GRACE_S = 2
"""How long after its end a candle waits for its last trades."""
DAY_GRACE_S = 600
"""The same for a day: the trades of a closing auction come late, and some are told later still."""
_KEPT_S, _SHORT_KEPT_S = 900, 120
"""How long a closed candle can still be corrected; the second is for those below a minute, of
which there are many."""
_USUAL_S, _MOST_DELAYED_S = 30, 1_800
"""Trades between these two ages are delayed on purpose, as unpaid overseas prices are."""
_MOST_LATE_S = 86_400
_MOST_HOLES = 64
_MOST_TO_MEND = 600
"""Candles of a symbol that wait for KIS's chart: a day of minutes, and what is made of them."""
_MEND_AFTER_S = 5
"""How long after a candle's end KIS's chart has all of it."""
_MEND_UNTIL_S = 3_600
"""How long after its end it is still asked for."""
_LONGEST_DAY_S = 7 * 3_600
"""A longer day has more pages than are asked for."""
_MEND_BACK_S = 6 * 3_600
"""How far back a gap is mended: longer ones are a matter of history."""
_MINUTE_S, _SECOND = 60, 1_000_000
_MINUTE: Interval = "1m"

Mending: TypeAlias = Literal["mended", "unproven", "contradicted"]
"""What became of a chart: taken; nothing of it could be compared yet; it tells something else."""


class _Days(Protocol):
    def span(self, day: date) -> tuple[int, int]: ...
    def minutes(self, day: date) -> tuple[int, int] | None: ...
    def is_quiet(self, since: float, until: float) -> bool: ...


@dataclass(slots=True)
class Candle:
    """One candle."""

    interval: Interval
    text: str
    """Its start as ISO 8601, with the exchange's offset."""
    start: int
    end: int
    tally: Tally
    closed: bool = False
    mended: bool = False
    """KIS's chart has told all of it."""
    changed: bool = True
    """It is not published as it is."""
    complete: bool = False
    """As it was published last."""


class Due(NamedTuple):
    """A candle that is to be published."""

    candle: Candle
    newest: bool
    """None of its interval that is newer was published."""


class _Line:
    """The candles of one interval, by their start; those of days by the number of the day."""

    __slots__ = ("candles", "grace", "interval", "kept", "mendable", "newest", "seconds", "shown")

    def __init__(self, interval: Interval, *, shown: bool = True) -> None:
        self.interval = interval
        self.shown = shown
        self.seconds = INTERVALS[interval]
        self.mendable = shown and self.seconds >= _MINUTE_S
        self.grace = DAY_GRACE_S if interval == DAY else GRACE_S
        self.kept = _KEPT_S if self.seconds >= _MINUTE_S else _SHORT_KEPT_S
        self.candles: dict[int, Candle] = {}
        self.newest = 0
        """Start of the newest one that was published."""


class Series:
    """Takes trades and what is known to be missing; :meth:`turn` tells what to publish.

    Until :meth:`covered` is called everything is missing. ``mends``: KIS's chart can be asked.
    """

    def __init__(
        self, intervals: Iterable[Interval], days: _Days, zone: tzinfo, *, mends: bool = False
    ) -> None:
        self._lines = {one: _Line(one) for one in intervals}
        self._mends = mends and any(line.mendable for line in self._lines.values())
        if self._mends and _MINUTE not in self._lines:
            # Its complete minutes prove that KIS's chart means what is believed of it.
            self._lines[_MINUTE] = _Line(_MINUTE, shown=False)
        self._days, self._zone = days, zone
        self._holes: list[tuple[int, int]] = []
        self._missing_since: int | None = 0
        self._delay: int | None = None
        self._to_mend: dict[tuple[Interval, int], tuple[int, int]] = {}
        """Interval and key of what KIS's chart is to tell → from which minute until which."""

    @property
    def is_empty(self) -> bool:
        """Whether it holds no candle any more."""
        return not any(line.candles for line in self._lines.values())

    # what is known

    def add(self, moment: Moment, tally: Tally, now: int) -> bool:
        """Count what was traded in a second; False: it is too old for any candle."""
        late = now // _SECOND - moment.second
        if late > _MOST_LATE_S:
            return False
        self._delay = max(late, 0) if self._delay is None else min(self._delay, max(late, 0))
        taken = False
        for line in self._lines.values():
            if line.interval == DAY:
                if not moment.regular:
                    continue
                key = moment.day.toordinal()
                start, end = self._days.span(moment.day)
            else:
                key = start = moment.second - moment.clock % line.seconds
                end = start + line.seconds
            candle = line.candles.get(key)
            if candle is None and self._is_over(end + line.kept, line, now):
                # What it had is forgotten: one with this trade alone would be wrong.
                if line.interval != DAY:
                    self._want(line, key, (start, end))
                continue
            taken = True
            if candle is None:
                text = self._text(start) if line.interval != DAY else self._midnight(moment.day)
                line.candles[key] = Candle(line.interval, text, start, end, tally.copy())
            elif not candle.mended:  # otherwise the chart had it
                candle.tally.merge(tally)
                candle.changed = True
        return taken

    def lose(self, since: int, until: int) -> None:
        """Say that trades of this time may be missing."""
        if since >= until:
            return
        self._holes.append((since, until))
        if len(self._holes) > _MOST_HOLES:
            # One hole instead of the two oldest: too much is called incomplete, and never less.
            (first, end), (_, last), *others = sorted(self._holes)
            self._holes = [(first, max(end, last)), *others]
        for line in self._lines.values():
            for candle in line.candles.values():
                if candle.complete and not self._is_complete(candle):
                    candle.changed = True
            if line.mendable and line.interval != DAY:
                end = -(-until // _SECOND)
                self._want_all(line, max(since // _SECOND, end - _MEND_BACK_S), end)

    def uncovered(self, since: int) -> None:
        """Say that KIS does not deliver the symbol since then."""
        if self._missing_since is None:
            self._missing_since = since

    def covered(self, now: int) -> None:
        """Say that KIS delivers it."""
        since, self._missing_since = self._missing_since, None
        if since == 0:
            self._holes.append((now - 2 * _MOST_LATE_S * _SECOND, now))
        elif since is not None:
            self.lose(since, now)

    # what is to be published

    def turn(self, now: int) -> list[Due]:
        """Return what is to be published now; call at most once a second."""
        due: list[Due] = []
        for name, (_, end) in list(self._to_mend.items()):
            if now > (end + _MEND_UNTIL_S + self._delay_s) * _SECOND:
                del self._to_mend[name]
        for line in self._lines.values():
            waiting = False
            for key in sorted(line.candles):
                candle = line.candles[key]
                if not candle.closed and self._is_over(candle.end, line, now):
                    candle.closed = candle.changed = True
                if candle.changed and not waiting:
                    candle.changed = False
                    candle.complete = self._is_complete(candle)
                    if not candle.complete and (span := self._minutes(candle, key)) is not None:
                        self._want(line, key, span)
                    line.newest = max(line.newest, candle.start)
                    if line.shown:
                        due.append(Due(candle, newest=candle.start == line.newest))
                waiting = waiting or not candle.closed
            for key in [
                key for key, one in line.candles.items() if self._is_done(key, one, line, now)
            ]:
                del line.candles[key]
        return due

    # mending

    def missing(self, now: int) -> tuple[int, int] | None:
        """Return from when to when (seconds) KIS's chart is to be asked, None: it is not.

        Nor is it while there is nothing that it could be held against.
        """
        ready = now // _SECOND - _MEND_AFTER_S - self._delay_s
        asked = [(start, end) for start, end in self._to_mend.values() if end <= ready]
        if not asked or self._missing_since is not None or not self._whole_minutes(ready):
            return None
        return min(start for start, _ in asked), max(end for _, end in asked)

    def mend(self, minutes: Mapping[int, Tally], since: int, until: int) -> Mending:
        """Take what KIS's chart has of the minutes between two times (seconds).

        It is taken only when it has exactly what was seen of the complete minutes that both know.
        """
        known = [
            (minutes.get(one.start), one.tally)
            for one in self._whole_minutes(until)
            if since <= one.start
        ]
        asked = {
            name: span
            for name, span in self._to_mend.items()
            if since <= span[0] and span[1] <= until
        }
        if any(told is None or told.figures() != seen.figures() for told, seen in known):
            for name in asked:
                del self._to_mend[name]
            return "contradicted"
        if not known:
            return "unproven"
        for (interval, key), span in asked.items():
            del self._to_mend[interval, key]
            self._mend(self._lines[interval], minutes, key, span)
        return "mended"

    # inside

    def _whole_minutes(self, until: int) -> list[Candle]:
        """Return the minutes of which everything was seen, and nothing of a chart."""
        return [
            one
            for one in self._lines[_MINUTE].candles.values()
            if one.closed and not one.mended and one.end <= until and self._is_complete(one)
        ]

    def _mend(
        self, line: _Line, minutes: Mapping[int, Tally], key: int, span: tuple[int, int]
    ) -> None:
        told: Tally | None = None
        for minute in range(*span, _MINUTE_S):
            if minute in minutes:
                if told is None:
                    told = minutes[minute].copy()
                else:
                    told.merge(minutes[minute])
        candle = line.candles.get(key)
        if told is None or (candle is not None and not _holds(told, candle.tally)):
            return
        if candle is None:
            if line.interval == DAY:
                return
            candle = Candle(line.interval, self._text(key), *span, told)
            line.candles[key] = candle
        if told.figures() != candle.tally.figures():  # otherwise all of it was seen, and counted
            candle.tally = told
        candle.closed = candle.mended = candle.changed = True

    @property
    def _delay_s(self) -> int:
        """How much later than usual KIS delivers this symbol."""
        delayed = self._delay or 0
        return delayed if _USUAL_S < delayed <= _MOST_DELAYED_S else 0

    def _is_over(self, end: int, line: _Line, now: int) -> bool:
        return now >= (end + line.grace + self._delay_s) * _SECOND

    def _is_done(self, key: int, candle: Candle, line: _Line, now: int) -> bool:
        return (
            candle.closed
            and not candle.changed
            and (line.interval, key) not in self._to_mend
            and self._is_over(candle.end + line.kept, line, now)
        )

    def _is_complete(self, candle: Candle) -> bool:
        if candle.mended:
            return True
        start, end = candle.start * _SECOND, candle.end * _SECOND
        return not any(
            since < end
            and start < until
            and not self._days.is_quiet(max(since, start) / _SECOND, min(until, end) / _SECOND)
            for since, until in self._known_holes(end)
        )

    def _known_holes(self, end: int) -> Iterator[tuple[int, int]]:
        yield from self._holes
        if self._missing_since is not None:
            yield self._missing_since, end

    def _want_all(self, line: _Line, since: int, until: int) -> None:
        """Have KIS's chart tell what nothing was seen of between two times."""
        local = datetime.fromtimestamp(since, self._zone)
        clock = local.hour * 3_600 + local.minute * 60 + local.second
        for start in range(since - clock % line.seconds, until, line.seconds):
            end = start + line.seconds
            if start not in line.candles and not self._days.is_quiet(start, end):
                self._want(line, start, (start, end))

    def _minutes(self, candle: Candle, key: int) -> tuple[int, int] | None:
        """Return the minutes of which KIS's chart can tell a candle; None: it cannot."""
        if candle.interval != DAY:
            return (candle.start, candle.end) if candle.closed else None
        span = self._days.minutes(date.fromordinal(key))
        return None if span is None or span[1] - span[0] > _LONGEST_DAY_S else span

    def _want(self, line: _Line, key: int, span: tuple[int, int]) -> None:
        """Have KIS's chart tell a candle."""
        if self._mends and line.mendable and len(self._to_mend) < _MOST_TO_MEND:
            self._to_mend[line.interval, key] = span

    def _text(self, start: int) -> str:
        return datetime.fromtimestamp(start, self._zone).isoformat()

    def _midnight(self, day: date) -> str:
        return datetime.combine(day, time(), self._zone).isoformat()


def _holds(told: Tally, seen: Tally) -> bool:
    """Tell whether a chart has at least what was seen: otherwise it is about something else."""
    return told.volume >= seen.volume and told.high >= seen.high and told.low <= seen.low
