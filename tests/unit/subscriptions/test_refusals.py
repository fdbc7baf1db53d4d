"""When KIS is asked again for what it has refused."""

from __future__ import annotations

from bridge.subscriptions.refusals import Refusals
from bridge.subscriptions.request import Wanted

NAME = ("T", "A")
WISH = Wanted("T", "A", "T")


def test_it_is_due_after_a_pause_that_grows() -> None:
    refusals = Refusals()
    refusals.add(NAME, "timeout", 0.0, WISH)
    assert refusals.waits(NAME)
    assert refusals.due(29.0) == []
    assert refusals.due(30.0) == [(NAME, WISH)]
    assert refusals.due(31.0) == []
    assert not refusals.waits(NAME)
    refusals.add(NAME, "timeout", 31.0, WISH)
    assert refusals.due(90.0) == []
    assert refusals.due(91.0) == [(NAME, WISH)]


def test_who_asks_again_need_not_wait_but_not_all_the_time() -> None:
    refusals = Refusals()
    refusals.add(NAME, "OPSP8992", 0.0, WISH)
    refusals.hurry(NAME, 1.0)
    assert not refusals.waits(NAME)
    refusals.add(NAME, "OPSP8992", 2.0, WISH)
    refusals.hurry(NAME, 3.0)
    assert refusals.waits(NAME)
    refusals.hurry(NAME, 31.0)
    assert not refusals.waits(NAME)


def test_a_key_that_kis_does_not_know_is_not_asked_for_for_ever() -> None:
    refusals, now, tries = Refusals(), 0.0, 0
    while not refusals.add(NAME, "OPSP8992", now, WISH).final:
        now, tries = now + 3600, tries + 1
        assert refusals.due(now) == [(NAME, WISH)]
    assert tries == 3
    assert refusals.dead() == [WISH]
    refusals.forget(NAME)
    assert refusals.get(NAME) is None
    assert refusals.due(now + 3600) == []


def test_what_one_connection_did_not_answer_is_asked_on_the_next_one() -> None:
    refusals = Refusals()
    refusals.add(("T", "a"), "timeout", 0.0)
    refusals.add(("T", "b"), "OPSP0009", 0.0)
    refusals.lapse("timeout", 5.0)
    assert [name for name, _ in refusals.due(5.0)] == [("T", "a")]
    assert refusals.due(30.0) == [], "and not a second time"
