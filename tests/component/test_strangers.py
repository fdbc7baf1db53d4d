"""Whom a broker lets in, tried against a real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.strangers import strangers
from bridge.mqtt.topics import Topics
from tests.brokers import Mosquitto

TOPICS = Topics("home/kis")
ALL = ("home/kis/orders/+/+/command/+", "home/kis/bridge/request/#", "home/kis/orders/+/+/ack/+")
NAMELESS, NAMED = "clients without a user name", "any user name with any password"


@pytest.mark.parametrize("version", [5, 4])
async def test_an_open_broker_lets_strangers_publish_everywhere(
    tmp_path: Path, version: Literal[5, 4]
) -> None:
    with Mosquitto.running(tmp_path) as broker:
        endpoint = replace(Endpoint.parse(broker.url), version=version)
        found = await strangers(endpoint, TOPICS)
    assert [(one.who, one.writes) for one in found] == [(NAMELESS, ALL), (NAMED, ALL)]


@pytest.mark.parametrize("version", [5, 4])
@pytest.mark.parametrize(
    ("rule", "writes"),
    [("topic read #", ()), ("topic write home/kis/bridge/request/+/+", (ALL[1],))],
)
async def test_what_a_stranger_may_publish_is_found_out(
    tmp_path: Path, version: Literal[5, 4], rule: str, writes: tuple[str, ...]
) -> None:
    acl = tmp_path / "acl"
    acl.touch(mode=0o600)
    acl.write_text(f"{rule}\nuser bridge\ntopic readwrite #\n")
    extra = f"allow_anonymous true\nacl_file {acl}\n"
    with Mosquitto.running(tmp_path, extra) as broker:
        url = broker.url.replace("mqtt://", "mqtt://bridge:secret@")
        endpoint = replace(Endpoint.parse(url), version=version)
        found = await strangers(endpoint, TOPICS)
    assert (found[0].who, found[0].writes) == (NAMELESS, writes)


async def test_a_broker_that_knows_its_users_lets_in_no_stranger(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.touch(mode=0o600)
    users.write_text("")
    with Mosquitto.running(tmp_path, f"allow_anonymous false\npassword_file {users}\n") as broker:
        assert await strangers(Endpoint.parse(broker.url), TOPICS) == []
