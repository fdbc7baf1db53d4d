"""What an order must pass before the journal says that it is being sent; pure.

Fails closed: a rule that needs to know something refuses while it is not known. Cancellations pass
the locks (who may trade where) and no limit, also while trading is halted.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from bridge.orders.risk.limits import Context, Limits, Reference, Refusal, RiskRequest, Scope

__all__ = ["added", "check", "needs_reference"]

_STRANGER = (
    "this client may not trade this account: name it under [orders.clients.NAME] accounts in the "
    "bridge's configuration"
)


_NO_CREDIT = {
    "paper": Refusal("unsupported", "credit_type: KIS's paper accounts have no credit orders"),
    "client": Refusal(
        "not_permitted",
        "this client may not trade on credit: set credit = true under [orders.clients.NAME] in the "
        "bridge's configuration",
    ),
}


def needs_reference(request: RiskRequest, limits: Limits) -> bool:
    """Tell whether a limit can only be checked with what is known of the symbol."""
    money = limits.notional is not None or limits.daily_notional is not None
    at_market = request.price is None or request.becomes_market
    if money and (at_market or request.contract):
        return True
    if request.price is None:
        return False
    return limits.price_band is not None or limits.price_limits or limits.tick_size


def added(request: RiskRequest, reference: Reference) -> Decimal:
    """Return what the request adds to the day's notional, as far as its price is known."""
    worth = _worth(request, reference)
    return Decimal(0) if worth is None else max(Decimal(0), worth - _already(request, reference))


def check(request: RiskRequest, context: Context) -> Refusal | None:
    """Return why the order must not go out, or None."""
    return next(_refusals(request, context), None)


def _refusals(request: RiskRequest, context: Context) -> Iterator[Refusal]:
    if not context.account_known:
        yield Refusal("unknown_account", "the configuration has no such account")
    if not context.permitted:
        yield Refusal("not_permitted", _STRANGER)
    if not context.orders_allowed:
        yield Refusal("real_orders_disabled", "set orders.allow_real = true to trade for real")
    if context.not_owner:
        yield Refusal("not_owner", context.not_owner)
    # A cancellation takes risk away, so that neither a halt nor a limit may stop it.
    if request.verb == "cancel":
        return
    if context.credit:
        yield _NO_CREDIT[context.credit]
    if context.clock:
        yield Refusal("clock", context.clock)
    if context.unavailable:
        yield Refusal("journal_unavailable", f"{context.unavailable}; cancellations pass")
    if context.halt == "halted":
        yield Refusal("halted", f"{context.halted_by}; cancellations pass")
    if context.halt == "reduce_only" and not _reduces(request, context):
        yield Refusal("halted", f"{context.halted_by}: {request.quantity} would not only reduce")
    if context.fenced:
        text = f"what became of {context.fenced} on {request.symbol} is not known yet"
        yield Refusal("symbol_fenced", text)
    if context.closed:
        yield Refusal("market_closed", context.closed)
    for scope in context.scopes:
        yield from _limit(request, scope, context.reference)
        if scope.limits.check_funds:
            yield from _funds(request, scope, context)


def _reduces(request: RiskRequest, context: Context) -> bool:
    return context.reducible is not None and request.quantity <= context.reducible


def _limit(request: RiskRequest, scope: Scope, reference: Reference) -> Iterator[Refusal]:
    limits, name, symbol = scope.limits, scope.name, request.symbol
    if limits.symbols is not None and symbol not in limits.symbols:
        yield Refusal("risk_symbol", f"{name}: {symbol} is not in symbols")
    if symbol in limits.denied_symbols:
        yield Refusal("risk_symbol", f"{name}: {symbol} is in denied_symbols")
    if limits.per_minute is not None and scope.minute >= limits.per_minute:
        yield Refusal("risk_rate", f"{name}: {limits.per_minute} orders a minute are sent")
    places = request.verb == "place"
    if limits.open_orders is not None and places and scope.working >= limits.open_orders:
        yield Refusal("risk_open_orders", f"{name}: {scope.working} orders are open")
    if limits.quantity is not None and request.quantity > limits.quantity:
        yield Refusal("risk_quantity", f"{name}: {request.quantity} is above {limits.quantity}")
    yield from _money(request, scope, reference)
    if request.price is not None:
        yield from _price(request, request.price, scope, reference)


def _money(request: RiskRequest, scope: Scope, reference: Reference) -> Iterator[Refusal]:
    worth = _worth(request, reference)
    for reason, limit, used in (
        ("risk_notional", scope.limits.notional, Decimal(0)),
        ("risk_daily", scope.limits.daily_notional, scope.day - _already(request, reference)),
    ):
        if limit is None:
            continue
        if _unit(request, reference) is None:
            text = f"what {request.symbol} is worth in won is not known: see orders.rates"
            yield Refusal(reason, f"{scope.name}: {text}")
        elif worth is None:
            yield Refusal(reason, f"{scope.name}: no reference price for {request.symbol} yet")
        elif used + worth > limit:
            yield Refusal(reason, f"{scope.name}: {used + worth:f} is above {limit:f}")


def _price(
    request: RiskRequest, price: Decimal, scope: Scope, reference: Reference
) -> Iterator[Refusal]:
    limits, symbol = scope.limits, request.symbol
    band, last = limits.price_band, reference.last
    if band is not None and last is None:
        text = f"{scope.name}: no reference price for {symbol} yet"
        yield Refusal("risk_price_band", text)
    elif band is not None and last is not None and abs(price - last) > band * last:
        text = f"{scope.name}: {price:f} is further than {band:%} from {last:f}"
        yield Refusal("risk_price_band", text)
    lower, upper = reference.lower, reference.upper
    if limits.price_limits and (lower is None or upper is None):
        text = f"{scope.name}: the day's price limits of {symbol} are not known"
        yield Refusal("risk_price_band", text)
    elif limits.price_limits and not (lower or price) <= price <= (upper or price):
        text = f"{scope.name}: {price:f} is outside of {lower:f} to {upper:f}"
        yield Refusal("risk_price_band", text)
    if limits.tick_size and reference.tick is None:
        yield Refusal("risk_tick", f"{scope.name}: the tick of {symbol} is not known")
    elif limits.tick_size and reference.tick is not None and price % reference.tick:
        yield Refusal("risk_tick", f"{scope.name}: {price:f} is no multiple of {reference.tick:f}")


def _funds(request: RiskRequest, scope: Scope, context: Context) -> Iterator[Refusal]:
    orderable = context.orderable
    if orderable is None:
        text = f"{scope.name}: KIS did not say what {request.symbol} can be ordered"
        yield Refusal("risk_funds", text)
    elif request.quantity > orderable and not _covered(request, orderable, context.reference):
        yield Refusal("risk_funds", f"{scope.name}: {request.quantity} is above {orderable}")


def _covered(request: RiskRequest, orderable: int, reference: Reference) -> bool:
    """Tell whether a modification is covered: what its order holds is not orderable any more."""
    if request.verb != "modify":
        return False
    if request.side == "sell":
        return True
    unit = _unit(request, reference)
    if request.price is None or unit is None:
        return False
    one = request.price * unit
    return one * request.quantity - _already(request, reference) <= one * orderable


def _already(request: RiskRequest, reference: Reference) -> Decimal:
    """Return the part of a modification's worth that the day's sum holds."""
    unit = _unit(request, reference)
    if request.replaces is None or unit is None:
        return Decimal(0)
    return _most(request, request.replaces, reference) * request.quantity * unit


def _worth(request: RiskRequest, reference: Reference) -> Decimal | None:
    """Return the most it can be worth in won; None: not known."""
    # At the market an order may trade at the day's worst price, and that is what it counts with.
    price, worst = request.price, reference.worst
    if price is None or request.becomes_market:
        price = None if worst is None else max(worst, price or worst)
    else:
        price = _most(request, price, reference)
    unit = _unit(request, reference)
    if price is None or unit is None:
        return None
    return price * request.quantity * unit


def _unit(request: RiskRequest, reference: Reference) -> Decimal | None:
    return reference.unit if request.contract else request.unit


def _most(request: RiskRequest, price: Decimal, reference: Reference) -> Decimal:
    """Return what it may trade at: a sale at the market, when its limit is below that.

    A contract counts with what it is worth now, on either side: what is owed is the whole of it.
    """
    grows = request.side == "sell" or request.contract
    return max(price, reference.last or price) if grows else price
