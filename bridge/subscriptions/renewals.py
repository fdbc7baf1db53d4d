"""A subscription that alone brings nothing while others of its session do: told, and asked anew.

A registration that KIS has lost looks like a symbol that nobody trades. It is given up and
subscribed once more, which costs two requests; again only much later, since nobody may simply trade
it. A session that brings nothing at all is another matter, and the watchdog's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bridge.kis.events import SubscriptionState
from bridge.mqtt.feed_events import StaleRow
from bridge.runtime.backoff import Backoff
from bridge.subscriptions.feeds import SessionFeed
from bridge.subscriptions.gaps import Gap
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import Wanted

__all__ = ["Renewals", "Silent"]

_APART_S = 5.0
"""Between two renewals on one session."""
_AGAIN = Backoff(600.0, 7200.0)
"""Before the same one is renewed again."""
_TOLD_S = 60.0
"""Between two events about the same one."""
_FORGET_S = 4 * 3600.0


class Silent(NamedTuple):
    """A subscription that is silent for longer than its pace allows."""

    wanted: Wanted
    topic: str
    app: str
    since: int
    """Its last record, or when it was confirmed; µs since the epoch."""


@dataclass(slots=True)
class _Case:
    silent: Silent
    state: Literal["over", "silent", "leaving"] = "over"
    asked: bool = False
    """It was subscribed anew and has brought nothing since."""
    tries: int = 0
    not_before: float = 0.0
    told_at: float = float("-inf")


class Renewals:
    """Times are monotonic seconds; ``tell`` is given those that have gone silent alone."""

    def __init__(
        self,
        pool: Pool,
        feeds: Mapping[str, SessionFeed],
        tell: Callable[[list[StaleRow]], None],
    ) -> None:
        self._pool, self._feeds, self._tell = pool, dict(feeds), tell
        self._cases: dict[Wanted, _Case] = {}
        self._next: dict[str, float] = {}

    def look(
        self,
        silent: Sequence[Silent],
        sound: Mapping[str, int],
        last_at: Callable[[str], int | None],
        now: float,
    ) -> None:
        """Take up who is silent, and how many of each session are not.

        ``last_at`` gives when the newest record of a topic came, unless it is silent.
        """
        alone = [one for one in silent if sound.get(one.app, 0)]
        fresh: list[StaleRow] = []
        for one in alone:
            case = self._cases.setdefault(one.wanted, _Case(one))
            if case.state != "over":
                continue
            case.silent, case.state = one, "silent"
            if now >= case.told_at + _TOLD_S:
                case.told_at = now
                fresh.append(_row(one))
        if fresh:
            self._tell(fresh)
        still = {one.wanted for one in silent}
        for wanted, case in list(self._cases.items()):
            self._follow(case, still=wanted in still, last_at=last_at, now=now)
            if now >= max(case.told_at, case.not_before) + _FORGET_S:
                del self._cases[wanted]

    def _follow(
        self, case: _Case, *, still: bool, last_at: Callable[[str], int | None], now: float
    ) -> None:
        one = case.silent
        feed, name = self._feeds[one.app], (one.wanted.tr_id, one.wanted.key)
        here = self._pool.standing(one.wanted).app == one.app
        if case.state == "silent" and still and here:
            if now >= max(case.not_before, self._next.get(one.app, 0.0)):
                self._next[one.app] = now + _APART_S
                case.tries += 1
                case.not_before = now + _AGAIN.pause(case.tries)
                case.state = "leaving"
                feed.unsubscribe(*name)
        elif case.state == "leaving" and here:
            # Whatever has happened meanwhile: nobody else asks for what keeps its place.
            if feed.session.states().get(name) is not SubscriptionState.LIVE:
                case.state, case.asked = "silent", True
                feed.subscribe(*name, self._pool.interests.urgency(one.wanted))
        elif not still:
            came_at = last_at(one.topic)
            if case.asked and here and came_at is not None and came_at > one.since:
                self._pool.gaps.missed(Gap(one.wanted, "stale", one.since, came_at))
            case.state, case.asked = "over", False


def _row(one: Silent) -> StaleRow:
    return {
        "topic": one.topic,
        "channel": one.wanted.channel,
        "key": one.wanted.key,
        "app": one.app,
        "since": one.since,
    }
