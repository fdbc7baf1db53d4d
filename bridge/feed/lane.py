"""The market-data lane: encoded records on their way to the broker.

Records of one read of KIS's socket leave in one write at its end; those that come otherwise, with
all of their turn of the event loop. While the broker takes no more, they wait in the backlog. While
it is away, only the last value of each topic waits.

Nothing is lost in silence. The backlog counts what is conflated or dropped. What was written when
the connection broke, and not confirmed by an answered ping, is counted as possibly lost: QoS 0 has
no acknowledgement that could tell.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.feed.ages import Ages, Freezes
from bridge.feed.backlog import Backlog
from bridge.kis.decode import Route
from bridge.runtime.clock import now_us, steady_us

__all__ = ["KindPolicy", "Lane", "LaneEnd"]

_JOIN = 128 * 1024
"""Bytes that are written without waiting for the end of the turn, which a burst makes long."""
_DRAIN = 256 * 1024
"""Bytes taken from the backlog at once, before the broker is asked again whether it takes more."""
_SLOW_US = 1_000_000
"""A broker that takes longer to read what was written was stopped, or the line was."""
_RECEIVED_AT = re.compile(rb'"received_at":(\d+)')


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """How the records of one kind are published."""

    qos: int = 0
    retain: bool = True
    expire_s: int | None = 86_400
    conflate: bool = False


class LaneEnd(Protocol):
    """Where the lane ends; what ``packet`` makes only ``write`` of the same writer reads.

    ``packet`` returns None for what is larger than the broker takes, see `Lane.on_too_large`.
    """

    @property
    def ready(self) -> bool: ...
    @property
    def connected(self) -> bool: ...
    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> Any: ...
    def write(self, packets: list[Any]) -> None: ...


class Lane:
    """Takes records from the pump and never waits."""

    def __init__(self, policies: Mapping[str, KindPolicy], *, budget: int = 64 << 20) -> None:
        self._policies = dict(policies)
        self._default = KindPolicy()
        self.backlog = Backlog(budget)
        self._writer: LaneEnd | None = None
        self._joined: list[tuple[Route, bytes]] = []
        self._joined_size = 0
        self._oldest = 0
        self._flushing = False
        self._away = self._resuming = False
        """The broker is away; it was, and what waits from then may be old."""
        self._routes: Callable[[], Iterable[Route]] = tuple
        self._written: list[Route] = []
        """Of each record without acknowledgement since the last ping, in order."""
        self._unconfirmed: deque[list[Route]] = deque()
        """The same before the pings that count; the oldest is in the broker, maybe no further."""
        self._uncertain: Counter[str] = Counter()
        self.uncertain = 0
        """Records that were under way when a connection broke."""
        self.too_large = 0
        """Records that are larger than what the broker takes."""
        self.largest_taken = 0
        """Bytes of the largest packet that the broker takes, when one was too large."""
        self._unfit: Counter[str] = Counter()
        self._refused: dict[str, int] = {}
        """The last of them by topic, as a hash."""
        self.published = 0
        self.ages = Ages()
        """Of records when they were handed to the socket, or read behind it by a slow broker."""
        self._freezes = Freezes()
        self._wrote_at = self._pinged_at = 0

    def attach(
        self,
        writer: LaneEnd,
        routes: Callable[[], Iterable[Route]] = tuple,
    ) -> None:
        """Say where the records go, and what topics there are to refresh after a reconnect."""
        self._writer = writer
        self._routes = routes

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._writer is not None and self._writer.connected

    def put(self, route: Route, payload: bytes) -> None:
        """Send a record, or keep it as the policy of its kind says."""
        route.last = payload
        writer, joined = self._writer, self._joined
        # Behind what waits, even when the broker is ready again: no topic is ever reordered. Where
        # something is joined already, the broker was ready and nothing waited.
        if joined or (writer is not None and writer.ready and not len(self.backlog)):
            joined.append((route, payload))
            self._joined_size += len(payload)
            if self._joined_size > _JOIN:
                self.flush()
            elif not self._flushing:
                # At the end of this turn and not later: a timer would cost latency, and a write for
                # each record costs more than making the record did.
                self._flushing = True
                asyncio.get_running_loop().call_soon(self.flush)
            return
        policy = self._policies.get(route.kind, self._default)
        if writer is None or not writer.connected:
            self.backlog.park(route, payload, conflate=policy.conflate)
        else:
            self.backlog.add(route, payload, conflate=policy.conflate)

    def begin_read(self) -> None:
        """Expect records until the read ends, so that none needs another turn to be written."""
        self._flushing = True

    def end_read(self) -> None:
        """Write what a read of KIS's socket brought, without another turn of the event loop."""
        self.flush()

    def clear(self, route: Route) -> None:
        """Take back what the broker retains of a topic, behind all that was written of it."""
        if self._policies.get(route.kind, self._default).retain:
            self.put(route, b"")  # which is how MQTT says it
        route.last = b""

    def arrived(self, received_at: int) -> None:
        """Say when (µs since the epoch) the frame came whose records follow."""
        if not self._joined:  # of what came before nothing waits for the end of this turn
            self._oldest = received_at

    def on_ready(self) -> None:
        """Send what waits, as far as the broker takes it.

        After the broker was away, send the last value of every retained topic as well: some were
        written and never arrived, and a broker that starts anew knows none.
        """
        writer = self._writer
        if self._away:
            self._away, self._resuming = False, True
            for route in self._routes():
                policy = self._policies.get(route.kind, self._default)
                if route.last and policy.retain and not _expired(policy, route.last):
                    self.backlog.refresh(route, route.last)
        while writer is not None and writer.ready and len(self.backlog):
            self._joined += (taken := self.backlog.take(_DRAIN))
            self._oldest = 0  # it is of one that waits, and each of these has its own age
            self._count_waited(taken)
            self.flush()
        if not len(self.backlog):
            self._resuming = False

    def on_lost(self) -> None:
        """Keep only the last value of each topic until the broker is back."""
        self._away = True
        self._pinged_at = 0
        for routes in (*self._unconfirmed, self._written):
            self._uncertain.update(route.topic for route in routes)
            self.uncertain += len(routes)
        self._unconfirmed.clear()
        self._written = []
        # What was joined was never written. It goes back in front before all of it is parked, so
        # that the newest value of a topic is the one that stays.
        joined, self._joined = self._joined, []
        self._put_back(joined)
        self.backlog.park_all()

    def on_ping(self) -> None:
        """Remember what the broker will have got when it answers."""
        self._unconfirmed.append(self._written)
        self._written = []
        self._pinged_at = steady_us()

    def on_pong(self) -> None:
        """Take the answer to a ping.

        What was written before that ping has reached the broker, but a broker that dies now may not
        have passed it on. So only what was written before the ping before that counts as arrived.
        """
        while len(self._unconfirmed) > 1:
            self._unconfirmed.popleft()
        now = steady_us()
        waited, self._pinged_at = now - (self._pinged_at or now), 0
        if waited > _SLOW_US:
            # In the socket they were young. There they waited for a broker that did not read.
            before = sum(map(len, self._unconfirmed))
            self.ages.add(waited, before, now)
            self.ages.spread(waited, len(self._written), now)

    def beat(self) -> None:
        """Say that the event loop runs; twice a second."""
        self._freezes.beat(steady_us())

    def waiting_us(self) -> int | None:
        """Return how old the oldest record is that the broker has not read; None: there is none.

        A second may pass until a broker that reads nothing is noticed.
        """
        asked = steady_us() - self._pinged_at if self._pinged_at else 0
        if not (sum(map(len, self._unconfirmed)) and asked > _SLOW_US):
            asked = 0
        oldest = self.backlog.oldest()
        since = 0 if oldest is None else _received_at(oldest)
        return max(asked, now_us() - since if since else 0) or None

    def on_too_large(self, topic: str, payload: bytes, limit: int) -> None:
        """Count a record that the broker would hang up for: its limit is so many bytes.

        The newest record of a topic comes once more after each reconnect, and is lost only once.
        """
        content = hash(payload)
        if self._refused.get(topic) != content:
            self._refused[topic] = content
            self.too_large += 1
            self._unfit[topic] += 1
            self.largest_taken = limit

    def unfit(self) -> dict[str, int]:
        """Return what was too large for the broker, since the last call, by topic."""
        unfit, self._unfit = dict(self._unfit), Counter()
        return unfit

    def doubts(self) -> dict[str, int]:
        """Return what may not have arrived, since the last call, by topic."""
        doubts, self._uncertain = dict(self._uncertain), Counter()
        return doubts

    def flush(self) -> None:
        """Write what was joined."""
        self._flushing = False
        self._joined_size = 0
        writer, joined = self._writer, self._joined
        if writer is None or not joined:
            return
        self._joined = []
        packets, written = [], self._written
        waiting: list[tuple[Route, bytes]] = []
        for route, payload in joined:
            policy = self._policies.get(route.kind, self._default)
            if policy.qos and not writer.ready:  # the broker's receive maximum is reached
                waiting.append((route, payload))
                continue
            expire_s = policy.expire_s
            if self._resuming and expire_s is not None:
                expire_s -= _age_s(payload)
                if expire_s <= 0:
                    self.backlog.lose(route)
                    continue
            packet = writer.packet(route.topic, payload, policy.qos, policy.retain, expire_s)
            if packet is None:
                continue
            packets.append(packet)
            if not policy.qos:
                written.append(route)
        self._put_back(waiting)
        writer.write(packets)
        self.published += len(packets)
        if self._oldest:
            now, at = steady_us(), now_us()
            late = self._freezes.late(now, self._oldest - self._wrote_at)
            age = max(0, at - self._oldest)
            if late:
                self.ages.spread(age + late, len(packets), now)
            else:
                self.ages.add(age, len(packets), now)
            self._oldest, self._wrote_at = 0, at

    def _count_waited(self, taken: list[tuple[Route, bytes]]) -> None:
        """Count the ages of what waited; what only is said again after a reconnect has none."""
        at, now, repeated = now_us(), steady_us(), self.backlog.repeated
        for route, payload in taken:
            if route not in repeated and (came := _received_at(payload)):
                self.ages.add(max(0, at - came), 1, now)

    def _put_back(self, waiting: list[tuple[Route, bytes]]) -> None:
        for route, payload in reversed(waiting):
            policy = self._policies.get(route.kind, self._default)
            self.backlog.put_back(route, payload, conflate=policy.conflate)


def _expired(policy: KindPolicy, payload: bytes) -> bool:
    return policy.expire_s is not None and _age_s(payload) >= policy.expire_s


def _age_s(payload: bytes) -> int:
    """Return how many seconds ago KIS's frame came.

    Read from the payload, because it is needed only after a reconnection: to carry the time along
    would cost something for every record.
    """
    came = _received_at(payload)
    return max(0, int(time.time() - came / 1e6)) if came else 0


def _received_at(payload: bytes) -> int:
    found = _RECEIVED_AT.search(payload)
    return 0 if found is None else int(found[1])
