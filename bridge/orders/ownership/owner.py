"""The claims of this bridge: made before it trades, told again while it lives, given up at its end.

There are two. The one in the journal's database keeps a second bridge off the same journal. The
one on the broker is seen by a bridge that has a journal of its own. It has a connection of its own
because two bridges with one configuration have one MQTT client id, and the broker hands that to
each of them in turn.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from bridge.errors import BrokerError, JournalError, NotOwnerError
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.rate_limiter import Arrivals, RateLimiter
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.ownership import wording
from bridge.orders.ownership.claim import Claim, Contest, Lives
from bridge.orders.ownership.database_claim import DatabaseClaim
from bridge.orders.risk.title import Title
from bridge.runtime.backoff import Backoff
from bridge.runtime.clock import now_us, steady_us

__all__ = ["Owner"]

log = structlog.get_logger()

_S = 1_000_000
_RETRY = Backoff(0.25, 2.0, jitter=(0.5, 1.0))
"""Quicker than other connections: without this one nothing may be sent for long."""
_SETTLE_S = 0.1
"""Where nothing is heard of a scope, some brokers may only be slow to pass on what is retained."""
_DECIDE_S = 20.0
_RELEASE_S = 2.0
_UNACKNOWLEDGED_S = 120.0
"""How long before its end an owner may have sent what it could not acknowledge to the broker: as
long as it takes to find a connection dead, and some more."""
_REDELIVERY_S = 300.0
"""How long after it took over a bridge may come to the broker that delivers all that again."""
_LINGER_S = 2.0
"""What refusals and events get to leave, after another bridge has taken over."""


class Owner:
    """Finds out whether this bridge may send for its accounts, and keeps saying so.

    All accounts or none, claimed in the order of their names, so that two bridges which share some
    cannot each have a part for ever. (A lease for each app key, when several bridges are meant to
    share them, is a contest of its own with that key as its scope.) ``tell`` takes events.
    """

    def __init__(
        self,
        journal: Journal,
        endpoints: Sequence[Endpoint],
        topics: Topics,
        accounts: Sequence[str],
        lives: Lives,
        *,
        client_id: str,
        tell: Callable[[BridgeEvent, str], None],
        steady: Callable[[], int] = steady_us,
    ) -> None:
        self.name = secrets.token_hex(16)
        self.title = Title(steady) if accounts else Title.alone()
        self.deposed = asyncio.Event()
        """Set when another bridge took over what this one had; :meth:`run` ends a little later."""
        self._topics = topics
        self._lives = lives
        self._tell = tell
        self._steady = steady
        self._host, self._since = socket.gethostname(), now_us()
        scopes = sorted(accounts)
        self._contests = {each: Contest(each, self.name, lives) for each in scopes}
        self._database = DatabaseClaim(journal, scopes, self.name, lives)
        self._had = self._released = False
        self._other = ""
        self._told_of: tuple[str, int] | None = None
        self._listening_at: int | None = None
        self._beaten_at = 0
        self._wake = asyncio.Event()
        self._client = ControlClient(
            endpoints,
            client_id=f"{client_id}-owner-{self.name[:12]}",
            clean=True,
            backoff=_RETRY,
            leave_s=1.0,
            packets=RateLimiter(topics, Arrivals()),  # bounds alone: claims are told at any rate
        )
        for scope in scopes:
            self._client.subscribe(topics.owner(scope), 1, self._heard)
        self._client.on_connected(self._listen)

    # for the application

    async def run(self) -> None:
        """Claim, and keep claiming until cancelled.

        Raises :class:`NotOwnerError` after another bridge has taken over what this one had: what it
        knows of the orders is not what is true any more, so that it has to start anew.
        """
        if not self._contests:
            return
        async with asyncio.TaskGroup() as tasks:
            # First: the journal knows which claim on the broker was that of a dead predecessor.
            await self._turn()
            client = tasks.create_task(self._client.run())
            try:
                while not self.deposed.is_set():
                    await self._pause()
                    if not self._released:
                        await self._turn()
                        await self._inherit()
                        self._judge()
                await asyncio.sleep(_LINGER_S)
                raise NotOwnerError(
                    f"{self._other} has taken over the orders while this one was silent: start "
                    "this one again, it then stands by"
                )
            finally:
                client.cancel()

    async def decided(self, deadline_s: float) -> bool:
        """Return whether this bridge may send, when that is known for the first time.

        Raises :class:`BrokerError` when it cannot be known.
        """
        if not self._contests:
            return True
        await self._client.wait_connected(deadline_s=deadline_s)
        try:
            async with asyncio.timeout(_DECIDE_S):
                await self.title.settled()
        except TimeoutError:
            where = self._topics.owner("{account}")
            raise BrokerError(
                f"MQTT broker: what is published on {where} does not come back: let the bridge's "
                "user write and read there"
            ) from None
        return self.title.held

    async def release(self) -> None:
        """Give everything up, so that the next bridge need not wait."""
        self._released = True
        self.title.grant(0)
        given = [contest.surrender(now_us()) for contest in self._contests.values()]
        try:
            async with asyncio.timeout(_RELEASE_S):
                await self._database.release()
                for scope, claim in zip(self._contests, given, strict=True):
                    if claim is not None and self._client.connected:
                        await self._publish(scope, claim, wait=True)
        except (BrokerError, JournalError, TimeoutError) as error:
            log.warning("claim not given up", cause=str(error))

    # one turn

    async def _turn(self) -> None:
        """Do what is due: look, claim, tell."""
        try:
            await self._database.see_to(self._steady(), doubtful=not self.title.held)
        except JournalError as error:
            # Whoever cannot write cannot send either, so that this says nothing about the claim.
            log.warning("claim not in the journal", cause=str(error))
        for scope, predecessor in self._database.predecessors.items():
            self._contests[scope].follow(predecessor)
        if self._listening_at is None or not self._client.connected:
            return
        now, due = self._steady(), False
        if now - self._beaten_at >= self._lives.beat_s * _S:
            due, self._beaten_at = True, now
        for scope, contest in self._contests.items():
            contest.tick(now)
            if contest.own is not None:
                if due or contest.challenged:
                    await self._claim(scope, contest)
            elif self._database.taken and contest.ready() and self._certain(contest, now):
                contest.fence = max(contest.fence, self._database.fence - 1)
                await self._claim(scope, contest)
            if contest.confirmed_at is None:
                break

    def _certain(self, contest: Contest, now: int) -> bool:
        assert self._listening_at is not None  # noqa: S101
        return contest.heard or now - self._listening_at >= _SETTLE_S * _S

    async def _claim(self, scope: str, contest: Contest) -> None:
        claim = contest.claim(self._host, self._since, now_us(), self._steady())
        await self._publish(scope, claim)

    async def _publish(self, scope: str, claim: Claim, *, wait: bool = False) -> None:
        publication = Publication(self._topics.owner(scope), wording.dumps(claim), retain=True)
        await self._client.publish(publication, wait=wait)

    async def _inherit(self) -> None:
        """Take note of what a silent owner may have sent that is not in this journal."""
        known = self._database.inherited
        if self._had:
            if known and self.title.inherited is None:  # by now the broker has delivered all of it
                with suppress(JournalError):  # the next turn tries again
                    await self._database.inherit(0)
            return
        if not self._has:
            return
        silent = [contest.inherited for contest in self._contests.values()]
        since = [
            claim.at - round(_UNACKNOWLEDGED_S * _S)
            for claim in silent
            if claim is not None and claim.owner not in self._database.owners
        ]
        if known or since:
            first = min([*since, known] if known else since)
            try:
                await self._database.inherit(first)
            except JournalError as error:
                log.warning("not written what the last owner may have sent", cause=str(error))
                return  # nothing is sent before
            self.title.inherit(first, self._steady() + round(_REDELIVERY_S * _S))
        self._had = True

    @property
    def _has(self) -> bool:
        """Whether every claim is this bridge's, as far as it knows."""
        confirmed = [contest.confirmed_at for contest in self._contests.values()]
        return self._database.taken and not self._database.lost and None not in confirmed

    def _judge(self) -> None:
        """Say what follows from everything that is known."""
        if self._has:
            if not self._had:
                return  # what it inherits is not written down yet
            confirmed = [contest.confirmed_at for contest in self._contests.values()]
            first = min(at for at in confirmed if at is not None)
            if first + self._lives.valid_s * _S > self._steady():
                self.title.grant(first + self._lives.valid_s * _S)
            return
        heard = [(scope, contest.rival) for scope, contest in self._contests.items()]
        rivals = [(scope, rival) for scope, rival in heard if rival is not None]
        rivals += self._database.rivals()
        if rivals or self._had:
            scope, rival = rivals[0] if rivals else (next(iter(self._contests)), None)
            self._other = wording.named(rival)
            self.title.deny(self._other)
            self._warn(scope, rival)
        if self._had:
            self.deposed.set()

    def _warn(self, scope: str, rival: Claim | None) -> None:
        """Tell of another bridge, once of each."""
        about = ("", 0) if rival is None else (rival.owner, rival.fence)
        if about == self._told_of:
            return
        self._told_of = about
        self._tell(wording.conflict(scope, rival, self._lives.silent_s), "")

    async def _pause(self) -> None:
        listened = self._steady() - (self._listening_at or 0)
        settling = self._listening_at is not None and listened < 2 * _SETTLE_S * _S
        try:
            async with asyncio.timeout(_SETTLE_S if settling else self._lives.beat_s):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    # the broker's side

    async def _listen(self) -> None:
        """Begin to listen, after each connect."""
        for contest in self._contests.values():
            contest.listen()
        self._listening_at, self._beaten_at = self._steady(), 0
        self._wake.set()

    async def _heard(self, message: Message) -> None:
        message.ack()
        claim = wording.loads(message.payload)
        for scope, contest in self._contests.items():
            if claim is not None and self._topics.owner(scope) == message.topic:
                contest.hear(claim)
                self._wake.set()
