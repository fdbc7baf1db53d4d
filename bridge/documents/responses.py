"""JSON Schema of the answers to requests: the ``data`` of each verb, and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.catalog.schemas import Schema
from bridge.documents.generated import of_payload
from bridge.mqtt.payloads import NotServed, Served
from bridge.requests.table import REQUESTS

__all__ = ["ERRORS", "REFUSED", "response"]

ERRORS: Mapping[str, str] = {
    "ambiguous_channel": "several channels carry this topic; name one",
    "bad_signature": "the client has a signing key, and did not sign it or not like this",
    "busy": "too many requests of this verb wait already",
    "rate_limited": "too many requests of this client; most of what is more has no answer",
    "failed": "something else went wrong; the message says what",
    "internal": "a bug of the bridge; its log has more",
    "invalid_request": "a member is missing, unknown or wrong; the message names it",
    "invalid_response_topic": "answers may not go to this topic",
    "kis_error": "KIS could not be asked, or gave no usable answer",
    "kis_refused": "KIS refused the call; the message is KIS's",
    "lists_not_read": "the exchange's lists could not be read; the message says why",
    "no_session": "the configuration names no app key",
    "not_in_paper": "paper trading does not have this channel",
    "not_market_data": "the channel is an account notice",
    "not_permitted": "the configuration does not permit this client to do it",
    "not_read_only": "the call changes something and cannot be made by query",
    "not_replaced": "the journal lacks nothing, as far as anybody knows",
    "not_unknown": "the command's outcome is known",
    "not_written": "the journal could not be written",
    "order_no_taken": "the order number is that of another command",
    "restart_needed": "the bridge has another journal open; restart it first",
    "retained_request": "a request must not be retained",
    "too_large": "the payload is too long",
    "too_many_subscriptions": "the client, or all together, would hold more than they may",
    "unknown_account": "no account of this alias",
    "unknown_api": "no call of this name in the workbook",
    "unknown_client": "nobody of this name has traded or is configured",
    "unknown_channel": "no such channel, market, venue or kind in the workbook",
    "unknown_market": "no such market or master",
    "unknown_order": "no such command",
    "unknown_request": "no such verb",
}
"""What the codes of refused requests mean."""

_ANSWERS: Mapping[str, Any] = {kind.verb: kind.answer for kind in REQUESTS}
_CODES = "; ".join(f"{code}: {meaning}" for code, meaning in ERRORS.items())


def _refused() -> Schema:
    schema = of_payload(NotServed)
    schema["properties"]["code"] |= {"enum": list(ERRORS), "description": _CODES}
    return schema


REFUSED = _refused()
"""The answer to a request that was not served."""


def response(verb: str) -> Schema:
    """Return the schema of the answers to a verb."""
    served = of_payload(Served)
    served["properties"]["data"] = of_payload(_ANSWERS[verb])
    return {"oneOf": [served, REFUSED]}
