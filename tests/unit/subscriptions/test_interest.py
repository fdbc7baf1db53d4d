"""Wishes: counted by holder, with leases, over a restart."""

from __future__ import annotations

import pytest

from bridge.subscriptions.interest import Interests
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
    assert interests.expire(50) == [(A, "bob")]
    assert A not in interests
    assert len(interests) == 0


def test_they_survive_a_restart() -> None:
    interests = Interests()
    interests.hold(A, "alice", 5)
    interests.hold(A, "configuration")
    interests.hold(B, "bob", 1, until=50)
    text = interests.dumps({"configuration"})
    again = Interests()
    assert again.loads(text, 49, lambda channel, key: Wanted("P", key, channel)) == 2
    assert again.holders(Wanted("P", "A", "T")) == ["alice"]
    assert again.loads(interests.dumps({}, [A]), 49, lambda channel, key: None) == 0
    late = Interests()
    assert late.loads(text, 51, lambda channel, key: Wanted(channel, key, channel)) == 1
    assert len(late) == 1
    gone = Interests()
    assert gone.loads(text, 0, lambda channel, key: None) == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"subscriptions":[{}]}'])
def test_a_damaged_file_is_one_error(text: str) -> None:
    with pytest.raises(ValueError, match="faults"):
        Interests().loads(text, 0, lambda channel, key: None)
