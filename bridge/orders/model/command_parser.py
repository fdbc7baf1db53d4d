"""Payloads of commands, read and explained; pure."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import ValidationError

from bridge.kis import markets
from bridge.kis.markets import OrderTypes
from bridge.mqtt.explained import explain
from bridge.mqtt.strict_json import JsonError, decode_object
from bridge.orders.model.command import ID, MODELS, Command, CommandError, Modify, Place

__all__ = ["MAX_PAYLOAD", "check_price", "parse"]

MAX_PAYLOAD = 16 * 1024
_ID = re.compile(ID)
_Priced = TypeVar("_Priced", Place, Modify)


def parse(verb: str, payload: bytes, order_types: OrderTypes | None = None) -> Command:
    """Read the payload of ``command/{verb}``.

    ``order_types`` is None for what was checked before (the journal). Raises
    :class:`CommandError`, whose text names the key and the mend, and nothing else.
    """
    model = MODELS.get(verb)
    if model is None:
        raise CommandError(f"no such command: {verb[:32]!r} (one of {', '.join(MODELS)})")
    try:
        content = decode_object(payload, MAX_PAYLOAD)
    except JsonError as error:
        raise CommandError(str(error)) from None
    name = content.get("client_order_id")
    client_order_id = name if isinstance(name, str) and _ID.fullmatch(name) else ""
    try:
        command = model.model_validate(content)
    except ValidationError as error:
        raise CommandError(explain(error, model.model_fields), client_order_id) from error
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
        others = [other for where, other in order_types if where == market]
        here = ", ".join(other for other in others if not other.endswith(markets.RESERVED))
        hint = f"one of {here}" if here else "nor does any other venue of this market"
        text = f"venue: {market} {venue} takes no orders here ({hint})"
        accounts = markets.wanted(place)
        if accounts:
            text = f"{text}; KIS takes them {accounts}"
        # The first places had no word of their own for it, and their clients know the one they had.
        unsupported = accounts and market not in ("domestic_stock", "domestic_derivative")
        raise CommandError(text, name, "unsupported" if unsupported else "invalid_payload")
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
    if price is command.price and condition is command.condition_price:
        return command
    return command.model_copy(update={"price": price, "condition_price": condition})
