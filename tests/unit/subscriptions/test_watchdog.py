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
    assert watchdog.limits(5, 10)[0] == 45
    assert watchdog.limits(5, 30)[0] == 90
    assert watchdog.limits(5, 60)[0] == 120


def test_each_reconnection_in_vain_doubles_the_patience_until_data_comes() -> None:
    watchdog = Watchdog()
    for expected in (60, 120, 240, 480, 960, 1800, 1800):
        assert watchdog.limits(40, None)[1] == expected
        watchdog.was_mute()
    watchdog.heard()
    assert watchdog.limits(40, None)[1] == 60
