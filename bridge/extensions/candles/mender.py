"""Asks KIS for the minute chart of what candles miss: one call at a time, and seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle

import structlog

from bridge.extensions.candles.chart import Chart
from bridge.extensions.candles.series import Series
from bridge.kis.replies import KisError, KisRefusedError
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Priority
from bridge.runtime.backoff import Backoff

__all__ = ["Mender", "Torn"]

log = structlog.get_logger()

_PART = 5.0
"""Of the calls that KIS allows at most every fifth is one of these."""
_LEAST_PAUSE_S = 1.0
_PATIENCE_S = 10.0
"""How long a call waits for its turn behind others before it is given up."""
_MOST_PAGES = 14
"""Of half an hour each."""
_MINUTE_S, _SECOND = 60, 1_000_000
_SETTLED_S = 5
"""How long after its end a minute's row does not change any more."""
_AGAIN = Backoff(30.0, 600.0)


@dataclass(slots=True, eq=False)
class Torn:
    """A symbol whose candles may have to be mended."""

    series: Series
    chart: Chart
    failures: int = 0
    again_at: float = 0.0
    """When it may be asked for again; monotonic."""


class Mender:
    """``clock`` is µs since the epoch, as KIS's clock has it; ``per_second`` KIS's call rate."""

    def __init__(
        self, rests: Iterable[RestClient], clock: Callable[[], int], per_second: float
    ) -> None:
        self._rests = cycle(rests)
        self._clock = clock
        self.pause_s = max(_LEAST_PAUSE_S, _PART / per_second)

    async def run(self, torn: Callable[[], Iterable[Torn]]) -> None:
        """Mend, for ever; ``torn()`` are all symbols that have a chart."""
        while True:
            await asyncio.sleep(self.pause_s)
            now, moment = self._clock(), asyncio.get_running_loop().time()
            waiting = [
                one
                for one in torn()
                if one.again_at <= moment and one.series.missing(now) is not None
            ]
            if waiting:
                await self.mend(min(waiting, key=lambda one: one.again_at))

    async def mend(self, one: Torn) -> None:
        """Ask for what one symbol misses, and have it taken."""
        now = self._clock()
        missing = one.series.missing(now)
        if missing is None:
            return
        until = (now // _SECOND - _SETTLED_S) // _MINUTE_S * _MINUTE_S
        try:
            rows, since = await self._rows(one.chart, missing[0], now // _SECOND)
        except KisError as error:
            self._later(one)
            log.info("candles not mended", api=one.chart.api, reason=str(error))
            return
        outcome = one.series.mend(one.chart.tallies(rows), since, until)
        if outcome == "mended" and one.series.missing(now) != missing:
            one.failures = 0
            one.again_at = asyncio.get_running_loop().time()
        else:
            self._later(one)
            log.info("candles not mended", api=one.chart.api, reason=outcome)

    def _later(self, one: Torn) -> None:
        one.failures += 1
        one.again_at = asyncio.get_running_loop().time() + _AGAIN.pause(one.failures)

    async def _rows(
        self, chart: Chart, since: int, until: int
    ) -> tuple[dict[int, dict[str, object]], int]:
        """Return the rows back to ``since``, newest page first, and from when on they are whole."""
        rows: dict[int, dict[str, object]] = {}
        for _ in range(_MOST_PAGES if chart.pages else 1):
            rest = next(self._rests)
            deadline = asyncio.get_running_loop().time() + _PATIENCE_S
            reply = await rest.call(
                chart.api, chart.params(until), priority=Priority.POLL, deadline=deadline
            )
            if not reply.ok:
                raise KisRefusedError(f"{chart.api}: {reply.msg_cd} {reply.msg1}")
            page = chart.rows(reply.body)
            fresh = page.keys() - rows.keys()
            if not fresh:
                return rows, since  # there was nothing before: all of it is known
            rows |= page
            # One more than is asked for, since two rows tell the value of the second.
            if min(rows) < since:
                return rows, since
            until = min(rows) - 1
            await asyncio.sleep(self.pause_s)
        return rows, min(rows, default=until)
