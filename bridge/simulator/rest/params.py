"""Parameters of a call, read (pure). Names are upper case; a missing one reads as blank."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from bridge.simulator.exchange.tickets import OrderRefused

__all__ = [
    "CHANNEL",
    "InputError",
    "MissingError",
    "Params",
    "TooLongError",
    "account_of",
    "amount_of",
    "number_of",
    "quantity_of",
    "text_of",
]

Params = Mapping[str, str]

CHANNEL = "X-ORDER-CHANNEL"
"""How an order comes to KIS: a header, so that it is nobody's parameter."""


class InputError(Exception):
    """A parameter has a value that KIS does not take; so says :attr:`text`, as KIS does."""

    code = "OPSQ2001"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    @property
    def text(self) -> str:
        # The servers of quotations and of accounts have words of their own for the same.
        if self.name.startswith("FID_"):
            return f"ERROR INVALID {self.name}"
        return f"ERROR : INPUT INVALID_CHECK_{self.name}"


class MissingError(InputError):
    """A parameter is not there."""

    @property
    def text(self) -> str:
        return f"ERROR INPUT FIELD NOT FOUND [{self.name}]"


class TooLongError(InputError):
    """A value is longer than its field."""

    code = "OPSQ2002"

    def __init__(self, name: str, length: int) -> None:
        super().__init__(name)
        self.length = length

    @property
    def text(self) -> str:
        return f"ERROR INVALID INPUT_FILED_SIZE [{self.name}] [{self.length}]"


def account_of(params: Params) -> str:
    """Return the account number, ``12345678-01``."""
    return f"{params.get('CANO', '')}-{params.get('ACNT_PRDT_CD', '')}"


def text_of(params: Params, name: str) -> str:
    """Return a parameter that must be there."""
    value = params.get(name, "")
    if not value:
        raise InputError(name)
    return value


def number_of(params: Params, name: str, *, blank: int | None = None) -> int:
    """Return a whole number; ``blank`` stands for one that is not given."""
    value = params.get(name, "")
    if not value and blank is not None:
        return blank
    try:
        return int(Decimal(value))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise InputError(name) from error


def amount_of(params: Params, name: str) -> Decimal:
    """Return a price of an order without a book; blank is 0, anything else unreadable refused."""
    try:
        return Decimal(params.get(name) or "0")
    except InvalidOperation as error:
        raise OrderRefused("quantity") from error


def quantity_of(params: Params, name: str) -> int:
    """Return a quantity of an order without a book, read as :func:`amount_of` does."""
    amount = amount_of(params, name)
    if not amount.is_finite():
        raise OrderRefused("quantity")
    return int(amount)
