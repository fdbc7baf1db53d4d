"""Tokens that KIS takes back before their time, in words that are in no table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bridge.catalog.compile import load
from bridge.kis.auth import ApprovalKeys, Tokens
from bridge.kis.replies import KisError, KisNotSentError, KisUnknownError, Reply
from bridge.kis.rest import RestClient, open_http
from bridge.kis.session import Lost, Session, SessionEvent, Subscribed
from bridge.kis.stream import Stream
from bridge.kis.throttle import Throttle
from bridge.runtime.clock import SEOUL
from bridge.simulator.faults.plan import Fault, FaultPlan
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.component.feed_world import until

CATALOG = load()
ORDERS = "/uapi/domestic-stock/v1/trading/order-cash"
WORDS = [
    ("EGW00121", "", 500),
    ("EGW00122", "token을 찾을 수 없습니다.", 401),
    ("EGW00123", "기간이 만료된 token 입니다.", 500),
    ("", "유효하지 않은 token 입니다.", 403),
    ("IGW00009", "접근토큰이 만료되었습니다. 재발급 후 이용하세요", 401),
    ("OPSQ1234", "폐기된 접근 토큰", 500),
    ("EGW00002", "Access Token has been revoked", 500),
    ("MCA99999", "토큰의 유효기간이 지났습니다", 200),
    ("", "", 401),
]
NOT_PROCESSED = WORDS[:3]


@dataclass
class Clock:
    """A time that passes when somebody waits."""

    moment: datetime = field(default_factory=lambda: datetime.now(SEOUL))

    def now(self) -> datetime:
        return self.moment

    def epoch(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.moment += timedelta(seconds=seconds)


class World:
    """A simulated KIS and an app key of it; ``restarted`` is what another process would have."""

    def __init__(
        self,
        sim: Simulator,
        http: httpx.AsyncClient,
        store: Path,
        clock: Clock,
        throttle: Throttle | None,
    ) -> None:
        self.sim, self.clock, self.store, self._http = sim, clock, store, http
        self._throttle = throttle or Throttle(100_000)
        self.rest = self.restarted()

    def restarted(self) -> RestClient:
        keys = (SecretStr(self.sim.app_key), SecretStr(self.sim.app_secret))
        tokens = Tokens(
            *(self._http, self.sim.rest_url, *keys, self.store),
            clock=self.clock.epoch,
            monotonic=self.clock.epoch,
            sleep=self.clock.sleep,
        )
        return RestClient(
            *(CATALOG, self._http, self.sim.rest_url, *keys, tokens, self._throttle),
            paper=True,
            monotonic=self.clock.epoch,
        )

    async def price(self, rest: RestClient | None = None) -> Reply:
        params = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "005930"}
        return await (rest or self.rest).call("domestic_stock/inquire_price", params)

    async def place(self, **options: Any) -> Reply:
        number, product = self.sim.account.split("-")
        order = {
            "CANO": number,
            "ACNT_PRDT_CD": product,
            "PDNO": "005930",
            "ORD_DVSN": "01",
            "ORD_QTY": "1",
            "ORD_UNPR": "0",
            "EXCG_ID_DVSN_CD": "KRX",
            "SLL_TYPE": "",
            "CNDT_PRIC": "",
        }
        return await self.rest.call("domestic_stock/order_cash", order, variant="buy", **options)

    @property
    def kept(self) -> str:
        (file,) = self.store.glob("token-*.json")
        return str(json.loads(file.read_text())["secret"])

    @property
    def orders(self) -> int:
        return len(self.sim.exchange.tickets)


async def outcome(call: Coroutine[Any, Any, Reply]) -> Reply | KisError:
    try:
        return await call
    except KisError as error:
        return error


@asynccontextmanager
async def world(
    store: Path, throttle: Throttle | None = None, **settings: Any
) -> AsyncIterator[World]:
    clock = Clock()
    chosen = SimulatorSettings(**({"manual": True, "rest_per_second": 0} | settings))
    async with (
        asyncio.timeout(30),
        Simulator(CATALOG, chosen, clock=clock.now) as sim,
        open_http() as http,
    ):
        yield World(sim, http, store, clock, throttle)


@pytest.mark.parametrize(("code", "text", "status"), WORDS)
async def test_a_query_gets_a_new_token_and_its_answer(
    tmp_path: Path, code: str, text: str, status: int
) -> None:
    async with world(tmp_path) as kis:
        assert (await kis.price()).ok
        before = kis.kept
        kis.sim.keys.revoke_all(code, text, status)
        assert (await kis.price()).ok
        assert kis.kept != before
        assert (await kis.price()).ok
        assert kis.sim.keys.issued == 2


@pytest.mark.parametrize(("code", "text", "status"), WORDS)
async def test_an_order_is_sent_again_only_on_a_code_that_proves_it_was_not_processed(
    tmp_path: Path, code: str, text: str, status: int
) -> None:
    async with world(tmp_path) as kis:
        assert (await kis.price()).ok
        kis.sim.keys.revoke_all(code, text, status)
        if (code, text, status) in NOT_PROCESSED:
            assert (await kis.place()).ok
            assert kis.orders == 1
        else:
            with pytest.raises(KisUnknownError):
                await kis.place()
            assert kis.rest.counts.calls == 2
            assert kis.orders == 0
        # Whatever became of that one, the next has a token that is good.
        calls = kis.rest.counts.calls
        assert (await kis.place()).ok
        assert kis.rest.counts.calls == calls + 1
        assert kis.sim.keys.issued == 2


@pytest.mark.parametrize(("code", "text", "status"), [WORDS[0], WORDS[3]])
async def test_a_hundred_calls_at_once_ask_for_one_token(
    tmp_path: Path, code: str, text: str, status: int
) -> None:
    async with world(tmp_path) as kis:
        assert (await kis.price()).ok
        kis.sim.keys.revoke_all(code, text, status)
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(kis.price()) for _ in range(100)]
        assert all(call.result().ok for call in calls)
        assert kis.sim.keys.issued == 2


@pytest.mark.parametrize(("code", "text", "status"), [WORDS[2], WORDS[4]])
async def test_of_twenty_orders_at_once_none_is_placed_twice(
    tmp_path: Path, code: str, text: str, status: int
) -> None:
    async with world(tmp_path) as kis:
        assert (await kis.price()).ok
        kis.sim.keys.revoke_all(code, text, status)
        async with asyncio.TaskGroup() as group:
            orders = [group.create_task(outcome(kis.place())) for _ in range(20)]
        placed = sum(isinstance(order.result(), Reply) for order in orders)
        assert kis.orders == placed == (20 if status == 500 else 0)
        assert all(isinstance(order.result(), Reply | KisUnknownError) for order in orders)
        assert (await kis.place()).ok
        assert kis.sim.keys.issued == 2


async def test_an_order_that_waited_does_not_go_with_a_token_that_came_into_doubt_meanwhile(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, throttle=Throttle(1)) as kis:
        await kis.price()
        kis.sim.keys.revoke_all("", "유효하지 않은 token 입니다.", 403)
        async with asyncio.TaskGroup() as group:
            orders = [group.create_task(outcome(kis.place())) for _ in range(2)]
        first, second = (order.result() for order in orders)
        assert isinstance(first, KisUnknownError)
        assert isinstance(second, Reply)
        assert second.ok
        assert kis.orders == 1


async def test_calls_that_are_not_let_in_cost_a_token_when_three_in_a_row_are_not(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as kis:
        assert (await kis.price()).ok
        kis.sim.keys.revoke_all(status=403)
        for _ in range(2):
            with pytest.raises(KisUnknownError, match="HTTP 403"):
                await kis.price()
        assert kis.sim.keys.issued == 1
        assert (await kis.price()).ok
        assert kis.sim.keys.issued == 2


async def test_a_plan_of_faults_revokes_in_its_own_words(tmp_path: Path) -> None:
    fault = Fault("revoke", at_s=(0.3,), code="IGW7", text="만료된 토큰", status=401)
    async with world(tmp_path, faults=FaultPlan((fault,))) as kis:
        assert (await kis.price()).ok
        before = kis.kept
        await until(lambda: kis.sim.faults.counts["revoke"] == 1, 5, "the plan has struck")
        assert (await kis.price()).ok
        assert kis.kept != before


async def test_a_dead_token_from_the_disk_is_replaced_at_the_first_call(tmp_path: Path) -> None:
    async with world(tmp_path) as kis:
        assert (await kis.price()).ok
        before = kis.kept
        kis.sim.keys.revoke_all("", "기간이 만료된 접근토큰", 500)
        assert (await kis.price(kis.restarted())).ok
        assert kis.kept != before
        assert (await kis.price(kis.restarted())).ok
        assert kis.sim.keys.issued == 2


async def test_a_minute_is_waited_out_by_all_when_the_token_endpoint_refuses(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as kis:
        asked = 0

        async def elsewhere() -> httpx.Response:
            keys = {"appkey": kis.sim.app_key, "appsecret": kis.sim.app_secret}
            async with httpx.AsyncClient(base_url=kis.sim.rest_url) as http:
                body = keys | {"grant_type": "client_credentials"}
                return await http.post("/oauth2/tokenP", json=body)

        async def count(request: httpx.Request) -> None:
            nonlocal asked
            asked += request.url.path == "/oauth2/tokenP"

        assert (await elsewhere()).is_success  # another program had this minute's
        began = kis.clock.epoch()
        kis._http.event_hooks["request"].append(count)
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(kis.price()) for _ in range(30)]
        assert all(call.result().ok for call in calls)
        assert asked == 2
        assert 60 <= kis.clock.epoch() - began < 62


async def test_an_order_does_not_wait_for_a_token_beyond_its_deadline(tmp_path: Path) -> None:
    async with world(tmp_path) as kis:
        assert (await kis.price()).ok
        kis.sim.keys.revoke_all()
        with pytest.raises(KisNotSentError, match="deadline"):
            await kis.place(deadline=kis.clock.epoch() + 30)
        assert kis.orders == 0
        assert kis.sim.keys.issued == 1


async def test_an_approval_key_that_is_over_in_other_words_is_replaced(tmp_path: Path) -> None:
    events: asyncio.Queue[SessionEvent] = asyncio.Queue()
    async with world(tmp_path) as kis, asyncio.TaskGroup() as group:
        keys = (SecretStr(kis.sim.app_key), SecretStr(kis.sim.app_secret))
        stream = Stream(
            f"{kis.sim.ws_url}/tryitout",
            Session(notices=frozenset()),
            ApprovalKeys(
                *(kis._http, kis.sim.rest_url, *keys, tmp_path), sleep=kis.clock.sleep
            ).key,
            on_data=lambda frame, at: None,
            on_notice=lambda notice, at: None,
            on_event=events.put_nowait,
            sleep=kis.clock.sleep,
        )
        stream.subscribe("H0STCNT0", "005930")
        running = group.create_task(stream.run())
        assert await events.get() == Subscribed("H0STCNT0", "005930")
        kis.sim.keys.forget_approvals("OPSP0099", "expired approval_key")
        kis.sim.drop_connections()
        lost = [await events.get(), await events.get()]
        assert [type(one) for one in lost] == [Lost, Lost]
        assert isinstance(lost[1], Lost)
        assert lost[1].code == "OPSP0011"
        assert await events.get() == Subscribed("H0STCNT0", "005930")
        running.cancel()
