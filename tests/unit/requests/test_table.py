"""One row for each verb, and every place that has to do with verbs agrees with it."""

from __future__ import annotations

import inspect
import json
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from bridge.catalog.compile import load
from bridge.documents.responses import response
from bridge.documents.topics import payloads, topics
from bridge.mqtt.message import Message
from bridge.mqtt.payloads import Page
from bridge.mqtt.topics import REQUEST_VERBS, Topics
from bridge.requests.server import RequestServer
from bridge.requests.table import REQUESTS
from bridge.requests.verbs import Verbs

VERBS = [kind.verb for kind in REQUESTS]
FAMILIES = {topic.name: topic for topic in topics(load())}
SCHEMAS = payloads(load())
NAMES = ["market", "venue", "kind", "symbol", "channel", "key"]


class Client:
    """Takes requests from the test, and keeps the answers."""

    def __init__(self) -> None:
        self.handler: Any = None
        self.said: list[dict[str, Any]] = []

    def subscribe(self, _topic: str, _qos: int, handler: Any, **_: object) -> None:
        self.handler = handler

    async def publish(self, publication: Any) -> None:
        self.said.append(json.loads(publication.payload))


def test_every_verb_has_its_row_in_the_order_of_the_topics() -> None:
    assert tuple(VERBS) == REQUEST_VERBS


def test_every_row_has_its_method_and_no_method_is_without_a_row() -> None:
    methods = [
        name
        for name, method in vars(Verbs).items()
        if inspect.iscoroutinefunction(method) and not name.startswith("_")
    ]
    assert sorted(methods) == sorted(VERBS)


def test_every_verb_is_registered_with_its_keys() -> None:
    registered: dict[str, tuple[str, ...]] = {}

    class Requests:
        def register(self, verb: str, handler: Any, keys: tuple[str, ...]) -> None:
            assert handler.__name__ == verb
            registered[verb] = keys

    requests: Any = Requests()
    Verbs.register(Verbs.__new__(Verbs), requests)
    assert list(registered) == VERBS
    assert registered["subscriptions"] == ("skip", "transaction")
    assert registered["unsubscribe"] == (
        "subscriptions",
        *(f"subscriptions.*.{name}" for name in NAMES),
        "client",
        "transaction",
    )


@pytest.mark.parametrize("kind", REQUESTS, ids=VERBS)
def test_every_method_returns_what_the_documents_promise(kind: Any) -> None:
    method = getattr(Verbs, kind.verb)
    returned = get_type_hints(method, include_extras=True)["return"]
    if get_origin(returned) is Page:
        (returned,) = get_args(returned)
    assert returned == kind.answer


@pytest.mark.parametrize("kind", REQUESTS, ids=VERBS)
def test_every_row_is_documented_with_its_answer(kind: Any) -> None:
    assert SCHEMAS[f"request/{kind.verb}"]["description"] == kind.summary
    assert SCHEMAS[f"response/{kind.verb}"]["oneOf"] == response(kind.verb)["oneOf"]
    asked = FAMILIES[f"request_{kind.verb}"]
    assert asked.summary == kind.summary
    assert FAMILIES[asked.reply].payloads == (f"response/{kind.verb}",)


@pytest.mark.parametrize(
    ("verb", "asked", "answer"),
    [
        (
            "subscribe",
            {"subscriptions": [{"channel": "H0STCNT0", "kee": "005930"}]},
            "unknown key 'subscriptions.0.kee': did you mean 'key'?",
        ),
        (
            "subscribe",
            {"subscriptions": [{"market": "domestic_stock", "priorty": 1}]},
            "unknown key 'subscriptions.0.priorty': leave it out",
        ),
        ("halt", {"reson": "x"}, "unknown key 'reson': did you mean 'reason'?"),
        ("channels", {"transacton": 1}, "unknown key 'transacton': did you mean 'transaction'?"),
    ],
)
async def test_an_unknown_key_is_refused_with_the_one_that_was_meant(
    verb: str, asked: dict[str, object], answer: str
) -> None:
    client: Any = Client()
    verbs: Any = Verbs.__new__(Verbs)
    verbs._topics = Topics()
    verbs._permissions = type("Everything", (), {"holder": lambda *_: None})()
    verbs.register(RequestServer(client, Topics()))
    payload = json.dumps(asked).encode()
    topic = Topics().request(verb)
    await client.handler(Message(topic, payload, 1, False, "", b"", None, 0, lambda: None))
    (said,) = client.said
    assert said["code"] == "invalid_request"
    assert said["message"].startswith(answer)
