import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator.exchange import ticks


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        (1, 1),
        (1_999, 1),
        (2_000, 5),
        (4_995, 5),
        (5_000, 10),
        (19_990, 10),
        (20_000, 50),
        (49_950, 50),
        (50_000, 100),
        (199_900, 100),
        (200_000, 500),
        (499_500, 500),
        (500_000, 1_000),
    ],
)
def test_tick_table_of_2023(price: int, tick: int) -> None:
    assert ticks.tick(price) == tick


@pytest.mark.parametrize(
    ("base", "lower", "upper"),
    [
        (274_000, 192_000, 356_000),
        (71_900, 50_400, 93_400),
        (1_999, 1_400, 2_595),
        (10_000, 7_000, 13_000),
        (5_010, 3_510, 6_510),
    ],
)
def test_limits_are_thirty_percent_on_the_grid(base: int, lower: int, upper: int) -> None:
    assert ticks.limits(base) == (lower, upper)


@given(st.integers(1, 5_000_000))
def test_rounding_ends_on_the_grid(price: int) -> None:
    low, high = ticks.down(price), ticks.up(price)
    assert low <= price <= high
    assert ticks.on_grid(low)
    assert ticks.on_grid(high)
    assert high - low <= ticks.tick(price)


@given(st.integers(2_000, 5_000_000), st.integers(1, 30))
def test_steps_up_and_down_cancel_out(price: int, count: int) -> None:
    price = ticks.down(price)
    assert ticks.step(ticks.step(price, count), -count) == price


def test_steps_cross_the_bands() -> None:
    assert ticks.step(1_999, 1) == 2_000
    assert ticks.step(2_000, 1) == 2_005
    assert ticks.step(2_000, -1) == 1_999
    assert ticks.step(200_000, -1) == 199_900
