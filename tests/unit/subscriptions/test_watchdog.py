"""Patience with a session."""

from __future__ import annotations

from bridge.subscriptions.watchdog import Vigil


def test_nothing_is_expected_while_no_market_is_busy() -> None:
    assert Vigil().limits(0, 10) == (120, None)


def test_more_subscriptions_less_patience() -> None:
    vigil = Vigil()
    assert vigil.limits(1, None) == (120, 300)
    assert vigil.limits(3, None) == (120, 100)
    assert vigil.limits(40, None) == (120, 60)


def test_kis_own_pace_tells_how_long_silence_may_last() -> None:
    vigil = Vigil()
    assert vigil.limits(5, 10)[0] == 45
    assert vigil.limits(5, 30)[0] == 90
    assert vigil.limits(5, 60)[0] == 120


def test_each_reconnection_in_vain_doubles_the_patience_until_data_comes() -> None:
    vigil = Vigil()
    for expected in (60, 120, 240, 480, 960, 1800, 1800):
        assert vigil.limits(40, None)[1] == expected
        vigil.was_mute()
    vigil.heard()
    assert vigil.limits(40, None)[1] == 60
