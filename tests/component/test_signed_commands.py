"""A client that signs trades with its key or not at all, also after a restart."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge.mqtt.signatures import seal
from bridge.orders.gateway import Rules
from tests.component.gateway_fixture import PLACE, Bench, Broker, Kis, ack_topic, bench

KEY = SecretStr("k" * 32)
RULES = Rules(paper=False, pause_s=0.001, grace_s=0.05, signing_keys={"alice": KEY})


def signed(command: dict[str, Any], nonce: str, verb: str = "place", in_s: float = 60) -> bytes:
    until = datetime.now(UTC) + timedelta(seconds=in_s)
    payload, topic = json.dumps(command).encode(), f"kis/orders/main/alice/command/{verb}"
    return seal(KEY, topic, payload, nonce=nonce.ljust(16, "."), expires_at=until.isoformat())


def order(name: str = "a-1", **fields: Any) -> dict[str, Any]:
    kept = {key: value for key, value in PLACE.items() if key != "expires_at"}
    return kept | {"client_order_id": name} | fields


async def ack(one: Bench, payload: bytes, name: str = "a-1", verb: str = "place") -> dict[str, Any]:
    before = len(one.broker.on(ack_topic(name)))
    await one.send(verb, payload)
    return (await one.broker.wait(ack_topic(name), before + 1))[-1]


async def test_signed_commands_trade(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as one:
        assert (await ack(one, signed(order(), "n-1")))["status"] == "accepted"
        cancel = {"client_order_id": "a-1", "command_id": "c-1"}
        said = await ack(one, signed(cancel, "n-2", "cancel"), verb="cancel")
        assert (said["status"], said["command_id"]) == ("accepted", "c-1")
        assert len(one.acked) == 2


async def test_nothing_is_taken_without_the_key_and_no_order_is_named(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as one:
        other = seal(
            SecretStr("x" * 32),
            "kis/orders/main/alice/command/place",
            json.dumps(order()).encode(),
            nonce="n" * 16,
            expires_at=(datetime.now(UTC) + timedelta(seconds=60)).isoformat(),
        )
        for number, payload in enumerate((json.dumps(PLACE).encode(), other), 1):
            refused = await ack(one, payload, "invalid")
            assert (refused["reason"], refused["client_order_id"]) == ("bad_signature", None)
            assert one.broker.on(ack_topic("a-1")) == []
            assert len(one.acked) == number, "the broker need not deliver it again"
        for verb in ("cancel", "modify", "cancel_all"):
            said = await ack(one, b'{"client_order_id":"a-1"}', "invalid", verb)
            assert (said["reason"], said["verb"]) == ("bad_signature", verb)
        await one.send("place", PLACE, client="bob")
        assert (await one.broker.wait(ack_topic(client="bob")))[0]["status"] == "accepted"
        assert len(one.kis.calls) == 1


async def test_a_replay_is_the_first_command_and_a_used_nonce_no_other_one(tmp_path: Path) -> None:
    kis, first = Kis(), signed(order(), "n-1")
    async with bench(tmp_path, rules=RULES, kis=kis) as one:
        assert (await ack(one, first))["status"] == "accepted"
        assert (await ack(one, first))["duplicate"] is True
        assert (await ack(one, signed(order("a-2"), "n-1"), "invalid"))["reason"] == "bad_signature"
    async with bench(tmp_path, rules=RULES, kis=kis, broker=Broker()) as one:
        await one.broker.wait(ack_topic())  # told again after a restart
        assert (await ack(one, first))["duplicate"] is True
        said = await ack(one, signed(order("a-2"), "n-1"), "invalid")
        assert (said["reason"], "nonce" in said["message"]) == ("bad_signature", True)
    assert len(kis.calls) == 1


async def test_what_the_broker_delivers_again_after_a_crash_is_executed_once(
    tmp_path: Path,
) -> None:
    """The first process had sent it and did not live to hear KIS's answer."""
    kis, first = Kis(script=[asyncio.Event()]), signed(order(), "n-1")
    async with bench(tmp_path, rules=RULES, kis=kis) as one:
        await one.send("place", first)
        await kis.called.wait()
    async with bench(tmp_path, rules=RULES, kis=kis, broker=Broker()) as one:
        message = one.message("place", first, again=True)
        await one.gateway.command(message)
        assert (await one.broker.wait(ack_topic()))[-1]["status"] == "unknown"
    assert len(kis.calls) == 1


async def test_a_command_of_yesterday_is_stale(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as one:
        said = await ack(one, signed(order(), "n-1", in_s=-1))
        assert (said["status"], said["reason"]) == ("refused", "expired")
        said = await ack(one, signed(order(expires_at=PLACE["expires_at"]), "n-2", in_s=-1))
        assert said["reason"] == "expired", "whatever the command itself says"
        said = await ack(one, signed(order(), "n-3", in_s=900), "invalid")
        assert said["reason"] == "bad_signature"
        assert one.kis.calls == []


async def test_what_is_good_no_longer_is_forgotten_at_the_next_start(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as one:
        await ack(one, signed(order(), "n-1"))
        now = one.clock()
        assert [client for client, _ in await one.journal.nonces(now)] == ["alice"]
        assert await one.journal.nonces(now + 600_000_000) == []
