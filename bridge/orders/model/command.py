"""What a client may ask: the payloads under ``command/{verb}``; pure.

``place`` names a new order with ``client_order_id``. ``modify`` and ``cancel`` name that order by
the same ``client_order_id``. Each of them is a command of its own and is executed at most once as
well: it is told from another by ``command_id``, and without one by its content. So the same bytes
again are a duplicate, and a second cancellation that is meant differs in ``expires_at`` or gets a
``command_id``.

Prices are JSON numbers or decimal texts and never become floats; 71900, "71900" and 71900.0 are
the same content.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from bridge.errors import RequestError
from bridge.kis import markets
from bridge.kis.markets import OrderTypes

__all__ = [
    "MAX_PAYLOAD",
    "Cancel",
    "CancelAll",
    "Command",
    "CommandError",
    "Modify",
    "Place",
    "check_price",
    "parse",
]

MAX_PAYLOAD = 16 * 1024
_ID = r"^[A-Za-z0-9._-]{1,64}$"
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,8})?")
_DIGITS = re.compile(r"\d{1,9}")
_MICROSECOND = 1_000_000

_SYMBOLS = {
    "domestic_stock": (re.compile(r"[0-9A-Z]{6,9}"), "6 to 9 letters and digits, e.g. 005930"),
    "overseas_stock": (
        re.compile(r"[0-9A-Z]([0-9A-Z./ -]{0,14}[0-9A-Z])?"),
        "e.g. AAPL, BRK/B, 00700",
    ),
    "domestic_derivative": (re.compile(r"[0-9A-Z]{6,9}"), "e.g. A01603, B01603955"),
}


class CommandError(RequestError):
    """A payload that is no command; ``client_order_id`` is set where one could be read."""

    def __init__(self, message: str, client_order_id: str = "") -> None:
        super().__init__("invalid_payload", message)
        self.client_order_id = client_order_id


def _decimal(value: object) -> object:
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


Id = Annotated[str, Field(pattern=_ID)]
Price = Annotated[Decimal, BeforeValidator(_decimal)]
Quantity = Annotated[int, BeforeValidator(_whole), Field(gt=0, le=999_999_999)]
Symbol = Annotated[str, Field(pattern=r"^[0-9A-Z]([0-9A-Z./ -]{0,14}[0-9A-Z])?$")]
Venue = Annotated[str, Field(pattern=r"^[a-z_]{1,16}$")]
Instant = Annotated[datetime, BeforeValidator(_instant)]


class _Base(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    client_order_id: Id
    expires_at: Instant | None = None

    def canonical(self) -> str:
        """Return the content as ASCII JSON, the same text for the same content.

        :func:`parse` reads it back.
        """
        content = {
            name: value.isoformat() if isinstance(value, datetime) else _text(value)
            for name, value in self
            if value is not None
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """Return SHA-256 of verb and content, hexadecimal."""
        return hashlib.sha256(f"{_VERBS[type(self)]}{self.canonical()}".encode()).hexdigest()

    def name(self) -> str:
        """Return what tells this command from the others about the same order; blank: place."""
        return getattr(self, "command_id", None) or f"{_VERBS[type(self)]}:{self.digest()[:24]}"

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

    market: Literal["domestic_stock", "overseas_stock", "domestic_derivative"]
    venue: Venue
    symbol: Symbol
    side: Literal["buy", "sell"]
    order_type: str
    quantity: Quantity
    price: Price | None = None
    condition_price: Price | None = None

    @model_validator(mode="after")
    def _symbol_of_market(self) -> Self:
        pattern, example = _SYMBOLS[self.market]
        if not pattern.fullmatch(self.symbol):
            raise ValueError(f"symbol: of {self.market} they are {example}")
        return self

    @property
    def place(self) -> markets.Place:
        """Where it goes."""
        return self.market, self.venue

    def name(self) -> str:
        return ""


class Modify(_Base):
    """Another price or type for the whole rest of an order."""

    command_id: Id | None = None
    price: Price | None = None
    order_type: str | None = None
    condition_price: Price | None = None
    quantity: Quantity | None = None
    """Only as a check: less than the rest is refused (KIS would split the order in two)."""


class Cancel(_Base):
    """Take back the rest of an order, or ``quantity`` of it."""

    command_id: Id | None = None
    quantity: Quantity | None = None
    order_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,16}$")] | None = None
    """Of an order of which a part was modified elsewhere: which of its numbers."""


class CancelAll(_Base):
    """Take back all open orders of the client on the account, or those of one symbol.

    ``client_order_id`` names this command.
    """

    symbol: Symbol | None = None


Command: TypeAlias = Place | Modify | Cancel | CancelAll

_MODELS: Mapping[str, type[Place | Modify | Cancel | CancelAll]] = {
    "place": Place,
    "modify": Modify,
    "cancel": Cancel,
    "cancel_all": CancelAll,
}
_Priced = TypeVar("_Priced", Place, Modify)
_VERBS: Mapping[type, str] = {model: verb for verb, model in _MODELS.items()}


def parse(verb: str, payload: bytes, order_types: OrderTypes | None = None) -> Command:
    """Read the payload of ``command/{verb}``.

    ``order_types`` is None for what was checked before (the journal). Raises
    :class:`CommandError`, whose text names the key and the mend, and nothing else.
    """
    model = _MODELS.get(verb)
    if model is None:
        raise CommandError(f"no such command: {verb[:32]!r} (one of {', '.join(_MODELS)})")
    content = _object(payload)
    name = content.get("client_order_id")
    client_order_id = name if isinstance(name, str) and re.fullmatch(_ID, name) else ""
    try:
        command = model.model_validate(content)
    except ValidationError as error:
        raise CommandError(_explain(error, model), client_order_id) from error
    if order_types is not None:
        if isinstance(command, Place):
            place, kind = command.place, command.order_type
            return check_price(command, place, command.side, kind, order_types)
        if isinstance(command, Modify) and command.price is None and command.order_type is None:
            raise CommandError("missing key 'price': the new one", client_order_id)
    return command


def check_price(
    command: _Priced, place: markets.Place, side: str, order_type: str, order_types: OrderTypes
) -> _Priced:
    """Hold price and condition price against the order type; return the command without zeros.

    Raises :class:`CommandError` that says what is supported.
    """
    name, (market, venue) = command.client_order_id, place
    known = order_types.get(place)
    if known is None:
        here = ", ".join(other for where, other in order_types if where == market)
        text = f"venue: {market} {venue} takes no orders here (one of {here or 'none'})"
        raise CommandError(text, name)
    supported = {key for key, kind in known.items() if side in kind.sides}
    if order_type not in supported:
        text = f"order_type: {venue} has no {order_type[:32]!r} to {side}"
        raise CommandError(f"{text} (one of {', '.join(sorted(supported))})", name)
    kind, decimals = known[order_type], markets.venue(place).decimals
    price = command.price or None
    condition = command.condition_price or None
    for key, value, wanted in (
        ("price", price, kind.priced),
        ("condition_price", condition, kind.conditional),
    ):
        if wanted and value is None:
            text = f"missing key {key!r}: {order_type} needs one above 0"
        elif not wanted and value is not None:
            text = f"{key}: {order_type} takes none, leave it out"
        elif value is not None and value != round(value, decimals):
            text = f"{key}: prices of {venue} have at most {decimals} decimals"
            if market == "domestic_stock":
                text = f"{key}: domestic stock prices are whole won"
        else:
            continue
        raise CommandError(text, name)
    return command.model_copy(update={"price": price, "condition_price": condition})


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD:
        raise CommandError(f"the payload has {len(payload)} bytes, at most {MAX_PAYLOAD} are read")
    try:
        content = json.loads(
            payload.decode(),
            parse_float=_number,
            parse_constant=_constant,
            object_pairs_hook=_pairs,
        )
    except UnicodeDecodeError as error:
        raise CommandError("the payload is not UTF-8") from error
    except RecursionError as error:
        raise CommandError("the payload is nested too deep") from error
    except json.JSONDecodeError as error:
        raise CommandError(f"the payload is not JSON: {error.msg} at {error.pos}") from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    if not isinstance(content, dict):
        raise CommandError("the payload is not a JSON object")
    return content


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("a number is out of range") from error


def _constant(text: str) -> Decimal:
    raise ValueError(f"{text} is not a number")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice[:64]!r} occurs twice")
    return content


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part)[:64] for part in first["loc"])
    match first["type"]:
        case "missing":
            return f"missing key {key!r}"
        case "extra_forbidden":
            near = difflib.get_close_matches(key, model.model_fields, n=1)
            mend = f"did you mean {near[0]!r}?" if near else "leave it out"
            return f"unknown key {key!r}: {mend}"
    return f"{key}: {first['msg'].removeprefix('Value error, ')}"


def _text(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
