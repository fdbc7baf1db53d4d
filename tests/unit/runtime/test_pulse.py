"""A pulse on clocks that a test turns."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.runtime.pulse import BEAT_S, STILL_US, Pulse

BEAT_US = int(BEAT_S * 1_000_000)


@dataclass
class Clock:
    at: int = 0

    def __call__(self) -> int:
        return self.at


def test_beats_in_time_are_no_stop() -> None:
    clock = Clock()
    pulse = Pulse([clock])
    for _ in range(1_000):
        clock.at += BEAT_US
        pulse.beat()
        clock.at += STILL_US - BEAT_US
        assert pulse.feel() == 0
    assert pulse.still == 0


def test_a_stop_is_felt_before_the_beat_that_is_overdue() -> None:
    clock = Clock()
    pulse = Pulse([clock])
    clock.at += STILL_US + 1
    assert pulse.feel() == 1
    assert pulse.still == STILL_US + 1


def test_a_stop_counts_once_whoever_feels_it() -> None:
    clock = Clock()
    pulse = Pulse([clock])
    clock.at += 10 * STILL_US
    assert [pulse.feel(), pulse.feel()] == [1, 1]
    pulse.beat()
    clock.at += BEAT_US
    assert pulse.feel() == 1
    clock.at += 10 * STILL_US
    pulse.beat()
    assert pulse.stops == 2


def test_any_of_the_clocks_tells() -> None:
    # A steady clock that stands still with the machine, beside a wall clock that is set afterwards.
    steady, wall = Clock(), Clock()
    pulse = Pulse([steady, wall])
    wall.at += 3_600_000_000
    assert pulse.feel() == 1


def test_what_was_before_the_start_does_not_count() -> None:
    clock = Clock()
    pulse = Pulse([clock])
    clock.at += 10 * STILL_US
    pulse.start()
    assert pulse.feel() == 0
