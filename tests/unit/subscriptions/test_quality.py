"""Quality: what follows from what is known of a subscription."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from bridge.subscriptions.quality import Grade, Quality, Situation, grade

GOOD = Situation(
    open=True, app="app1", connected=True, confirmed=True, recorded=True, silent_s=1, limit_s=5
)


def test_what_comes_as_it_should_is_live() -> None:
    assert grade(GOOD) == Grade(Quality.LIVE, "", "session:app1")


def test_a_sleepy_symbol_is_live_before_its_first_record_and_says_so() -> None:
    for limit_s in (600, None):
        found = grade(replace(GOOD, recorded=False, limit_s=limit_s))
        assert (found.quality, found.reason) == (Quality.LIVE, "no record yet")


@pytest.mark.parametrize(
    ("change", "quality", "reason"),
    [
        ({"refusal": "OPSP8992"}, "refused", "KIS refuses it: OPSP8992, unknown key"),
        ({"refusal": "X"}, "refused", "KIS refuses it: X"),
        ({"open": False}, "closed", "its market is closed"),
        ({"app": ""}, "stale", "it waits for a slot"),
        ({"connected": False}, "stale", "session app1 is away"),
        ({"confirmed": False}, "stale", "KIS has not confirmed it yet"),
        ({"trouble": "the bridge stood still"}, "stale", "the bridge stood still"),
        ({"recorded": False}, "stale", "no record since it was confirmed"),
        ({"silent_s": 5.1}, "stale", "nothing came for longer than its pace allows"),
        ({"silent_s": 5.1, "limit_s": None}, "live", ""),
        ({"connected": False, "polled": True}, "backup", "session app1 is away"),
        ({"app": "", "polled": True}, "backup", "it waits for a slot"),
        ({"open": False, "connected": False}, "closed", "its market is closed"),
        ({"open": False, "polled": True}, "closed", "its market is closed"),
        ({"rotating": True}, "rotating", "shares a slot by turns"),
        ({"rotating": True, "app": ""}, "rotating", "shares a slot by turns"),
        ({"rotating": True, "app": "", "connected": False}, "stale", "it waits for a slot"),
        ({"rotating": True, "connected": False}, "stale", "session app1 is away"),
    ],
)
def test_each_fault_has_its_quality_and_its_reason(
    change: dict[str, object], quality: str, reason: str
) -> None:
    found = grade(replace(GOOD, **change))  # type: ignore[arg-type]
    assert (found.quality, found.reason) == (quality, reason)


def test_nothing_is_live_or_takes_turns_while_nothing_can_arrive() -> None:
    flags = (False, True)
    for is_open, connected, confirmed, silent, troubled, refused, polled, turns in product(
        *[flags] * 8
    ):
        now = Situation(
            open=is_open,
            refusal="OPSP0009" if refused else "",
            app="app1",
            connected=connected,
            confirmed=confirmed,
            trouble="mute" if troubled else "",
            silent_s=10 if silent else 1,
            limit_s=5,
            polled=polled,
            rotating=turns,
        )
        found = grade(now).quality
        sound = is_open and connected and not (refused or troubled)
        if found is Quality.LIVE:
            assert sound
            assert confirmed
            assert not silent
        if found is Quality.ROTATING:
            assert sound
        if found is Quality.BACKUP:
            assert polled
