"""Every call that only reads, asked of the bridge over MQTT and answered by the simulator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bridge.catalog.compile import load
from bridge.catalog.model import Api
from bridge.kis.params import reads_only
from bridge.runtime.clock import SEOUL
from tests.brokers import Mosquitto
from tests.sound_params import sound
from tests.system.programs import DEADLINE_S, KIS_BRIDGE, Ear, Program, client, environ, simulator
from tests.system.test_real_money import ALICE, LOGIN, configuration, passwords

CATALOG = load()
CALLS = [
    (api, ids.variant) for api in CATALOG.apis.values() for ids in api.tr_ids if reads_only(api)
]
ALIASES = {"03": "futures", "29": "pension"}
AT_ONCE = 16
"""Requests that may wait for the bridge, of one client."""
ACCOUNTS = """
[[kis.accounts]]
alias = "futures"
app = "app1"
number = "12345678-03"
[[kis.accounts]]
alias = "pension"
app = "app1"
number = "12345678-29"
[requests.clients.alice]
accounts = ["main", "futures", "pension"]
per_second = 1000
at_once = 1000
"""


def query(api: Api, variant: str, number: int) -> dict[str, Any]:
    params = sound(api, CATALOG, datetime.now(SEOUL))
    asked: dict[str, Any] = {"api": api.name, "variant": variant, "transaction": number, "pages": 2}
    if params.pop("CANO", None):
        asked["account"] = ALIASES.get(params.pop("ACNT_PRDT_CD"), "main")
    return asked | {"params": params}


def publish_lines(port: int, topic: str, payloads: Sequence[object]) -> None:
    subprocess.run(
        [client("mosquitto_pub"), "-V", "5", "-p", str(port), "-q", "1", "-l", "-t", topic, *ALICE],
        input="\n".join(map(json.dumps, payloads)), text=True, check=True, timeout=DEADLINE_S,
        env=environ(),
    )  # fmt: skip


def batches(asked: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    yield from (asked[start : start + AT_ONCE] for start in range(0, len(asked), AT_ONCE))


def answered(ear: Ear, number: int, after: int) -> Any:
    return ear.until(
        "kis/bridge/response/query/alice",
        lambda one: one["transaction"] == number,
        after=after,
    ).payload


def test_every_read_only_call_is_answered_through_the_bridge(tmp_path: Path) -> None:
    with (
        Mosquitto.running(tmp_path, "allow_anonymous false\n" + passwords(tmp_path)) as broker,
        simulator("--environment", "real") as (_, kis),
        Ear(broker.port, "kis/bridge/response/#", login=LOGIN) as ear,
    ):
        config = configuration(tmp_path, kis, broker.url)
        text = config.read_text().replace("[kis]\n", "[kis]\nrest_per_second = 1000\n")
        config.write_text(text + ACCOUNTS)
        with Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge:
            bridge.line()
            asked = [query(*one, number) for number, one in enumerate(CALLS)]
            answers = []
            for some in batches(asked):
                before = len(ear.heard)
                publish_lines(broker.port, "kis/bridge/request/query/alice", some)
                answers += [answered(ear, one["transaction"], before) for one in some]
    told = list(zip(CALLS, answers, strict=True))
    assert len({api.name for (api, _), _ in told}) == 257
    refused = {f"{api.name}: {said['message']}" for (api, _), said in told if "message" in said}
    assert refused == set()
    for (api, _), said in told:
        blocks = {one.name for one in api.outputs if one.name}
        assert blocks <= said["data"].keys(), api.name
        assert said["data"]["pages"] >= 1
