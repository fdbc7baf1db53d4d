from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.orders.model.records import Control
from bridge.orders.risk.halts import Halts, Mode


def test_nobody_is_halted_at_first() -> None:
    halts = Halts()
    assert not halts
    assert halts.of("main", "alice") == ("", "")


@pytest.mark.parametrize(
    ("circle", "said"),
    [
        (("", ""), "trading is halted"),
        (("main", ""), "account main is halted"),
        (("", "alice"), "client alice is halted"),
        (("main", "alice"), "account main and client alice is halted"),
    ],
)
def test_a_halt_holds_for_whoever_is_in_its_circle(circle: tuple[str, str], said: str) -> None:
    halts = Halts()
    halts.say(*circle, "halted")
    assert halts.of("main", "alice") == ("halted", said)
    inside = {("", ""), ("main", ""), ("", "alice")}
    for account, client in (("main", "bob"), ("other", "alice"), ("other", "bob")):
        narrower = circle in inside and circle[0] in ("", account) and circle[1] in ("", client)
        assert bool(halts.of(account, client)[0]) is narrower


def test_a_milder_halt_that_comes_later_does_not_weaken_one() -> None:
    halts = Halts()
    halts.say("", "", "halted")
    assert halts.say("", "", "reduce_only") == "halted"
    assert halts.of("main", "alice")[0] == "halted"


def test_a_severer_halt_that_comes_later_counts() -> None:
    halts = Halts()
    halts.say("main", "", "reduce_only")
    assert halts.say("main", "", "halted") == "halted"
    assert halts.of("main", "alice")[0] == "halted"


def test_only_a_resumption_of_the_same_circle_lets_go() -> None:
    halts = Halts()
    halts.say("main", "", "halted")
    halts.say("", "", "")
    assert halts.of("main", "alice")[0] == "halted"
    assert halts.say("main", "", "") == ""
    assert not halts


def test_after_a_resumption_a_milder_halt_holds() -> None:
    halts = Halts()
    halts.say("", "", "halted")
    halts.say("", "", "")
    assert halts.say("", "", "reduce_only") == "reduce_only"


def test_a_word_of_a_later_bridge_halts() -> None:
    halts = Halts()
    halts.take(Control(1, "", "", "something_new", ""))
    assert halts.of("main", "alice")[0] == "halted"


def test_who_is_halted_is_listed() -> None:
    halts = Halts()
    halts.say("main", "", "reduce_only")
    halts.say("", "alice", "halted")
    assert halts.listing() == [
        {"account": None, "client": "alice", "mode": "halted"},
        {"account": "main", "client": None, "mode": "reduce_only"},
    ]


MODES: st.SearchStrategy[Mode] = st.sampled_from(["halted", "reduce_only"])


@given(st.lists(MODES, min_size=1))
def test_the_severest_word_since_the_resumption_holds(said: list[Mode]) -> None:
    halts = Halts()
    for mode in said:
        halts.say("main", "alice", mode)
    holds = "halted" if "halted" in said else "reduce_only"
    assert halts.of("main", "alice")[0] == holds
