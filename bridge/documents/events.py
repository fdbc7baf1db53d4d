"""JSON Schema of each kind of ``bridge/event/{kind}``; nothing else is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from bridge.catalog.schemas import Schema
from bridge.documents.shapes import (
    BOOLEAN,
    COUNT,
    MICROSECONDS,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    WHOLE_OR_NULL,
    choice,
    closed,
    listed,
)
from bridge.kis.orders import NoticeKind

__all__ = ["EVENTS", "SUMMARIES"]

SUMMARIES: Mapping[str, str] = {
    "gap": "Market data of some topics is lost, or was not sent for a while",
    "schema_drift": "KIS sends a record of another width than the workbook knows; once a width",
    "quarantined": "A record, a frame or a notice could not be read and was not published",
    "session_lost": "The connection to KIS of an app key is lost",
    "session_restored": "An app key that was away is served again",
    "slot_refused": "Subscriptions that are not served: KIS refused one, or no slot is free",
    "order_unknown": "Nobody knows what became of a command; it is never sent again",
    "order_external": "An order or fill that was placed outside the bridge",
    "order_difference": "The exchange has an order otherwise than the journal",
    "position_difference": "A position changed without a fill that the bridge knows",
    "halted": "Somebody may trade no more, or only reduce positions",
    "resumed": "A halt is taken back",
    "config_warning": "Something in the configuration has no effect",
}
"""What each kind means, in a line."""

_SUPPRESSED = COUNT | {"description": "Events like this that were left out before this one"}
_WHO: dict[str, Any] = {"account": TEXT, "client": TEXT, "client_order_id": TEXT}
_REGISTRATION = {"channel": TEXT, "key": TEXT}
_CIRCLE: dict[str, Any] = {
    "account": TEXT_OR_NULL | {"description": "Null: every account"},
    "client": TEXT_OR_NULL | {"description": "Null: every client"},
}


def _event(kind: str, *shapes: Mapping[str, Any], optional: Mapping[str, Any]) -> Schema:
    common: dict[str, Any] = {
        "kind": {"const": kind},
        "at": {"type": "string", "format": "date-time", "description": "With its offset"},
    }
    found = [closed({**common, **shape}, optional) for shape in shapes]
    body = found[0] if len(found) == 1 else {"oneOf": found}
    return {"description": SUMMARIES[kind], **body}


def _flood(kind: str, *shapes: Mapping[str, Any], **optional: Any) -> Schema:
    """Return the schema of a kind that comes at most once a second about one thing."""
    return _event(kind, *shapes, optional={**optional, "suppressed": _SUPPRESSED})


def _single(kind: str, shape: Mapping[str, Any], **optional: Any) -> Schema:
    return _event(kind, shape, optional=optional)


EVENTS: Mapping[str, Schema] = {
    "gap": _flood(
        "gap",
        {
            "reason": TEXT | {"description": "Why the subscriptions were not served"},
            "subscriptions": listed(
                closed({"topic": TEXT, **_REGISTRATION, "from": MICROSECONDS, "to": MICROSECONDS})
            ),
        },
        {
            "reason": TEXT | {"description": "Why the records did not reach the broker"},
            "certain": BOOLEAN | {"description": "False: at most so many are lost"},
            "lost": COUNT | {"description": "Records, of all these topics"},
            "topics": {
                "type": "object",
                "additionalProperties": COUNT,
                "description": "Records lost, by topic",
            },
        },
    ),
    "schema_drift": _flood(
        "schema_drift",
        {
            "channel": TEXT,
            "width": COUNT | {"description": "Values in a record"},
            "known": listed(COUNT),
            "treatment": TEXT | {"description": "What becomes of these records"},
        },
    ),
    "quarantined": _flood(
        "quarantined",
        {"channel": TEXT, "reason": TEXT},
        raw=TEXT_OR_NULL | {"description": "The record as KIS sent it; never of a notice"},
        raw_length=COUNT | {"description": "Characters, where raw is only their beginning"},
        records=COUNT | {"description": "How many records KIS said there are"},
    ),
    "session_lost": _flood(
        "session_lost",
        {
            "app": TEXT | {"description": "Alias of the app key"},
            "code": TEXT | {"description": "KIS's code, or a word of the bridge: silent, mute …"},
            "reason": TEXT,
            "retry_s": NUMBER,
        },
    ),
    "session_restored": _flood("session_restored", {"app": TEXT}),
    "slot_refused": _flood(
        "slot_refused",
        {
            "app": TEXT,
            "channel": TEXT,
            "key": TEXT_OR_NULL | {"description": "Null for account notices"},
            "code": TEXT | {"description": "KIS's code, or timeout"},
            "reason": TEXT,
            "limit": WHOLE_OR_NULL | {"description": "Slots there are, where that is known"},
        },
        {
            "code": {"const": "waiting"},
            "reason": TEXT,
            "subscriptions": listed(closed(_REGISTRATION)),
        },
    ),
    "order_unknown": _single(
        "order_unknown",
        _WHO | {"verb": choice("place", "modify", "cancel", "cancel_all")},
        command_id=TEXT,
        message=TEXT,
    ),
    "order_external": _single(
        "order_external",
        {
            "account": TEXT,
            "order_no": TEXT,
            "symbol": TEXT,
            "what": choice(*get_args(NoticeKind), "listed")
            | {"description": "Kind of the notice; listed: found in the exchange's list"},
        },
    ),
    "order_difference": _single("order_difference", _WHO | {"message": TEXT}),
    "position_difference": _single(
        "position_difference",
        {
            "account": TEXT,
            "market": TEXT,
            "symbol": TEXT,
            "expected_quantity": {"type": "integer"},
            "quantity": {"type": "integer"},
        },
    ),
    "halted": _event(
        "halted",
        _CIRCLE | {"mode": choice("halted", "reduce_only"), "reason": TEXT},
        _CIRCLE
        | {
            "mode": choice("halted", "reduce_only"),
            "cancelled": COUNT | {"description": "Orders that the halt left nothing open of"},
            "not_cancelled": COUNT,
            "orders": listed(TEXT) | {"description": "The first of those, client/client_order_id"},
        },
        optional={},
    ),
    "resumed": _single("resumed", _CIRCLE | {"mode": {"type": "null"}, "reason": TEXT}),
    "config_warning": _flood("config_warning", {"message": TEXT}),
}
"""By kind."""
