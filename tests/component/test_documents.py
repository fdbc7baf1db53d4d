"""The documents stand before their official validators, and the programs before the documents."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from bridge.catalog.compile import load
from bridge.catalog.model import Api
from bridge.catalog.openapi import openapi
from bridge.documents.topics import payloads, topics
from bridge.mqtt.topics import REQUEST_VERBS
from bridge.runtime.clock import SEOUL
from bridge.simulator.history.tapes import Tapes
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.call_table import with_table
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.component.schemas import error, misses
from tests.sound_params import sound
from tests.system.programs import World, ask, publish

ROOT = Path(__file__).parents[2]
CATALOG = load()
VALIDATOR = ROOT / "tests/asyncapi"
FUTURE = OffBook(1, (), tapes=Tapes(1, datetime.now(SEOUL).date())).price("A01603")
"""About what a future costs in a simulator that starts today."""
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


def test_the_table_of_every_call_is_current() -> None:
    text = (ROOT / "bridge/simulator/README.md").read_text(encoding="utf-8")
    assert text == with_table(text, CATALOG), "run kis-bridge spec simulator"


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
            # Neither the page nor its style fetches anything from elsewhere.
            if "css" in answer.headers["content-type"]:
                assert not re.search(r"(?:url\(|@import)\s*[\"']?https?:", answer.text)
        assert not re.search(r"https?://", page)
        assert "validatorUrl: null" in (await http.get("/docs/start.js")).text


async def test_the_answers_of_the_simulator_are_those_of_the_document(
    simulator: Simulator,
) -> None:
    """Schemathesis draws requests from the document and holds every answer against it."""
    async with httpx.AsyncClient(base_url=simulator.rest_url, trust_env=False) as http:
        keys = {"appkey": simulator.app_key, "appsecret": simulator.app_secret}
        body = {"grant_type": "client_credentials", **keys}
        token = (await http.post("/oauth2/tokenP", json=body)).json()["access_token"]
    headers = {**keys, "authorization": f"Bearer {token}", "custtype": "P"}
    await asyncio.to_thread(_draw, simulator, headers)
    called = {path for _, path in simulator.rest.calls}
    assert called == {api.path for api in CATALOG.apis.values() if api.tr_ids}


def _draw(simulator: Simulator, headers: Mapping[str, str]) -> None:
    schema: Any = schemathesis.openapi.from_dict(openapi(CATALOG, [{"url": simulator.rest_url}]))
    with requests.Session() as session:
        for result in schema.get_all_operations():
            operation = result.ok()
            api = next(one for one in CATALOG.apis.values() if one.path == operation.path)
            if api.tr_ids:
                _try(operation, api, simulator, headers, session)


def _try(
    operation: Any,
    api: Api,
    simulator: Simulator,
    headers: Mapping[str, str],
    session: requests.Session,
) -> None:
    """Call with values that are drawn: all of them, and then every second one."""
    good = sound(api, CATALOG, simulator.clock())
    account = {"CANO": good.get("CANO", ""), "ACNT_PRDT_CD": good.get("ACNT_PRDT_CD", "")}
    names = cycle(([], [*good][::2]))

    @settings(
        max_examples=2,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.headers = {**headers, "tr_id": api.tr_ids[0].real, "tr_cont": ""}
        told = {name: good[name] for name in next(names)} | account
        for values in (case.query, case.body):
            if isinstance(values, dict):
                values.update({name: text for name, text in told.items() if name in values})
        case.validate_response(case.call(base_url=simulator.rest_url, session=session))

    run()


CONFIG = """
[[kis.accounts]]
alias = "futures"
app = "app1"
number = "12345678-03"
[orders]
markets = ["domestic_stock", "overseas_stock"]
[orders.clients.bob]
accounts = ["main", "futures"]
"""
SAMSUNG: dict[str, Any] = {
    "market": "domestic_stock",
    "venue": "krx",
    "symbol": "005930",
    "side": "buy",
    "order_type": "market",
    "quantity": 1,
}
APPLE = (
    SAMSUNG
    | {"market": "overseas_stock", "venue": "nas", "symbol": "AAPL"}
    | {
        "order_type": "limit",
        "price": "9999",
    }
)
KOSPI200 = APPLE | {
    "market": "domestic_derivative",
    "venue": "krx",
    "symbol": "A01603",
    "price": f"{FUTURE + 30}",
}
REQUESTS: dict[str, object] = {
    "subscriptions": {},
    "channels": {},
    "snapshot": {"topics": [TRADE]},
    "query": {"api": "inquire_price", "params": {"symbol": "005930"}, "transaction": 1},
    "subscribe": {"subscriptions": [{"channel": "H0STCNT0", "key": "035420"}]},
    "halt": {"reason": "test"},
    "resume": {},
    "symbols": {"market": "kospi", "search": "x"},
    "resolve": {
        "account": "main",
        "client": "bob",
        "client_order_id": "s-1",
        "outcome": "not_placed",
    },
    "adopt": {},
    "unsubscribe": {"subscriptions": [{"channel": "H0STCNT0", "key": "035420"}]},
}


def test_what_the_bridge_publishes_fulfils_its_schemas(tmp_path: Path) -> None:
    """Every message of a bridge at work, of every family of topics that it serves."""
    with World.running(tmp_path, CONFIG) as world:
        _use(world)
        heard = [one for one in world.ear.heard if one.text and "/request/dance" not in one.topic]
    checks = {name: Draft202012Validator(schema) for name, schema in payloads(CATALOG).items()}
    families = topics(CATALOG)
    found: set[str] = set()
    for message in heard:
        family = next((one for one in families if one.matches(message.topic)), None)
        assert family is not None, f"{message.topic} is not documented"
        found.add(family.name)
        errors = [error(checks[name], message.payload) for name in family.payloads]
        assert None in errors, f"{message.topic}: {errors[0]}\n{message.text[:500]}"
        assert misses(checks, family.payloads, message.payload) == [], message.text[:500]
    # Market data is in test_market_families, and events are in test_events.
    elsewhere = ("kis/market/", "kis/bridge/event/")
    wanted = {one.name for one in families if not one.address.startswith(elsewhere)}
    assert wanted <= found
    served = {
        m.topic.split("/")[3]
        for m in heard
        if "/response/" in m.topic and m.payload["status"] == "ok"
    }
    # Nothing is unknown or missing here: see test_events and tests/system/test_journal.py.
    assert served == set(REQUEST_VERBS) - {"resolve", "adopt"}
    assert found >= {"domestic_stock_krx_trade", "domestic_stock_krx_quote"}


def _use(world: World) -> None:
    """Make the bridge say everything that it can say."""
    soon = ("-D", "publish", "message-expiry-interval", "10")

    def send(verb: str, name: str, account: str = "main", **content: Any) -> Any:
        before = world.command(
            verb, {"client_order_id": name, **content}, *soon, client="bob", account=account
        )
        topic = f"kis/orders/{account}/bob/ack/{name}"
        return world.ear.until(topic, after=before).payload["status"]

    price = world.ear.until(TRADE).payload["price"] * 8 // 10 // 1000 * 1000
    world.ear.until(TRADE.replace("trade", "quote"))
    assert send("place", "s-1", **SAMSUNG) == "accepted"
    world.ear.until("kis/orders/main/bob/event/s-1", lambda event: event["state"] == "filled")
    world.ear.until("kis/orders/main/bob/state/s-1")
    assert send("place", "o-1", **APPLE) == "accepted"
    assert send("place", "f-1", "futures", **KOSPI200) == "accepted"
    assert send("place", "s-2", **SAMSUNG | {"order_type": "limit", "price": price}) == "accepted"
    assert send("place", "s-3", **SAMSUNG, price=1) == "refused"
    assert send("modify", "s-2", price=price - 1000) == "accepted"
    assert send("place", "s-4", **SAMSUNG) == "accepted"  # after its fill the list is asked for
    world.ear.until("kis/accounts/main/orders", lambda said: said["orders"])
    assert send("cancel", "s-2") == "accepted"
    assert send("cancel_all", "all") == "accepted"
    _place_elsewhere(world)
    world.ear.until("kis/accounts/main/event/external")
    for account in ("main", "futures"):
        world.ear.until(f"kis/accounts/{account}/positions", lambda said: said["positions"])
        world.ear.until(f"kis/accounts/{account}/balance", lambda said: said["balance"])
    world.ear.until(
        "kis/accounts/main/balance",
        lambda said: {row["market"] for row in said["balance"]} >= {"overseas_stock"},
    )
    for level in ("", "/bob"):
        for verb, content in {**REQUESTS, "dance": {}}.items():
            publish(world.broker.port, f"kis/bridge/request/{verb}{level}", content)
            world.ear.until(f"kis/bridge/response/{verb}{level}")
    world.ear.until("kis/bridge/health")
    masters = (
        "symbols",
        "update",
        "--market",
        "kospi",
        "--url",
        f"{world.kis['rest']}/common/master/",
    )
    done = ask(*masters, "--state-dir", str(world.config.parent / "state"))
    assert done.returncode == 0, done.stderr
    world.bridge.__exit__()  # symbols are published when the bridge connects
    world.start_bridge()
    world.ear.until("kis/symbols/kospi")
    asked = {"market": "kospi", "search": "삼성", "details": True}
    before = len(world.ear.heard)
    publish(world.broker.port, "kis/bridge/request/symbols", asked)
    answer = world.ear.until("kis/bridge/response/symbols", after=before).payload
    assert answer["data"]["symbols"][0]["details"]


def _place_elsewhere(world: World) -> None:
    """Place an order as the telephone does: with the account, past the bridge."""
    saved = [path.read_text() for path in (world.config.parent / "state").glob("*.json")]
    token = max((word for text in saved for word in re.findall(r"[\w.-]{100,}", text)), key=len)
    number, product = world.kis["account"].split("-")
    response = httpx.post(
        f"{world.kis['rest']}/uapi/domestic-stock/v1/trading/order-cash",
        headers={
            "authorization": f"Bearer {token}",
            "appkey": world.kis["app_key"],
            "appsecret": world.kis["app_secret"],
            "tr_id": "VTTC0012U",
            "custtype": "P",
        },
        json={
            "CANO": number,
            "ACNT_PRDT_CD": product,
            "PDNO": "000660",
            "ORD_DVSN": "01",
            "ORD_QTY": "1",
            "ORD_UNPR": "0",
            "EXCG_ID_DVSN_CD": "KRX",
        },
    )
    assert response.json()["rt_cd"] == "0", response.text
