"""JSON Schema of each kind of ``bridge/event/{kind}``; nothing else is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from bridge.catalog.schemas import Schema
from bridge.documents.generated import of_payload
from bridge.mqtt.event_payloads import BridgeEvent, EventTime

__all__ = ["EVENTS", "SUMMARIES"]

_SEVERAL: Mapping[str, str] = {
    "gap": "Market data of some topics is lost, or was not sent for a while",
    "slot_refused": "Subscriptions that are not served: KIS refused one, or no slot is free",
    "halted": "Somebody may trade no more, or only reduce positions",
}
"""What the kinds of several shapes mean; of the others their class says it."""


def _shape(kind: Any) -> Schema:
    schema = of_payload(kind)
    members = schema["properties"]
    counted = {name: members.pop(name) for name in ("suppressed",) if name in members}
    at = of_payload(EventTime)
    schema["properties"] = {"kind": members.pop("kind"), "at": at, **members, **counted}
    schema["required"] = ["kind", "at", *(k for k in schema["required"] if k != "kind")]
    return schema


def _events() -> dict[str, Schema]:
    shapes: dict[str, list[Schema]] = {}
    for shape in map(_shape, get_args(BridgeEvent)):
        shapes.setdefault(shape["properties"]["kind"]["const"], []).append(shape)
    return {
        kind: {"description": _SEVERAL[kind], "oneOf": found} if kind in _SEVERAL else found[0]
        for kind, found in shapes.items()
    }


EVENTS: Mapping[str, Schema] = _events()
"""By kind."""

SUMMARIES: Mapping[str, str] = {kind: schema["description"] for kind, schema in EVENTS.items()}
"""What each kind means, in a line."""
