"""Each call of the workbook, in each variant, over HTTP and through the bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.catalog.compile import load
from bridge.catalog.model import Api, TrId
from bridge.catalog.openapi import openapi
from bridge.runtime.clock import SEOUL
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings
from tests.component.kis_client import Client, simulated
from tests.sound_params import PRODUCTS, sound

CATALOG = load()
DOCUMENT = openapi(CATALOG)
WRITTEN = Handlers(Exchange(), CATALOG, SimulatorSettings()).written
ACCOUNTS = tuple(f"12345678-{product}" for product in ("01", *PRODUCTS.values()))


def calls(environment: str) -> Iterator[tuple[Api, TrId, str]]:
    """Yield every call with a TR id there, variant by variant."""
    for api in CATALOG.apis.values():
        for ids in api.tr_ids:
            if tr_id := ids.real if environment == "real" else ids.paper:
                yield api, ids, tr_id


class Documented:
    """Holds answers against the document, and against the fields that the workbook names."""

    def __init__(self) -> None:
        self._checks: dict[str, Draft202012Validator] = {}

    def fault(self, api: Api, body: Any) -> str:
        """Return what is wrong with an answer; blank if nothing is."""
        check = self._checks.get(api.name)
        if check is None:
            operation = DOCUMENT["paths"][api.path][api.method.lower()]
            answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
            check = Draft202012Validator(answer | {"components": DOCUMENT["components"]})
            self._checks[api.name] = check
        return next((error.message for error in check.iter_errors(body)), "") or next(
            self._missing(api, body), ""
        )

    def _missing(self, api: Api, body: Any) -> Iterator[str]:
        for output in api.outputs if body["rt_cd"] == "0" else ():
            block = body.get(output.name) if output.name else body
            if block is None:
                yield f"no {output.name}"
            for row in block if isinstance(block, list) else [block]:
                known = {name.lower() for name in row or ()}
                yield from (f.name for f in output.fields if f.name.lower() not in known)


async def ask(kis: Client, api: Api, tr_id: str, *left_out: str, **changes: str) -> Any:
    params = sound(api, CATALOG, kis.simulator.clock()) | changes
    for name in left_out:
        del params[name]
    return await kis.call(api.path, tr_id, params)


@asynccontextmanager
async def answering(environment: str, **changes: Any) -> AsyncIterator[Client]:
    async with simulated(environment=environment, accounts=ACCOUNTS, **changes) as kis:
        kis.simulator.rest.calls.clear()
        yield kis


def test_the_calls_are_those_of_the_workbook() -> None:
    assert len(CATALOG.apis) == 279
    assert len([*calls("real")]) == 303
    assert len({api.name for api, _, _ in calls("real")}) == 275  # and 4 for tokens and keys


@pytest.mark.parametrize("environment", ["real", "paper"])
async def test_every_variant_of_every_call_is_answered_as_documented(environment: str) -> None:
    document, wrong, refused = Documented(), [], set()
    async with answering(environment) as kis:
        for api, ids, tr_id in calls(environment):
            response = await ask(kis, api, tr_id)
            body = response.json()
            fault = document.fault(api, body)
            if response.status_code != 200 or fault or body["msg_cd"] == "EGW00101":
                wrong.append((api.name, ids.variant, response.status_code, fault, body["msg_cd"]))
            if body["rt_cd"] != "0" and not api.changes:
                refused.add((api.name, body["msg_cd"], body["msg1"].strip()))
    assert wrong == []
    assert refused == set()


async def test_a_call_that_lacks_a_parameter_names_it_as_kis_does() -> None:
    told = []
    async with answering("real") as kis:
        for api, _, tr_id in calls("real"):
            needed = [p.name for p in api.params if p.required]
            name = next((n for n in needed if n.upper().startswith("FID_")), "")
            if name:
                body = (await ask(kis, api, tr_id, name)).json()
                told.append((body["rt_cd"], body["msg_cd"], body["msg1"] == lacks(name)))
    assert len(told) > 100
    assert set(told) == {("2", "OPSQ2001", True)}


def lacks(name: str) -> str:
    return f"ERROR INPUT FIELD NOT FOUND [{name.upper()}]"


async def test_what_the_programs_that_kis_publishes_leave_out_may_be_left_out() -> None:
    newly_listed = CATALOG.apis["elw/newly_listed"]
    async with answering("real") as kis:
        tr_id = newly_listed.tr_ids[0].real
        body = (await ask(kis, newly_listed, tr_id, "FID_BLNC_CLS_CODE")).json()
        assert body["rt_cd"] == "0"
        assert (await ask(kis, newly_listed, tr_id, "FID_DIV_CLS_CODE")).json()["rt_cd"] == "2"


async def test_what_the_gateway_and_the_systems_behind_it_refuse() -> None:
    volume_rank = CATALOG.apis["domestic_stock/volume_rank"]
    order = CATALOG.apis["domestic_stock/order_credit"]
    async with answering("real") as kis:
        now = kis.simulator.clock()

        async def said(api: Api, tr_id: str, **changes: str) -> tuple[int, str, str]:
            answer = await ask(kis, api, tr_id, **changes)
            return answer.status_code, answer.json()["msg_cd"], answer.json()["msg1"]

        invalid = (200, "OPSQ2001", "ERROR INVALID FID_COND_MRKT_DIV_CODE")
        wrong = await said(volume_rank, "FHPST01710000", FID_COND_MRKT_DIV_CODE="U")
        assert wrong == invalid
        longer = await said(volume_rank, "FHPST01710000", FID_COND_MRKT_DIV_CODE="KOSPI")
        size = "ERROR INVALID INPUT_FILED_SIZE [FID_COND_MRKT_DIV_CODE] [5]"
        assert longer == (200, "OPSQ2002", size)
        assert (await said(volume_rank, "FHKST01010100"))[:2] == (500, "EGW00310")
        # With the other method the parameters are not where KIS looks for them.
        params = sound(volume_rank, CATALOG, now)
        tr_id, headers = "FHPST01710000", {"tr_id": "FHPST01710000"}
        assert (await kis.call(volume_rank.path, tr_id, params)).json()["rt_cd"] == "0"
        headers |= {"authorization": f"Bearer {kis.token}", "appkey": kis.customer.app_key}
        headers |= {"appsecret": kis.customer.app_secret}
        posted = (await kis.http.post(volume_rank.path, json=params, headers=headers)).json()
        assert posted["msg1"] == lacks("FID_COND_MRKT_DIV_CODE")
        deleted = await kis.http.delete(volume_rank.path, headers=headers)
        assert deleted.status_code == 405
        assert (await said(order, "TTTC0052U", CANO="87654321"))[:2] == (200, "OPSQ2000")
        assert (await kis.http.get("/uapi/none")).json()["msg_cd"] == "EGW00101"
    async with answering("paper") as kis:
        assert (await ask(kis, order, "TTTC0052U")).json()["msg_cd"] == "EGW02006"
        made_up = await ask(kis, order, "VTTC0052U")
        assert (made_up.status_code, made_up.json()["msg_cd"]) == (200, "OPSQ0002")


async def test_orders_of_a_closed_market_are_refused() -> None:
    sunday = datetime(2026, 9, 20, 10, tzinfo=SEOUL)
    async with answering("real", hours="krx") as kis:
        kis.simulator.rest._clock = lambda: sunday
        for api, _, tr_id in calls("real"):
            if api.changes and api.name not in WRITTEN:
                body = (await ask(kis, api, tr_id)).json()
                assert (body["rt_cd"], body["msg_cd"]) == ("7", "APBK0919"), api.name
