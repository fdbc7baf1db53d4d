"""JSON Schema of the payloads that are not market data: what the contract promises about them.

Requests and commands come from the models that read them. What the bridge itself sends may get
further members, so these schemas leave room for them; the ones of clients do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from bridge.catalog.schemas import Schema
from bridge.mqtt.payloads import EventKind, Info
from bridge.orders.command import Cancel, CancelAll, Modify, Place
from bridge.orders.lifecycle import Event, State
from bridge.symbols import SymbolsRequest
from bridge.verbs import REQUESTS

__all__ = ["COMMANDS", "REPORTS", "REQUEST_MODELS", "of_model"]

COMMANDS: Mapping[str, type[BaseModel]] = {
    "place": Place,
    "modify": Modify,
    "cancel": Cancel,
    "cancel_all": CancelAll,
}
REQUEST_MODELS: Mapping[str, type[BaseModel]] = {**REQUESTS, "symbols": SymbolsRequest}

_LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""What pydantic calls the limits of a number that a validator of our own reads first."""
_US = {"type": "integer", "description": "µs since the epoch"}
_US_OR_NULL = {"type": ["integer", "null"], "description": "µs since the epoch"}
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number"}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_WHOLE_OR_NULL = {"type": ["integer", "null"]}


def of_model(model: type[BaseModel]) -> Schema:
    """Return the schema of a pydantic model without references."""
    schema = model.model_json_schema()
    resolved: Schema = _resolved(schema, schema.pop("$defs", {}))
    return resolved


def _resolved(value: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        return _resolved(definitions[reference.rpartition("/")[2]], definitions)
    # Titles only repeat the names.
    kept = {k: v for k, v in value.items() if not (k == "title" and isinstance(v, str))}
    return {_LIMITS.get(name, name): _resolved(item, definitions) for name, item in kept.items()}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


def _rows(required: Mapping[str, Any]) -> Schema:
    return {"type": "array", "items": _object(required)}


def _states() -> Schema:
    return {"type": "string", "enum": [str(state) for state in State]}


_STANDING = {
    "seq": _COUNT | {"description": "Counts up by one a step of this order"},
    "state": _states(),
    "order_no": _TEXT_OR_NULL | {"description": "Number KIS gave the order"},
    "filled_quantity": _COUNT,
    "average_price": _NUMBER_OR_NULL,
    "at": _US,
}
_SESSION = {
    "state": _TEXT,
    "slots_used": _COUNT,
    "slots_limit": _COUNT,
}
_NOTICE = {
    "kind": _TEXT,
    "order_no": _TEXT,
    "symbol": _TEXT,
    "side": {"type": "string", "enum": ["buy", "sell", ""]},
    "quantity": _COUNT,
    "price": _NUMBER_OR_NULL,
    "received_at": _US,
}

REPORTS: Mapping[str, Schema] = {
    "bridge/state": _object({"state": {"type": "string", "enum": ["online", "offline"]}})
    | {"additionalProperties": False},
    "bridge/info": of_model(Info) | {"additionalProperties": True},
    "bridge/health": _object(
        {
            "at": _US,
            "sessions": {
                "type": "object",
                "additionalProperties": _object(
                    _SESSION
                    | {
                        "frames": _COUNT,
                        "records": _COUNT,
                        "last_frame_age_s": _NUMBER_OR_NULL,
                        "reconnects": _COUNT,
                    }
                ),
            },
            "decode_errors": _COUNT,
            "schema_drift": _COUNT,
            "publish": _object({"backlog": _COUNT, "dropped": _COUNT, "conflated": _COUNT}),
            "lag_us": _object(
                {"p50": _WHOLE_OR_NULL, "p99": _WHOLE_OR_NULL, "max": _WHOLE_OR_NULL}
            ),
            "rest": _object({"calls": _COUNT, "throttled": _COUNT, "errors": _COUNT}),
            "orders": {"type": "object", "additionalProperties": _COUNT},
            "halted": {"type": "boolean"},
        }
    ),
    "bridge/session": _object(_SESSION | {"subscriptions": {"type": "array"}}),
    "bridge/event": _object(
        {
            "kind": {"type": "string", "enum": list(get_args(EventKind))},
            "at": {"type": "string", "format": "date-time"},
        },
        {"suppressed": _COUNT | {"description": "Events like this left out before this one"}},
    ),
    "bridge/response": {
        "oneOf": [
            _object({"status": {"const": "ok"}, "data": {}}),
            _object({"status": {"const": "error"}, "code": _TEXT, "message": _TEXT}),
        ],
        "properties": {"transaction": {"type": ["string", "integer"]}},
    },
    "order/ack": _object(
        {
            "client_order_id": _TEXT_OR_NULL,
            "status": {"type": "string", "enum": ["accepted", "rejected", "refused", "unknown"]},
            "reason": _TEXT_OR_NULL,
            "order_no": _TEXT_OR_NULL,
            "kis": {"type": ["object", "null"], "additionalProperties": _TEXT},
            "received_at": _US,
            "submitted_at": _US_OR_NULL,
            "answered_at": _US_OR_NULL,
        },
        {
            "verb": {"type": "string", "enum": ["modify", "cancel", "cancel_all"]},
            "command_id": _TEXT_OR_NULL,
            "message": _TEXT,
            "duplicate": {"const": True},
        },
    ),
    "order/event": _object(
        {
            "client_order_id": _TEXT,
            "event": {"type": "string", "enum": [str(event) for event in Event]},
            **_STANDING,
        },
        {
            "quantity": _COUNT,
            "price": _NUMBER_OR_NULL,
            "reason": _TEXT,
            "verb": {"type": "string", "enum": ["modify", "cancel"]},
            "command_id": _TEXT,
            "status": {"type": "string", "enum": ["accepted", "not_placed"]},
        },
    )
    | {
        "description": "What happened to an order. A `settle` says what became of a `verb` that"
        " had no answer: its `command_id` and `status`."
    },
    "order/state": _object(
        {
            "client_order_id": _TEXT,
            "market": _TEXT,
            "venue": _TEXT,
            "symbol": _TEXT,
            "side": {"type": "string", "enum": ["buy", "sell"]},
            "order_type": _TEXT,
            "quantity": _COUNT,
            "price": _NUMBER_OR_NULL,
            "condition_price": _NUMBER_OR_NULL,
            "remaining_quantity": _COUNT,
            "cancelled_quantity": _COUNT,
            **_STANDING,
            "received_at": _US,
            "submitted_at": _US_OR_NULL,
        }
    ),
    "account/external": _object(_NOTICE),
    "account/balance": _object({"at": _US, "balance": _rows({"market": _TEXT})})
    | {"description": "Cash and worth of the account, a row for each market, in KIS's words"},
    "account/positions": _object(
        {"at": _US, "positions": _rows({"market": _TEXT, "symbol": _TEXT, "quantity": _NUMBER})}
    )
    | {"description": "What the account holds, in KIS's words"},
    "account/orders": _object(
        {
            "at": _US,
            "orders": _rows(
                {
                    "order_no": _TEXT,
                    "market": _TEXT,
                    "symbol": _TEXT,
                    "side": {"type": "string", "enum": ["buy", "sell", ""]},
                    "order_type": _TEXT_OR_NULL,
                    "quantity": _COUNT,
                    "price": _NUMBER_OR_NULL,
                    "filled_quantity": _COUNT,
                    "remaining_quantity": _COUNT,
                    "ordered_at": _US_OR_NULL,
                    "client": _TEXT_OR_NULL,
                    "client_order_id": _TEXT_OR_NULL,
                }
            ),
        }
    )
    | {"description": "Orders that work at the exchange; ours with client and client_order_id"},
    "symbols": _object(
        {
            "market": _TEXT,
            "updated_at": _US_OR_NULL,
            "symbols": {
                "type": "array",
                "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
                "description": "Symbol and name",
            },
        }
    ),
}
"""What the bridge sends, by the name of its file."""
