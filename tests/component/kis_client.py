"""A plain KIS client of the simulator, for tests of what goes over its sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from bridge.catalog.compile import load
from bridge.kis.crypto import decrypt
from bridge.kis.frames import Acknowledgement, DataFrame, parse
from bridge.simulator.clients import Client as Customer
from bridge.simulator.server import Simulator, SimulatorSettings

__all__ = [
    "BALANCE",
    "BOOK",
    "CHANGE",
    "DAILY",
    "DEADLINE_S",
    "HOLIDAY",
    "NOTICE_FIELDS",
    "OPEN",
    "ORDER",
    "ORDERABLE",
    "PRICE",
    "Client",
    "Socket",
    "simulated",
]

DEADLINE_S = 5.0
PRICE = "/uapi/domestic-stock/v1/quotations/inquire-price"
ORDER = "/uapi/domestic-stock/v1/trading/order-cash"
CHANGE = "/uapi/domestic-stock/v1/trading/order-rvsecncl"
DAILY = "/uapi/domestic-stock/v1/trading/inquire-daily-ccld"
BALANCE = "/uapi/domestic-stock/v1/trading/inquire-balance"
OPEN = "/uapi/domestic-stock/v1/trading/inquire-psbl-rvsecncl"
ORDERABLE = "/uapi/domestic-stock/v1/trading/inquire-psbl-order"
HOLIDAY = "/uapi/domestic-stock/v1/quotations/chk-holiday"
BOOK = "/uapi/domestic-stock/v1/quotations/inquire-asking-price-exp-ccn"
NOTICE_FIELDS = [field.name for field in load().channels["H0STCNI0"].layouts[0].fields]


@dataclass
class Socket:
    """A WebSocket client as plain as can be."""

    connection: ClientConnection
    approval_key: str
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def ask(
        self, tr_id: str, key: str, tr_type: str = "1", approval_key: str = ""
    ) -> Acknowledgement:
        """Send a registration and return its answer; data in between is passed over."""
        await self.send(tr_id, key, tr_type, approval_key)
        answer = await self.answer()
        if answer.key:
            self.keys[tr_id] = (answer.key, answer.iv)
        return answer

    async def send(self, tr_id: str, key: str, tr_type: str = "1", approval_key: str = "") -> None:
        """Send a registration, whatever its answer will be."""
        header = {
            "approval_key": approval_key or self.approval_key,
            "custtype": "P",
            "tr_type": tr_type,
            "content-type": "utf-8",
        }
        body = {"input": {"tr_id": tr_id, "tr_key": key}}
        await self.connection.send(json.dumps({"header": header, "body": body}))

    async def say(self, text: str) -> Acknowledgement:
        await self.connection.send(text)
        return await self.answer()

    async def answer(self) -> Acknowledgement:
        while True:
            message = parse(await self.text())
            if isinstance(message, Acknowledgement):
                return message

    async def text(self) -> str:
        async with asyncio.timeout(DEADLINE_S):
            received = await self.connection.recv()
        assert isinstance(received, str)
        return received

    async def frame(self, tr_id: str) -> DataFrame:
        while True:
            message = parse(await self.text())
            if isinstance(message, DataFrame) and message.tr_id == tr_id:
                return message

    async def notice(self, tr_id: str = "H0STCNI9") -> dict[str, str]:
        """Return the next notice of an order for a domestic stock."""
        values = await self._opened(tr_id)
        return dict(zip(NOTICE_FIELDS, values, strict=True))

    async def values(self, tr_id: str) -> dict[str, str]:
        """Return the next notice of a channel by KIS's names."""
        fields = load().channels[tr_id].layouts[0].fields
        return dict(zip((one.name for one in fields), await self._opened(tr_id), strict=False))

    async def _opened(self, tr_id: str) -> list[str]:
        frame = await self.frame(tr_id)
        assert (frame.encrypted, frame.count) == (True, 1)
        return decrypt(frame.body, *self.keys[tr_id]).split("^")


@dataclass
class Client:
    """A KIS client with nothing in it: headers, parameters, answers."""

    simulator: Simulator
    http: httpx.AsyncClient
    customer: Customer
    token: str = ""

    async def post_keys(self, path: str, **others: str) -> httpx.Response:
        keys = {
            "grant_type": "client_credentials",
            "appkey": self.customer.app_key,
            "appsecret": self.customer.app_secret,
        }
        return await self.http.post(path, json=keys | others)

    async def call(
        self, path: str, tr_id: str, params: Mapping[str, str], **headers: str
    ) -> httpx.Response:
        if not self.token:
            self.token = (await self.post_keys("/oauth2/tokenP")).json()["access_token"]
        sent = {
            "authorization": f"Bearer {self.token}",
            "appkey": self.customer.app_key,
            "appsecret": self.customer.app_secret,
            "tr_id": tr_id,
            "custtype": "P",
        } | headers
        if tr_id.endswith("U"):
            return await self.http.post(path, json=dict(params), headers=sent)
        return await self.http.get(path, params=dict(params), headers=sent)

    def as_another(self, number: int) -> Client:
        """Return a client of another customer, who are counted from 1."""
        return Client(self.simulator, self.http, self.simulator.clients[number - 1])

    @property
    def account(self) -> dict[str, str]:
        number, product = self.customer.accounts[0].split("-")
        return {"CANO": number, "ACNT_PRDT_CD": product}

    async def place(
        self,
        quantity: int,
        price: int,
        kind: str = "00",
        *,
        tr_id: str = "VTTC0012U",
        **others: str,
    ) -> dict[str, Any]:
        order = {
            "PDNO": "005930",
            "ORD_DVSN": kind,
            "ORD_QTY": str(quantity),
            "ORD_UNPR": str(price),
        }
        answer = await self.call(ORDER, tr_id, self.account | order | others)
        body: dict[str, Any] = answer.json()
        return body

    async def daily(self, tr_id: str = "VTTC0081R", **others: str) -> httpx.Response:
        params = {
            "INQR_STRT_DT": "20000101",
            "INQR_END_DT": "20991231",
            "SLL_BUY_DVSN_CD": "00",
            "CCLD_DVSN": "00",
            "INQR_DVSN": "00",
            "INQR_DVSN_3": "00",
            "CTX_AREA_FK100": "",
            "CTX_AREA_NK100": "",
        }
        tr_cont = others.pop("tr_cont", "")
        params = self.account | params | others
        return await self.call(DAILY, tr_id, params, tr_cont=tr_cont)

    @asynccontextmanager
    async def socket(self, path: str = "/tryitout") -> AsyncIterator[Socket]:
        answer = await self.post_keys("/oauth2/Approval", secretkey=self.customer.app_secret)
        url = self.simulator.ws_url + path
        async with connect(url, ping_interval=None, compression=None) as connection:
            yield Socket(connection, answer.json()["approval_key"])


@asynccontextmanager
async def simulated(**changes: Any) -> AsyncIterator[Client]:
    settings = SimulatorSettings(**({"manual": True, "rest_per_second": 0} | changes))
    async with (
        Simulator(load(), settings) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url, timeout=DEADLINE_S) as http,
    ):
        yield Client(simulator, http, simulator.clients[0])
