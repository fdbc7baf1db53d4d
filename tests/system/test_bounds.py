"""What once ended the bridge or held it for ever: each is refused, and trading goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.programs import World, publish

BOMBS = {
    "an exponent of twenty digits": '{"a":1e99999999999999999999}',
    "an integer of a billion digits": '{"subscriptions":[],"lease_s":1e999999999}',
    "five thousand digits": '{"a":' + "9" * 5_000 + "}",
    "NaN": '{"a":NaN}',
    "half a surrogate pair": r'{"a":"\ud800"}',
    "ten thousand lists": '{"a":' + "[" * 10_000 + "}",
    "four thousand names": "{" + ",".join(f'"{n}":0' for n in range(4_000)) + "}",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.running(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.mark.parametrize("payload", BOMBS.values(), ids=BOMBS)
def test_one_request_is_refused_and_the_next_is_served(world: World, payload: str) -> None:
    topic = "kis/bridge/response/subscribe/alice"
    before = len(world.ear.heard)
    publish(world.broker.port, "kis/bridge/request/subscribe/alice", payload, version="311")
    assert world.ear.until(topic, after=before).payload["code"] == "invalid_request"
    before = len(world.ear.heard)
    publish(world.broker.port, "kis/bridge/request/channels/alice", "{}", version="311")
    answer = world.ear.until("kis/bridge/response/channels/alice", after=before).payload
    assert answer["status"] == "ok"


@pytest.mark.parametrize("payload", BOMBS.values(), ids=BOMBS)
def test_one_command_is_refused_and_the_next_order_is_placed(world: World, payload: str) -> None:
    before = world.command("place", payload)
    assert world.ack("invalid", before)["reason"] == "invalid_payload"
    name = f"after-{list(BOMBS.values()).index(payload)}"
    before = world.command("place", world.resting() | {"client_order_id": name})
    assert world.ack(name, before)["status"] == "accepted"
    assert world.bridge.process.poll() is None
