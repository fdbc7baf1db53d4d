"""What an order must be to be taken (pure): the checks of broker and exchange, in KIS's order."""

from __future__ import annotations

from datetime import datetime

from bridge.simulator.exchange import securities, ticks
from bridge.simulator.exchange.kinds import OrderKind, of_venue
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.sessions import Timing
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest

__all__ = ["check", "check_credit", "check_terms"]

_MOST = 10**9
_SIDES = {
    **dict.fromkeys(("21", "23", "26", "28"), Side.BUY),
    **dict.fromkeys(("22", "24", "25", "27"), Side.SELL),
}
"""The side of each kind of credit order."""


def check(
    request: OrderRequest,
    market: Market,
    timing: Timing,
    now: datetime,
    *,
    pension: bool = False,
    change: bool = False,
) -> None:
    """Raise OrderRefused for what is not taken now; ``change``: an order that was taken before."""
    kind = of_venue(request.venue, request.kind)
    if kind is not None:
        _check_session(request, kind, timing, now)
    check_terms(request, market, kind)
    if not change:
        check_credit(request, now, pension=pension)


def check_terms(request: OrderRequest, market: Market, kind: OrderKind | None) -> OrderKind:
    """Check what is wrong with an order at any hour; return its kind."""
    if kind is None:
        raise OrderRefused("routing" if request.venue == "SOR" else "kind")
    if kind.slot == "after_market" and securities.is_fund(request.symbol):
        raise OrderRefused("kind")
    if not 0 < request.quantity < _MOST:
        raise OrderRefused("quantity")
    prices = [request.price] if kind.priced else []
    prices += [request.trigger] if kind.pricing == "stop" else []
    prices += [request.price] if kind.pricing == "middle" and request.price else []
    for price in prices:
        if not ticks.on_grid(price):
            raise OrderRefused("tick")
        if not market.lower <= price <= market.upper:
            raise OrderRefused("limit")
    return kind


def check_credit(request: OrderRequest, now: datetime, *, pension: bool) -> None:
    """Check what an order is paid with, and what a pension account may own."""
    if pension and (request.credit or not securities.for_pensions(request.symbol)):
        raise OrderRefused("pension")
    if not request.credit:
        return
    if _SIDES.get(request.credit) is not request.side:
        raise OrderRefused("credit_kind")
    if request.opens and request.lent_on != f"{now:%Y%m%d}":
        raise OrderRefused("loan_date")


def _check_session(request: OrderRequest, kind: OrderKind, timing: Timing, now: datetime) -> None:
    admission = timing.admission(request.venue, kind, now)
    if admission in ("before", "after", "holiday"):
        raise OrderRefused("session", admission)
    if admission == "kind":
        raise OrderRefused("kind" if request.venue == "KRX" else "limit_only")
