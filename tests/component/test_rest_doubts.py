"""What an answer to an order that KIS does not describe means: nothing is known."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from bridge.kis.replies import KisNotSentError, KisRefusedError, KisUnknownError, Reply
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Throttle
from tests.component.virtual_exchange import CATALOG

ORDER = {
    "CANO": "12345678",
    "ACNT_PRDT_CD": "01",
    "PDNO": "005930",
    "ORD_DVSN": "00",
    "ORD_QTY": "1",
    "ORD_UNPR": "71900",
    "EXCG_ID_DVSN_CD": "KRX",
    "SLL_TYPE": "",
    "CNDT_PRIC": "",
}


class Tokens:
    async def token(self, **_: object) -> SecretStr:
        return SecretStr("token")


def client(status: int, body: object, sent: list[httpx.Request]) -> RestClient:
    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(status, json=body)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    key = SecretStr("key")
    return RestClient(CATALOG, http, "http://kis", key, key, Tokens(), Throttle(100), paper=False)


@pytest.mark.parametrize(
    ("status", "rt_cd", "msg_cd"),
    [
        (500, "1", "EGW00999"),
        (504, "1", "EGW00305"),
        (500, "1", "EGW00301"),
        (200, "1", ""),
        (200, "1", "OPSQ0004"),
        (200, "1", "OPSQ1002"),
    ],
)
async def test_it_is_unknown(status: int, rt_cd: str, msg_cd: str) -> None:
    rest = client(status, {"rt_cd": rt_cd, "msg_cd": msg_cd, "msg1": "x"}, [])
    with pytest.raises(KisUnknownError):
        await rest.call("domestic_stock/order_cash", ORDER, variant="buy")


async def test_what_is_described_is_a_refusal() -> None:
    rest = client(500, {"rt_cd": "1", "msg_cd": "EGW00205", "msg1": "x"}, [])
    with pytest.raises(KisRefusedError):
        await rest.call("domestic_stock/order_cash", ORDER, variant="buy")
    rest = client(200, {"rt_cd": "7", "msg_cd": "APBK0952", "msg1": "x"}, [])
    reply: Reply = await rest.call("domestic_stock/order_cash", ORDER, variant="buy")
    assert not reply.ok


async def test_what_is_called_off_is_not_sent() -> None:
    sent: list[httpx.Request] = []
    rest = client(200, {}, sent)
    with pytest.raises(KisNotSentError, match="called off"):
        await rest.call("domestic_stock/order_cash", ORDER, variant="buy", still=lambda: False)
    assert not sent
