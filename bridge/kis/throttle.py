"""How many REST calls a second an app may make, and who goes first when they wait.

A call takes one of N tokens, which comes back a second later: bursts start at once, and no second
ever sees more than N. KIS's refusal (``EGW00201``) halves N for a while. A reconciliation that has
waited for long goes with the orders. Those of one priority go client by client in turn, and of
each client the oldest first, so that nobody waits behind all that somebody else has sent. A poll
goes only when nobody else waits and half of the tokens are there, so that whoever comes next finds
one; where there is one token in all, that one comes back a second after the poll at the latest.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from bridge.kis.replies import KisNotSentError

__all__ = ["RATES", "CallAt", "Priority", "Throttle"]

RATES = {"real": 18.0, "paper": 1.0}
"""Calls a second that KIS documents since April 2026; new customers have fewer for some days."""

_JITTER_S = 0.02
"""What the network may press calls together on their way."""
_RECOVERY = 0.05
"""Part of the full rate that comes back each second after a refusal."""
_PATIENCE_S = 5.0
"""How long a reconciliation lets orders go first: what is unknown must not stay so under load."""
_FLOOR = 1 / 8
"""Part of the full rate that refusals never go below."""


class Priority(IntEnum):
    """Who goes first: the smaller."""

    CANCEL = 0
    ORDER = 1
    RECONCILE = 2
    QUERY = 3
    POLL = 4
    """Of a backup, which goes on whether or not anybody looks."""


class CallAt(Protocol):
    """``loop.call_at`` as far as the throttle needs it."""

    def __call__(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle: ...


@dataclass(slots=True, eq=False)
class _Waiter:
    priority: Priority
    turn: int
    serial: int
    since: float
    deadline: float
    wanted: Callable[[], bool]
    granted: asyncio.Future[float]
    """When the token was taken."""

    def rank(self, now: float) -> tuple[Priority, int, int]:
        """Return the smaller the earlier it goes."""
        waited = self.priority is Priority.RECONCILE and now - self.since >= _PATIENCE_S
        return Priority.ORDER if waited else self.priority, self.turn, self.serial


class Throttle:
    """The rate of one app key.

    ``clock`` gives the seconds that ``deadline`` is told in, and ``call_at`` calls back at one of
    them; by default both are the event loop's, so that ``time.monotonic`` deadlines fit.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        call_at: CallAt | None = None,
    ) -> None:
        if per_second <= 0:
            raise ValueError("a rate is above zero")
        self.full_rate = per_second
        self._configured = per_second
        self._clock = clock
        self._call_at = call_at
        self._slowed_at = -math.inf
        self._slowed_to = per_second
        self._taken: deque[float] = deque()
        self._waiting: list[_Waiter] = []
        self._serial = 0
        self._turn = 0
        """That of the last one that was served."""
        self._turns: dict[str, int] = {}
        """The last one that each client has taken."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rate(self) -> float:
        """Calls a second that are allowed now."""
        regained = (self._clock() - self._slowed_at) * _RECOVERY * self.full_rate
        return min(self.full_rate, self._slowed_to + regained)

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._waiting)

    async def acquire(
        self,
        priority: Priority = Priority.QUERY,
        deadline: float | None = None,
        wanted: Callable[[], bool] = lambda: True,
        client: str = "",
    ) -> None:
        """Wait for a token: by priority, then each ``client`` in turn, then as they came.

        Raises :class:`KisNotSentError` when ``deadline`` passes first, or when it is found not to
        be ``wanted`` any more; that is asked whenever a token is given.
        """
        self._serial += 1
        if not self._waiting:
            self._turn = 0
            self._turns.clear()
            now = self._clock()
            alone = (deadline is None or now < deadline) and self._free_at(priority) <= now
            if alone and wanted():  # nobody to go before or after
                self._turns[client] = 1
                self._taken.append(now)
                return
        turn = self._turns[client] = max(self._turn, self._turns.get(client, 0)) + 1
        waiter = _Waiter(
            priority,
            turn,
            self._serial,
            self._clock(),
            math.inf if deadline is None else deadline,
            wanted,
            asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(waiter)
        self._serve()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            # A token can be granted in the turn in which its waiter is cancelled: it goes back.
            elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
                self._taken.remove(waiter.granted.result())
            self._serve()
            raise

    def slow_down(self) -> None:
        """Halve the rate, since KIS refused a call as one too many; it comes back by itself.

        Refusals within a second of each other count once: they belong to one burst.
        """
        now = self._clock()
        if now - self._slowed_at >= 1:
            self._slowed_to = max(self.full_rate * _FLOOR, self.rate / 2)
            self._slowed_at = now

    def said(self, per_second: float) -> None:
        """Take the rate that the server names for itself, but never more than was configured."""
        self.full_rate = min(self._configured, per_second)
        self._serve()

    def _serve(self) -> None:
        """Grant what can be granted now, fail what is too late, set the timer for the rest."""
        now = self._clock()
        self._waiting = [waiter for waiter in self._waiting if not waiter.granted.cancelled()]
        for late in [waiter for waiter in self._waiting if waiter.deadline <= now]:
            self._waiting.remove(late)
            late.granted.set_exception(
                KisNotSentError("the deadline passed while waiting for KIS's call rate")
            )
        # Before tokens are given: a call that is called off must not take one from a cancellation.
        for unwanted in [waiter for waiter in self._waiting if not waiter.wanted()]:
            self._waiting.remove(unwanted)
            unwanted.granted.set_exception(KisNotSentError("called off"))
        while (first := self._first(now)) is not None and self._free_at(first.priority) <= now:
            self._waiting.remove(first)
            self._taken.append(now)
            self._turn = max(self._turn, first.turn - 1)
            first.granted.set_result(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if first is not None:
            soonest = min(waiter.deadline for waiter in self._waiting)
            call_at = self._call_at or asyncio.get_running_loop().call_at
            self._timer = call_at(min(soonest, self._free_at(first.priority)), self._serve)

    def _first(self, now: float) -> _Waiter | None:
        return min(self._waiting, key=lambda waiter: waiter.rank(now), default=None)

    def _free_at(self, priority: Priority) -> float:
        """Return when a token is there for somebody of this priority."""
        # A window and no leaking bucket, since KIS counts the calls of each second: a full bucket
        # lets nearly twice as many through in one second.
        rate = self.rate
        tokens = max(1, math.floor(rate))
        while len(self._taken) > math.ceil(self.full_rate):
            self._taken.popleft()
        # With so many taken there is still one; a poll leaves half of them to others.
        most = (tokens + 1) // 2 if priority is Priority.POLL else tokens
        if len(self._taken) < most:
            return -math.inf
        return self._taken[-most] + tokens / rate + _JITTER_S
