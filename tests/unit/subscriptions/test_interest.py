"""Wishes: counted by holder, with leases, over a restart."""

from __future__ import annotations

import pytest

from bridge.errors import RequestError
from bridge.subscriptions.interest import LONGEST_LEASE_S, NAMELESS, Interests, dumps
from bridge.subscriptions.request import Wanted

A, B = (Wanted("T", key, "T") for key in "AB")


def test_the_holder_to_whom_it_matters_most_decides() -> None:
    interests = Interests()
    interests.hold(A, "alice", 5)
    interests.hold(A, "bob", 2, until=50)
    assert interests.priority(A) == 2
    assert interests.until(A) is None
    assert not interests.release(A, "alice")
    assert interests.until(A) == 50
    assert interests.expire(49) == []
    assert [(one.wanted, one.holder) for one in interests.expire(50)] == [(A, "bob")]
    assert A not in interests
    assert len(interests) == 0


def test_they_survive_a_restart() -> None:
    interests = Interests()
    interests.hold(A, "alice", 5)
    interests.hold(A, "configuration")
    interests.hold(B, "bob", 1, until=50)
    text = dumps(interests.but({"configuration"}))
    again = Interests()
    assert again.loads(text, 49, lambda channel, key: Wanted("P", key, channel)) == 2
    assert again.holders(Wanted("P", "A", "T")) == ["alice"]
    assert again.loads(dumps(interests.but({}, [A])), 49, lambda channel, key: None) == 0
    late = Interests()
    assert late.loads(text, 51, lambda channel, key: Wanted(channel, key, channel)) == 1
    assert len(late) == 1
    gone = Interests()
    assert gone.loads(text, 0, lambda channel, key: None) == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"subscriptions":[{}]}'])
def test_a_damaged_file_is_one_error(text: str) -> None:
    with pytest.raises(ValueError, match="faults"):
        Interests().loads(text, 0, lambda channel, key: None)


def test_a_renewed_lease_ends_at_its_new_time_and_leaves_nothing_behind() -> None:
    interests = Interests()
    for until in range(10, 5000):
        interests.hold(A, "alice", until=until)
    assert len(interests._leases) < 1000
    assert interests.expire(4998) == []
    interests.release(A, "alice")
    assert interests.expire(10_000) == []
    assert interests.total == len(interests.counts()) == 0


def test_the_client_who_asked_is_kept_over_a_restart_and_no_lease_is_longer_than_others() -> None:
    interests = Interests()
    interests.hold(A, "desk", client=NAMELESS)
    interests.hold(B, "bob", until=1e300)
    again = Interests()
    assert again.loads(dumps(interests.but(())), 50, lambda c, key: Wanted(c, key, c)) == 2
    assert again.counts() == {NAMELESS: 1, "bob": 1}
    assert again.until(B) == 50 + LONGEST_LEASE_S
    full = Interests()
    assert full.loads(dumps(interests.but(())), 50, lambda c, key: A, lambda c: c == "bob") == 1


def test_without_a_name_nobody_touches_what_a_client_asked_for() -> None:
    interests = Interests()
    interests.hold(A, "bob")
    interests.hold(B, "bob", client=NAMELESS)
    with pytest.raises(RequestError, match="by its own topic"):
        interests.own(A, "bob", NAMELESS)
    assert interests.own(B, "bob", "bob") == interests.find(B, "bob") is not None
