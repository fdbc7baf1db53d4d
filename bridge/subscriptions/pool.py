"""Which subscription sits on which session: the interests of all holders over all app keys.

Whenever an interest, a limit or a session changes, the pool has
:func:`~bridge.subscriptions.allocation.allocate` decide anew and carries that out. It also
remembers what happened to each subscription.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from bridge.errors import RequestError
from bridge.kis.codes import UNKNOWN_KEY, Action, action, meaning
from bridge.kis.events import (
    Lost,
    SessionEvent,
    SlotRefused,
    Subscribed,
    SubscriptionState,
    Unsubscribed,
)
from bridge.kis.session import Session
from bridge.kis.stream import StreamCounts
from bridge.runtime.backoff import Backoff
from bridge.subscriptions.allocation import SlotRequest, allocate, queue
from bridge.subscriptions.gaps import Gaps
from bridge.subscriptions.interest import Interests
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rows import SubscriptionCounts, SubscriptionRow, SubscriptionWord

__all__ = ["Pool", "SessionFeed"]

AWAY_S = 15.0
"""A session that is away for longer gives its subscriptions to others. Most reconnections take
less, and moving a subscription costs a gap and two requests."""
PROBE_S = 3600.0
"""How often one slot more than the learned limit is tried. Some accounts are refused long
before KIS's 41 (docs/kis.md), and whether that passes only a try can tell."""
RETRY = Backoff(30.0, 600.0)
MEND = Backoff(600.0, 3600.0)
"""Pauses before a refused subscription is tried again: MEND where only a person can mend it."""


class SessionFeed(Protocol):
    """A stream as far as the pool needs it."""

    session: Session
    counts: StreamCounts

    @property
    def state(self) -> str: ...
    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None: ...
    def unsubscribe(self, tr_id: str, key: str) -> None: ...
    def allow(self, limit: int) -> None: ...


@dataclass(slots=True)
class _Refusal:
    code: str
    tries: int
    again_at: float
    waiting: bool = True
    """Not asked again yet."""


class Pool:
    """The slots of all sessions.

    Tell it every event of every session with :meth:`happened`, and the time with :meth:`tick`.
    ``ceilings`` are the slots that the configuration allows each app, ``learned`` those that KIS
    was found to grant. ``clock`` is seconds since the epoch.
    """

    def __init__(
        self,
        feeds: Mapping[str, SessionFeed],
        *,
        learned: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = 1.0,
    ) -> None:
        self._feeds = dict(feeds)
        self._ceilings = {app: feed.session.limit for app, feed in feeds.items()}
        self._clock, self._monotonic = clock, monotonic
        self._patience = patience
        """Factor of all pauses, for tests."""
        self.interests = Interests()
        self.gaps = Gaps()
        self.learned = {app: n for app, n in (learned or {}).items() if app in feeds}
        self.changed = False
        """An interest that survives a restart has changed. Whoever writes it down resets this."""
        self.crowded_out: set[Wanted] = set()
        """Who joined the queue or lost a slot. Whoever reports it clears this."""
        self._pins: dict[tuple[str, str], tuple[str, int]] = {}
        self._places: dict[Wanted, str] = {}
        self._live: dict[Wanted, str] = {}
        self._refusals: dict[tuple[str, str], _Refusal] = {}
        self._away: dict[str, float] = dict.fromkeys(feeds, float("inf"))
        """App → when its subscriptions go elsewhere; at start everybody is waited for."""
        self._probes = {app: self._monotonic() + PROBE_S for app in self.learned}
        self._queued: set[Wanted] = set()
        self._seen_rooms: dict[str, int] = {}
        self._arranging = self._again = False
        for app, limit in self.learned.items():
            feeds[app].session.limit = min(limit, self._ceilings[app])

    # interests

    def pin(self, tr_id: str, key: str, app: str, priority: int) -> None:
        """Want a subscription that only one session can serve, before all others."""
        self._pins[tr_id, key] = (app, priority)
        self._feeds[app].subscribe(tr_id, key, priority)

    def hold(
        self,
        wanted: Collection[Wanted],
        holder: str,
        priority: int = 0,
        lease_s: float | None = None,
    ) -> None:
        """Want subscriptions on behalf of ``holder``; again: with the new priority and lease.

        The smaller priority is first. Raises :class:`RequestError` when there is no session.
        """
        if wanted and not self._feeds:
            raise RequestError("no_session", "the configuration names no app key")
        until = None if lease_s is None else self._clock() + lease_s
        for one in wanted:
            self.interests.hold(one, holder, priority, until)
            # Somebody asks again, perhaps because the reason is mended: no need to sit out a pause.
            self._refusals.pop((one.tr_id, one.key), None)
            if one in self._places:
                best = self.interests.priority(one)
                self._feeds[self._places[one]].subscribe(one.tr_id, one.key, best)
        self.changed = True
        self.arrange()

    def release(self, wanted: Collection[Wanted], holder: str) -> int:
        """Drop ``holder``'s interests; return how many subscriptions end with them."""
        ended = [one for one in wanted if self.interests.release(one, holder)]
        for one in ended:
            self._ended(one)
        self.changed = True
        self.arrange()
        return len(ended)

    def replace(self, holder: str, wanted: Collection[Wanted], priority: int) -> None:
        """Let ``holder`` want exactly these."""
        if self._feeds and self.interests.replace(holder, wanted, priority):
            for one in [*self._places, *self._live]:
                if one not in self.interests:
                    self._ended(one)
            self.arrange()

    # what happens

    def happened(self, app: str, event: SessionEvent) -> None:
        """Take an event of a session."""
        match event:
            case Subscribed():
                self._subscribed(app, event)
            case SlotRefused():
                self._refused(app, event)
            case Unsubscribed():
                self.arrange()
            case Lost():
                self._lost(app, event)
            case _:
                pass

    def tick(self) -> list[tuple[Wanted, str]]:
        """Let time pass; return the interests whose lease is over, with their holders."""
        over = self.interests.expire(self._clock())
        for wanted, _ in over:
            self.changed = True
            if wanted not in self.interests:
                self._ended(wanted)
        # Leases outlive the process and are kept in wall time. Pauses are not, and a clock that is
        # set must neither end nor stretch them.
        now = self._monotonic()
        due = bool(over) or any(at <= now for at in self._probes.values())
        for app, feed in self._feeds.items():
            if feed.state == "connected":
                self._away.pop(app, None)
            elif app not in self._away:
                self._away[app] = now + AWAY_S * self._patience
        for (tr_id, key), refusal in self._refusals.items():
            if refusal.waiting and refusal.again_at <= now:
                # The refusal itself stays: it counts the tries, by which the next pause grows.
                refusal.waiting = False
                due = True
                if (tr_id, key) in self._pins:
                    app, priority = self._pins[tr_id, key]
                    self._feeds[app].subscribe(tr_id, key, priority)
        if due or self._rooms() != self._seen_rooms:
            self.arrange()
        return over

    def arrange(self) -> None:
        """Put everybody in the right place."""
        self._again = True
        # A session answers subscribe() and unsubscribe() with events at once, and those call this
        # again. The loop below then runs once more, instead of a second one inside the first.
        if self._arranging:
            return
        self._arranging = True
        try:
            while self._again:
                self._again = False
                self._arrange()
        finally:
            self._arranging = False

    # what people want to know

    def subscriptions(self) -> list[SubscriptionRow]:
        """Return every subscription with its session, state and holders, for people."""
        place = {one.wanted: number for number, one in enumerate(self.waiting(), 1)}
        rows: list[SubscriptionRow] = []
        for one in self.interests.requests():
            wanted = one.wanted
            refusal = self._refusals.get((wanted.tr_id, wanted.key))
            row: SubscriptionRow = {
                "channel": wanted.channel,
                "key": wanted.key,
                "session": self._places.get(wanted),
                "state": self._state(wanted),
                "priority": one.priority,
                "holders": self.interests.holders(wanted),
            }
            if refusal is not None:
                row["code"] = refusal.code
                row["reason"] = meaning(refusal.code) or None
            elif wanted in place:
                row["waits_as"] = place[wanted]
            if (until := self.interests.until(wanted)) is not None:
                row["lease_until"] = int(until)
            rows.append(row)
        return rows

    def dead(self) -> list[Wanted]:
        """Return what KIS has no such key for; it is not asked for again after a restart."""
        return [
            one.wanted
            for one in self.interests.requests()
            if (refusal := self._refusals.get((one.wanted.tr_id, one.wanted.key))) is not None
            and refusal.code in UNKNOWN_KEY
        ]

    def waiting(self) -> list[SlotRequest]:
        """Return who waits for a slot, the next one first."""
        return queue(self._eligible(), self._places)

    def live(self, app: str) -> list[Wanted]:
        """Return the market data that a session delivers."""
        return [wanted for wanted, place in self._live.items() if place == app]

    def numbers(self) -> SubscriptionCounts:
        """Return how many subscriptions are wanted, live, refused and waiting for a slot."""
        wanted, eligible = len(self.interests), len(self._eligible())
        return {
            "wanted": wanted,
            "live": len(self._live),
            "waiting": len(self._queued),
            "refused": wanted - eligible,
        }

    # inside

    def _eligible(self) -> list[SlotRequest]:
        return [
            one
            for one in self.interests.requests()
            if (found := self._refusals.get((one.wanted.tr_id, one.wanted.key))) is None
            or not found.waiting
        ]

    def _rooms(self) -> dict[str, int]:
        now = self._monotonic()
        pins = [app for app, _ in self._pins.values()]
        return {
            app: feed.session.limit - pins.count(app)
            for app, feed in self._feeds.items()
            if self._away.get(app, float("inf")) > now
        }

    def _arrange(self) -> None:
        self._probe()
        requests = self._eligible()
        self._seen_rooms = self._rooms()
        seats = allocate(requests, self._seen_rooms, self._places)
        before, self._places = self._places, seats
        priorities = {one.wanted: one.priority for one in requests}
        # Leave first, enter second: a session that is full has to free a slot before it asks.
        for wanted, app in before.items():
            if seats.get(wanted) != app:
                if self._live.pop(wanted, None) is not None and wanted in self.interests:
                    reason = "moved" if wanted in seats else "no_slot"
                    self.gaps.open(wanted, self._now_us(), reason)
                self._feeds[app].unsubscribe(wanted.tr_id, wanted.key)
        for wanted, app in seats.items():
            if before.get(wanted) != app:
                self._feeds[app].subscribe(wanted.tr_id, wanted.key, priorities[wanted])
        queued = priorities.keys() - seats.keys()
        self.crowded_out = (self.crowded_out | queued - self._queued) & queued
        self._queued = queued

    def _probe(self) -> None:
        """Try one slot more where KIS granted fewer than it should, while somebody waits."""
        now = self._monotonic()
        for app, at in list(self._probes.items()):
            feed = self._feeds[app]
            if now >= at and feed.state == "connected" and self.waiting():
                self._probes[app] = now + PROBE_S * self._patience
                feed.allow(min(self._ceilings[app], feed.session.limit + 1))

    def _subscribed(self, app: str, event: Subscribed) -> None:
        self._away.pop(app, None)
        self._refusals.pop((event.tr_id, event.key), None)
        for wanted, place in self._places.items():
            if (wanted.tr_id, wanted.key) == (event.tr_id, event.key) and place == app:
                self._live[wanted] = app
                self.gaps.close(wanted, self._now_us())
                break
        live = self._feeds[app].session.live
        # KIS grants more than it did, so what was learned was no lasting limit.
        if live > self.learned.get(app, live):
            self._learn(app, live)
            self._probes[app] = self._monotonic()  # where one more fits there may be others

    def _refused(self, app: str, event: SlotRefused) -> None:
        if action(event.code) is Action.LIMIT:
            limit = self._feeds[app].session.limit
            if limit < self.learned.get(app, self._ceilings[app]):
                self._learn(app, limit)
            if app in self.learned:
                self._probes[app] = self._monotonic() + PROBE_S * self._patience
        else:
            name = (event.tr_id, event.key)
            tries = self._refusals[name].tries + 1 if name in self._refusals else 0
            again = MEND if action(event.code) is Action.MEND else RETRY
            pause = again.pause(tries + 1) * self._patience
            self.changed = self.changed or event.code in UNKNOWN_KEY
            self._refusals[name] = _Refusal(event.code, tries, self._monotonic() + pause)
        self.arrange()

    def _lost(self, app: str, event: Lost) -> None:
        # The gap begins with the last message and not now: a dead line is noticed late.
        heard_at = self._feeds[app].counts.heard_at or self._now_us()
        for wanted in self.live(app):
            del self._live[wanted]
            self.gaps.open(wanted, heard_at, event.code)
        at = self._monotonic()
        # When even the next attempt comes later than that, there is nothing to wait for.
        if event.retry_after < AWAY_S:
            at += AWAY_S * self._patience
        self._away[app] = min(at, self._away.get(app, float("inf")))
        self.arrange()

    def _learn(self, app: str, limit: int) -> None:
        """Remember a limit; forget it when it is as high as it can be."""
        if limit >= self._ceilings[app]:
            self.learned.pop(app, None)
            self._probes.pop(app, None)
        else:
            self.learned[app] = limit
        self.changed = True

    def _ended(self, wanted: Wanted) -> None:
        """Nobody wants it any more."""
        self._live.pop(wanted, None)
        self.gaps.forget(wanted)
        self._refusals.pop((wanted.tr_id, wanted.key), None)

    def _state(self, wanted: Wanted) -> SubscriptionWord:
        refusal = self._refusals.get((wanted.tr_id, wanted.key))
        if refusal is not None and refusal.waiting:
            return SubscriptionState.REFUSED.value
        app = self._places.get(wanted)
        if app is None:
            return "waiting"
        states = self._feeds[app].session.states()
        return states.get((wanted.tr_id, wanted.key), SubscriptionState.WANTED).value

    def _now_us(self) -> int:
        return int(self._clock() * 1e6)
