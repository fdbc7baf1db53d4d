"""What an account has when it is opened (pure)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from bridge.simulator.off_book.accounts import OffBookAccount, Purse
from bridge.simulator.off_book.listings import FIRST_MARGIN, FIRST_MONEY, LISTED, SHARES
from bridge.simulator.off_book.terms import terms

__all__ = ["opened"]

_OVERSEAS = "08"
_DOMESTIC = ("03", "29")
"""Futures and options, and pensions: neither has stocks overseas."""


def opened(
    number: str,
    price: Callable[[str], Decimal],
    base: Callable[[str], Decimal],
    *,
    purse: Purse | None,
    won: int,
) -> OffBookAccount:
    """Return a new account; its product says what it trades, and ``purse`` has its won."""
    product, account = number[-2:], OffBookAccount(number, price, purse=purse)
    if purse is None and product != _OVERSEAS:
        account.cash["KRW"] = Decimal(won)
    if product == _OVERSEAS:
        account.cash |= FIRST_MARGIN
    elif product not in _DOMESTIC:
        account.cash |= FIRST_MONEY
        for symbol, exchange in LISTED.items():
            found = terms("overseas_stock", exchange, symbol)
            if found is not None:
                given = (symbol, exchange, found, SHARES, base(symbol))
                account.endow("overseas_stock", *given)
    return account
