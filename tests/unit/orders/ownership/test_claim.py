"""Who has a scope, as told by what two bridges and a broker say to each other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.orders.ownership.claim import Claim, Contest, Lives
from tests.soak import SOAK

S = 1_000_000
LIVES = Lives(request_s=5)
SILENT_S = 30


def contest(name: str = "me") -> Contest:
    found = Contest("main", name, LIVES)
    found.listen()
    return found


def foreign(fence: int = 1, owner: str = "other", at: int = 1) -> Claim:
    return Claim(owner, "elsewhere", 0, at, fence)


def listen_for(one: Contest, seconds: int, start: int = 0) -> None:
    for second in range(start, start + seconds + 1):
        one.tick(second * S)


def test_a_claim_is_dead_when_its_last_request_must_be() -> None:
    assert LIVES.silent_s == LIVES.valid_s + 15 + LIVES.request_s == SILENT_S
    assert 4 * LIVES.beat_s < LIVES.valid_s, "a few beats may be lost"


def test_what_nobody_has_is_claimed_and_is_ours_when_it_is_heard_back() -> None:
    one = contest()
    assert one.ready()
    claim = one.claim("here", 7, 100, 5 * S)
    assert claim == Claim("me", "here", 7, 100, 1)
    assert one.confirmed_at is None, "nobody has heard it yet"
    one.hear(claim)
    assert one.confirmed_at == 5 * S, "it counts from when it left, not from when it came back"


def test_a_living_claim_of_another_is_left_alone() -> None:
    one = contest()
    for second in range(120):
        if second % 2 == 0:
            one.hear(foreign(at=second))
        one.tick(second * S)
        assert not one.ready()
    assert one.rival == foreign(at=118)


def test_a_silent_claim_is_taken_over_with_a_higher_fence() -> None:
    one = contest()
    one.hear(foreign(fence=7))
    listen_for(one, SILENT_S - 1)
    assert not one.ready()
    one.tick(SILENT_S * S)
    assert one.ready()
    assert one.claim("here", 0, 1, SILENT_S * S).fence == 8
    assert one.inherited == foreign(fence=7)


def test_silence_is_not_counted_while_this_process_stood_still() -> None:
    one = contest()
    one.hear(foreign())
    one.tick(0)
    one.tick(3600 * S)
    assert not one.ready(), "what the other said meanwhile lies in the socket"


def test_silence_is_counted_anew_after_a_reconnect() -> None:
    one = contest()
    one.hear(foreign())
    listen_for(one, SILENT_S - 1)
    one.listen()
    listen_for(one, SILENT_S - 1, start=100)
    assert not one.ready()


def test_what_was_given_up_is_free_at_once() -> None:
    one = contest()
    one.hear(foreign(fence=3))
    one.hear(foreign(fence=3, owner=""))
    assert one.ready()
    assert one.claim("here", 0, 1, 1).fence == 4
    assert one.inherited is None


def test_an_old_farewell_gives_up_nothing_of_a_later_owner() -> None:
    one = contest()
    one.hear(foreign(fence=5))
    one.hear(foreign(fence=4, owner=""))
    assert not one.ready()


@pytest.mark.parametrize("heard_first", [False, True])
def test_the_claim_of_a_dead_predecessor_is_none(heard_first: bool) -> None:
    one = contest()
    if heard_first:
        one.hear(foreign(fence=3))
    one.follow("other")
    one.hear(foreign(fence=3))
    assert one.ready()
    assert one.claim("here", 0, 1, 1).fence == 4
    assert one.inherited is None


def test_of_two_that_claim_at_once_the_broker_s_first_has_it() -> None:
    one, other = contest("one"), contest("other")
    first, second = one.claim("here", 0, 1, 1), other.claim("there", 0, 2, 2)
    for each in (one, other):
        each.hear(first)
        each.hear(second)
    assert one.confirmed_at is not None
    assert one.challenged, "the retained claim is the other's, and has to be ours again"
    assert other.confirmed_at is None
    assert other.rival == first
    again = one.claim("here", 0, 3, 3)
    assert not one.challenged
    other.hear(again)
    assert not other.ready()


def test_two_that_both_go_on_as_owners_both_end() -> None:
    """A broker has passed their claims on in different orders, or the second one's late."""
    one, other = contest("one"), contest("other")
    first, second = one.claim("here", 0, 1, 1), other.claim("there", 0, 2, 2)
    for each, order in ((one, (first, second)), (other, (second, first))):
        for claim in order:
            each.hear(claim)
    assert None not in (one.confirmed_at, other.confirmed_at)
    first, second = one.claim("here", 0, 3, 3), other.claim("there", 0, 4, 4)
    for each in (one, other):
        each.hear(first)
        each.hear(second)
    assert (one.confirmed_at, other.confirmed_at) == (None, None)


def test_an_owner_that_hears_a_higher_fence_has_lost() -> None:
    one = contest()
    one.hear(one.claim("here", 0, 1, 1))
    one.hear(foreign(fence=2))
    assert (one.own, one.confirmed_at, one.rival) == (None, None, foreign(fence=2))


def test_an_owner_minds_no_claim_of_an_earlier_one() -> None:
    one = contest()
    one.hear(foreign(fence=4, owner=""))
    one.hear(one.claim("here", 0, 1, 1))
    one.hear(foreign(fence=4))
    assert one.confirmed_at == 1
    assert one.challenged


def test_an_echo_of_an_earlier_connection_confirms_nothing() -> None:
    one = contest()
    claim = one.claim("here", 0, 1, 1)
    one.listen()
    one.hear(claim)
    assert one.confirmed_at is None


def test_who_hears_its_own_name_from_another_mouth_has_lost() -> None:
    """A machine was copied while it ran: both copies have one name."""
    one = contest()
    one.hear(one.claim("here", 0, 1, 1))
    twin = Claim("me", "here", 0, 2, 1)
    one.hear(twin)
    assert (one.own, one.confirmed_at, one.rival) == (None, None, twin)


def test_its_own_last_word_is_no_stranger_s_after_a_reconnect() -> None:
    one = contest()
    claim = one.claim("here", 0, 1, 1)
    one.hear(claim)
    one.listen()
    one.hear(claim)
    assert one.confirmed_at == 1
    assert one.rival is None


def test_each_beat_has_a_time_of_its_own() -> None:
    one = contest()
    times = [one.claim("here", 0, 1, now).at for now in range(3)]
    assert all(earlier < later for earlier, later in pairwise(times))


def test_only_what_is_ours_is_given_up() -> None:
    one = contest()
    assert one.surrender(9) is None
    claim = one.claim("here", 7, 1, 1)
    assert one.surrender(9) is None
    one.hear(claim)
    assert one.surrender(9) == Claim("", "here", 7, 9, 1)
    assert one.confirmed_at is None


class Play:
    """Bridges with one scope, and a broker that passes everything on in one order."""

    def __init__(self, count: int) -> None:
        self.now = 0
        self.names = [f"b{n}" for n in range(count)]
        self.contests = {name: contest(name) for name in self.names}
        self.socket: dict[str, list[Claim]] = {name: [] for name in self.names}
        self.frozen: set[str] = set()
        self.retained: Claim | None = None
        self.until: dict[str, int] = dict.fromkeys(self.names, 0)

    def second(self) -> None:
        self.now += S
        for name in self.names:
            if name not in self.frozen:
                self.act(name)
        senders = [n for n in self.names if self.now < self.until[n]]
        assert len(senders) <= 1, senders

    def act(self, name: str) -> None:
        one = self.contests[name]
        for claim in self.socket[name]:
            one.hear(claim)
        self.socket[name].clear()
        one.tick(self.now)
        if one.own is not None or one.ready():
            self.say(one.claim(name, 0, self.now, self.now))
        # The frozen one's permission is looked up by time alone, whether it runs or not.
        if one.confirmed_at is not None:
            self.until[name] = one.confirmed_at + round(LIVES.valid_s * S)
        elif one.rival is not None:
            self.until[name] = 0

    def say(self, claim: Claim) -> None:
        self.retained = claim
        for waiting in self.socket.values():
            waiting.append(claim)

    def reconnect(self, name: str) -> None:
        self.socket[name] = [] if self.retained is None else [self.retained]
        self.contests[name].listen()


@pytest.mark.timeout(900 if SOAK else 60)
@settings(max_examples=10_000 if SOAK else 100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["freeze", "thaw", "reconnect", "run"]),
            st.integers(0, 2),
            st.integers(1, 60),
        ),
        max_size=20,
    )
)
def test_never_do_two_bridges_send_whoever_freezes_or_reconnects(
    plan: list[tuple[str, int, int]],
) -> None:
    play = Play(3)
    for what, which, seconds in plan:
        name = play.names[which]
        match what:
            case "freeze":
                play.frozen.add(name)
            case "thaw":
                play.frozen.discard(name)
            case "reconnect":
                play.reconnect(name)
        for _ in range(seconds):
            play.second()
