from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from structlog.testing import capture_logs

from bridge.errors import BridgeError, RequestError
from bridge.mqtt.message import Handler, Message, Publication
from bridge.mqtt.topics import Topics
from bridge.requests.server import RequestServer


@dataclass
class FakeClient:
    handler: Handler | None = None
    ordered_by: Callable[[Message], str] | None = None
    said: list[tuple[str, dict[str, Any], bytes]] = field(default_factory=list)
    acknowledged: int = 0

    def subscribe(
        self,
        topic_filter: str,
        qos: int,
        handler: Handler,
        *,
        ordered_by: Callable[[Message], str] | None = None,
    ) -> None:
        assert (topic_filter, qos) == ("kis/bridge/request/#", 1)
        self.handler, self.ordered_by = handler, ordered_by

    async def publish(self, publication: Publication) -> None:
        topic, payload, correlation = (
            publication.topic,
            publication.payload,
            publication.correlation,
        )
        assert publication.qos == 1
        assert self.acknowledged, "the PUBACK comes before the answer: orders wait behind it"
        self.said.append((topic, json.loads(payload), correlation))

    async def ask(
        self,
        verb: str,
        payload: bytes,
        *,
        retain: bool = False,
        response_topic: str = "",
        correlation: bytes = b"",
        surplus: bool = False,
    ) -> tuple[str, dict[str, Any]]:
        assert self.handler is not None
        message = Message(
            f"kis/bridge/request/{verb}",
            payload,
            1,
            retain,
            response_topic,
            correlation,
            None,
            0,
            self._ack,
            surplus=surplus,
        )
        await self.handler(message)
        assert self.acknowledged == 1
        self.acknowledged = 0
        if not self.said:
            return "", {}
        topic, answer, echoed = self.said.pop()
        assert echoed == correlation
        return topic, answer

    def _ack(self) -> None:
        self.acknowledged += 1


class Halt(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str


async def echo(content: dict[str, Any], message: Message) -> Any:
    return content


async def halt(content: dict[str, Any], message: Message) -> Any:
    return Halt.model_validate(content).reason


async def refuse(content: dict[str, Any], message: Message) -> Any:
    raise RequestError("no_slot", "all slots are taken")


async def fail(content: dict[str, Any], message: Message) -> Any:
    raise BridgeError("KIS is away")


async def stumble(content: dict[str, Any], message: Message) -> Any:
    raise KeyError("a mistake of ours")


async def unwritable(content: dict[str, Any], message: Message) -> Any:
    return {"value": float("nan")}


def permit(client: str, verb: str) -> None:
    if client == "bob":
        raise RequestError("not_permitted", f"not {verb}")


@pytest.fixture
def client() -> FakeClient:
    client = FakeClient()
    requests = RequestServer(client, Topics(), ["clients"], permit)
    for verb, handler in (
        ("channels", echo),
        ("halt", halt),
        ("subscribe", refuse),
        ("query", fail),
        ("symbols", stumble),
        ("snapshot", unwritable),
    ):
        requests.register(verb, handler)
    with pytest.raises(ValueError, match="two handlers for 'halt'"):
        requests.register("halt", halt)
    return client


async def test_the_answer_has_data_and_transaction(client: FakeClient) -> None:
    topic, answer = await client.ask("channels", b'{"a":1,"transaction":"t"}')
    assert topic == "kis/bridge/response/channels"
    assert answer == {"status": "ok", "data": {"a": 1}, "transaction": "t"}


async def test_a_response_topic_is_honoured(client: FakeClient) -> None:
    for wanted in ("kis/bridge/response/channels/me", "clients/me/1"):
        topic, answer = await client.ask(
            "channels", b"{}", response_topic=wanted, correlation=b"\xff\x00"
        )
        assert (topic, answer["status"]) == (wanted, "ok")


async def test_a_client_with_a_name_is_answered_under_it(client: FakeClient) -> None:
    topic, answer = await client.ask("channels/alice", b"{}")
    assert (topic, answer["status"]) == ("kis/bridge/response/channels/alice", "ok")
    topic, answer = await client.ask("channels/alice", b"not JSON")
    assert (topic, answer["status"]) == ("kis/bridge/response/channels/alice", "error")
    own = "kis/bridge/response/channels/alice/1"
    assert (await client.ask("channels/alice", b"{}", response_topic=own))[0] == own
    for others in ("kis/bridge/response/channels/bob", "kis/bridge/response/channels"):
        topic, answer = await client.ask("channels/alice", b"{}", response_topic=others)
        assert topic == "kis/bridge/response/channels/alice"
        assert answer["code"] == "invalid_response_topic"


async def test_a_client_that_may_not_is_refused(client: FakeClient) -> None:
    topic, answer = await client.ask("channels/bob", b'{"transaction":3}')
    assert topic == "kis/bridge/response/channels/bob"
    assert answer == {
        "status": "error",
        "code": "not_permitted",
        "message": "not channels",
        "transaction": 3,
    }
    assert (await client.ask("halt/bob", b'{"reason":5}'))[1]["code"] == "not_permitted"
    assert (await client.ask("qurey/bob", b"{}"))[1]["code"] == "unknown_request"


async def test_a_topic_that_is_none(client: FakeClient) -> None:
    for rest in ("channels/alice/1", "channels/", "channels/%61lice"):
        topic, answer = await client.ask(rest, b"{}")
        assert (topic, answer["code"]) == ("kis/bridge/response/unknown", "unknown_request")


@pytest.mark.parametrize("wanted", ["kis/bridge/state", "other/me", "kis/market/x", "a/#"])
async def test_a_response_topic_elsewhere_is_not(client: FakeClient, wanted: str) -> None:
    topic, answer = await client.ask("channels", b'{"transaction":7}', response_topic=wanted)
    assert topic == "kis/bridge/response/channels"
    assert (answer["code"], answer["transaction"]) == ("invalid_response_topic", 7)


@pytest.mark.parametrize(
    ("verb", "payload", "code", "says"),
    [
        (
            "halt",
            b'{"reazon":"x"}',
            "invalid_request",
            "unknown key 'reazon': leave it out; missing key 'reason'",
        ),
        ("halt", b"not JSON", "invalid_request", "not JSON"),
        ("halt", b"", "invalid_request", "not JSON"),
        ("halt", b"[" * 60_000, "invalid_request", "nested|JSON"),
        ("halt", b" " * 70_000, "too_large", "65536"),
        ("halt", b'{"transaction":[]}', "invalid_request", "transaction"),
        ("halt", b'{"transaction":true}', "invalid_request", "transaction"),
        ("subscribe", b"{}", "no_slot", "all slots are taken"),
        ("query", b"{}", "failed", "KIS is away"),
        ("qurey", b"{}", "unknown_request", "did you mean 'query'"),
        ("zzzz", b"{}", "unknown_request", "one of channels, halt"),
        ("%ff", b"{}", "unknown_request", "utf-8"),
    ],
)
async def test_a_request_that_cannot_be_served(
    client: FakeClient, verb: str, payload: bytes, code: str, says: str
) -> None:
    topic, answer = await client.ask(verb, payload)
    assert topic.startswith("kis/bridge/response/")
    assert (answer["status"], answer["code"]) == ("error", code)
    assert any(part in answer["message"] for part in says.split("|"))


async def test_a_retained_request_is_refused(client: FakeClient) -> None:
    _, answer = await client.ask("channels", b"{}", retain=True)
    assert answer["code"] == "retained_request"


async def test_removing_a_retained_request_is_no_request(client: FakeClient) -> None:
    assert await client.ask("halt", b"", retain=True) == ("", {})


async def test_verbs_do_not_wait_for_each_other(client: FakeClient) -> None:
    assert client.ordered_by is not None
    a, b = (
        Message(f"kis/bridge/request/{verb}", b"", 1, False, "", b"", None, 0, lambda: None)
        for verb in ("query", "halt")
    )
    assert client.ordered_by(a) != client.ordered_by(b)


async def test_slow_requests_hold_up_nothing_else() -> None:
    client, release = FakeClient(), asyncio.Event()
    requests = RequestServer(client, Topics("kis"))

    async def slow(_content: dict[str, Any], _message: Message) -> str:
        await release.wait()
        return "done"

    async def quick(_content: dict[str, Any], _message: Message) -> str:
        return "at once"

    requests.register("query", slow)
    requests.register("halt", quick)
    assert client.handler is not None

    async def send(verb: str, number: int) -> None:
        payload = b'{"transaction":%d}' % number
        topic = f"kis/bridge/request/{verb}"
        message = Message(topic, payload, 1, False, "", b"", None, 0, client._ack)
        assert client.handler is not None
        await client.handler(message)

    async with asyncio.TaskGroup() as tasks:
        for number in range(16):
            tasks.create_task(send("query", number))
        await asyncio.sleep(0)
        assert client.acknowledged == 16
        await send("query", 16)
        assert client.said.pop()[1]["code"] == "busy"
        await send("halt", 17)
        assert client.said.pop()[1]["data"] == "at once"
        release.set()
    assert [said[1]["transaction"] for said in client.said] == list(range(16))


@pytest.mark.parametrize("name", ["a" * 65_511, "\N{NO-BREAK SPACE}" * 30_000])
async def test_a_name_too_long_to_answer_under_is_answered_all_the_same(
    client: FakeClient, name: str
) -> None:
    topic, answer = await client.ask(f"halt/{name}", b'{"reason":"x"}')
    assert topic == "kis/bridge/response/unknown"
    assert answer["code"] == "unknown_request"


@pytest.mark.parametrize("verb", ["symbols", "snapshot"])
async def test_a_bug_in_one_request_is_an_error_answer_and_ends_nothing(
    client: FakeClient, verb: str
) -> None:
    with capture_logs() as logs:
        _, answer = await client.ask(verb, b'{"transaction":7}')
    assert answer == {
        "status": "error",
        "code": "internal",
        "message": "a bug of the bridge, written to its log",
        "transaction": 7,
    }
    (entry,) = (entry for entry in logs if entry["log_level"] == "error")
    assert entry["exc_info"], "the traceback is in the log"
    assert (await client.ask("channels", b"{}"))[1] == {"status": "ok", "data": {}}


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a":1e99999999999999999999}',
        b'{"subscriptions":[{"channel":"H0STCNT0","key":"005930"}],"lease_s":1e999999999}',
        rb'{"a":"\ud800"}',
        b'{"a":NaN}',
        b"[" * 60_000,
    ],
)
async def test_what_would_cost_more_than_its_length_is_refused(
    client: FakeClient, payload: bytes
) -> None:
    began = time.process_time()
    _, answer = await client.ask("channels", payload)
    assert answer["code"] == "invalid_request"
    assert time.process_time() - began < 0.5


async def test_many_requests_at_once_are_paid_bit_by_bit_and_a_halt_waits_for_none(
    client: FakeClient,
) -> None:
    """What else runs in the event loop gets its turn after each of them."""
    assert client.handler is not None
    passed = 0
    served: list[tuple[str, int]] = []

    async def market_data() -> None:
        nonlocal passed
        while len(served) < 100:
            passed += 1
            await asyncio.sleep(0)

    async def send(verb: str) -> None:
        message = Message(
            f"kis/bridge/request/{verb}", b'{"reason":"x"}', 1, False, "", b"", None, 0, client._ack
        )
        assert client.handler is not None
        await client.handler(message)
        served.append((verb, passed))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(market_data())
        for _ in range(98):
            tasks.create_task(send("channels/mallory"))
        tasks.create_task(send("channels/alice"))
        tasks.create_task(send("halt"))
    assert served[0][0] == "halt"
    assert "channels/alice" in [verb for verb, _ in served[:4]], "the clients take turns"
    assert passed >= 99


async def test_what_is_one_too_many_of_a_client_is_not_served(client: FakeClient) -> None:
    topic, answer = await client.ask("channels/alice", b'{"transaction":7}', surplus=True)
    assert topic == "kis/bridge/response/channels/alice"
    assert (answer["code"], answer["transaction"]) == ("rate_limited", 7)
