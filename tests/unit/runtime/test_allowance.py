"""So many times at once, and then once in so long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.allowance import Allowance


def test_a_burst_and_then_one_at_a_time() -> None:
    allowance = Allowance(3, 10.0)
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert allowance.wait(104.0) == 6.0
    assert [allowance.take(110.0) for _ in range(2)] == [True, False]
    assert [allowance.take(1_000.0) for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.floats(0, 30), max_size=60))
def test_never_more_than_the_burst_and_what_came_back_since(pauses: list[float]) -> None:
    allowance, now, taken = Allowance(4, 10.0), 0.0, [0.0] * 0
    for pause in pauses:
        now += pause
        waits = allowance.wait(now)
        assert allowance.take(now) == (waits == 0.0)
        if waits == 0.0:
            taken.append(now)
        else:
            assert allowance.wait(now + waits) == 0.0
    for i, first in enumerate(taken):
        for j, last in enumerate(taken[i:], 1):
            assert j <= 4 + (last - first) / 10.0 + 1e-6
