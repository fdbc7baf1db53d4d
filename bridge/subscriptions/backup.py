"""Asks REST for the prices of what no session brings, beside everything else and never before it.

Each app key makes one call at a time, and no more of them a second than its share. The throttle
lets a poll through only when nobody else waits (:class:`~bridge.kis.throttle.Priority`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import structlog

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.config.models import Config
from bridge.errors import RequestError
from bridge.feed.lane import Lane
from bridge.kis import snapshots
from bridge.kis.answers import OTHER_SERVER
from bridge.kis.decode import Route
from bridge.kis.replies import KisError, KisRefusedError, Reply
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Priority
from bridge.kis.values import Zone
from bridge.mqtt.backup_events import BackupEvent
from bridge.mqtt.strict_json import encode
from bridge.mqtt.topics import Topics
from bridge.runtime.backoff import Backoff
from bridge.runtime.clock import now_us
from bridge.subscriptions.backup_plan import BackupPlan, ChangeState, Missing, Poll, PollPlace
from bridge.subscriptions.interest import BRIDGE
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import Wanted, split_key

__all__ = ["Backup"]

log = structlog.get_logger()

_TURN_S = 1.0
_ANSWER_S = 10.0
"""For one poll: what is late is out of date, and another app key may do better."""
_TROUBLE = Backoff(5.0, 60.0, jitter=(1.0, 1.2))
"""Before an app key whose calls come to nothing makes the next."""
_SLICE = 200
"""Subscriptions that are looked at before others have a turn."""
_LARGEST = 64 * 1024
"""Bytes of a price; an order book of ten levels has about three thousand."""
_ROWS = 100
"""Topics in one event."""
_KEEPS = "its market is closed"
"""Then the last price stays where it is."""
_OF_THE_CALL = OTHER_SERVER | {"EGW00206", "EGW00211", "EGW00213", "EGW00310"}
"""Codes by which KIS refuses a call whatever the symbol and whenever."""


class Backup:
    """The prices over REST; call :meth:`run` once.

    ``monotonic`` is the clock of the REST calls' deadlines, ``clock`` gives µs since the epoch.
    """

    def __init__(
        self,
        catalog: Catalog,
        topics: Topics,
        pool: Pool,
        lane: Lane,
        calendar: Calendar,
        config: Config,
        tell: Callable[[BackupEvent], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._catalog, self._topics, self._pool, self._lane = catalog, topics, pool, lane
        self._calendar, self._config, self._tell = calendar, config.backup, tell
        self._always_open = config.kis.environment == "simulator"
        self._monotonic, self._clock = monotonic, clock
        paper = config.kis.paper
        self.plan = BackupPlan(partial(snapshots.choose, catalog, paper=paper))
        self._unserved: dict[Wanted, float] = {}
        """Since when it is served by no session."""
        self._place_of: dict[Wanted, PollPlace] = {}
        self._channel_of: dict[PollPlace, str] = {}
        self._routes: dict[PollPlace, Route] = {}
        self._begun = asyncio.Event()
        """Something is to be polled."""

    def polled_at(self, wanted: Wanted) -> int | None:
        """Return when REST last told its value (µs since the epoch); None: it is not polled, or
        was not answered of late.
        """
        place = self._place_of.get(wanted)
        if place is None or wanted not in self._unserved:
            return None
        return self.plan.polled_at(place, wanted.channel, self._monotonic())

    def newest(self, market: str, venue: str, symbol: str) -> Route | None:
        """Return where the values of a symbol go that REST told; None: it told none of late."""
        return self._routes.get(PollPlace(market, venue, symbol))

    async def run(self, rests: Mapping[str, RestClient]) -> None:
        """Poll until cancelled, with the REST calls of these app keys."""
        if not self._config.enabled:
            return
        async with asyncio.TaskGroup() as tasks:
            for app, rest in rests.items():
                tasks.create_task(self._poll(app, rest))
            while True:
                rates = sum(rest.rate for rest in rests.values())
                self.plan.per_second = max(rates * self._config.share, 0.001)
                for _ in self._look():
                    await asyncio.sleep(0)
                await asyncio.sleep(_TURN_S)

    # who is to be polled

    def _look(self) -> Iterable[None]:
        """Compare what is wanted with what is served; yields where others may have a turn."""
        now = self._monotonic()
        moment = datetime.fromtimestamp(self._clock() / 1e6, UTC)
        missing: dict[PollPlace, list[Wanted]] = {}
        ended: dict[PollPlace, str] = {}
        closed: dict[tuple[str, str, str], bool] = {}
        everything = list(self._pool.interests.all())
        for number, wanted in enumerate(everything, 1):
            reason = self._serving(wanted)
            place = self._place_of.get(wanted) or self._meet(wanted)
            if not reason:
                since = self._unserved.setdefault(wanted, now)
                kind = self._catalog.channels[wanted.channel].kind
                name = (place.market, place.venue, kind)
                if name not in closed:
                    closed[name] = self._is_closed(*name, moment)
                if closed[name]:
                    reason = _KEEPS
                elif now - since >= self._config.after_s:
                    missing.setdefault(place, []).append(wanted)
            else:
                self._unserved.pop(wanted, None)
            if reason:
                ended.setdefault(place, reason)
            if number % _SLICE == 0:
                yield
        for wanted in self._place_of.keys() - set(everything):
            del self._place_of[wanted]
            self._unserved.pop(wanted, None)
        for place in self._channel_of.keys() - set(self._place_of.values()):
            del self._channel_of[place]
        wants = {place: self._missing(found) for place, found in missing.items()}
        self.plan.want(wants, ended, now)
        self._report()
        if len(self.plan):
            self._begun.set()
        else:
            self._begun.clear()

    def _serving(self, wanted: Wanted) -> str:
        """Return why a subscription needs no poll; blank: no session brings it."""
        standing = self._pool.standing(wanted)
        if standing.live:
            return "its session brings it again"
        if standing.refusal not in ("", "timeout"):
            return "KIS refuses the key"
        if self._pool.rotating(wanted):
            return "it has turns of a slot"
        return ""

    def _missing(self, found: list[Wanted]) -> Missing:
        claims = {client for wanted in found for client in self._pool.interests.claims(wanted)}
        client = next((own for own in BRIDGE if own in claims), None) or min(claims, default="")
        return Missing(frozenset(wanted.channel for wanted in found), client)

    def _meet(self, wanted: Wanted) -> PollPlace:
        channel = self._catalog.channels[wanted.channel]
        place = PollPlace(channel.market, *split_key(channel, wanted.key))
        self._place_of[wanted] = place
        self._channel_of[place] = wanted.channel
        return place

    def _is_closed(self, market: str, venue: str, kind: str, moment: datetime) -> bool:
        if self._always_open:
            return False
        return self._calendar.phase(market, venue, kind, moment) == "closed"

    def _report(self) -> None:
        told: dict[tuple[ChangeState, str], list[str]] = {}
        for place, state, reason in self.plan.take_changes():
            told.setdefault((state, reason), []).append(self._topic(place))
            if state != "started" and reason != _KEEPS:
                self._take_back(place)
        for (state, reason), topics in told.items():
            for start in range(0, len(topics), _ROWS):
                part = topics[start : start + _ROWS]
                self._tell({"kind": "backup", "state": state, "reason": reason, "topics": part})

    # the calls

    async def _poll(self, app: str, rest: RestClient) -> None:
        """Make the calls of one app key, one after the other."""
        failures = 0
        while True:
            await self._begun.wait()
            now = self._monotonic()
            poll = self.plan.next(now)
            if poll is None:
                due_s = self.plan.due_in(now)
                await asyncio.sleep(_TURN_S if due_s is None else min(_TURN_S, max(due_s, 0.02)))
                continue
            failures = 0 if await self._ask(poll, app, rest) else failures + 1
            pause = 1 / (rest.rate * self._config.share)
            await asyncio.sleep(max(pause, _TROUBLE.pause(failures) if failures else 0.0))

    async def _ask(self, poll: Poll, app: str, rest: RestClient) -> bool:
        """Make one call; return whether KIS answered."""
        plan, place, row = self.plan, poll.place, poll.row
        deadline = self._monotonic() + _ANSWER_S
        try:
            params = snapshots.params(self._catalog, row, place.venue, place.symbol)
            reply = await rest.call(
                row.api,
                params,
                priority=Priority.POLL,
                deadline=deadline,
                still=partial(plan.wants, poll),
                wanted=partial(plan.wants, poll),
            )
        except RequestError as error:
            plan.missed(poll, self._monotonic(), str(error))
        except KisError as error:
            now, reason = self._monotonic(), str(error)
            refused = isinstance(error, KisRefusedError)
            if refused and error.msg_cd in _OF_THE_CALL:
                if plan.refused(poll, now, reason):
                    topics = [self._topic(place)]
                    self._tell(
                        {"kind": "backup", "state": "refused", "reason": reason, "topics": topics}
                    )
                return True
            if refused and not error.msg_cd:  # it could not even be written
                plan.missed(poll, now, reason)
                return True
            wants = plan.wants(poll)
            plan.put_off(poll, now)
            if wants:
                log.info("price not told", app=app, api=row.api, reason=reason)
            return not wants
        else:
            self._take(poll, reply)
        return True

    def _take(self, poll: Poll, reply: Reply) -> None:
        api = self._catalog.apis[poll.row.api]
        found = snapshots.values(api, poll.row, reply.body) if reply.ok else {}
        now = self._monotonic()
        if not found:
            reason = f"{reply.msg_cd} {reply.msg1}".strip() if not reply.ok else ""
            self.plan.missed(poll, now, reason or f"{api.name} knows nothing of it")
            return
        at = self._clock()
        said = {"symbol": poll.place.symbol, "source": "rest", "polled_at": at, "api": api.name}
        payload = encode(said | found | said)
        if len(payload) > _LARGEST:
            self.plan.missed(poll, now, f"the answer of {api.name} is longer than any price")
        elif self.plan.answered(poll, now, at):
            self._lane.put(self._route(poll.place), payload)

    # where it goes

    def _topic(self, place: PollPlace) -> str:
        return self._topics.market(place.market, place.venue, "snapshot", place.symbol)

    def _route(self, place: PollPlace) -> Route:
        route = self._routes.get(place)
        if route is None:
            channel = self._catalog.channels[self._channel_of[place]]
            beside = replace(channel, kind="snapshot")
            zone = Zone(channel.timezone)
            route = Route(beside, place.venue, place.symbol, self._topic(place), zone)
            self._routes[place] = route
        return route

    def _take_back(self, place: PollPlace) -> None:
        """Clear what was published: a value of then must not stand beside one of now."""
        route = self._routes.pop(place, None)
        if route is not None:
            self._lane.clear(route)
