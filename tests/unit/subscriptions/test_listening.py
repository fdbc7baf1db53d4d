from __future__ import annotations

from bridge.catalog.compile import load
from bridge.kis.session import Lost, Subscribed
from bridge.subscriptions.listening import Listening

NOTICES, TRADES = "H0STCNI0", "H0STCNT0"


def test_who_hears_of_fills_alone_does_not_hear_of_orders() -> None:
    listening = Listening(load(), lambda app: 150, lambda: 100)
    assert listening.happened("a", Subscribed("HDFFF2C0", "user"))
    assert listening.span("a", "overseas_derivative") is None
    assert listening.happened("a", Subscribed("HDFFF1C0", "user"))
    assert listening.span("a", "overseas_derivative") == (100, 150)


def test_notices_are_heard_from_their_subscription_until_the_session_is_lost() -> None:
    now, heard = 100, 150
    listening = Listening(load(), lambda app: heard, lambda: now)
    assert listening.span("a", "domestic_stock") is None
    assert listening.happened("a", Subscribed(NOTICES, "user"))
    assert listening.span("a", "domestic_stock") == (100, 150)
    assert listening.span("a", "overseas_stock") is None
    assert listening.span("b", "domestic_stock") is None
    assert not listening.happened("a", Subscribed(TRADES, "005930"))
    assert not listening.happened("b", Lost("closed", 1.0))
    assert listening.span("a", "domestic_stock") == (100, 150)
    assert not listening.happened("a", Lost("closed", 1.0))
    assert listening.span("a", "domestic_stock") is None
    now = 200
    listening.happened("a", Subscribed(NOTICES, "user"))
    assert listening.span("a", "domestic_stock") == (200, 150)
