"""What it costs to trade and to hold a symbol that has no order book (pure data)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.derivatives.overseas import overseas_contract
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.tickets import OffBookMarket

__all__ = ["CURRENCIES", "TradingTerms", "terms"]

_ZERO = Decimal(0)

CURRENCIES = {
    **dict.fromkeys(("NASD", "NYSE", "AMEX"), "USD"),
    "SEHK": "HKD",
    **dict.fromkeys(("SHAA", "SZAA"), "CNY"),
    "TKSE": "JPY",
    **dict.fromkeys(("HASE", "VNSE"), "VND"),
}
"""What the stocks of an exchange are paid in."""

_UNITS = {"KRW": Decimal(1), "JPY": Decimal(1), "VND": Decimal(1)}


@dataclass(frozen=True, slots=True)
class TradingTerms:
    """How a symbol is paid for; a stock in full, a future by its margin, an option by both."""

    currency: str
    point: Decimal = Decimal(1)
    """What 1 of the price of 1 of the quantity is worth, in that currency."""
    paid: bool = True
    """Paid in full when it trades; otherwise only gains and losses are, when it is closed."""
    daily: bool = False
    """Gains and losses of what is not paid in full are settled each day, not only at its end."""
    margin: Decimal = _ZERO
    """Part of the worth of a position that ties up money; where it is paid, of a short one.

    0: there are no short positions.
    """
    margin_each: Decimal = _ZERO
    """Money besides that each contract ties up."""
    fee: Decimal = _ZERO
    """Part of the amount of an execution."""
    fee_each: Decimal = _ZERO
    """Of each contract."""
    sale_tax: Decimal = _ZERO
    """Part of the amount of a sale."""

    @property
    def shorts(self) -> bool:
        return not self.paid or self.margin > 0

    def amount(self, quantity: int, price: Decimal) -> Decimal:
        """Return what so much is worth at a price; in won, which has no smaller coin, whole."""
        worth = quantity * price * self.point
        return self.rounded(worth) if self.currency == "KRW" else worth

    def tied(self, quantity: int, price: Decimal) -> Decimal:
        """Return the money that an open position ties up."""
        return self.rounded(self.amount(quantity, price) * self.margin) + quantity * (
            self.margin_each
        )

    def fees(self, quantity: int, price: Decimal) -> Decimal:
        """Return what the broker takes of an execution."""
        return self.rounded(self.amount(quantity, price) * self.fee + quantity * self.fee_each)

    def tax(self, side: Side, quantity: int, price: Decimal) -> Decimal:
        """Return what the state takes of an execution."""
        if side is Side.BUY:
            return _ZERO
        return self.rounded(self.amount(quantity, price) * self.sale_tax)

    def part(self, cost: Decimal, quantity: int, held: int) -> Decimal:
        """Return what a part of what is held was bought for; all of it to the last coin."""
        if quantity == held:
            return cost
        share = cost * quantity / held
        return self.rounded(share) if self.currency == "KRW" else share

    def rounded(self, money: Decimal) -> Decimal:
        """Return an amount in the smallest unit of its currency."""
        return money.quantize(_UNITS.get(self.currency, Decimal("0.01")), ROUND_HALF_UP)


_ANY_DAY = date(2026, 1, 2)
"""Product and strike of a symbol are the same on each."""
_OVERSEAS = Decimal("0.0025")
_SALE_TAX = {
    "USD": Decimal("0.0000206"),
    "HKD": Decimal("0.001"),
    "CNY": Decimal("0.0005"),
    "VND": Decimal("0.001"),
}
_STOCKS = {
    exchange: TradingTerms(currency, fee=_OVERSEAS, sale_tax=_SALE_TAX.get(currency, _ZERO))
    for exchange, currency in CURRENCIES.items()
}
_BOND = TradingTerms("KRW", Decimal("0.1"))
_FEES = {"USD": Decimal("7.50"), "HKD": Decimal(50), "EUR": Decimal("7.50")}
"""Of a contract."""


def terms(market: OffBookMarket, exchange: str, symbol: str) -> TradingTerms | None:
    """Return how a symbol is paid for; None: there is no such exchange."""
    match market:
        case "overseas_stock":
            return _STOCKS.get(exchange)
        case "domestic_derivative":
            return _derivative(symbol)
        case "domestic_bond":
            return _BOND
        case "overseas_derivative":
            return _contract(symbol)


@lru_cache(maxsize=1_024)
def _contract(symbol: str) -> TradingTerms | None:
    found = overseas_contract(symbol)
    if found is None:
        return None
    product = found.product
    return TradingTerms(
        product.currency,
        product.point,
        paid=found.option,
        margin=product.margin * (3 if found.option else 1),
        fee_each=_FEES[product.currency],
    )


@lru_cache(maxsize=4_096)
def _derivative(symbol: str) -> TradingTerms | None:
    """Return the terms of a future, or of an option: it is paid for, and sold short for more.

    What a short option ties up besides its price follows from its strike, not from where its
    underlying stands: plainer than the exchange has it, and never less.
    """
    one = contract(symbol, _ANY_DAY)
    if one is None:
        return None
    product = one.product
    if not one.option:
        given = ("KRW", product.multiplier)
        margin, fee = product.margin, product.fee
        return TradingTerms(*given, paid=False, daily=True, margin=margin, fee=fee)
    each = one.strike * product.multiplier * product.margin
    return TradingTerms(
        *("KRW", product.multiplier),
        margin=Decimal(1),
        margin_each=each.quantize(Decimal(1)),
        fee=product.option_fee,
    )
