"""Wishes: counted by holder, with leases, over a restart."""

from __future__ import annotations

import pytest

from bridge.subscriptions.interest import Wishes
from bridge.subscriptions.request import Wanted

A, B = (Wanted("T", key, "T") for key in "AB")


def test_the_holder_to_whom_it_matters_most_decides() -> None:
    wishes = Wishes()
    wishes.hold(A, "alice", 5)
    wishes.hold(A, "bob", 2, until=50)
    assert wishes.priority(A) == 2
    assert wishes.until(A) is None
    assert not wishes.release(A, "alice")
    assert wishes.until(A) == 50
    assert wishes.expire(49) == []
    assert wishes.expire(50) == [(A, "bob")]
    assert A not in wishes
    assert len(wishes) == 0


def test_they_survive_a_restart() -> None:
    wishes = Wishes()
    wishes.hold(A, "alice", 5)
    wishes.hold(A, "configuration")
    wishes.hold(B, "bob", 1, until=50)
    text = wishes.dumps({"configuration"})
    again = Wishes()
    assert again.loads(text, 49, lambda channel, key: Wanted("P", key, channel)) == 2
    assert again.holders(Wanted("P", "A", "T")) == ["alice"]
    late = Wishes()
    assert late.loads(text, 51, lambda channel, key: Wanted(channel, key, channel)) == 1
    assert len(late) == 1
    gone = Wishes()
    assert gone.loads(text, 0, lambda channel, key: None) == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"subscriptions":[{}]}'])
def test_a_damaged_file_is_one_error(text: str) -> None:
    with pytest.raises(ValueError, match="faults"):
        Wishes().loads(text, 0, lambda channel, key: None)
