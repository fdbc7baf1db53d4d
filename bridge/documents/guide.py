"""The page of all topics and payloads, made of the same rows as AsyncAPI and JSON Schema; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.catalog.model import Catalog
from bridge.catalog.schemas import Schema
from bridge.documents.events import SUMMARIES
from bridge.documents.refusals import REFUSALS
from bridge.documents.responses import ERRORS
from bridge.documents.topics import Topic, payloads, topics
from bridge.requests.table import REQUESTS

__all__ = ["guide"]

_HEAD = """\
<!-- Made of the types in the code by kis-bridge spec topics; do not edit. -->

# Topics and payloads

Every topic, every payload and every word in them. For programs the same is in
[AsyncAPI](../spec/asyncapi.yaml) and as a JSON Schema for each payload: `kis-bridge spec schema`.

- `kis` is the default of `mqtt.base_topic`.
- What a topic level cannot hold (`/` `+` `#`, blanks, controls) and `%` are percent-encoded in
  topics, and stand as they are in payloads: the prices of `BRK/B` are on `…/trade/BRK%2FB`.
- Payloads are JSON objects in UTF-8. Numbers have the decimals that KIS sent; who reads decimals
  loses nothing. Where KIS sent none there is `null`. Codes, symbols and dates are texts.
- Times of the bridge are µs since the epoch; times of an exchange are ISO 8601 with their offset.
- New members may come. What is here changes its meaning, or goes, with a new major version only.
"""
_MOST_WORDS = 16
_STATUSES = (
    ("accepted", "KIS took it; `order_no` is its number", "follow its events"),
    ("rejected", "KIS refused it; `kis` has its words", "mend the order; nothing stands"),
    ("refused", "the bridge refused it before KIS saw it", "see `reason` below"),
    (
        "unknown",
        "it was sent, and no usable answer came; it is never sent again",
        "wait for the event `settle`; place nothing in its stead",
    ),
)
_STATES = (
    ("received", "written down, not sent yet"),
    ("submitting", "being sent: from here on KIS may have it"),
    ("accepted", "at the exchange, nothing filled"),
    ("partially_filled", "a part is filled, the rest stands"),
    ("filled", "over: all of it"),
    ("cancelled", "over: what was not filled was cancelled"),
    ("expired", "over: its trading day ended"),
    ("rejected", "over: KIS refused it"),
    ("refused", "over: the bridge refused it"),
    ("unknown", "sent, and nobody knows yet"),
    ("not_placed", "over: proved that KIS never had it"),
)


def guide(catalog: Catalog) -> str:
    """Return the page."""
    families, schemas = topics(catalog), payloads(catalog)
    return "\n".join([_HEAD, *_page(families, schemas)]) + "\n"


def _page(families: Sequence[Topic], schemas: Mapping[str, Schema]) -> Iterator[str]:
    market = [one for one in families if _of(one, "market") and "/snapshot/" not in one.address]
    yield from ("## Market data", "")
    yield "`kis/market/{market}/{venue}/{kind}/{symbol}`, one message a record, in KIS's order."
    yield "What each carries: [a page for each channel](channels/README.md). On `snapshot` instead"
    yield "of a kind: [what REST said](backup.md) while no session brings it."
    yield from ("", *_table("topic", "what", "payload"))
    for topic in market:
        yield _row(f"`{topic.address}`", topic.summary, _links(topic))
    yield from ("", "### Candles", "")
    yield from _members(schemas["candle"])
    yield from ("", "## How good a value is")
    yield from _family(next(one for one in families if one.name == "quality"), schemas)
    yield from ("", "## The bridge itself")
    for topic in families:
        if _of(topic, "bridge") and not topic.name.startswith(("event_", "request_", "response_")):
            yield from _family(topic, schemas)
    yield from _family(next(one for one in families if one.name == "symbols"), schemas)
    yield from _requests(schemas)
    yield from _orders(families, schemas)
    yield from _events(schemas)


def _requests(schemas: Mapping[str, Schema]) -> Iterator[str]:
    yield from ("", "## Requests", "")
    yield "Publish to `kis/bridge/request/{verb}`, or to `…/{verb}/{client}` under your name. The"
    yield "answer comes to `kis/bridge/response/…` with the same end; with MQTT 5 to your response"
    yield "topic. A `transaction` in a request, a text or a number, is echoed. Requests are never"
    yield 'retained. An answer is `{"status":"ok","data":…}`, or'
    yield '`{"status":"error","code":…,"message":…}`.'
    for kind in REQUESTS:
        yield from ("", f"### `{kind.verb}`", "", f"{kind.summary}.", "")
        yield from _members(schemas[f"request/{kind.verb}"], without=("transaction",))
        served = schemas[f"response/{kind.verb}"]["oneOf"][0]["properties"]["data"]
        if _shapes(served):
            yield from ("", "`data` of the answer:", "")
            yield from _members(served)
    yield from ("", "### When a request is refused", "", *_table("`code`", "because"))
    for code, meaning in ERRORS.items():
        yield _row(f"`{code}`", meaning)


def _orders(families: Sequence[Topic], schemas: Mapping[str, Schema]) -> Iterator[str]:
    yield from ("", "## Orders", "")
    yield "What is promised, and what proves it: [orders.md](orders.md). Commands are QoS 1, never"
    yield "retained, and need `expires_at` or an MQTT message expiry."
    for topic in families:
        if topic.address.startswith("kis/orders/"):
            yield from _family(topic, schemas)
            if topic.name == "order_ack":
                yield from ("", *_table("`status`", "means", "then"))
                yield from (_row(f"`{name}`", *rest) for name, *rest in _STATUSES)
                yield from ("", *_table("`reason` of `refused`", "means", "then"))
                for name, about in REFUSALS.items():
                    yield _row(f"`{name}`", about.meaning, about.mend)
            if topic.name == "order_state":
                yield from ("", *_table("`state`", "means"))
                yield from (_row(f"`{name}`", meaning) for name, meaning in _STATES)
    yield from ("", "## Accounts")
    for topic in families:
        if topic.address.startswith("kis/accounts/"):
            yield from _family(topic, schemas)


def _events(schemas: Mapping[str, Schema]) -> Iterator[str]:
    yield from ("", "## Events of the bridge", "")
    yield "`kis/bridge/event/{kind}`, QoS 1, not retained."
    for kind, summary in SUMMARIES.items():
        yield from ("", f"### `{kind}`", "", f"{summary.rstrip('.')}.", "")
        yield from _members(schemas[f"event/{kind}"], without=("kind",))


def _family(topic: Topic, schemas: Mapping[str, Schema]) -> Iterator[str]:
    retained = ", retained" if topic.retained else ""
    who = "Client → bridge" if topic.from_client else "Bridge → clients"
    yield from ("", f"### `{topic.address}`", "")
    yield from (f"{topic.summary}. {who}, QoS {topic.qos}{retained}.", "")
    for name in topic.payloads:
        if name != "signed":
            yield from _members(schemas[name])


def _members(schema: Schema, without: Sequence[str] = ()) -> Iterator[str]:
    shapes = _shapes(schema)
    if not shapes:
        yield "An empty object."
    for number, shape in enumerate(shapes):
        if number:
            yield from ("", "or:", "")
        yield from _table("member", "type", "")
        yield from _rows("", shape, without)


def _rows(prefix: str, shape: Schema, without: Sequence[str] = ()) -> Iterator[str]:
    required = shape.get("required", ())
    for name, member in shape.get("properties", {}).items():
        if name in without or not isinstance(member, dict) or not member:
            continue
        often = "" if name in required else "*may be missing.* "
        yield _row(f"`{prefix}{name}`", _type(member), f"{often}{_text(member)}")
        for end, inner in _inner(member):
            yield from _rows(f"{prefix}{name}{end}", inner)


def _inner(member: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield what stands inside of a member, with how its path goes on."""
    if not isinstance(member, dict):  # anything at all
        return
    if member.get("properties"):
        yield ".", member
    for shape in (*member.get("anyOf", ()), *member.get("oneOf", ())):
        yield from _inner(shape)
    items, others = member.get("items"), member.get("additionalProperties")
    if isinstance(items, dict):
        yield from ((f"[]{end}", shape) for end, shape in _inner(items))
    if isinstance(others, dict):
        yield from ((f".*{end}", shape) for end, shape in _inner(others))


def _shapes(schema: Schema) -> list[Schema]:
    several: Sequence[Schema] = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return [one for one in several if one.get("properties")]


def _type(schema: Schema) -> str:
    if not isinstance(schema, dict):
        return "anything"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`".replace('"', "")
    if "enum" in schema:
        words = [f"`{one}`" if one else "blank" for one in schema["enum"] if one is not None]
        return " ".join(words) if len(words) <= _MOST_WORDS else "one of those below"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    kind: Any = schema.get("type", "")
    names: list[str] = [kind] if isinstance(kind, str) else list(kind)
    if "array" in names:
        inner = _type(schema.get("items", {}))
        return f"list of {inner}" if inner else "list"
    called = {"string": "text", "boolean": "true or false", "null": "null", "object": "object"}
    return " or ".join(called.get(name, name) for name in names if name)


def _text(schema: Schema) -> str:
    if not isinstance(schema, dict):
        return ""
    text = str(schema.get("description", "")).strip()
    return text.split("; ", 1)[0] if len(text) > 400 else text


def _links(topic: Topic) -> str:
    names = [name.partition("/")[2] for name in topic.payloads if name.startswith("market/")]
    return " ".join(f"[{name}](channels/{name}.md)" for name in names) or "see below"


def _of(topic: Topic, what: str) -> bool:
    return topic.address.startswith(f"kis/{what}/")


def _table(*titles: str) -> Iterator[str]:
    yield _row(*titles)
    yield "|" + "---|" * len(titles)


def _row(*cells: str) -> str:
    safe = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(safe)} |"
