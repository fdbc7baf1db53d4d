"""What the members of requests and commands mean, for the documents; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.catalog.schemas import Schema

__all__ = ["REQUEST_SUMMARIES", "described"]

REQUEST_SUMMARIES: Mapping[str, str] = {
    "subscribe": "Want market data, until the lease ends or it is unsubscribed",
    "unsubscribe": "Want market data no longer; what others want goes on",
    "subscriptions": "List what is subscribed, where, and for whom",
    "channels": "List the channels that can be subscribed in this environment",
    "snapshot": "Get the newest record of each topic, or of some topics",
    "query": "Make a read-only REST call of KIS, in the workbook's English names",
    "symbols": "Find symbols by their beginning or a part of their name, or look some up",
    "halt": "Refuse new orders of everybody, an account or a client; cancellations go on",
    "resume": "Take back a halt of the same account and client",
    "resolve": "Settle a command whose outcome stayed unknown, as a person found out",
}

_COMMON: Mapping[str, str] = {
    "account": "Alias of the account; blank: every account",
    "channel": "TR id of the channel, e.g. H0STCNT0",
    "client": "In whose name; by default the one in the topic",
    "client_order_id": "The client's name for the order, unique on the account",
    "command_id": "The client's name for this change, to send it again or to tell two apart",
    "condition_price": "Price that sets a stop order off",
    "expires_at": "Refused after this moment; without it the message needs an MQTT expiry",
    "key": "What KIS wants as key: a symbol, overseas with prefix and exchange (DNASAAPL)",
    "kind": "trade, quote, expected …, as in the topic",
    "market": "Market, as in the topic",
    "order_type": "limit, market …; what a venue takes is in the refusal of another one",
    "outcome": "placed: KIS has it, under order_no; not_placed: KIS does not have it",
    "price": "Price of the order; digits in a text keep every decimal",
    "priority": "The smaller is served first when slots are scarce",
    "reason": "For people; comes again in the event",
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
    ("request/halt", "cancel_all"): "Also cancel what is open",
    ("request/halt", "client"): "Whose orders; blank: every client's",
    ("request/halt", "force"): "Halt the client also if the bridge knows nobody of this name yet",
    (
        "request/halt",
        "mode",
    ): "halted: no new orders; reduce_only: those that make positions smaller",
    ("request/query", "account"): "Alias of the account, for calls that are about one",
    ("request/query", "api"): "Workbook name of the call, e.g. inquire_price or elw/volume_rank",
    ("request/query", "pages"): "How many pages to follow and join",
    ("request/query", "params"): "Parameters by their English or KIS's name",
    ("request/query", "variant"): "Which one, of calls that the workbook has in several",
    ("request/resolve", "account"): "Alias of the account",
    ("request/resolve", "client"): "Who sent the command",
    ("request/resolve", "command_id"): "Id of a modification or cancellation, as in its ack",
    ("request/resolve", "order_no"): "KIS's number of what was placed",
    ("request/resume", "client"): "Whose orders; blank: every client's",
    ("request/snapshot", "topics"): "Only these; without it all topics",
    ("request/subscribe", "lease_s"): "Seconds until it ends, unless it is asked for again",
    ("request/symbols", "details"): "Whether every column of the master is wanted",
    ("request/symbols", "limit"): "Most symbols to find",
    ("request/symbols", "market"): "Id of a master (kospi) or market of the topics; blank: all",
    ("request/symbols", "search"): "Beginning of the symbol or a part of the name",
    ("request/symbols", "symbols"): "Symbols to look up",
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
    text = _SPECIAL.get((name, member)) or _COMMON[member]
    return described(name, schema) | {"description": text}
