"""The documents are those of the workbook and of the code, and hold for what is published."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from bridge import __version__
from bridge.catalog.compile import load
from bridge.catalog.model import Channel
from bridge.catalog.openapi import openapi
from bridge.cli.spec import yaml_text
from bridge.documents.asyncapi import asyncapi
from bridge.documents.events import EVENTS, SUMMARIES
from bridge.documents.guide import guide
from bridge.documents.reference import reference
from bridge.documents.refusals import REFUSALS
from bridge.documents.responses import ERRORS
from bridge.documents.topics import payloads, topics
from bridge.kis.decode import ChannelDecoder, Route
from bridge.kis.executions import NoticeKind
from bridge.mqtt.payloads import EventKind
from bridge.orders.model.command import CommandVerb
from bridge.orders.model.lifecycle import State
from bridge.simulator.history.figures import Figure, of_tape
from bridge.simulator.history.tapes import Tapes
from bridge.simulator.stream.encode import Encoder
from bridge.simulator.stream.price_walks import Typed

ROOT = Path(__file__).parents[3]
CATALOG = load()
FRAMES = [
    json.loads(line)["raw"].split("|", 3)
    for line in (ROOT / "tests/data/frames.jsonl").read_text(encoding="utf-8").splitlines()
]


UNKNOWN = {"account": "main", "client": "bob", "client_order_id": "a-1"}
EVENT = {"at": "2026-11-22T09:00:00+09:00"}


@pytest.fixture(scope="module")
def schemas() -> Mapping[str, Any]:
    return payloads(CATALOG)


def committed(folder: str, pattern: str) -> dict[str, str]:
    root = ROOT / folder
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in root.rglob(pattern)
    }


def test_asyncapi_is_current() -> None:
    text = (ROOT / "spec/asyncapi.yaml").read_text(encoding="utf-8")
    assert text == yaml_text(asyncapi(CATALOG, __version__)), "run kis-bridge spec asyncapi"


def test_openapi_is_current() -> None:
    text = (ROOT / "spec/openapi.yaml").read_text(encoding="utf-8")
    assert text == yaml_text(openapi(CATALOG)), "run kis-bridge spec openapi"


def test_the_schemas_are_current(schemas: Mapping[str, Any]) -> None:
    texts = {
        f"{name}.json": json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        for name, content in schemas.items()
    }
    assert committed("spec/schema", "*.json") == texts, "run kis-bridge spec schema"


def test_the_reference_is_current() -> None:
    assert committed("docs/channels", "*.md") == reference(CATALOG), "run kis-bridge spec docs"


def test_the_page_of_topics_is_current() -> None:
    text = (ROOT / "docs/topics.md").read_text(encoding="utf-8")
    assert text == guide(CATALOG), "run kis-bridge spec topics"


def test_the_page_of_topics_names_every_topic_state_reason_code_and_event() -> None:
    page = guide(CATALOG)
    listed = re.compile(r"kis/market/.*/snapshot/|kis/bridge/(request|response|event)/")
    for topic in topics(CATALOG):
        assert listed.match(topic.address) or f"`{topic.address}`" in page, topic.address
    for word in (*State, *REFUSALS, *ERRORS, *SUMMARIES, *get_args(CommandVerb)):
        assert f"`{word}`" in page or f"/{word}`" in page, word


def test_every_reason_of_a_refusal_is_explained_and_no_other() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "bridge/orders").rglob("*.py")
    )
    written = set(re.findall(r"\bRefusal\(\s*\"([a-z_]+)\"", sources))
    limits = set(re.findall(r"\"(risk_[a-z_]+)\", scope\.limits", sources))
    assert written | limits == set(REFUSALS)


def test_every_topic_has_its_schemas_and_every_schema_its_topic(
    schemas: Mapping[str, Any],
) -> None:
    families = topics(CATALOG)
    assert len({topic.name for topic in families}) == len(families)
    assert len({topic.address for topic in families}) == len(families)
    assert {payload for topic in families for payload in topic.payloads} == set(schemas)
    market = [channel for channel in CATALOG.channels.values() if not channel.encrypted]
    assert sum(name.startswith("market/") for name in schemas) == len(market) == 53


def test_every_member_of_a_request_or_command_is_explained(schemas: Mapping[str, Any]) -> None:
    sent = [name for name in schemas if name.startswith(("request/", "command/"))]
    assert len(sent) == 15
    for name in sent:
        assert schemas[name]["description"]
        for member, schema in schemas[name]["properties"].items():
            assert schema["description"], (name, member)


def test_every_event_and_every_code_of_a_refusal_has_its_schema() -> None:
    assert list(EVENTS) == list(SUMMARIES)
    assert set(EVENTS) == set(get_args(EventKind))
    what = EVENTS["order_external"]["properties"]["what"]["enum"]
    assert what == [*get_args(NoticeKind), "listed"]
    assert EVENTS["order_unknown"]["properties"]["verb"]["enum"] == list(get_args(CommandVerb))
    raised = set()
    for path in (ROOT / "bridge").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "RequestError" in text else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestError":
                code = node.args[0]
                # The command line only says again what a bridge has said.
                raised |= {code.value} if isinstance(code, ast.Constant) else set()
    assert set(ERRORS) == raised | {"failed", "internal"}


def decoded(channel: Channel, count: str, body: str) -> list[Any]:
    found: list[Any] = []
    keys = [f"{venue.prefix}AAPL" for venue in channel.venues[:1]]
    decoder = ChannelDecoder(
        channel, lambda c, v, s, z: Route(c, v, s, f"kis/{s}", z), lambda _, key: key in keys
    )
    decoder.decode(body, int(count), 1_771_820_109_123_456, lambda _, data: found.append(data))
    return [json.loads(data) for data in found]


def test_captured_records_fulfil_their_schema(schemas: Mapping[str, Any]) -> None:
    seen = set()
    for kind, tr_id, count, body in FRAMES:
        channel = CATALOG.channel(tr_id)
        assert channel is not None
        if kind == "1" or channel.encrypted:
            continue
        validator = Draft202012Validator(schemas[f"market/{channel.tr_id}"])
        for record in decoded(channel, count, body):
            validator.validate(record)
            seen.add(channel.tr_id)
    assert len(seen) >= 25


def _known(figures: Mapping[str, Figure], now: datetime) -> Mapping[str, Figure]:
    return figures


def test_drawn_records_of_every_channel_fulfil_their_schema(schemas: Mapping[str, Any]) -> None:
    moment = datetime(2026, 9, 22, 10, 0, 5, tzinfo=UTC)
    for channel in CATALOG.channels.values():
        for layout in () if channel.encrypted else channel.layouts:
            encoder = Encoder(channel, layout.width)
            key = channel.key or channel.symbol
            tape = Tapes(7, moment.date()).tape("overseas_stock", "AAPL").read(moment)
            known = partial(_known, of_tape(tape))
            typed = Typed(encoder.layout, "DNASAAPL", 7, CATALOG.codes, known)
            values = typed.values(moment, key)
            if channel.venues:
                values[channel.symbol] = "AAPL"
            [record] = decoded(channel, "1", encoder.record(values))
            Draft202012Validator(schemas[f"market/{channel.tr_id}"]).validate(record)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("market/H0STCNT0", {"symbol": "005930", "channel": "H0STCNT0", "seq": 1}),
        ("bridge/state", {"state": "away"}),
        ("request/query", {"api": "inquire_price", "pages": 0}),
        ("request/query", {"apo": "inquire_price"}),
        ("request/subscribe", {"subscriptions": [{"market": "domestic_stock"}]}),
        ("request/subscribe", {"subscriptions": [{"channel": "H0STCNT0", "key": "1", "kind": ""}]}),
        ("request/resolve", UNKNOWN | {"outcome": "placed"}),
        ("request/resolve", UNKNOWN | {"outcome": "not_placed", "order_no": "7"}),
        ("request/symbols", {"search": "a", "symbols": ["b"]}),
        ("request/symbols", {}),
        ("command/place", {"client_order_id": "a b"}),
        ("order/ack", {"status": "maybe"}),
        ("response/unsubscribe", {"status": "error"}),
        ("response/unsubscribe", {"status": "error", "code": "bored", "message": "no"}),
        ("response/unsubscribe", {"status": "ok", "data": {"ended": 1, "begun": 1}}),
        ("response/unknown", {"status": "ok", "data": {}}),
        ("event/gap", {"kind": "halted", "at": "2026-11-22T09:00:00+09:00"}),
        ("event/session_restored", EVENT | {"kind": "session_restored"}),
        ("event/session_restored", EVENT | {"kind": "session_restored", "app": "a", "b": 1}),
    ],
)
def test_what_is_wrong_fails_its_schema(
    schemas: Mapping[str, Any], name: str, payload: object
) -> None:
    assert not Draft202012Validator(schemas[name]).is_valid(payload)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("request/query", {"api": "inquire_price", "params": {"a": "1"}, "transaction": 7}),
        ("request/halt", {}),
        ("request/subscribe", {"subscriptions": [{"channel": "H0STCNT0", "key": "005930"}]}),
        ("request/resolve", UNKNOWN | {"outcome": "placed", "order_no": "7"}),
        ("request/resolve", UNKNOWN | {"outcome": "not_placed"}),
        ("request/symbols", {"search": "삼성", "market": "kospi"}),
        ("command/cancel", {"client_order_id": "a-1", "expires_at": "2026-11-22T09:00:00+09:00"}),
        ("response/unsubscribe", {"status": "ok", "data": {"ended": 1}, "transaction": "t"}),
        ("response/query", {"status": "ok", "data": {"pages": 1, "more": False, "output": {}}}),
        ("event/session_restored", EVENT | {"kind": "session_restored", "app": "a"}),
        ("symbols", {"market": "kospi", "updated_at": 1, "symbols": [["005930", "삼성전자"]]}),
    ],
)
def test_what_is_right_fulfils_its_schema(
    schemas: Mapping[str, Any], name: str, payload: object
) -> None:
    Draft202012Validator(schemas[name]).validate(payload)
