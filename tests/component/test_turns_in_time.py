"""Turns of a minute on sessions with KIS's spacing of requests, in virtual time."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from itertools import pairwise
from random import Random

from bridge.kis.events import SessionEvent
from bridge.kis.session import Session
from bridge.kis.stream import StreamCounts
from bridge.subscriptions.interest import CONFIGURATION, ORDERS
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import Wanted

STEP_S, ANSWER_S = 0.1, 0.1
SYMBOLS = [Wanted("H0STCNT0", f"{number:06d}", "H0STCNT0") for number in range(500)]


class Feed:
    """A session, and a KIS that answers after a while."""

    def __init__(self, world: World, app: str) -> None:
        self.session = Session(notices=frozenset())
        self.counts, self.state = StreamCounts(), "connected"
        self._world, self._app = world, app
        self._answers: deque[tuple[float, str]] = deque()
        self.requests: list[float] = []

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None:
        self.tell(self.session.subscribe(tr_id, key, self._world.now, priority))

    def unsubscribe(self, tr_id: str, key: str) -> None:
        self.tell(self.session.unsubscribe(tr_id, key, self._world.now))

    def allow(self, limit: int) -> None:
        self.session.allow(limit)

    def delivers(self, tr_id: str, key: str) -> None:
        self.session.delivers(tr_id, key)

    def tell(self, events: list[SessionEvent]) -> None:
        for event in events:
            self._world.pool.happened(self._app, event)

    def step(self, now: float) -> None:
        while self._answers and self._answers[0][0] <= now:
            events = self.session.receive(self._answers.popleft()[1], now)
            assert isinstance(events, list), "an answer is no market data"
            self.tell(events)
        self.tell(self.session.tick(now))
        for text in self.session.data_to_send():
            asked = json.loads(text)
            names, leaves = asked["body"]["input"], asked["header"]["tr_type"] == "2"
            code = "OPSP0001" if leaves else "OPSP0000"
            answer = {"header": names, "body": {"rt_cd": "0", "msg_cd": code, "msg1": "-"}}
            self._answers.append((now + ANSWER_S, json.dumps(answer)))
            self.requests.append(now)


class World:
    """A pool over two app keys, when each symbol was served, and the open orders."""

    def __init__(self) -> None:
        self.now = 1000.0
        feeds: dict[str, Feed] = {}
        self.feeds = feeds
        for app in ("app1", "app2"):
            feeds[app] = Feed(self, app)
        self.pool = Pool(feeds, clock=lambda: self.now + 1e9, monotonic=lambda: self.now)
        for feed in feeds.values():
            feed.tell(feed.session.connected(self.now))
        self.seen: defaultdict[Wanted, list[float]] = defaultdict(list)

    def step(self) -> None:
        before = int(self.now)
        self.now += STEP_S
        for feed in self.feeds.values():
            feed.session.last_message_at = self.now  # it is never silent
            feed.step(self.now)
        if int(self.now) != before:
            self.pool.tick()
            for wanted in self.pool.all_live():
                self.seen[wanted].append(self.now)


def test_turns_of_a_minute_keep_their_time_and_never_hold_up_an_order() -> None:
    world, random = World(), Random(7)  # noqa: S311 - decides no secret
    pool, begun = world.pool, world.now
    pool.hold(SYMBOLS, CONFIGURATION, rotate=True)
    within = pool.rotation.within()
    assert within == 441
    orders: dict[Wanted, float] = {}
    """Symbol of an open order → when it was placed."""
    waits: list[float] = []
    traded: set[Wanted] = set()
    while world.now < begun + 2 * within:
        if random.random() < STEP_S / 10:
            wanted = random.choice(SYMBOLS)
            traded = {wanted, *list(traded)[:3]}
            orders = {one: orders.get(one, world.now) for one in traded}
            pool.replace(ORDERS, traded, -1)
        world.step()
        for one, placed in orders.items():
            live = pool.standing(one).live
            if live and placed:
                waits.append(world.now - placed)
                orders[one] = 0.0
            assert live or placed, "an order has lost its slot"
    assert len(waits) > 50
    assert max(waits) < 1.5, "a turn ends, the answer comes, and KIS is asked"
    for wanted in SYMBOLS:
        times = [begun, *world.seen[wanted], world.now]
        # A turn more after each change of the shares: four orders are open at most.
        assert max(b - a for a, b in pairwise(times)) <= within + 60
    for feed in world.feeds.values():
        busiest = max(
            sum(at - 10 <= other <= at for other in feed.requests) for at in feed.requests[100:]
        )
        assert busiest <= 10 * 0.5 / feed.session.spacing_s
        assert len(feed.requests) < 4 * within
