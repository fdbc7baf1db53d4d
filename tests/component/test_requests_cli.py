"""``kis-bridge subscribe``, ``query`` and their like against a broker and what answers there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal

import pytest

from bridge.errors import RequestError
from bridge.mqtt.client import ControlClient, Message
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.requests.server import RequestServer
from tests.brokers import Mosquitto, free_port

DEADLINE_S = 20.0


class Command:
    """Runs a command of kis-bridge; keeps what the bridge was asked."""

    def __init__(self, url: str) -> None:
        self.environ = {**os.environ, "KIS_BRIDGE_MQTT__URL": url}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.topics: list[str] = []

    async def __call__(self, *args: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from bridge.cli import main; main()"),
            *args,
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def answering(url: str, version: Literal[5, 4] = 5) -> AsyncIterator[Command]:
    command = Command(url)
    client = ControlClient([Endpoint.parse(url, version=version)], client_id="bridge", clean=True)
    requests = RequestServer(client, Topics("home/kis"))
    answers: dict[str, object] = {
        "subscribe": {"subscribed": 2},
        "unsubscribe": {"ended": 1},
        "query": {"output": {"price": Decimal("71900.50"), "name": "삼성"}, "pages": 1},
        "resume": {"halted": False},
        "resolve": {"client_order_id": "a-1", "state": "not_placed", "order_no": None},
    }
    for verb, data in answers.items():

        async def answer(
            content: dict[str, Any], message: Message, verb: str = verb, data: object = data
        ) -> object:
            command.topics.append(message.topic.removeprefix("home/kis/bridge/request/"))
            command.asked.append((verb, content))
            if content.get("rotate"):
                return {"subscribed": 1, "waiting": 0, "rotating": 1, "within_s": 441}
            return data

        requests.register(verb, answer)

    async def no(content: dict[str, Any], message: Message) -> object:
        command.topics.append(message.topic.removeprefix("home/kis/bridge/request/"))
        command.asked.append(("halt", content))
        raise RequestError("busy", "not now")

    requests.register("halt", no)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run())
        await client.wait_connected(deadline_s=DEADLINE_S)
        yield command
        await client.close()


async def test_symbols_that_take_turns_from_the_command_line(mosquitto: Mosquitto) -> None:
    async with answering(mosquitto.url) as command:
        where = ("domestic_stock/krx/trade", "005930", "--rotate", "--base", "home/kis")
        done = await command("subscribe", *where)
    assert done == (0, "1 subscribed, each of them has a slot within 441 s\n", "")
    [(_, content)] = command.asked
    assert content["rotate"] is True


async def test_requests_from_the_command_line(mosquitto: Mosquitto) -> None:
    base = ("--base", "home/kis")
    async with answering(mosquitto.url) as command:
        trade = ("domestic_stock/krx/trade", "005930", "BRK/B")
        done = await command("subscribe", *trade, "--priority", "3", *base)
        assert done == (0, "2 subscribed\n", "")
        done = await command("unsubscribe", "--channel", "H0STCNT0", "A", "--user", "me", *base)
        assert done == (0, "1 ended\n", "")
        done = await command("query", "inquire_price", "symbol=005930", *base)
        assert done == (0, "output\n  price  71900.50\n  name   삼성\npages   1\n", "")
        options = ("--account", "main", "--pages", "2", "--variant", "v", "--json")
        done = await command("query", "x", *options, *base)
        assert done == (0, '{"output":{"price":71900.50,"name":"삼성"},"pages":1}\n', "")
        done = await command("resume", "--reason", "done", "--json", *base)
        assert done == (0, '{"halted":false}\n', "")
        assert await command("halt", *base) == (1, "", "kis-bridge: not now\n")
    assert command.topics == ["subscribe", "unsubscribe/me", "query", "query", "resume", "halt"]
    topic = {"market": "domestic_stock", "venue": "krx", "kind": "trade"}
    symbols = [{**topic, "symbol": "005930"}, {**topic, "symbol": "BRK/B"}]
    assert command.asked == [
        ("subscribe", {"subscriptions": symbols, "priority": 3, "client": "cli"}),
        (
            "unsubscribe",
            {"subscriptions": [{"channel": "H0STCNT0", "key": "A"}], "client": "me"},
        ),
        ("query", {"api": "inquire_price", "params": {"symbol": "005930"}, "pages": 1}),
        ("query", {"api": "x", "params": {}, "pages": 2, "account": "main", "variant": "v"}),
        ("resume", {"reason": "done"}),
        ("halt", {"reason": ""}),
    ]


@pytest.mark.parametrize("user", [(), ("--user", "me")])
async def test_a_bridge_that_speaks_3_1_1(mosquitto: Mosquitto, user: tuple[str, ...]) -> None:
    async with answering(mosquitto.url, version=4) as command:
        code, out, _ = await command("resume", "--base", "home/kis", *user)
        assert (code, out) == (0, "the halt of all trading is taken back; everybody may trade\n")


async def test_a_person_says_what_became_of_an_order(mosquitto: Mosquitto) -> None:
    whose = ("a-1", "--account", "main", "--client", "alice", "--base", "home/kis")
    async with answering(mosquitto.url) as command:
        for options in ((), ("--not-placed", "--order-no", "77")):
            code, _, err = await command("resolve", *whose, *options)
            assert (code, "--order-no NUMBER or --not-placed" in err) == (2, True)
        done = await command("resolve", *whose, "--not-placed")
        assert done == (0, "a-1 is not_placed\n", "")
        await command("resolve", *whose, "--order-no", "77", "--command-id", "c")
    named = {"account": "main", "client": "alice", "client_order_id": "a-1"}
    assert [content for _, content in command.asked] == [
        named | {"outcome": "not_placed"},
        named | {"outcome": "placed", "order_no": "77", "command_id": "c"},
    ]


async def test_the_client_stands_in_the_topic(mosquitto: Mosquitto) -> None:
    where = ("--channel", "H0STCNT0", "A", "--base", "home/kis")
    async with answering(mosquitto.url) as command:
        for options in (("--client", "a"), ("--user", "b"), ("--client", "a", "--user", "b")):
            assert (await command("subscribe", *where, *options))[0] == 0
    assert command.topics == ["subscribe/a", "subscribe/b", "subscribe/a"]
    assert [content["client"] for _, content in command.asked] == ["a", "b", "a"]


async def test_whom_a_halt_concerns(mosquitto: Mosquitto) -> None:
    whom = ("--account", "main", "--client", "alice", "--base", "home/kis", "--user", "boss")
    async with answering(mosquitto.url) as command:
        assert (await command("halt", "--reduce-only", "--cancel-all", *whom))[0] == 1  # busy
        assert (await command("resume", *whom))[0] == 0
    assert command.topics == ["halt/boss", "resume/boss"]
    scope = {"reason": "", "account": "main", "client": "alice"}
    assert command.asked == [
        ("halt", scope | {"mode": "reduce_only", "cancel_all": True}),
        ("resume", scope),
    ]


async def test_failures_are_one_line(mosquitto: Mosquitto) -> None:
    command = Command(mosquitto.url)
    code, out, err = await command("halt", "--wait", "0.2")
    assert (code, out) == (1, "")
    assert err == (
        "kis-bridge: no answer to 'halt' within 0.2 s: is a bridge running on "
        f"127.0.0.1:{mosquitto.port} with base topic 'kis'?\n"
    )
    port = free_port()
    code, out, err = await command("halt", "--url", f"mqtt://me:secret@127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert err == f"kis-bridge: MQTT broker 127.0.0.1:{port}: connection refused\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("halt", "--url", "http://x"), "broker URL 'http://x': begin it with one of mqtt://"),
        (("halt", "--base", "a//b"), "--base: base topic 'a//b'"),
        (("subscribe", "domestic_stock", "1"), "is not MARKET/VENUE/KIND"),
        (("subscribe",), "Missing argument"),
        (("query", "inquire_price", "symbol"), "'symbol' is not NAME=VALUE"),
        (("halt", "--ca-file", "/none", "--url", "mqtts://x"), "mqtt.ca_file /none: no such file"),
    ],
)
async def test_wrong_usage_is_one_line(args: tuple[str, ...], says: str) -> None:
    code, out, err = await Command("mqtt://127.0.0.1:1")(*args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
