"""What answers tell of KIS's clock, on clocks that a test turns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kis.clock import FAR_US, SKEW_US, ClockBounds, KisClock, read_date

SECOND = 1_000_000
START = 1_795_395_600 * SECOND


def date(at: int) -> dict[str, str]:
    """Return the headers of an answer made when KIS's clock said ``at``."""
    return {"date": format_datetime(datetime.fromtimestamp(at // SECOND, UTC), usegmt=True)}


@dataclass
class Machine:
    """A machine whose clock is ``askew``, and KIS, whose clock is right."""

    askew: int = 0
    passed: int = 0
    trip: int = 20_000

    def __post_init__(self) -> None:
        self.clock = KisClock(lambda: START + self.passed + self.askew, lambda: self.passed)

    @property
    def truth(self) -> int:
        return START + self.passed

    def ask(self) -> None:
        sent = self.passed
        self.passed += self.trip // 2
        headers = date(self.truth)
        self.passed += self.trip - self.trip // 2
        self.clock.heard(headers, sent)


def test_as_long_as_no_answer_came_it_is_our_own_time() -> None:
    machine = Machine(askew=3_600 * SECOND)
    assert machine.clock.now() == machine.truth + 3_600 * SECOND
    assert machine.clock.offset is None
    assert machine.clock.difference == 0
    assert machine.clock.problem() == ""


def test_a_clock_that_is_right_is_left_alone() -> None:
    machine = Machine()
    for _ in range(500):
        machine.ask()
        machine.passed += 333_333
        assert machine.clock.now() == machine.truth
        assert machine.clock.difference == 0


@pytest.mark.parametrize("askew_s", [-900, -12, -3, 3, 12, 900, 86_400])
def test_a_clock_that_is_wrong_is_corrected_to_about_a_second(askew_s: int) -> None:
    machine = Machine(askew=askew_s * SECOND)
    machine.ask()
    assert abs(machine.clock.now() - machine.truth) <= 2 * SECOND + machine.trip
    offset = machine.clock.offset
    assert offset is not None
    assert abs(offset + askew_s * SECOND) <= SECOND
    assert abs(machine.clock.difference - abs(askew_s) * SECOND) <= SECOND + machine.trip
    assert bool(machine.clock.problem()) == (abs(askew_s) > 10)


def test_the_problem_names_the_side_and_the_mend() -> None:
    machine = Machine(askew=-900 * SECOND)
    machine.ask()
    assert machine.clock.problem().endswith("behind KIS's; synchronise it (NTP)")
    machine.askew = 900 * SECOND
    assert "ahead of KIS's" in machine.clock.problem()
    machine.askew = 0
    assert machine.clock.problem() == ""


def test_a_jump_of_a_day_and_back_moves_nothing() -> None:
    machine = Machine()
    machine.ask()
    for askew in (86_400 * SECOND, -86_400 * SECOND, 0):
        machine.askew = askew
        before = machine.clock.now()
        machine.passed += SECOND
        assert abs(machine.clock.now() - machine.truth) <= 2 * SECOND + machine.trip
        assert machine.clock.now() >= before
        assert (machine.clock.difference > FAR_US) == bool(askew)


def test_many_answers_narrow_the_bounds() -> None:
    machine = Machine()
    machine.ask()
    bounds = machine.clock.bounds
    assert bounds is not None
    once = bounds.uncertainty
    for _ in range(20):
        machine.passed += 730_000
        machine.ask()
    bounds = machine.clock.bounds
    assert bounds is not None
    assert bounds.uncertainty < once / 3


def test_a_slow_answer_says_little_and_takes_nothing_back() -> None:
    machine = Machine()
    machine.ask()
    machine.trip = 15 * SECOND
    machine.ask()
    bounds = machine.clock.bounds
    assert bounds is not None
    assert bounds.uncertainty < SECOND


def test_after_the_machine_stood_still_two_answers_are_believed() -> None:
    machine = Machine()
    machine.ask()
    machine.clock.steady = lambda: machine.passed - 60 * SECOND  # its own clocks stood, too
    assert abs(machine.clock.now() - machine.truth) > 50 * SECOND
    machine.clock.heard(date(machine.truth), machine.clock.steady())
    assert machine.clock.problem().startswith("KIS's answers are")
    machine.clock.heard(date(machine.truth), machine.clock.steady())
    assert abs(machine.clock.now() - machine.truth) <= 2 * SECOND
    assert machine.clock.problem() == ""


@pytest.mark.parametrize("wrong_s", [3_000, -3_000, 86_400])
def test_one_server_whose_clock_is_wrong_stops_orders_and_moves_no_time(wrong_s: int) -> None:
    machine = Machine()
    machine.ask()
    machine.clock.heard(date(machine.truth + wrong_s * SECOND), machine.passed)
    assert "apart in what time it is" in machine.clock.problem()
    assert machine.clock.now() == machine.truth
    machine.ask()
    assert machine.clock.problem() == ""
    assert machine.clock.now() == machine.truth


@pytest.mark.parametrize("askew_s", [0, 5, 900])
def test_time_never_goes_back_while_the_bounds_narrow(askew_s: int) -> None:
    machine = Machine(askew=askew_s * SECOND)
    machine.ask()
    before = machine.clock.now()
    for _ in range(200):
        machine.passed += 137_000
        machine.ask()
        assert machine.clock.now() >= before
        before = machine.clock.now()


def test_time_never_goes_back_when_the_wall_clock_is_set_a_little() -> None:
    machine = Machine()
    before = machine.clock.now()
    machine.askew = -3 * SECOND
    assert machine.clock.now() == before
    machine.passed += 4 * SECOND
    assert machine.clock.now() == machine.truth - 3 * SECOND


def test_a_wall_clock_that_was_far_ahead_before_kis_told_its_time_is_forgotten() -> None:
    machine = Machine(askew=3_600 * SECOND)
    machine.clock.now()
    machine.ask()
    assert abs(machine.clock.now() - machine.truth) <= 2 * SECOND + machine.trip
    alone = Machine(askew=3_600 * SECOND)
    alone.clock.now()
    alone.askew = 0
    assert alone.clock.now() == alone.truth


def test_when_the_clock_of_kis_goes_back_time_waits_and_says_so() -> None:
    machine = Machine()
    machine.ask()
    before = machine.clock.now()
    for _ in range(2):
        machine.clock.heard(date(machine.truth - 3_000 * SECOND), machine.passed)
    assert machine.clock.now() == before
    machine.askew = -3_000 * SECOND
    assert machine.clock.problem().startswith("KIS's clock has gone back by")


@given(
    askew=st.integers(-(10**12), 10**12),
    gaps=st.lists(st.integers(0, 10**9), min_size=1, max_size=20),
    trips=st.lists(st.integers(0, 20 * SECOND), min_size=1, max_size=20),
    ppm=st.integers(-400, 400),
)
def test_the_truth_is_always_within_the_bounds(
    askew: int, gaps: list[int], trips: list[int], ppm: int
) -> None:
    elapsed = 0

    def kis() -> int:
        return START + askew + elapsed + elapsed * ppm // 1_000_000

    clock = KisClock(lambda: START + elapsed, lambda: elapsed)
    for gap, trip in zip(gaps, trips, strict=False):
        elapsed += gap
        sent = elapsed
        elapsed += trip // 2
        headers = date(kis())
        elapsed += trip - trip // 2
        clock.heard(headers, sent)
        assert clock.bounds is not None
        assert clock.bounds.low - 1 <= kis() - elapsed <= clock.bounds.high + SECOND // 1000
        assert clock.difference <= abs(kis() - START - elapsed) + 1


def test_clocks_that_differ_by_less_than_the_limit_are_not_told_of() -> None:
    machine = Machine(askew=1_900_000)
    for _ in range(10):
        machine.passed += 770_000
        machine.ask()
    assert machine.clock.difference <= SKEW_US


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": ""},
        {"date": "soon"},
        {"date": "Mon, 23 Nov 1026 01:00:00 GMT"},
        {"date": "Mon, 23 Nov 9026 01:00:00 GMT"},
        {"date": "Mon, 99 Nov 2026 01:00:00 GMT"},
        {"date": "Mon, 23 Nov 2026 01:00:00 GMT", "age": "12"},
    ],
)
def test_what_tells_no_time_changes_nothing(headers: dict[str, str]) -> None:
    clock = KisClock(lambda: START, lambda: 0)
    clock.heard(headers, 0)
    assert clock.bounds is None


def test_a_date_without_a_zone_is_in_utc() -> None:
    known = read_date({"date": "Mon, 23 Nov 2026 01:00:00 GMT"})
    assert known == START
    assert read_date({"date": "Mon, 23 Nov 2026 01:00:00 -0000"}) == known


def test_bounds_widen_with_time() -> None:
    bounds = ClockBounds.of(START, 0, 1_000)
    later = bounds.aged(60 * SECOND)
    assert later.low < bounds.low
    assert later.high > bounds.high
    assert later.middle == bounds.middle
