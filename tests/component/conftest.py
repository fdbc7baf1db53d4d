"""Whatever a bridge or a part of it says in these tests is held against its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.catalog.compile import load
from bridge.documents.topics import Topic, payloads, topics
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Publication
from bridge.orders.publishing.publisher import Publisher
from tests.component.schemas import error

Said = list[tuple[str, bytes]]


@pytest.fixture(scope="session")
def documented() -> tuple[Sequence[Topic], Mapping[str, Draft202012Validator]]:
    """What the bridge says beside market data, and the schemas of it."""
    catalog = load()
    families = [
        one
        for one in topics(catalog)
        if not one.from_client and not one.address.startswith("kis/market/")
    ]
    names = {name for one in families for name in one.payloads}
    schemas = payloads(catalog)
    return families, {name: Draft202012Validator(schemas[name]) for name in names}


@pytest.fixture(autouse=True)
def _what_is_said_is_documented(
    monkeypatch: pytest.MonkeyPatch,
    documented: tuple[Sequence[Topic], Mapping[str, Draft202012Validator]],
) -> Iterator[None]:
    said: Said = []

    def listen(speaker: type[Any], name: str) -> None:
        publish = getattr(speaker, name)

        async def noted(self: Any, what: Publication | str, *args: Any, **more: Any) -> Any:
            said.append((what, args[0]) if isinstance(what, str) else (what.topic, what.payload))
            return await publish(self, what, *args, **more)

        monkeypatch.setattr(speaker, name, noted)

    listen(ControlClient, "publish")
    listen(Publisher, "_publish")
    yield
    families, checks = documented
    for topic, payload in said:
        family = next((one for one in families if one.matches(topic)), None)
        content = json.loads(payload) if family is not None and payload else None
        if family is not None and content:
            errors = [error(checks[name], content) for name in family.payloads]
            assert None in errors, f"{topic}: {errors[0]}\n{content}"
