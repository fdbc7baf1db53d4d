"""Which subscription sits on which session: the interests of all holders over all app keys.

Whenever an interest, a limit or a session changes, the pool has
:func:`~bridge.subscriptions.allocation.allocate` decide anew and carries that out. It also
remembers what happened to each subscription. What a change costs depends on the slots that there
are, and not on how many wait for one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from bridge.errors import RequestError
from bridge.kis.codes import UNKNOWN_KEY, Action, action
from bridge.kis.events import Lost, SessionEvent, SlotRefused, Subscribed, Unsubscribed
from bridge.subscriptions.allocation import allocate
from bridge.subscriptions.feeds import SessionFeed
from bridge.subscriptions.gaps import Gaps
from bridge.subscriptions.interest import BRIDGE, Interest, Interests
from bridge.subscriptions.queue import Queue
from bridge.subscriptions.quotas import Quotas
from bridge.subscriptions.refusals import Refusals
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rooms import Rooms
from bridge.subscriptions.rotation import Rotation
from bridge.subscriptions.rows import (
    MOST_ROWS,
    ClientRow,
    SlotStanding,
    SubscriptionCounts,
    SubscriptionRow,
    client_rows,
    subscription_row,
    tell_turn,
)
from bridge.subscriptions.slot_limits import SlotLimits

__all__ = ["Pool"]


class Pool:
    """The slots of all sessions.

    Tell it every event of every session with :meth:`happened`, and the time with :meth:`tick`.
    ``ceilings`` are the slots that the configuration allows each app, ``learned`` those that KIS
    was found to grant. ``clock`` is seconds since the epoch, ``turn_s`` how long a subscription
    that takes turns keeps its slot.
    """

    def __init__(
        self,
        feeds: Mapping[str, SessionFeed],
        *,
        learned: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = 1.0,
        quotas: Quotas | None = None,
        turn_s: float = 60.0,
    ) -> None:
        self._feeds = dict(feeds)
        self._clock, self._monotonic = clock, monotonic
        self.interests = Interests()
        self.quotas = quotas or Quotas()
        self.gaps = Gaps()
        self.missing_since: Callable[[Wanted, str], int | None] = lambda wanted, code: None
        """Since when (µs) a subscription misses something after its session was lost with a code;
        None: since the session was last heard."""
        self.changed = False
        """An interest that survives a restart has changed. Whoever writes it down resets this."""
        self.crowded_out: set[Wanted] = set()
        """Who joined the queue or lost a slot. Whoever reports it clears this."""
        self._places: dict[Wanted, str] = {}
        self._live: dict[Wanted, str] = {}
        spacing_s = max((feed.session.spacing_s for feed in feeds.values()), default=0.0)
        self._queue = Queue(self.interests, turn_s, spacing_s)
        self._refusals = Refusals(patience)
        self._rooms = Rooms(self._feeds, monotonic, patience)
        self._limits = SlotLimits(self._feeds, learned or {}, monotonic, patience)
        self._fresh: set[Wanted] = set()
        """Who has asked for a slot since it was last decided who gets one."""
        self._arranging = self._again = False

    @property
    def learned(self) -> Mapping[str, int]:
        """The slots that KIS was found to grant, where those are fewer than configured."""
        return self._limits.learned

    @property
    def rotation(self) -> Rotation:
        """The subscriptions that take turns."""
        return self._queue.rotation

    # interests

    def pin(self, tr_id: str, key: str, app: str, priority: int) -> None:
        """Want a subscription that only one session can serve, before all others."""
        self._rooms.pin(tr_id, key, app, priority)

    def hold(
        self,
        wanted: Iterable[Wanted],
        holder: str,
        priority: int = 0,
        lease_s: float | None = None,
        client: str | None = None,
        *,
        rotate: bool = False,
    ) -> None:
        """Want subscriptions on behalf of ``holder``; again: as it is said now.

        The smaller priority is first. ``client`` is on whose account; None: the holder itself.
        With ``rotate`` a slot by turns is enough.
        Raises :class:`RequestError`, before anything has changed, when there is no session, when
        the client has too many, or when the holder is another client.
        """
        if wanted and not self._feeds:
            raise RequestError("no_session", "the configuration names no app key")
        client = holder if client is None else client
        wanted = dict.fromkeys(wanted)
        found = [self.interests.own(one, holder, client) for one in wanted]
        if holder not in BRIDGE:
            more = sum(one is None or one.client != client for one in found)
            self.quotas.check(self.interests, client, more)
        until = None if lease_s is None else self._clock() + lease_s
        for one in wanted:
            before = self.interests.urgency(one)
            self.interests.hold(one, holder, priority, until, client, rotate=rotate)
            self._refusals.hurry((one.tr_id, one.key), self._monotonic())
            self._put(one)
            urgency = self.interests.urgency(one)
            if one in self._places and urgency != before:
                self._feeds[self._places[one]].subscribe(one.tr_id, one.key, urgency)
        self.changed = True
        self.arrange()

    def release(self, wanted: Collection[Wanted], holder: str, client: str | None = None) -> int:
        """Drop ``holder``'s interests; return how many subscriptions end with them."""
        for one in wanted:
            self.interests.own(one, holder, holder if client is None else client)
        ended = sum(self.interests.release(one, holder) for one in wanted)
        self._requeue(wanted)
        self.changed = True
        self.arrange()
        return ended

    def ask_again(self, wanted: Wanted) -> None:
        """Ask KIS at once for what it did not answer, since it sends it."""
        self._refusals.hurry((wanted.tr_id, wanted.key), self._monotonic())
        self._put(wanted)
        self.arrange()

    def replace(self, holder: str, wanted: Collection[Wanted], priority: int) -> None:
        """Let ``holder`` want exactly these."""
        if self._feeds and (changed := self.interests.replace(holder, wanted, priority)):
            self._requeue(changed)
            self.arrange()

    def restored(self) -> None:
        """Serve what was put into the interests from outside."""
        self._requeue(self.interests.all())
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

    def tick(self) -> list[Interest]:
        """Let time pass; return the interests whose lease is over."""
        over = self.interests.expire(self._clock())
        self.changed = self.changed or bool(over)
        self._requeue([interest.wanted for interest in over])
        # Leases outlive the process and are kept in wall time. Pauses are not, and a clock that is
        # set must neither end nor stretch them.
        now = self._monotonic()
        due = self.rotation.tick(self._live, now) or bool(over) or self._limits.due
        self._rooms.look()
        for name, wanted in self._refusals.due(now):
            due = True
            if not self._rooms.pin_again(name) and wanted is not None and wanted in self.interests:
                self._put(wanted)
        if due or self._rooms.changed:
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

    def subscriptions(self, skip: int = 0) -> list[SubscriptionRow]:
        """Return the subscriptions with session, state and holders, for people.

        They are in the order of service, those that KIS refuses are the last; a thousand at most.
        """
        ordered = list(self._queue.order())
        waiting = (one for one in ordered if one not in self._places)
        numbers = {wanted: number for number, wanted in enumerate(waiting, 1)}
        ordered += (one for one in self.interests.all() if one not in self._queue)
        return self._rows(ordered[skip : skip + MOST_ROWS], numbers)

    def served_by(self, app: str) -> list[SubscriptionRow]:
        """Return those that have a slot of one session."""
        return self._rows([one for one, place in self._places.items() if place == app], {})

    def dead(self) -> list[Wanted]:
        """Return what KIS has no such key for; it is not asked for again after a restart."""
        return self._refusals.dead()

    def waiting(self) -> int:
        """Return how many wait for a slot, and have no turn to come."""
        return len(self._queue) - len(self._places) - self.rotation.waiting

    def is_waiting(self, wanted: Wanted) -> bool:
        """Tell whether a subscription waits for a slot, and has no turn to come."""
        if wanted not in self._queue or wanted in self._places:
            return False
        return not self.rotation.has_turns(wanted)

    def rotating(self, wanted: Wanted) -> bool:
        """Tell whether a subscription shares a slot by turns, and gets its turns in time."""
        return self.rotation.shares(wanted, self._monotonic())

    def next_turn(self, wanted: Wanted) -> float | None:
        """Return within how many seconds a subscription that takes turns has a slot.

        Negative: its turn is overdue. None: it takes none.
        """
        if not self.rotation.has_turns(wanted):
            return None
        return self.rotation.next_turn(wanted, self._monotonic())

    def standing(self, wanted: Wanted) -> SlotStanding:
        """Return who serves a subscription, and what KIS said of it."""
        refusal = self._refusals.get((wanted.tr_id, wanted.key))
        code = "" if refusal is None else refusal.code
        place, rotating = self._places.get(wanted, ""), self.rotating(wanted)
        return SlotStanding(place, wanted in self._live, code, rotating)

    def live(self, app: str) -> list[Wanted]:
        """Return the market data that a session delivers."""
        return [wanted for wanted, place in self._live.items() if place == app]

    def all_live(self) -> Collection[Wanted]:
        """Return the market data that any session delivers."""
        return self._live.keys()

    def numbers(self) -> SubscriptionCounts:
        """Return how many subscriptions are wanted, live, refused and waiting for a slot."""
        wanted, waiting = len(self.interests), self.waiting()
        refused = wanted - len(self._queue)
        return {"wanted": wanted, "live": len(self._live), "waiting": waiting, "refused": refused}

    def clients(self) -> list[ClientRow]:
        """Return who holds how many subscriptions and slots, the largest first."""
        slots = Counter(client for one in self._places for client in self.interests.claims(one))
        return client_rows(self.interests.counts(), slots, self.quotas.refused)

    # inside

    def _put(self, wanted: Wanted) -> None:
        """Let a subscription that is wanted have a slot, unless KIS refuses it for now."""
        if self._refusals.waits((wanted.tr_id, wanted.key)):
            self._queue.drop(wanted)
        elif self._queue.put(wanted, self._monotonic()):
            self._fresh.add(wanted)

    def _requeue(self, changed: Iterable[Wanted]) -> None:
        """Take up that holders of these have come or gone."""
        for wanted in changed:
            if wanted in self.interests:
                self._put(wanted)
            else:
                self._ended(wanted)

    def _arrange(self) -> None:
        if len(self._queue) > len(self._places):
            self._limits.probe()
        rooms, now = self._rooms.take(), self._monotonic()
        self._queue.lose((one for one, app in self._places.items() if app not in rooms), now)
        seats = allocate(self._queue.served(rooms, now), rooms, self._places)
        before, self._places = self._places, seats
        # Leave first, enter second: a session that is full has to free a slot before it asks.
        for wanted, app in before.items():
            if seats.get(wanted) != app:
                live = self._live.pop(wanted, None) is not None
                if wanted in self.rotation:
                    # Its quality says that it is not served all the time: its turn's end is no gap,
                    # only what it lost of its turn is one.
                    self.gaps.close(wanted, self._now_us())
                elif live and wanted in self.interests:
                    reason = "moved" if wanted in seats else "no_slot"
                    self.gaps.open(wanted, self._now_us(), reason)
                self._feeds[app].unsubscribe(wanted.tr_id, wanted.key)
        for wanted, app in seats.items():
            if before.get(wanted) != app:
                urgency = self.interests.urgency(wanted)
                self._feeds[app].subscribe(wanted.tr_id, wanted.key, urgency)
        fresh, self._fresh = self._fresh, set()
        self.crowded_out.update(one for one in (*before, *fresh) if self.is_waiting(one))
        self.crowded_out.difference_update(seats)

    def _subscribed(self, app: str, event: Subscribed) -> None:
        self._rooms.returned(app)
        self._refusals.forget((event.tr_id, event.key))
        for wanted, place in self._places.items():
            if (wanted.tr_id, wanted.key) == (event.tr_id, event.key) and place == app:
                self._live[wanted] = app
                self.gaps.close(wanted, self._now_us())
                break
        self.changed = self._limits.granted(app) or self.changed

    def _refused(self, app: str, event: SlotRefused) -> None:
        if action(event.code) is Action.LIMIT:
            self.changed = self._limits.refused(app) or self.changed
        else:
            name = (event.tr_id, event.key)
            wanted = next((one for one in self._places if (one.tr_id, one.key) == name), None)
            refusal = self._refusals.add(name, event.code, self._monotonic(), wanted)
            self.changed = self.changed or event.code in UNKNOWN_KEY
            if wanted is not None:
                if refusal.final:
                    self._give_up(wanted)
                self._requeue([wanted])
        self.arrange()

    def _lost(self, app: str, event: Lost) -> None:
        # The gap begins with the last message and not now: a dead line is noticed late. One that
        # says PINGPONG and brings no data has to be asked for each subscription.
        heard_at = self._feeds[app].counts.heard_at or self._now_us()
        for wanted in self.live(app):
            del self._live[wanted]
            missing = self.missing_since(wanted, event.code)
            self.gaps.open(wanted, heard_at if missing is None else missing, event.code)
        # Who said nothing was this connection, and the next one may.
        self._refusals.lapse("timeout", self._monotonic())
        self._rooms.lost(app, event.retry_after)
        self.arrange()

    def _ended(self, wanted: Wanted) -> None:
        """Nobody wants it any more."""
        self._live.pop(wanted, None)
        self._queue.drop(wanted)
        self.crowded_out.discard(wanted)
        self.gaps.forget(wanted)
        self._refusals.forget((wanted.tr_id, wanted.key))

    def _give_up(self, wanted: Wanted) -> None:
        """End what clients want of a key that KIS does not know, however often it is asked."""
        for holder in set(self.interests.holders(wanted)).difference(BRIDGE):
            self.interests.release(wanted, holder)

    def _rows(
        self, wanted: Iterable[Wanted], numbers: Mapping[Wanted, int]
    ) -> list[SubscriptionRow]:
        states = {app: feed.session.states() for app, feed in self._feeds.items()}
        rows, now = [], self._monotonic()
        for one in wanted:
            name, app = (one.tr_id, one.key), self._places.get(one)
            state = None if app is None else states[app].get(name)
            refusal = self._refusals.get(name)
            row = subscription_row(self.interests, one, app, state, refusal, numbers.get(one))
            if one in self.rotation:
                tell_turn(row, self.rotation, one, now, self._clock())
            rows.append(row)
        return rows

    def _now_us(self) -> int:
        return int(self._clock() * 1e6)
