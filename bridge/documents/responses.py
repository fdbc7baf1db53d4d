"""JSON Schema of the answers to requests: the ``data`` of each verb, and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.catalog.schemas import Schema
from bridge.documents.shapes import (
    BOOLEAN,
    COUNT,
    MICROSECONDS,
    TEXT,
    TEXT_OR_NULL,
    choice,
    closed,
    listed,
    opened,
)
from bridge.kis.events import SubscriptionState as SubscriptionState
from bridge.orders.model.lifecycle import State

__all__ = ["ERRORS", "HALTS", "HELD", "REFUSED", "response"]

ERRORS: Mapping[str, str] = {
    "ambiguous_channel": "several channels carry this topic; name one",
    "busy": "too many requests of this verb wait already",
    "failed": "something else went wrong; the message says what",
    "invalid_request": "a member is missing, unknown or wrong; the message names it",
    "invalid_response_topic": "answers may not go to this topic",
    "kis_error": "KIS could not be asked, or gave no usable answer",
    "kis_refused": "KIS refused the call; the message is KIS's",
    "no_session": "the configuration names no app key",
    "not_in_paper": "paper trading does not have this channel",
    "not_market_data": "the channel is an account notice",
    "not_permitted": "the configuration does not permit this client to do it",
    "not_read_only": "the call changes something and cannot be made by query",
    "not_unknown": "the command's outcome is known",
    "not_written": "the journal could not be written",
    "order_no_taken": "the order number is that of another command",
    "retained_request": "a request must not be retained",
    "too_large": "the payload is too long",
    "unknown_account": "no account of this alias",
    "unknown_api": "no call of this name in the workbook",
    "unknown_client": "nobody of this name has traded or is configured",
    "unknown_channel": "no such channel, market, venue or kind in the workbook",
    "unknown_market": "no such market or master",
    "unknown_order": "no such command",
    "unknown_request": "no such verb",
}
"""What the codes of refused requests mean."""

HELD: Schema = closed(
    {
        "channel": TEXT,
        "key": TEXT,
        "session": TEXT_OR_NULL | {"description": "Alias of the app; null: it has no slot"},
        "state": choice(*(state.value for state in SubscriptionState), "waiting"),
        "priority": {"type": "integer", "description": "The smaller is served first"},
        "holders": listed(TEXT) | {"description": "Who wants it"},
    },
    {
        "code": TEXT | {"description": "Why KIS refused it"},
        "reason": TEXT_OR_NULL | {"description": "The code in words"},
        "waits_as": COUNT | {"description": "Place in the queue for a slot"},
        "lease_until": {"type": "integer", "description": "Seconds since the epoch"},
    },
)
"""A subscription and who holds it."""

HALTS = listed(
    closed(
        {
            "account": TEXT_OR_NULL | {"description": "Null: every account"},
            "client": TEXT_OR_NULL | {"description": "Null: every client"},
            "mode": choice("halted", "reduce_only"),
        }
    )
)
_STANDING: Mapping[str, Schema] = {
    "halted": BOOLEAN | {"description": "Whether anybody may not trade freely"},
    "account": TEXT_OR_NULL | {"description": "Which was asked for; null: every account"},
    "client": TEXT_OR_NULL | {"description": "Which was asked for; null: every client"},
    "mode": {
        "type": ["string", "null"],
        "enum": ["halted", "reduce_only", None],
        "description": "What holds for it now, also by a wider halt; null: it trades freely",
    },
    "halts": HALTS,
}
_DATA: Mapping[str, Schema] = {
    "subscribe": closed(
        {
            "subscribed": COUNT,
            "waiting": COUNT | {"description": "How many of them have no slot yet"},
        }
    ),
    "unsubscribe": closed({"ended": COUNT}),
    "subscriptions": listed(HELD),
    "channels": listed(
        closed(
            {
                "channel": TEXT,
                "market": TEXT,
                "venues": listed(TEXT),
                "kind": TEXT,
                "description": TEXT,
                "korean": TEXT,
            }
        )
    ),
    "snapshot": {
        "type": "object",
        "additionalProperties": opened({"symbol": TEXT, "channel": TEXT, "seq": COUNT}),
        "description": "The newest record by topic; each has the members of its own topic",
    },
    "query": opened(
        {
            "pages": COUNT | {"description": "Answers of KIS that were joined"},
            "more": BOOLEAN | {"description": "Whether KIS has further pages"},
        }
    )
    | {
        "description": "Beside these two, the blocks of KIS's answer (output, output1 …), whose"
        " members the workbook names: kis-bridge spec show CALL"
    },
    "halt": closed(
        {
            **_STANDING,
            "halted": {"const": True},
            "known": BOOLEAN | {"description": "Whether anybody has this client's name so far"},
            "cancelling": COUNT | {"description": "Open orders that are being cancelled"},
        }
    ),
    "resume": closed(
        {
            **_STANDING,
            "resumed": BOOLEAN | {"description": "Whether exactly this was halted before"},
        }
    ),
    "resolve": closed(
        {
            "client_order_id": TEXT,
            "state": choice(*map(str, State)),
            "order_no": TEXT_OR_NULL,
        }
    ),
    "symbols": closed(
        {
            "symbols": listed(
                closed(
                    {
                        "symbol": TEXT,
                        "name": TEXT,
                        "english_name": TEXT_OR_NULL,
                        "master": TEXT,
                        "market": TEXT_OR_NULL,
                        "venue": TEXT_OR_NULL,
                    },
                    {
                        "details": {
                            "type": "object",
                            "additionalProperties": TEXT_OR_NULL,
                            "description": "Every column of the master, as the workbook names it",
                        }
                    },
                )
            ),
            "updated_at": {
                "type": "object",
                "additionalProperties": MICROSECONDS,
                "description": "When each master was fetched",
            },
        }
    ),
}
_ECHO: Mapping[str, Any] = {
    "transaction": {"type": ["string", "integer"], "description": "That of the request"}
}
_CODES = "; ".join(f"{code}: {meaning}" for code, meaning in ERRORS.items())

REFUSED: Schema = closed(
    {
        "status": {"const": "error"},
        "code": choice(*ERRORS) | {"description": _CODES},
        "message": TEXT | {"description": "For people: what is wrong and what may be"},
    },
    _ECHO,
)
"""The answer to a request that was not served."""


def response(verb: str) -> Schema:
    """Return the schema of the answers to a verb."""
    served = closed({"status": {"const": "ok"}, "data": _DATA[verb]}, _ECHO)
    return {"oneOf": [served, REFUSED]}
