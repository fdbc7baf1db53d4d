"""What the members of requests and commands mean, for the documents; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.catalog.schemas import Schema

__all__ = ["described"]

_COMMON: Mapping[str, str] = {
    "account": "Alias of the account; blank: every account",
    "channel": "TR id of the channel, e.g. H0STCNT0",
    "client": "In whose name; by default the one in the topic",
    "client_order_id": "The client's name for the order, unique on the account",
    "command_id": "The client's name for this change, to send it again or to tell two apart",
    "condition_price": "Price that sets a stop order off",
    "credit_type": "What is borrowed or repaid, in a credit order",
    "loan_date": "Day of the loan that a credit order is about, YYYYMMDD",
    "expires_at": "Refused after this moment; without it the message needs an MQTT expiry",
    "key": "What KIS wants as key: a symbol, overseas with prefix and exchange (DNASAAPL)",
    "kind": "trade, quote, expected …, as in the topic",
    "market": "Market, as in the topic",
    "order_type": "limit, market …; what a venue takes is in the refusal of another one",
    "outcome": "placed: KIS has it, under order_no; not_placed: KIS does not have it",
    "price": "Price of the order; digits in a text keep every decimal",
    "priority": "The smaller is served first when slots are scarce",
    "reason": "For people; comes again in the event",
    "reserved": "For the next opening of the exchange, as a reservation order of KIS's",
    "side": "Buy or sell",
    "subscriptions": "Each by its topic's levels, or by channel and key",
    "symbol": "Symbol, as KIS writes it",
    "transaction": "Echoed by the response",
    "venue": "krx, nxt, unified, nas …, as in the topic",
}
_SPECIAL: Mapping[tuple[str, str], str] = {
    ("command/cancel", "client_order_id"): "The order that is meant",
    ("command/cancel", "order_no"): "Which number, after a part was modified elsewhere",
    ("command/cancel", "quantity"): "How much of the rest; without it all of it",
    ("command/cancel_all", "client_order_id"): "The client's name for this command",
    ("command/cancel_all", "symbol"): "Only orders for this symbol",
    ("command/modify", "client_order_id"): "The order that is meant",
    ("command/modify", "order_type"): "The new type; without it the old one",
    ("command/modify", "price"): "The new price",
    ("command/modify", "quantity"): "Only as a check: less than the rest is refused",
    ("command/place", "quantity"): "Shares or contracts",
}


def described(name: str, schema: Schema) -> Schema:
    """Return the schema of what clients send with a description of each member."""
    kept = dict(schema)
    if "description" in kept:
        kept["description"] = kept["description"].partition("\n")[0].replace("``", "")
    if "properties" in kept:
        kept["properties"] = {
            member: _member(name, member, value) for member, value in kept["properties"].items()
        }
    if "items" in kept:
        kept["items"] = described(name, kept["items"])
    return kept


def _member(name: str, member: str, schema: Any) -> Any:
    text = _SPECIAL.get((name, member)) or schema.get("description") or _COMMON[member]
    return described(name, schema) | {"description": text}
