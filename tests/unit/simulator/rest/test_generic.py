"""Every call of the workbook has an answer, in every variant, in both environments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from bridge.catalog.compile import load
from bridge.catalog.model import Api
from bridge.catalog.openapi import openapi
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings

CATALOG = load()
DOCUMENT = openapi(CATALOG)
NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
NUMBER = "12345678-01"
SYMBOLS = {"overseas_stock": "AAPL", "domestic_futureoption": "A01612"}


def handlers(environment: str = "real") -> Handlers:
    chosen: SimulatorSettings = SimulatorSettings(
        environment="paper" if environment == "paper" else "real", manual=True
    )
    return Handlers(Exchange(seed=1, accounts=[with_holdings(NUMBER, 10**8, [])]), CATALOG, chosen)


def sound(api: Api) -> dict[str, str]:
    """Return parameters as the workbook allows them."""
    params = {}
    for param in api.params:
        value = param.default
        if param.codes and not value:
            value = CATALOG.codes[param.codes][0].code
        if param.path == "symbol":
            value = value or SYMBOLS.get(api.category, "005930")
        if param.type in ("date", "time"):
            value = {"date": "20260922", "time": "100000"}[param.type]
        params[param.name.upper()] = value
    product = "03" if api.category == "domestic_futureoption" else "01"
    return params | ({"CANO": "12345678", "ACNT_PRDT_CD": product} if "CANO" in params else {})


def schema(api: Api) -> Draft202012Validator:
    operation = DOCUMENT["paths"][api.path][api.method.lower()]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator(answer | {"components": DOCUMENT["components"]})


def answers(environment: str) -> Iterator[tuple[Api, dict[str, object]]]:
    able = handlers(environment)
    for call in able.calls.values():
        for variant in dict.fromkeys(
            (call.paper if environment == "paper" else call.real).values()
        ):
            yield call.api, able.answer(call, variant, sound(call.api), "", NOW).body


@pytest.mark.parametrize("environment", ["real", "paper"])
def test_every_variant_of_every_call_has_an_answer_of_its_document(environment: str) -> None:
    told = list(answers(environment))
    assert len(told) >= (303 if environment == "real" else 42)
    assert [(api.name, body["msg_cd"]) for api, body in told if body["msg_cd"] == "EGW00101"] == []
    assert [
        (api.name, next(schema(api).iter_errors(body)).message)
        for api, body in told
        if not schema(api).is_valid(body)
    ] == []
