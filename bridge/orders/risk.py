"""What an order must pass before the journal says that it is being sent; pure.

Fails closed: a limit that needs a price refuses while none is known. Cancellations pass the locks
(who may trade where) and no limit, also while trading is halted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

__all__ = ["Context", "Ledger", "Limits", "Refusal", "Request", "Scope", "added", "check"]

_MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """None does not limit."""

    quantity: int | None = None
    notional: Decimal | None = None
    daily_notional: Decimal | None = None
    per_minute: int | None = None
    price_band: Decimal | None = None
    """Largest distance from the last price, as a fraction of it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: ``reason`` is one of the contract's, ``message`` is for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is about to be sent.

    ``quantity`` is what could trade because of it; ``already`` is the part of its notional that
    the day's sum holds already (a modification).
    """

    verb: Literal["place", "modify", "cancel"]
    symbol: str = ""
    quantity: int = 0
    price: Decimal | None = None
    """None: a market type."""
    already: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Scope:
    """Limits, who they are for, and what has been used of them."""

    name: str
    """``account main``, ``client alice``."""
    limits: Limits
    day: Decimal = Decimal(0)
    """Notional sent today."""
    minute: int = 0
    """Orders sent in the last 60 seconds."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known when the order is about to be sent."""

    account_known: bool
    permitted: bool
    orders_allowed: bool
    """False in the real environment without ``orders.allow_real``."""
    halted: bool
    reference_price: Decimal | None
    """The last trade's."""
    scopes: tuple[Scope, ...] = ()


class Ledger:
    """What one account or client has sent: today's notional, the last minute's orders.

    Times are µs since the epoch; ``day`` is whatever tells one trading day from another.
    """

    def __init__(self) -> None:
        self._day: object = None
        self._notional = Decimal(0)
        self._times: deque[int] = deque()

    def add(self, at: int, day: object, notional: Decimal) -> None:
        """Count an order that is about to be sent."""
        self._roll(day)
        self._notional += notional
        self._times.append(at)

    def release(self, day: object, notional: Decimal) -> None:
        """Take back what turned out not to be at the exchange."""
        if day == self._day:
            self._notional -= notional

    def scope(self, name: str, limits: Limits, at: int, day: object) -> Scope:
        self._roll(day)
        while self._times and self._times[0] <= at - _MINUTE:
            self._times.popleft()
        return Scope(name, limits, self._notional, len(self._times))

    def _roll(self, day: object) -> None:
        if day != self._day:
            self._day, self._notional = day, Decimal(0)


def added(request: Request, reference_price: Decimal | None) -> Decimal:
    """Return what the request adds to the day's notional, as far as its price is known."""
    worth = _worth(request, reference_price)
    return Decimal(0) if worth is None else max(Decimal(0), worth - request.already)


def check(request: Request, context: Context) -> Refusal | None:
    """Return why the order must not go out, or None."""
    if not context.account_known:
        return Refusal("unknown_account", "the configuration has no such account")
    if not context.permitted:
        return Refusal("not_permitted", "this client may not trade this account")
    if not context.orders_allowed:
        return Refusal("real_orders_disabled", "set orders.allow_real = true to trade for real")
    if request.verb == "cancel":
        return None
    if context.halted:
        return Refusal("halted", "trading is halted; cancellations pass")
    for scope in context.scopes:
        refusal = _limit(request, scope, context.reference_price)
        if refusal is not None:
            return refusal
    return None


def _limit(request: Request, scope: Scope, reference: Decimal | None) -> Refusal | None:
    limits = scope.limits
    if limits.per_minute is not None and scope.minute >= limits.per_minute:
        return Refusal("risk_rate", f"{scope.name}: {limits.per_minute} orders a minute are sent")
    if limits.quantity is not None and request.quantity > limits.quantity:
        return Refusal(
            "risk_quantity", f"{scope.name}: {request.quantity} is above {limits.quantity}"
        )
    if limits.notional is not None or limits.daily_notional is not None:
        worth = _worth(request, reference)
        for reason, limit, used in (
            ("risk_notional", limits.notional, Decimal(0)),
            ("risk_daily", limits.daily_notional, scope.day - request.already),
        ):
            if limit is None:
                continue
            if worth is None:
                text = f"{scope.name}: no reference price for {request.symbol} yet"
                return Refusal(reason, text)
            if used + worth > limit:
                return Refusal(reason, f"{scope.name}: {used + worth:f} is above {limit:f}")
    if limits.price_band is not None and request.price is not None:
        if reference is None:
            text = f"{scope.name}: no reference price for {request.symbol} yet"
            return Refusal("risk_price_band", text)
        if abs(request.price - reference) > limits.price_band * reference:
            text = f"{scope.name}: {request.price:f} is further than {limits.price_band:%}"
            return Refusal("risk_price_band", f"{text} from {reference:f}")
    return None


def _worth(request: Request, reference: Decimal | None) -> Decimal | None:
    """Return None for a market type without any known price."""
    price = request.price if request.price is not None else reference
    return None if price is None else price * request.quantity
