"""Which connections bring what clients send, and how much of it."""

from __future__ import annotations

from typing import Any

from bridge.config.models import Config
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.packets import Ruling
from bridge.mqtt.topics import Topics
from bridge.requests.inlets import Inlets
from bridge.runtime.clock import now_us
from bridge.runtime.pulse import Pulse

TOPICS = Topics()


def inlets(**sections: Any) -> Inlets:
    secret = {"app_key": "k" * 20, "app_secret": "s" * 40}
    kis = {
        "environment": "simulator",
        "apps": [{"alias": "app1", **secret}],
        "accounts": [{"alias": "main", "app": "app1", "number": "12345678-01"}],
    }
    config = Config.model_validate({"kis": kis, **sections})
    endpoints = [Endpoint.parse("mqtt://127.0.0.1")]
    made = Inlets.of(config, endpoints, TOPICS, now_us, Pulse())
    made.take_commands(TOPICS, nothing)
    return made


async def nothing(message: Message) -> None:
    """Take a command."""


def taken(client: ControlClient, topic: str) -> int:
    """Return how many of a thousand messages at once are let in."""
    packets = client._options.packets
    assert packets is not None
    return [packets.judge(topic.encode()) for _ in range(1000)].count(Ruling.TAKE)


def filters(client: ControlClient) -> list[tuple[str, int]]:
    return client._dispatcher.filters


ALICE_AND_BOB = {
    "commands_at_once": 5,
    "commands_per_second": 1,
    "clients": {
        "alice": {"accounts": ["main"]},
        "bob": {"accounts": ["main"], "commands_at_once": 7},
    },
}


def test_each_client_that_is_named_has_a_connection_for_its_commands() -> None:
    made = inlets(orders=ALICE_AND_BOB)
    assert filters(made.traders["alice"]) == [("kis/orders/+/alice/command/+", 1)]
    assert filters(made.traders["bob"]) == [("kis/orders/+/bob/command/+", 1)]
    assert filters(made.strangers) == [("kis/orders/+/+/command/+", 0)]
    assert filters(made.control) == []
    ids = [client.client_id for client in (made.control, made.urgent, *made.owned)]
    assert len(set(ids)) == 6
    # Whatever else changes in the configuration: what waits in the session is hers.
    alone = inlets(orders={"clients": {"alice": {"accounts": ["main"]}}})
    assert alone.traders["alice"].client_id == made.traders["alice"].client_id


def test_a_command_of_a_client_that_is_named_is_taken_over_its_own_connection_alone() -> None:
    made = inlets(orders=ALICE_AND_BOB)
    assert taken(made.strangers, TOPICS.command("main", "alice", "place")) == 0
    assert taken(made.strangers, TOPICS.command("main", "carol", "place")) == 5
    assert not made.arrivals.refused["commands", "alice"]


def test_where_nobody_is_named_all_commands_come_over_one_connection() -> None:
    made = inlets()
    assert made.traders == {}
    assert filters(made.strangers) == [("kis/orders/+/+/command/+", 1)]
    assert taken(made.strangers, TOPICS.command("main", "alice", "place")) >= 300


def test_how_much_each_may_send_is_configured() -> None:
    rights = {"at_once": 3, "per_second": 1, "clients": {"carol": {"at_once": 9}}}
    made = inlets(orders=ALICE_AND_BOB, requests=rights)
    assert taken(made.traders["alice"], TOPICS.command("main", "alice", "place")) == 5
    assert taken(made.traders["bob"], TOPICS.command("main", "bob", "place")) == 7
    assert taken(made.requests, TOPICS.request("query", "alice")) == 3
    assert taken(made.requests, TOPICS.request("query", "carol")) == 9
    assert taken(inlets().requests, TOPICS.request("query", "alice")) >= 200
