"""AsyncAPI 3.0 of all topics, seen from the bridge: it sends and receives; pure."""

from __future__ import annotations

from typing import Any, TypeAlias

from bridge.catalog.model import Catalog
from bridge.catalog.schemas import Schema, family
from bridge.documents.topics import Topic, payloads, topics

__all__ = ["asyncapi"]

Json: TypeAlias = dict[str, Any]


def asyncapi(catalog: Catalog, version: str) -> Json:
    """Return the document; ``version`` is the bridge's. Self-contained."""
    families = topics(catalog)
    names, schemas = _shared(catalog)
    messages: Json = {}
    for topic in families:
        for payload in topic.payloads:
            messages[_identifier(payload)] = {
                "name": payload,
                "contentType": "application/json",
                "payload": {"$ref": f"#/components/schemas/{names[payload]}"},
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "kis-mqtt-bridge",
            "version": version,
            "description": "All topics, under the base topic kis. Generated from the workbook,"
            f" version {catalog.version}, and from the models of commands and requests.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "127.0.0.1:1883",
                "protocol": "mqtt",
                "protocolVersion": "5",
                "description": "The broker of the deployment",
            }
        },
        "channels": {topic.name: _channel(topic) for topic in families},
        "operations": dict(_operation(topic) for topic in families),
        "components": {"messages": messages, "schemas": schemas},
    }


def _channel(topic: Topic) -> Json:
    channel: Json = {
        "address": topic.address,
        "summary": topic.summary,
        "messages": {
            _identifier(payload): {"$ref": f"#/components/messages/{_identifier(payload)}"}
            for payload in topic.payloads
        },
    }
    if topic.parameters:
        channel["parameters"] = {
            name: {"description": text}
            | ({"enum": list(topic.choices[name])} if name in topic.choices else {})
            for name, text in topic.parameters.items()
        }
    return channel


def _operation(topic: Topic) -> tuple[str, Json]:
    action = "receive" if topic.from_client else "send"
    operation: Json = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.summary,
        "bindings": {
            "mqtt": {"qos": topic.qos, "retain": topic.retained, "bindingVersion": "0.2.0"}
        },
    }
    if topic.reply:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{topic.reply}"}}
    return f"{action}_{topic.name}", operation


def _shared(catalog: Catalog) -> tuple[dict[str, str], dict[str, Schema]]:
    """Return payload → component and the components; channels of one layout share theirs."""
    names: dict[str, str] = {}
    schemas: dict[str, Schema] = {}
    for payload, document in payloads(catalog).items():
        schema = {k: v for k, v in document.items() if k not in ("$schema", "$id")}
        room, _, tr_id = payload.partition("/")
        if room != "market":
            names[payload] = _identifier(payload)
            schemas[names[payload]] = schema
            continue
        names[payload] = name = f"market_{family(catalog.channels[tr_id])}"
        del schema["title"], schema["description"]
        known = schemas.setdefault(name, schema)
        channel = known["properties"]["channel"]
        channel.setdefault("enum", []).append(channel.pop("const", tr_id))
        if known is not schema:
            rest = dict(schema["properties"], channel=channel)
            if (rest, schema["required"]) != (known["properties"], known["required"]):
                channel["enum"].pop()
                names[payload] = f"market_{tr_id}"
                schema["properties"]["channel"] = {"enum": [tr_id]}
                schemas[names[payload]] = schema
    return names, schemas


def _identifier(payload: str) -> str:
    return payload.replace("/", "_")
