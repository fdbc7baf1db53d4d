"""Pace: how long a topic may be silent, learned from the topic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.subscriptions.pace import Pace, PaceBounds

QUOTE, TRADE = PaceBounds(5, 120), PaceBounds(10, 600)


def paced(pause_s: float, watched_s: float) -> Pace:
    pace = Pace()
    for _ in range(int(watched_s / pause_s)):
        pace.heard(pause_s)
    return pace


def test_at_first_only_the_upper_bound_is_known() -> None:
    assert Pace().limit(QUOTE) == 120


def test_a_lively_quote_is_missed_after_seconds() -> None:
    assert paced(0.2, 600).limit(QUOTE) == 5


def test_a_sleepy_trade_is_not() -> None:
    assert paced(90, 1800).limit(TRADE) == pytest.approx(270)


def test_a_minute_of_liveliness_is_not_trusted_wholly() -> None:
    assert paced(1, 60).limit(TRADE) == pytest.approx(300)


def test_one_long_pause_is_remembered_and_slowly_forgotten() -> None:
    pace = paced(1, 1200)
    pace.heard(60)
    assert pace.limit(TRADE) == 180
    for _ in range(1800):
        pace.heard(1)
    assert pace.limit(TRADE) == pytest.approx(90, rel=0.01)


def test_another_session_of_the_market_is_learned_anew() -> None:
    pace = paced(1, 3600)
    pace.forget()
    assert pace.limit(TRADE) == 600


def test_silence_of_what_comes_when_something_happens_says_nothing() -> None:
    assert paced(1, 3600).limit(PaceBounds(0, 0)) is None


@given(st.lists(st.floats(-1e9, 1e12)), st.integers(0, 900), st.integers(1, 86_400))
def test_whatever_comes_the_limit_is_within_its_bounds(
    pauses: list[float], least: int, more: int
) -> None:
    pace = Pace()
    for pause in pauses:
        pace.heard(pause)
    limit = pace.limit(PaceBounds(least, least + more))
    assert limit is not None
    assert least <= limit <= least + more
