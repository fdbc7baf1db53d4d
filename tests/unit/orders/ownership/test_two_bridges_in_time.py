"""Two bridges, one account, one session at the broker: whatever freezes, dies or is cut off.

The claims are the real ones. Played are the broker, which hands its one session to whoever came
last under the client id; the exchange; and a bridge's order line as far as it matters here: a
command is written down, acknowledged to the broker, and sent a second later.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.orders.ownership.claim import Claim, Contest, Lives
from tests.soak import SOAK

S = 1_000_000
LIVES = Lives(request_s=5)
REDELIVERY_S = 300


@dataclass
class Session:
    """What the broker has for the client id."""

    holder: str = ""
    waiting: list[int] = field(default_factory=list)
    unacknowledged: list[int] = field(default_factory=list)


@dataclass
class Played:
    """A bridge: what survives its death is its journal, and what that says it has inherited."""

    name: str
    contest: Contest
    journal: set[int] = field(default_factory=set)
    inherited: bool = False
    inherited_until: int = 0
    had: bool = False
    until: int = 0
    frozen: bool = False
    deaf: bool = False
    """Its PUBACKs do not reach the broker."""
    heard: list[Claim] = field(default_factory=list)
    inbox: list[tuple[int, bool]] = field(default_factory=list)
    line: list[int] = field(default_factory=list)


class Play:
    def __init__(self) -> None:
        self.now = 0
        self.lives = 0
        self.commands = 0
        self.session = Session()
        self.retained: Claim | None = None
        self.exchange: Counter[int] = Counter()
        self.unknown: set[int] = set()
        self.bridges = [self._started(), self._started()]

    def _started(self, before: Played | None = None) -> Played:
        self.lives += 1
        name = f"b{self.lives}"
        contest = Contest("main", name, LIVES)
        contest.listen()
        started = Played(name, contest)
        if before is not None:
            started.journal, started.inherited = before.journal, before.inherited
            contest.follow(before.name)  # its lock is held now
        if self.retained is not None:
            started.heard.append(self.retained)
        return started

    # what happens

    def restart(self, which: int) -> None:
        """Kill a bridge and start it again on its journal."""
        dead = self.bridges[which]
        if self.session.holder == dead.name:
            self.session.holder = ""
        self.bridges[which] = self._started(dead)

    def cut(self, which: int) -> None:
        """Take a bridge's connections away; it comes back at once."""
        one = self.bridges[which]
        one.heard = [] if self.retained is None else [self.retained]
        one.contest.listen()
        one.inbox.clear()
        if self.session.holder == one.name:
            self.session.holder = ""

    def second(self) -> None:
        self.now += S
        self.commands += 1
        self.session.waiting.append(self.commands)
        for which, one in enumerate(self.bridges):
            if not one.frozen:
                self._claims(which, one)
        for one in self.bridges:
            if not one.frozen:
                self._orders(one)
        senders = [one.name for one in self.bridges if self.now < one.until]
        assert len(senders) <= 1, senders
        assert not [n for n, times in self.exchange.items() if times > 1], "two orders"

    # a bridge

    def _claims(self, which: int, one: Played) -> None:
        contest = one.contest
        for claim in one.heard:
            contest.hear(claim)
        one.heard.clear()
        contest.tick(self.now)
        if contest.own is not None or contest.ready():
            self._say(contest.claim(one.name, 0, self.now, self.now))
        if contest.confirmed_at is not None:
            if not one.had:
                one.had = True
                one.inherited = one.inherited or contest.inherited is not None
                one.inherited_until = self.now + REDELIVERY_S * S
            elif self.now >= one.inherited_until:
                one.inherited = False
            one.until = contest.confirmed_at + round(LIVES.valid_s * S)
        elif one.had:  # it was taken over from, ends, and is started again
            self.restart(which)

    def _say(self, claim: Claim) -> None:
        self.retained = claim
        for one in self.bridges:
            one.heard.append(claim)

    def _orders(self, one: Played) -> None:
        session, sends = self.session, self.now < one.until
        if sends and session.holder != one.name:
            session.holder = one.name
            one.inbox = [(command, True) for command in session.unacknowledged]
        for command in one.line:
            if sends:
                self.exchange[command] += 1
        one.line.clear()
        if session.holder == one.name:
            one.inbox += [(command, False) for command in session.waiting]
            session.unacknowledged += session.waiting
            session.waiting.clear()
        if not sends:
            return
        for command, again in one.inbox:
            if command not in one.journal:
                one.journal.add(command)
                if again and one.inherited:
                    self.unknown.add(command)
                else:
                    one.line.append(command)
            if session.holder == one.name and not one.deaf and command in session.unacknowledged:
                session.unacknowledged.remove(command)
        one.inbox.clear()


WHAT = ["freeze", "thaw", "cut", "restart", "deafen", "heal", "run"]


@pytest.mark.timeout(900 if SOAK else 60)
@settings(max_examples=10_000 if SOAK else 100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(WHAT), st.integers(0, 1), st.sampled_from([1, 2, 5, 20, 60])),
        max_size=25,
    )
)
def test_never_two_orders_for_a_command_and_never_two_that_send(
    plan: list[tuple[str, int, int]],
) -> None:
    play = Play()
    for what, which, seconds in plan:
        match what:
            case "freeze" | "thaw":
                play.bridges[which].frozen = what == "freeze"
            case "deafen" | "heal":
                play.bridges[which].deaf = what == "deafen"
            case "cut":
                play.cut(which)
            case "restart":
                play.restart(which)
        for _ in range(seconds):
            play.second()


def test_undisturbed_every_command_is_sent_and_none_is_unknown() -> None:
    play = Play()
    for _ in range(60):
        play.second()
    assert set(play.exchange) >= set(range(1, 50))
    assert not play.unknown


def test_the_play_finds_two_orders_where_nothing_is_inherited() -> None:
    """It would be worth nothing if it could not fail."""
    play = Play()
    for _ in range(5):
        play.second()
    first = next(one for one in play.bridges if one.had)
    first.deaf = True
    for _ in range(3):
        play.second()
    first.frozen = True
    for _ in range(45):
        play.second()
    other = next(one for one in play.bridges if one is not first)
    assert other.had
    assert play.unknown & set(play.exchange), "sent by the first, not sent again by the second"
