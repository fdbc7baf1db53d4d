"""What a client may ask: the payloads under ``command/{verb}``; pure.

``place`` names a new order with ``client_order_id``. ``modify`` and ``cancel`` name that order by
the same ``client_order_id``. Each of them is a command of its own and is executed at most once as
well: it is told from another by ``command_id``, and without one by its content and deadline. So the
same bytes again are a duplicate, and a second cancellation that is meant differs in ``expires_at``
or gets a ``command_id``.

The deadline is no part of the content: whoever had no answer sends the same order again with a new
one and means the same order. The first deadline counts.

Prices are JSON numbers or decimal texts and never become floats; 71900, "71900" and 71900.0 are
the same content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from bridge.errors import RequestError
from bridge.kis import markets

__all__ = [
    "ID",
    "MODELS",
    "Cancel",
    "CancelAll",
    "Command",
    "CommandError",
    "CommandVerb",
    "Modify",
    "Place",
]

CommandVerb: TypeAlias = Literal["place", "modify", "cancel", "cancel_all"]

ID = r"^[A-Za-z0-9._-]{1,64}$"
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,8})?")
_DIGITS = re.compile(r"\d{1,9}")
_MICROSECOND = 1_000_000
_MOST = 10**12
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

_SYMBOLS = {
    "domestic_stock": (re.compile(r"[0-9A-Z]{6,9}"), "6 to 9 letters and digits, e.g. 005930"),
    "overseas_stock": (
        re.compile(r"[0-9A-Z]([0-9A-Z./ -]{0,14}[0-9A-Z])?"),
        "e.g. AAPL, BRK/B, 00700",
    ),
    "domestic_derivative": (re.compile(r"[0-9A-Z]{6,9}"), "e.g. A01603, B01603955"),
    "domestic_bond": (re.compile(r"KR[0-9A-Z]{10}"), "standard codes, e.g. KR6095572D81"),
    "overseas_derivative": (
        re.compile(r"[0-9A-Z]{3,8}( [CP][0-9.]{1,7})?"),
        "e.g. CLF27, OESH23 C3900",
    ),
}


class CommandError(RequestError):
    """A payload that is no command; ``client_order_id`` is set where one could be read."""

    def __init__(
        self, message: str, client_order_id: str = "", code: str = "invalid_payload"
    ) -> None:
        super().__init__(code, message)
        self.client_order_id = client_order_id


def _decimal(value: object) -> object:
    if type(value) is int and 0 <= value < _MOST:  # as nearly all of them are
        return Decimal(value)
    number = isinstance(value, int) and not isinstance(value, bool)
    if number or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        value = Decimal(str(value))
    if not isinstance(value, Decimal):
        raise ValueError("write a number, e.g. 71900")  # noqa: TRY004 - pydantic wants ValueError
    if not value:
        return Decimal(0)
    # Before anything writes the number out: 1E+999999 is short only as long as nobody does.
    if value < 0 or not -8 <= value.adjusted() < 12:
        raise ValueError("outside of what a price can be")
    _, digits, exponent = value.normalize().as_tuple()
    if len(digits) > 20 or (isinstance(exponent, int) and exponent < -8):
        raise ValueError("at most 8 decimals")
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def _whole(value: object) -> object:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value


def _instant(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("write a time, e.g. 2026-11-22T09:00:05+09:00")  # noqa: TRY004
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("write ISO 8601, e.g. 2026-11-22T09:00:05+09:00") from error
    if moment.tzinfo is None:
        raise ValueError("add the offset, e.g. +09:00")
    if not 2000 <= moment.year <= 2999:
        raise ValueError("the year is out of range")
    return moment.astimezone(UTC)


Id = Annotated[str, Field(pattern=ID)]
Price = Annotated[Decimal, BeforeValidator(_decimal)]
Quantity = Annotated[int, BeforeValidator(_whole), Field(gt=0, le=999_999_999)]
Symbol = Annotated[str, Field(pattern=r"^[0-9A-Z]([0-9A-Z./ -]{0,14}[0-9A-Z])?$")]
Venue = Annotated[str, Field(pattern=r"^[a-z_]{1,16}$")]
Instant = Annotated[datetime, BeforeValidator(_instant)]


CreditType: TypeAlias = Literal[
    "own_margin_loan_new",
    "own_margin_loan_repaid",
    "market_margin_loan_new",
    "market_margin_loan_repaid",
    "own_stock_loan_new",
    "own_stock_loan_repaid",
    "market_stock_loan_new",
    "market_stock_loan_repaid",
]


class _Base(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    verb: ClassVar[CommandVerb]

    client_order_id: Id
    expires_at: Instant | None = None

    def canonical(self) -> str:
        """Return content and deadline as ASCII JSON, the same text for the same command.

        :func:`bridge.orders.model.command_parser.parse` reads it back.
        """
        return self._text(leave_out="")

    def digest(self) -> str:
        """Return SHA-256 of verb and content, hexadecimal; the deadline is no part of it."""
        return self._hash(self._text(leave_out="expires_at"))

    def dated_digest(self) -> str:
        """Return SHA-256 of verb, content and deadline, hexadecimal."""
        return self._hash(self.canonical())

    def _text(self, leave_out: str) -> str:
        content = {
            name: value.isoformat() if isinstance(value, datetime) else _text(value)
            for name, value in self
            if value is not None and name != leave_out
        }
        return _write(content)

    def _hash(self, text: str) -> str:
        return hashlib.sha256(f"{self.verb}{text}".encode()).hexdigest()

    def name(self) -> str:
        """Return what tells this command from the others about the same order; blank: place."""
        # With the deadline: without a command_id nothing else tells a second change that is meant,
        # back to the first price say, from the first one sent again.
        return getattr(self, "command_id", None) or f"{self.verb}:{self.dated_digest()[:24]}"

    def deadline(self, received_at: int, expiry_s: int | None) -> int | None:
        """Return when it expires, in µs since the epoch: the earlier of payload and MQTT."""
        limits = []
        if self.expires_at is not None:
            seconds = int(self.expires_at.timestamp())
            limits.append(seconds * _MICROSECOND + self.expires_at.microsecond)
        if expiry_s is not None:
            limits.append(received_at + expiry_s * _MICROSECOND)
        return min(limits, default=None)


class Place(_Base):
    """A new order."""

    verb: ClassVar[CommandVerb] = "place"

    market: Literal[
        "domestic_stock",
        "overseas_stock",
        "domestic_derivative",
        "domestic_bond",
        "overseas_derivative",
    ]
    venue: Venue
    symbol: Symbol
    side: Literal["buy", "sell"]
    order_type: str
    quantity: Quantity
    price: Price | None = None
    condition_price: Price | None = None
    credit_type: CreditType | None = None
    """With borrowed money or shares; without it with what the account has."""
    reserved: Literal[True] | None = None
    """For the next opening of the exchange; without it for now."""
    loan_date: Annotated[str, Field(pattern=r"^20[0-9]{6}$")] | None = None
    """Of the loan that is repaid; of a new one the day of the order."""

    @model_validator(mode="after")
    def _as_its_market_has_it(self) -> Self:
        pattern, example = _SYMBOLS[self.market]
        if not pattern.fullmatch(self.symbol):
            raise ValueError(f"symbol: of {self.market} they are {example}")
        if self.venue.endswith(markets.RESERVED):
            raise ValueError("venue: name the exchange, and say reserved: true beside it")
        if self.credit_type is not None or self.loan_date is not None:
            self._check_terms()
        return self

    def _check_terms(self) -> None:
        """Raise ValueError for a reservation or a credit order that is none."""
        if self.reserved and self.credit_type is not None:
            raise ValueError("reserved: an order on credit is for now, leave it out")
        if self.credit_type is None:
            if self.loan_date is not None:
                raise ValueError("loan_date: leave it out, or say which credit_type it is of")
            return
        if self.market != "domestic_stock":
            raise ValueError("credit_type: KIS has credit orders of domestic_stock alone")
        if self.loan_date is None:
            raise ValueError("missing key 'loan_date': YYYYMMDD, today's for a new loan")
        side = "buy" if markets.buys_on_credit(self.credit_type) else "sell"
        if side != self.side:
            raise ValueError(f"credit_type: {self.credit_type} is an order to {side}")

    @property
    def place(self) -> markets.Place:
        """Where it goes; what is reserved has places of its own."""
        return self.market, f"{self.venue}{markets.RESERVED}" if self.reserved else self.venue

    def name(self) -> str:
        return ""


class Modify(_Base):
    """Another price or type for the whole rest of an order."""

    verb: ClassVar[CommandVerb] = "modify"

    command_id: Id | None = None
    price: Price | None = None
    order_type: str | None = None
    condition_price: Price | None = None
    quantity: Quantity | None = None
    """Only as a check: less than the rest is refused (KIS would split the order in two)."""


class Cancel(_Base):
    """Take back the rest of an order, or ``quantity`` of it."""

    verb: ClassVar[CommandVerb] = "cancel"

    command_id: Id | None = None
    quantity: Quantity | None = None
    order_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,16}$")] | None = None
    """Of an order of which a part was modified elsewhere: which of its numbers."""


class CancelAll(_Base):
    """Take back all open orders of the client on the account, or those of one symbol.

    ``client_order_id`` names this command.
    """

    verb: ClassVar[CommandVerb] = "cancel_all"

    symbol: Symbol | None = None


Command: TypeAlias = Place | Modify | Cancel | CancelAll

MODELS: Mapping[str, type[Place | Modify | Cancel | CancelAll]] = {
    model.verb: model for model in (Place, Modify, Cancel, CancelAll)
}
"""By verb."""


def _text(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
