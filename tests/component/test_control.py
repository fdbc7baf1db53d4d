"""The control interface of the simulator: what a test asks for is what every KIS client sees."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from openapi_spec_validator import validate

from bridge.catalog.compile import load
from bridge.simulator.server import SimulatorSettings
from tests.component.kis_client import (
    BALANCE,
    CHANGE,
    DEADLINE_S,
    HOLIDAY,
    PRICE,
    Client,
    Socket,
    simulated,
)

SAMSUNG = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "005930"}
OVERSEAS = "/uapi/overseas-stock/v1/trading/order"
APPLE = {
    "OVRS_EXCG_CD": "NASD",
    "PDNO": "AAPL",
    "ORD_QTY": "4",
    "OVRS_ORD_UNPR": "100.00",
    "ORD_DVSN": "00",
    "ORD_SVR_DVSN_CD": "0",
}
PLACES = {
    field.name: place for place, field in enumerate(load().channels["H0STMKO0"].layouts[0].fields)
}


class Controlled(Client):
    """A KIS client, and a test that controls what it meets."""

    control: httpx.AsyncClient

    async def do(self, action: str, **body: Any) -> Any:
        answer = await self.control.post(f"/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, action: str, **body: Any) -> tuple[int, str]:
        answer = await self.control.post(f"/{action}", json=body)
        return answer.status_code, answer.json()["error"]

    async def state(self) -> Any:
        return (await self.control.get("/state")).json()

    async def quoted(self) -> dict[str, str]:
        row: dict[str, str] = (await self.call(PRICE, "FHKST01010100", SAMSUNG)).json()["output"]
        return row

    async def buy(self, price: int, quantity: int = 3, **others: str) -> dict[str, Any]:
        return await self.place(quantity, price, tr_id="TTTC0012U", **others)


@asynccontextmanager
async def controlled(**changes: Any) -> AsyncIterator[Controlled]:
    async with simulated(**{"environment": "real", "control_port": 0} | changes) as kis:
        simulator = kis.simulator
        assert simulator.control_url is not None
        async with httpx.AsyncClient(base_url=simulator.control_url, timeout=DEADLINE_S) as control:
            one = Controlled(simulator, kis.http, kis.customer)
            one.control = control
            yield one


async def told(socket: Socket, kis: Controlled, halted: str, interrupted: str) -> None:
    """Wait until the channel of a symbol's state says so."""
    kis.simulator.step(0.01)
    while True:
        values = (await socket.frame("H0STMKO0")).body.split("^")
        if (values[PLACES["TRHT_YN"]], values[PLACES["VI_CLS_CODE"]]) == (halted, interrupted):
            return


async def test_a_price_moves_the_market_and_fills_what_waits_for_it() -> None:
    async with controlled() as kis, kis.socket() as socket:
        await socket.ask("H0STCNI0", kis.customer.hts_id)
        await socket.ask("H0STCNT0", "005930")
        waits = (await kis.buy(265_000))["output"]["ODNO"]
        below = (await kis.buy(250_000))["output"]["ODNO"]
        assert await kis.do("price", symbol="005930", price=260_000, hold=True) == {
            "symbol": "005930",
            "price": "260000",
        }
        fill = {"CNTG_YN": ""}
        while fill["CNTG_YN"] != "2":
            fill = await socket.notice("H0STCNI0")
        assert (fill["ODER_NO"], fill["CNTG_QTY"]) == (waits, "0000000003")
        kis.simulator.step(5.0)
        prices = set[str]()
        while "260000" not in prices:
            frame = await socket.frame("H0STCNT0")
            prices |= set(frame.body.split("^")[2::47])
        assert (await kis.quoted())["stck_prpr"] == "260000"
        state = await kis.state()
        assert [order["order"] for order in state["orders"]] == [below]
        assert (state["prices"]["005930"], state["held"]) == ("260000", ["005930"])
        await kis.do("price", symbol="005930", price="261000")
        kis.simulator.step(5.0)
        assert (await kis.state())["held"] == []


async def test_prices_without_an_order_book_can_be_set_too() -> None:
    async with controlled() as kis:
        waits = await kis.call(OVERSEAS, "TTTT1002U", kis.account | APPLE)
        await kis.do("price", market="overseas_stock", symbol="AAPL", price="99.5", hold=True)
        kis.simulator.step(1.0)
        state = await kis.state()
        assert state["orders"] == []
        ticket = kis.simulator.off_book.tickets[waits.json()["output"]["ODNO"]]
        assert (ticket.filled, ticket.remaining) == (4, 0)
        assert kis.simulator.off_book.price("AAPL") == 99.5


async def test_an_index_goes_where_it_is_sent() -> None:
    async with controlled() as kis, kis.socket() as socket:
        await kis.do("price", market="domestic_index", symbol="0001", price="4000.50", hold=True)
        await socket.ask("H0UPCNT0", "0001")
        kis.simulator.step(1.0)
        assert (await socket.frame("H0UPCNT0")).body.split("^")[2] == "4000.50"
        finer = await kis.refused("price", market="domestic_index", symbol="0001", price="4000.555")
        assert finer == (409, "the price is not on the grid of its ticks")
        none = await kis.refused("price", market="domestic_index", symbol="KOSPI", price=1)
        assert none == (409, "there is no such symbol")


async def test_a_price_that_cannot_be_is_refused_with_the_reason() -> None:
    async with controlled() as kis:
        tick = await kis.refused("price", symbol="005930", price=260_100)
        assert tick == (409, "the price is not on the grid of its ticks")
        far = await kis.refused("price", symbol="005930", price=1_000)
        assert far == (409, "the price is beyond the day's limits")
        assert (await kis.refused("price", symbol="005930", price=-1))[0] == 400
        assert (await kis.refused("price", symbol="??", price=1))[0] == 400


async def test_an_order_fills_in_parts_out_of_its_turn() -> None:
    async with controlled() as kis, kis.socket() as socket:
        await socket.ask("H0STCNI0", kis.customer.hts_id)
        order = (await kis.buy(200_000, 5))["output"]["ODNO"]
        first = await kis.do("fill", order=order, quantity=2)
        assert first == {"order": order, "price": "200000", "filled": 2, "remaining": 3}
        await kis.do("fill", order=order)
        notices = [await socket.notice("H0STCNI0") for _ in range(3)]
        fills = [(one["CNTG_YN"], int(one["CNTG_QTY"])) for one in notices[1:]]
        assert fills == [("2", 2), ("2", 3)]
        assert (await kis.refused("fill", order=order))[0] == 404
        assert (await kis.refused("fill", order="99"))[0] == 404
        held = (await kis.call(BALANCE, "TTTC8434R", kis.account)).json()["output1"]
        assert next(row for row in held if row["pdno"] == "005930")["hldg_qty"] == "105"

        overseas = await kis.call(OVERSEAS, "TTTT1002U", kis.account | APPLE)
        number = overseas.json()["output"]["ODNO"]
        assert (await kis.do("fill", order=number, quantity=1))["remaining"] == 3
        assert await kis.refused("fill", order=number, quantity=4) == (
            409,
            "so much is not left of the order",
        )


async def test_the_next_order_is_refused_after_it_was_taken() -> None:
    async with controlled() as kis, kis.socket() as socket:
        for channel in ("H0STCNI0", "H0GSCNI0"):
            await socket.ask(channel, kis.customer.hts_id)
        await kis.do("refuse", symbol="005930")
        await kis.do("refuse", market="overseas_stock", symbol="AAPL")
        assert (await kis.state())["refusals"] == ["005930", "AAPL"]
        assert (await kis.buy(200_000))["rt_cd"] == "0"
        notices = [await socket.notice("H0STCNI0") for _ in range(2)]
        assert [one["RFUS_YN"] for one in notices] == ["0", "1"]
        await kis.call(OVERSEAS, "TTTT1002U", kis.account | APPLE)
        assert [(await socket.values("H0GSCNI0"))["RFUS_YN"] for _ in range(2)] == ["0", "1"]
        assert (await kis.state())["orders"] == (await kis.state())["refusals"] == []


async def test_a_halted_symbol_takes_nothing_but_cancellations() -> None:
    async with controlled() as kis, kis.socket() as socket:
        await socket.ask("H0STMKO0", "005930")
        await told(socket, kis, "N", "N")
        order = (await kis.buy(200_000))["output"]
        await kis.do("halt", symbol="005930")
        await told(socket, kis, "Y", "N")
        row = await kis.quoted()
        assert (row["temp_stop_yn"], row["iscd_stat_cls_code"]) == ("Y", "58")
        assert (await kis.buy(200_000))["msg_cd"] == "APBK0066"
        before = kis.simulator.exchange.markets["005930"].volume
        kis.simulator.step(5.0)
        assert kis.simulator.exchange.markets["005930"].volume == before
        assert await kis.refused("fill", order=order["ODNO"]) == (409, "the symbol is halted")
        cancel = {
            "KRX_FWDG_ORD_ORGNO": order["KRX_FWDG_ORD_ORGNO"],
            "ORGN_ODNO": order["ODNO"],
            "ORD_DVSN": "00",
            "RVSE_CNCL_DVSN_CD": "02",
            "ORD_QTY": "0",
            "ORD_UNPR": "0",
            "QTY_ALL_ORD_YN": "Y",
        }
        assert (await kis.call(CHANGE, "TTTC0013U", kis.account | cancel)).json()["rt_cd"] == "0"
        await kis.do("resume", symbol="005930")
        await told(socket, kis, "N", "N")
        assert (await kis.buy(200_000))["rt_cd"] == "0"
        await kis.do("halt", market="overseas_stock", symbol="AAPL")
        refused = (await kis.call(OVERSEAS, "TTTT1002U", kis.account | APPLE)).json()
        assert refused["msg_cd"] == "APBK0066"


async def test_an_interrupted_symbol_trades_at_one_price_when_it_is_over() -> None:
    async with controlled() as kis, kis.socket() as socket:
        for channel, key in (("H0STMKO0", "005930"), ("H0STCNI0", kis.customer.hts_id)):
            await socket.ask(channel, key)
        await told(socket, kis, "N", "N")
        await kis.do("vi", symbol="005930", for_s=120)
        await told(socket, kis, "N", "Y")
        assert (await kis.quoted())["vi_cls_code"] == "Y"
        order = (await kis.buy(280_000))["output"]["ODNO"]
        assert (await socket.notice("H0STCNI0"))["CNTG_YN"] == "1"
        kis.simulator.step(2.0)
        assert (await kis.state())["orders"][0]["remaining"] == 3
        await kis.do("clock", ahead_s=121)
        kis.simulator.step(0.1)
        fill = await socket.notice("H0STCNI0")
        assert (fill["ODER_NO"], fill["CNTG_YN"]) == (order, "2")
        assert (await kis.state())["interrupted"] == {}


async def test_a_holiday_and_a_state_of_the_market_are_everybodys() -> None:
    async with controlled() as kis:
        at = await kis.do("clock", at="2026-11-27T10:00:00+09:00")
        assert at["now"].startswith("2026-11-27T10:00:0")
        await kis.do("holiday", date="2026-11-27")
        days = {"BASS_DT": "20261126", "CTX_AREA_NK": "", "CTX_AREA_FK": ""}
        rows = (await kis.call(HOLIDAY, "CTCA0903R", days)).json()["output"]
        assert [row["opnd_yn"] for row in rows[:3]] == ["Y", "N", "Y"]
        assert (await kis.buy(200_000))["msg_cd"] == "APBK0919"
        assert (await kis.state())["holidays"] == ["2026-11-27"]
        await kis.do("holiday", date="2026-11-27", closed=False)
        assert (await kis.buy(200_000))["rt_cd"] == "0"
        for session, rt_cd in (("after", "7"), ("open", "0"), ("before", "7"), (None, "0")):
            await kis.do("session", session=session)
            assert (await kis.buy(200_000))["rt_cd"] == rt_cd


async def test_the_clock_is_that_of_every_answer() -> None:
    async with controlled() as kis:
        await kis.do("clock", ahead_s=86_400 * 3)
        there = (await kis.call(PRICE, "FHKST01010100", SAMSUNG)).headers["date"]
        await kis.do("clock", ahead_s=0)
        here = (await kis.call(PRICE, "FHKST01010100", SAMSUNG)).headers["date"]
        assert there[:16] != here[:16]
        assert await kis.refused("clock") == (400, "Value error, give ahead_s or at")
        assert (await kis.refused("clock", at="2026-11-27T10:00:00"))[0] == 400


async def test_connections_tokens_and_channels_can_be_taken_from_one_client() -> None:
    async with controlled(clients=2) as kis:
        other = kis.as_another(2)
        async with kis.socket() as mine, other.socket() as theirs:
            for socket in (mine, theirs):
                await socket.ask("H0STASP0", "005930")
            await kis.do("mute", channel="H0STASP0", key="005930", for_s=60)
            kis.simulator.step(1.0)
            assert kis.simulator.stream.sent_records == 0
            shown = (await kis.state())["muted"], (await kis.state())["clients"][1]
            assert shown[0] == [["H0STASP0", "005930"]]
            assert shown[1]["subscriptions"] == [["H0STASP0", "005930"]]
            assert (await kis.refused("mute", channel="H0STXXX0", for_s=1))[0] == 404
            assert await kis.do("drop", client=2) == {"dropped": 1}
            await theirs.connection.wait_closed()
            assert (await mine.ask("H0STCNT0", "005930")).msg_cd == "OPSP0000"
        for one in (kis, other):
            await one.call(PRICE, "FHKST01010100", SAMSUNG)
        assert await kis.do("revoke", client=1) == {"revoked": 1}
        assert (await kis.call(PRICE, "FHKST01010100", SAMSUNG)).json()["msg_cd"] == "EGW00121"
        answer = await other.call(PRICE, "FHKST01010100", SAMSUNG)
        assert answer.json()["rt_cd"] == "0"
        assert await kis.refused("drop", client=3) == (404, "there are only 2 clients")


FOREIGN: list[tuple[dict[str, str], int]] = [
    ({"host": "kis.example:80"}, 403),
    ({"host": "127.0.0.1"}, 403),
    ({"origin": "http://127.0.0.1:8780"}, 403),
    ({"origin": "null"}, 403),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"content-type": "text/plain"}, 415),
]


async def test_no_web_page_and_no_other_name_gets_in() -> None:
    body = json.dumps({"symbol": "005930"})
    async with controlled() as kis:
        for headers, code in FOREIGN:
            sent = {"content-type": "application/json"} | headers
            answer = await kis.control.post("/halt", content=body, headers=sent)
            assert answer.status_code == code
            assert not [name for name in answer.headers if name.startswith("access-control")]
            if code == 403:
                assert (await kis.control.get("/state", headers=headers)).status_code == code
            assert (await kis.control.options("/halt", headers=headers)).status_code == 404
        assert not kis.simulator.exchange.halts.halted


BROKEN: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"[]", 400),
    (b"{" * 10_000, 400),
    (b'{"symbol": "005930", "more": 1}', 400),
    (b'{"symbol": "005930", "market": "moon"}', 400),
    (b'{"symbol": "' + b"0" * 20_000 + b'"}', 413),
]


async def test_a_body_that_is_none_is_answered_in_one_line() -> None:
    async with controlled() as kis:
        for content, code in BROKEN:
            headers = {"content-type": "application/json"}
            answer = await kis.control.post("/halt", content=content, headers=headers)
            assert answer.status_code == code
            assert "\n" not in answer.json()["error"]


async def test_it_is_on_this_machine_alone_and_only_when_asked_for() -> None:
    async with controlled(host="0.0.0.0") as kis:  # noqa: S104 - what must not follow
        assert kis.simulator.control_url is not None
        assert kis.simulator.control_url.startswith("http://127.0.0.1:")
        assert (await kis.http.post("/halt", json={"symbol": "005930"})).status_code == 404
    assert SimulatorSettings().control_port is None
    async with simulated() as plain:
        assert plain.simulator.control_url is None


async def test_its_document_describes_every_action() -> None:
    async with controlled() as kis:
        document = (await kis.control.get("/openapi.json")).json()
        validate(document)
        actions = {name.strip("/") for name, one in document["paths"].items() if "post" in one}
        for action in actions:
            assert (await kis.refused(action, nothing=1))[0] == 400
        code, text = await kis.refused("explode")
        assert (code, text.startswith("no action 'explode' (one of price, fill,")) == (404, True)
        assert len(actions) == 12
