"""Patience with a session."""

from __future__ import annotations

from bridge.subscriptions.watchdog import Watchdog


def test_nothing_is_expected_while_no_market_is_busy() -> None:
    assert Watchdog().limits(0, 10) == (120, None)


def test_more_subscriptions_less_patience() -> None:
    watchdog = Watchdog()
    assert watchdog.limits(1, None) == (120, 300)
    assert watchdog.limits(3, None) == (120, 100)
    assert watchdog.limits(40, None) == (120, 60)


def test_kis_own_pace_tells_how_long_silence_may_last() -> None:
    watchdog = Watchdog()
    assert watchdog.limits(5, 5)[0] == 25
    assert watchdog.limits(5, 10)[0] == 25
    assert watchdog.limits(5, 30)[0] == 75
    assert watchdog.limits(5, 60)[0] == 120


def test_each_reconnection_in_vain_doubles_the_patience_until_data_comes() -> None:
    watchdog = Watchdog()
    for expected in (60, 120, 240, 480, 960, 1800, 1800):
        assert watchdog.limits(40, None)[1] == expected
        watchdog.was_mute()
    watchdog.heard()
    assert watchdog.limits(40, None)[1] == 60


def dense(watchdog: Watchdog, start: int, seconds: int = 61, pause_s: float = 0.4) -> None:
    for second in range(start, start + seconds):
        watchdog.beat(second - pause_s, second)


def test_a_line_on_which_something_comes_every_moment_is_given_up_sooner() -> None:
    watchdog = Watchdog()
    dense(watchdog, 100, 59)
    assert watchdog.limits(5, 10)[0] == 25, "not yet known"
    dense(watchdog, 159)
    assert watchdog.limits(5, 5)[0] == 12
    assert watchdog.limits(5, 20)[0] == 23, "a trading halt leaves the PINGPONG"
    assert watchdog.limits(5, None)[0] == 25
    assert watchdog.limits(0, 5) == (120, None)
    for second in range(220, 240):  # while nothing comes the patience stays what it was
        watchdog.beat(218.6, second)
        assert watchdog.limits(5, 10)[0] == 13
    dense(watchdog, 240, 30)  # what was silent once may be so again
    assert watchdog.limits(5, 10)[0] == 25
    dense(watchdog, 270)
    assert watchdog.limits(5, 10)[0] == 13


def test_a_line_with_pauses_is_not_dense() -> None:
    watchdog = Watchdog()
    dense(watchdog, 100, 200, pause_s=1.6)
    assert watchdog.limits(5, 10)[0] == 25
