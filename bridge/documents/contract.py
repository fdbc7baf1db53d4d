"""JSON Schema of the payloads that are not market data: what the contract promises about them.

Requests and commands come from the models that read them. What the bridge sends has the members
that are listed here and no others; only rows in KIS's words have what the workbook names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel

from bridge.catalog.schemas import Schema
from bridge.documents.generated import of_model, of_payload
from bridge.documents.shapes import (
    BOOLEAN,
    COUNT,
    MICROSECONDS,
    MICROSECONDS_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    WHOLE_OR_NULL,
    choice,
    closed,
    listed,
    opened,
)
from bridge.kis.orders import NoticeKind
from bridge.mqtt.payloads import HaltRow, Info
from bridge.orders.model.command import Cancel, CancelAll, Modify, Place
from bridge.orders.model.lifecycle import Event, State
from bridge.subscriptions.rows import SubscriptionRow

__all__ = ["COMMANDS", "REPORTS"]

COMMANDS: Mapping[str, type[BaseModel]] = {
    "place": Place,
    "modify": Modify,
    "cancel": Cancel,
    "cancel_all": CancelAll,
}

_STANDING = {
    "seq": COUNT | {"description": "Counts up by one a step of this order"},
    "state": choice(*map(str, State)),
    "order_no": TEXT_OR_NULL | {"description": "Number KIS gave the order"},
    "filled_quantity": COUNT,
    "average_price": NUMBER_OR_NULL,
    "at": MICROSECONDS,
}
_COUNTS = {"type": "object", "additionalProperties": COUNT}
_SESSION = {
    "state": choice("stopped", "connecting", "connected", "waiting"),
    "slots_used": COUNT,
    "slots_limit": COUNT,
}
_ELSEWHERE = {
    "order_no": TEXT,
    "original_order_no": TEXT_OR_NULL,
    "symbol": TEXT,
    "side": choice("buy", "sell", ""),
    "quantity": COUNT,
    "price": NUMBER_OR_NULL,
    "received_at": MICROSECONDS,
}

REPORTS: Mapping[str, Schema] = {
    "bridge/state": closed({"state": choice("online", "offline")}),
    "bridge/info": of_model(Info),
    "bridge/health": closed(
        {
            "at": MICROSECONDS,
            "sessions": {
                "type": "object",
                "additionalProperties": closed(
                    _SESSION
                    | {
                        "live": COUNT | {"description": "Subscriptions that KIS delivers"},
                        "frames": COUNT,
                        "records": COUNT,
                        "last_frame_age_s": NUMBER_OR_NULL,
                        "last_message_age_s": NUMBER_OR_NULL,
                        "reconnects": COUNT,
                        "invalid_utf8": COUNT,
                    }
                ),
                "description": "By alias of the app",
            },
            "subscriptions": closed(dict.fromkeys(("wanted", "live", "waiting", "refused"), COUNT)),
            "frames_dropped": COUNT | {"description": "What sessions threw away as garbage"},
            "decode_errors": COUNT,
            "schema_drift": COUNT,
            "by_channel": closed(dict.fromkeys(("decode_errors", "schema_drift"), _COUNTS)),
            "publish": closed(
                dict.fromkeys(
                    (
                        *("published", "backlog", "backlog_bytes", "dropped", "conflated"),
                        *("possibly_lost", "control_backlog", "events_dropped"),
                    ),
                    COUNT,
                )
            ),
            "lag_us": closed(dict.fromkeys(("p50", "p99", "max"), WHOLE_OR_NULL))
            | {"description": "From the KIS frame to MQTT, of the latest records"},
            "rest": closed(dict.fromkeys(("calls", "throttled", "errors"), COUNT)),
            "orders": _COUNTS | {"description": "Orders of today by state"},
            "halted": BOOLEAN | {"description": "Whether anybody may not trade freely"},
            "halts": of_payload(list[HaltRow]),
        }
    ),
    "bridge/session": closed(
        _SESSION
        | {
            "subscriptions": of_payload(list[SubscriptionRow]),
            "waiting": COUNT | {"description": "Subscriptions without a slot, of all sessions"},
        }
    ),
    "order/ack": closed(
        {
            "client_order_id": TEXT_OR_NULL,
            "status": {"type": "string", "enum": ["accepted", "rejected", "refused", "unknown"]},
            "reason": TEXT_OR_NULL,
            "order_no": TEXT_OR_NULL,
            "kis": {"type": ["object", "null"], "additionalProperties": TEXT},
            "received_at": MICROSECONDS,
            "submitted_at": MICROSECONDS_OR_NULL,
            "answered_at": MICROSECONDS_OR_NULL,
        },
        {
            "verb": {"type": "string", "enum": ["modify", "cancel", "cancel_all"]},
            "command_id": TEXT_OR_NULL,
            "message": TEXT,
            "duplicate": {"const": True},
        },
    ),
    "order/event": closed(
        {
            "client_order_id": TEXT,
            "event": {"type": "string", "enum": [str(event) for event in Event]},
            **_STANDING,
        },
        {
            "quantity": COUNT,
            "price": NUMBER_OR_NULL,
            "reason": TEXT,
            "verb": choice("modify", "cancel"),
            "command_id": TEXT,
            "status": choice("accepted", "not_placed"),
        },
    )
    | {
        "description": "What happened to an order. A `settle` says what became of a `verb` that"
        " had no answer: its `command_id` and `status`."
    },
    "order/state": closed(
        {
            "client_order_id": TEXT,
            "market": TEXT,
            "venue": TEXT,
            "symbol": TEXT,
            "side": choice("buy", "sell"),
            "order_type": TEXT,
            "quantity": COUNT,
            "price": NUMBER_OR_NULL,
            "condition_price": NUMBER_OR_NULL,
            "remaining_quantity": COUNT,
            "cancelled_quantity": COUNT,
            **_STANDING,
            "received_at": MICROSECONDS,
            "submitted_at": MICROSECONDS_OR_NULL,
        }
    ),
    "account/external": {
        "oneOf": [
            closed({"kind": choice(*get_args(NoticeKind)), **_ELSEWHERE, "time": TEXT})
            | {"description": "An execution notice"},
            closed(
                {
                    "kind": {"const": "listed"},
                    **_ELSEWHERE,
                    "action": choice("place", "modify", "cancel"),
                    "filled_quantity": COUNT,
                    "remaining_quantity": COUNT,
                    "cancelled_quantity": COUNT,
                    "ordered_at": MICROSECONDS_OR_NULL,
                }
            )
            | {"description": "A row of the exchange's list of orders"},
        ]
    },
    "account/balance": closed({"at": MICROSECONDS, "balance": listed(opened({"market": TEXT}))})
    | {
        "description": "Cash and worth of the account, a row for each market; beside the market the"
        " members of KIS's balance call, as the workbook names them"
    },
    "account/positions": closed(
        {
            "at": MICROSECONDS,
            "positions": listed(opened({"market": TEXT, "symbol": TEXT, "quantity": NUMBER})),
        }
    )
    | {
        "description": "What the account holds; beside these the members of KIS's balance call,"
        " as the workbook names them"
    },
    "account/orders": closed(
        {
            "at": MICROSECONDS,
            "orders": listed(
                closed(
                    {
                        "order_no": TEXT,
                        "market": TEXT,
                        "symbol": TEXT,
                        "side": choice("buy", "sell", ""),
                        "order_type": TEXT_OR_NULL,
                        "quantity": COUNT,
                        "price": NUMBER_OR_NULL,
                        "filled_quantity": COUNT,
                        "remaining_quantity": COUNT,
                        "ordered_at": MICROSECONDS_OR_NULL,
                        "client": TEXT_OR_NULL,
                        "client_order_id": TEXT_OR_NULL,
                    }
                )
            ),
        }
    )
    | {"description": "Orders that work at the exchange; ours with client and client_order_id"},
    "symbols": closed(
        {
            "market": TEXT,
            "updated_at": MICROSECONDS_OR_NULL,
            "symbols": {
                "type": "array",
                "items": {"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2},
                "description": "Symbol and name",
            },
        }
    ),
}
"""What the bridge sends, by the name of its file."""
