"""When a lost session comes back: at once after a life with data, and never in a storm."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kis.reconnection import Reconnection
from bridge.kis.stream import LONGEST_QUIET_S, RETRY

MOST_A_MINUTE = 14
CONNECTING_S = 0.3
"""What it takes from the first packet until data comes."""


class Feed:
    """A session in virtual time."""

    def __init__(self, seed: int = 1) -> None:
        self.now = 1_000.0
        self.connections: list[float] = []
        self.live_s = 0.0
        self._pauses = Reconnection(RETRY, LONGEST_QUIET_S, random.Random(seed).uniform)  # noqa: S311

    def life(self, seconds: float, *, data: bool, quiet_s: float = 0.0) -> float:
        """Connect, live for so long, be lost, and wait; return how long it waited."""
        self._pauses.connects(self.now)
        self.connections.append(self.now)
        self.now += CONNECTING_S + seconds
        self.live_s += seconds if data else 0.0
        lived = CONNECTING_S + seconds
        pause = self._pauses.pause(self.now, quiet_s=quiet_s, lived_s=lived, brought_data=data)
        self.now += pause
        return pause

    def available(self) -> float:
        """Return the part of the time in which there was data."""
        return self.live_s / (self.now - 1_000.0)

    def most_a_minute(self) -> int:
        """Return the most connections that were made within any minute."""
        return max(sum(t <= at < t + 60 for at in self.connections) for t in self.connections)


@pytest.mark.parametrize("every_s", [8, 10, 15, 30, 60])
def test_a_feed_that_kis_closes_again_and_again_is_there_nine_tenths_of_the_time(
    every_s: float,
) -> None:
    feed = Feed()
    for _ in range(200):
        assert feed.life(every_s, data=True) <= 0.5
    assert feed.available() >= 0.9
    assert feed.most_a_minute() <= MOST_A_MINUTE


def test_lives_too_short_to_be_one_do_not_become_a_storm() -> None:
    feed = Feed()
    for _ in range(200):
        feed.life(1.0, data=True)
    assert feed.most_a_minute() <= 8
    rare = Feed()
    pauses = [rare.life(6.0, data=True) for _ in range(200)]
    assert max(pauses) <= 3
    assert rare.most_a_minute() <= MOST_A_MINUTE


def test_a_life_without_data_is_a_failure_unless_it_was_long() -> None:
    feed = Feed()
    pauses = [feed.life(10.0, data=False) for _ in range(8)]
    assert pauses[-1] >= 15
    assert feed.life(31.0, data=False) <= 0.5


def test_a_key_in_use_is_left_alone_for_as_long_as_kis_wants_and_little_longer() -> None:
    feed = Feed()
    feed.life(600.0, data=True)  # cut off, so that KIS still counts it as connected
    for quiet in (20, 30, 45, 67.5, 101.25, 120, 120):
        assert quiet <= feed.life(0.0, data=False, quiet_s=20.0) <= quiet * 1.05
    feed.life(10.0, data=True)
    assert feed.life(0.0, data=False, quiet_s=20.0) <= 21


def losses() -> Iterator[st.SearchStrategy[tuple[float, bool, float]]]:
    yield st.tuples(st.floats(0, 70), st.booleans(), st.just(0.0))
    yield st.tuples(st.floats(5, 11), st.just(True), st.just(0.0))
    yield st.tuples(st.floats(0, 1), st.just(False), st.sampled_from([20.0, 30.0]))


@given(st.lists(st.one_of(*losses()), min_size=1, max_size=60), st.integers(0, 9))
def test_no_sequence_of_losses_makes_a_storm(
    lives: list[tuple[float, bool, float]], seed: int
) -> None:
    feed = Feed(seed)
    for seconds, data, quiet_s in lives:
        pause = feed.life(seconds, data=data, quiet_s=quiet_s)
        assert 0.25 <= pause <= 126
        assert pause >= quiet_s
    assert feed.most_a_minute() <= MOST_A_MINUTE
