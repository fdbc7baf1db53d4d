"""The documents stand before their official validators, and the programs before the documents."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from bridge.catalog.compile import load
from bridge.catalog.openapi import openapi
from bridge.documents.topics import payloads, topics
from bridge.simulator.desk import CALLS
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.system.programs import World, publish

ROOT = Path(__file__).parents[2]
CATALOG = load()
VALIDATOR = ROOT / "tests/asyncapi"
SOUND = {
    "PDNO": "005930",
    "FID_INPUT_ISCD": "005930",
    "FID_COND_MRKT_DIV_CODE": "J",
    "PRDT_TYPE_CD": "300",
    "BASS_DT": "20260922",
    "INQR_STRT_DT": "20260901",
    "INQR_END_DT": "20260922",
    "EXCG_ID_DVSN_CD": "KRX",
    "ORD_DVSN": "01",
    "ORD_QTY": "1",
    "ORD_UNPR": "0",
    "SLL_TYPE": "01",
    "CNDT_PRIC": "",
}
"""Values with which a call succeeds; every second request has them."""
TRADE = "kis/market/domestic_stock/krx/trade/005930"


def test_openapi_is_valid() -> None:
    validate(openapi(CATALOG))


def test_asyncapi_is_valid() -> None:
    """By the official parser, which is a program for Node."""
    node = shutil.which("node")
    if node is None or not (VALIDATOR / "node_modules/@asyncapi/parser").is_dir():
        reason = "needs Node and: npm install --no-package-lock --prefix tests/asyncapi"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        [node, str(VALIDATOR / "validate.js"), str(ROOT / "spec/asyncapi.yaml")],
        *(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schemas_are_valid() -> None:
    for schema in payloads(CATALOG).values():
        Draft202012Validator.check_schema(schema)


@pytest_asyncio.fixture
async def simulator() -> AsyncIterator[Simulator]:
    chosen = SimulatorSettings(seed=1, environment="real", rest_per_second=0)
    async with Simulator(CATALOG, chosen) as running:
        yield running


async def test_the_simulator_serves_the_document_and_a_page_to_try_it(
    simulator: Simulator,
) -> None:
    async with httpx.AsyncClient(base_url=simulator.rest_url, trust_env=False) as http:
        document = (await http.get("/openapi.json")).json()
        assert document["servers"] == [{"url": "/", "description": "This simulator"}]
        assert len(document["paths"]) == len(CATALOG.apis)
        page = (await http.get("/docs")).text
        for source in re.findall(r'(?:src|href)="([^"]+)"', page):
            answer = await http.get(source)
            assert answer.status_code == 200, source
            assert "html" not in answer.headers["content-type"]


def operations(simulator: Simulator) -> Iterator[Any]:
    """Yield the calls that the simulator answers, as schemathesis sees them."""
    document = openapi(CATALOG, [{"url": simulator.rest_url}])
    document["paths"] = {path: document["paths"][path] for path in sorted(CALLS)}
    schema: Any = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        yield result.ok()


async def test_the_answers_of_the_simulator_are_those_of_the_document(
    simulator: Simulator,
) -> None:
    """Schemathesis draws requests from the document and holds every answer against it."""
    import asyncio

    async with httpx.AsyncClient(base_url=simulator.rest_url, trust_env=False) as http:
        keys = {"appkey": simulator.app_key, "appsecret": simulator.app_secret}
        body = {"grant_type": "client_credentials", **keys}
        token = (await http.post("/oauth2/tokenP", json=body)).json()["access_token"]
    headers = {**keys, "authorization": f"Bearer {token}", "custtype": "P"}
    account = dict(zip(("CANO", "ACNT_PRDT_CD"), simulator.account.split("-"), strict=True))
    reached: dict[str, int] = {}
    for operation in operations(simulator):
        await asyncio.to_thread(_try, operation, simulator.rest_url, headers, account, reached)
    assert set(reached) == set(CALLS)
    # An order number cannot be guessed; everything else has to succeed now and then.
    assert [path for path, times in reached.items() if not times] == [
        path for path in reached if path.endswith("order-rvsecncl")
    ]


def _try(
    operation: Any,
    url: str,
    headers: Mapping[str, str],
    account: Mapping[str, str],
    reached: dict[str, int],
) -> None:
    real = {ids.real for api in CATALOG.apis.values() for ids in api.tr_ids}

    number = count()

    @settings(
        max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        tr_id = (case.headers or {}).get("tr_id", "")
        if tr_id not in real:
            return
        case.headers = {**headers, "tr_id": tr_id, "tr_cont": ""}
        sound = {**account, **(SOUND if next(number) % 2 else {})}
        for values in (case.query, case.body):
            if isinstance(values, dict):
                values.update({name: text for name, text in sound.items() if name in values})
        response = case.call(base_url=url)
        case.validate_response(response, checks=[schemathesis.checks.not_a_server_error])
        case.validate_response(response)
        if response.json()["rt_cd"] == "0":
            reached[operation.path] = reached.get(operation.path, 0) + 1
        else:
            reached.setdefault(operation.path, 0)

    run()


def test_what_the_bridge_publishes_fulfils_its_schemas(tmp_path: Path) -> None:
    """Every message of a bridge at work, of every family of topics that it serves."""
    checks = {name: Draft202012Validator(schema) for name, schema in payloads(CATALOG).items()}
    families = topics(CATALOG)
    soon = ("-D", "publish", "message-expiry-interval", "10")
    order = {
        "client_order_id": "d-1",
        "market": "domestic_stock",
        "venue": "krx",
        "symbol": "005930",
        "side": "buy",
        "order_type": "market",
        "quantity": 1,
    }
    requests: dict[str, object] = {
        "subscriptions": {},
        "channels": {},
        "snapshot": {"topics": [TRADE]},
        "query": {"api": "inquire_price", "params": {"symbol": "005930"}, "transaction": 1},
        "subscribe": {"subscriptions": [{"channel": "H0STCNT0", "key": "035420"}]},
        "halt": {"reason": "test"},
        "resume": {},
        "unsubscribe": {"subscriptions": []},
    }
    with World.running(tmp_path) as world:
        world.ear.until(TRADE)
        world.ear.until(TRADE.replace("trade", "quote"))
        world.command("place", order, *soon)
        world.ear.until("kis/orders/main/alice/event/d-1", lambda event: event["state"] == "filled")
        world.ear.until("kis/orders/main/alice/state/d-1")
        for verb, content in requests.items():
            publish(world.broker.port, f"kis/bridge/request/{verb}", content)
            world.ear.until(f"kis/bridge/response/{verb}")
        world.ear.until("kis/bridge/event/resumed")
        world.ear.until("kis/bridge/health")
        heard = [message for message in world.ear.heard if message.text]
    found: set[str] = set()
    for message in heard:
        family = next((one for one in families if one.matches(message.topic)), None)
        assert family is not None, f"{message.topic} is not documented"
        if family.from_client:
            if family.name == "request_unsubscribe":
                continue  # the one that is wrong
        elif family.name != "command_place":
            found.add(family.name)
        errors = [_error(checks[name], message.payload) for name in family.payloads]
        assert None in errors, f"{message.topic}: {errors[0]}\n{message.text[:500]}"
    assert found >= {
        *("domestic_stock_krx_trade", "domestic_stock_krx_quote"),
        *("state", "info", "health", "session", "event", "response"),
        *("order_ack", "order_event", "order_state"),
    }


def _error(validator: Any, payload: object) -> str | None:
    error = next(validator.iter_errors(payload), None)
    return None if error is None else f"{error.json_path}: {error.message[:300]}"
