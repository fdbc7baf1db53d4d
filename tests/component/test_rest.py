from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from bridge.catalog.model import Api, Catalog, Code, Param, TrId
from bridge.kis.replies import (
    KisError,
    KisNotProcessedError,
    KisNotSentError,
    KisRefusedError,
    KisUnknownError,
    Reply,
)
from bridge.kis.rest import RestClient, open_http
from bridge.kis.throttle import Throttle
from tests.component.fakes import RestPeer, raw_peer, rest_peer

ACCOUNT = "55512345"
SECRETS = ("app-key-1", "app-secret-1", "token-1", "token-2", ACCOUNT)


def param(name: str, path: str, *, post: bool = False, **options: Any) -> Param:
    more: dict[str, Any] = {"type": "code", "required": True} | options
    return Param(name=name, path=path, where="body" if post else "query", **more)


ORDER = Api(
    category="domestic_stock",
    id="order_cash",
    method="POST",
    path="/uapi/domestic-stock/v1/trading/order-cash",
    english="Cash order",
    korean="주식주문(현금)",
    tr_ids=(TrId("buy", "TTTC0012U", "VTTC0012U"), TrId("sell", "TTTC0011U", "VTTC0011U")),
    params=(
        param("CANO", "account_no", post=True),
        param("PDNO", "symbol", post=True),
        param("ORD_QTY", "quantity", post=True, type="int"),
        param("SLL_TYPE", "sell_type", post=True, required=False),
        param("EXCG_ID_DVSN_CD", "exchange", post=True, required=False, default="KRX"),
    ),
    outputs=(),
    changes=True,
)
LIST = Api(
    category="domestic_stock",
    id="inquire_daily_ccld",
    method="GET",
    path="/uapi/domestic-stock/v1/trading/inquire-daily-ccld",
    english="Daily orders",
    korean="주식일별주문체결조회",
    tr_ids=(TrId("", "TTTC0081R", "VTTC0081R"),),
    params=(
        param("CANO", "account_no"),
        param("INQR_DVSN", "sort", default="00"),
        param("CTX_AREA_FK100", "continuation_condition"),
        param("CTX_AREA_NK100", "continuation_key"),
    ),
    outputs=(),
    pages="tr_cont+ctx_area",
)
REAL_ONLY = replace(LIST, id="inquire_psbl_rvsecncl", tr_ids=(TrId("", "TTTC0084R", ""),))
NO_TR_ID = replace(LIST, id="hashkey", tr_ids=())
CATALOG = Catalog(
    version="1",
    digest="0",
    channels={},
    apis={api.name: api for api in (ORDER, LIST, REAL_ONLY, NO_TR_ID)},
    codes={"order_refusal": (Code("APBK*", "order_ledger"),)},
)
PLACE = {"CANO": ACCOUNT, "PDNO": "005930", "ORD_QTY": "10"}
DONE = {
    "rt_cd": "0",
    "msg_cd": "APBK0013",
    "msg1": "주문 전송 완료 되었습니다.      ",
    "output": {"KRX_FWDG_ORD_ORGNO": "91254", "ODNO": "0000063291", "ORD_TMD": "094745"},
}


def gateway(code: str, text: str = "-", status: int = 500) -> Response:
    return JSONResponse({"rt_cd": "1", "msg_cd": code, "msg1": text}, status)


class Tokens:
    """A token source that counts; each renewal gives the next token."""

    def __init__(self) -> None:
        self.serial = 1
        self.renewed: list[str] = []
        self.fault: KisError | None = None

    async def token(
        self, *, refresh_of: SecretStr | None = None, deadline: float | None = None
    ) -> SecretStr:
        if self.fault is not None:
            raise self.fault
        if refresh_of is not None:
            self.renewed.append(refresh_of.get_secret_value())
            self.serial += 1
        return SecretStr(f"token-{self.serial}")


class Bench:
    """A client under test."""

    def __init__(self, http: httpx.AsyncClient, url: str, **options: Any) -> None:
        self.tokens = Tokens()
        self.throttle = options.pop("throttle", Throttle(1000))
        self.client = RestClient(
            CATALOG,
            http,
            url,
            SecretStr("app-key-1"),
            SecretStr("app-secret-1"),
            self.tokens,
            self.throttle,
            **{"paper": True} | options,
        )

    async def place(self, **options: Any) -> Reply:
        return await self.client.call("order_cash", PLACE, variant="buy", **options)

    async def list(self, **options: Any) -> Reply:
        return await self.client.call(LIST.name, {"CANO": ACCOUNT}, **options)


@asynccontextmanager
async def bench_at(url: str, **options: Any) -> AsyncIterator[Bench]:
    async with asyncio.timeout(10), open_http() as http:
        yield Bench(http, url, **options)


@asynccontextmanager
async def serving(*answers: Any, **options: Any) -> AsyncIterator[tuple[Bench, RestPeer]]:
    async with rest_peer(*answers) as peer, bench_at(peer.url, **options) as bench:
        yield bench, peer


async def test_an_order_is_sent_as_kis_wants_it() -> None:
    answer = JSONResponse(DONE, headers={"tr_id": "VTTC0012U", "tr_cont": ""})
    async with serving(answer) as (bench, peer):
        reply = await bench.place()
    assert reply.ok
    assert not reply.more
    assert (reply.msg_cd, reply.msg1) == ("APBK0013", "주문 전송 완료 되었습니다.")
    assert reply.body == DONE
    assert reply.tr_id == "VTTC0012U"
    (seen,) = peer.seen
    assert (seen.method, seen.path) == ("POST", ORDER.path)
    assert seen.query == {}
    assert seen.body == {
        "CANO": ACCOUNT,
        "PDNO": "005930",
        "ORD_QTY": "10",
        "EXCG_ID_DVSN_CD": "KRX",
    }
    expected = {
        "authorization": "Bearer token-1",
        "appkey": "app-key-1",
        "appsecret": "app-secret-1",
        "tr_id": "VTTC0012U",
        "tr_cont": "",
        "custtype": "P",
        "content-type": "application/json; charset=utf-8",
    }
    assert expected.items() <= seen.headers.items()
    assert seen.headers["user-agent"].startswith("Mozilla/5.0")
    assert bench.client.counts.calls == 1
    assert bench.client.counts.errors == 0


async def test_an_inquiry_goes_into_the_query_and_real_ids_to_the_real_side() -> None:
    async with serving(JSONResponse(DONE), paper=False) as (bench, peer):
        await bench.client.call(LIST.name, {"CANO": ACCOUNT, "CTX_AREA_FK100": "x y"})
    (seen,) = peer.seen
    assert seen.method == "GET"
    assert seen.body is None
    assert seen.query == {
        "CANO": ACCOUNT,
        "INQR_DVSN": "00",
        "CTX_AREA_FK100": "x y",
        "CTX_AREA_NK100": "",
    }
    assert seen.headers["tr_id"] == "TTTC0081R"


async def test_the_connection_is_kept_alive() -> None:
    async with serving(JSONResponse(DONE)) as (bench, peer):
        for _ in range(3):
            await bench.list()
    assert len({seen.peer for seen in peer.seen}) == 1


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serving(JSONResponse(DONE)) as (bench, _):
        assert (await bench.list()).ok


# --- refused before anything is sent


@pytest.mark.parametrize(
    ("api", "variant", "params", "text"),
    [
        ("order_crash", "", {}, "no call named 'order_crash'"),
        ("order_cash", "", PLACE, r"no variant '' \(there is: buy, sell\)"),
        ("hashkey", "", {"CANO": "1"}, "no TR id at all"),
        ("inquire_psbl_rvsecncl", "", {"CANO": "1"}, "not offer this call in paper trading"),
        ("order_cash", "buy", {"CANO": "1"}, r"PDNO \(symbol\) is missing"),
        ("order_cash", "buy", PLACE | {"colour": "red"}, "no parameter named 'colour'"),
    ],
)
async def test_what_cannot_be_called_is_refused_here(
    api: str, variant: str, params: dict[str, str], text: str
) -> None:
    async with serving() as (bench, peer):
        with pytest.raises(KisRefusedError, match=text):
            await bench.client.call(api, params, variant=variant)
        assert peer.seen == []
        assert bench.client.counts.refused == 1
        assert bench.client.counts.calls == 0


# --- what is known about the effect


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (gateway("EGW00201"), KisNotProcessedError, "EGW00201"),
        (gateway("EGW00215"), KisNotProcessedError, "EGW00215"),
        (gateway("EGW00201", status=200), KisNotProcessedError, "EGW00201"),
        *(
            (gateway(code), KisUnknownError, code)
            for code in ("EGW00001", "EGW00002", "EGW00202", "EGW00203", "EGW00301", "EGW00302")
        ),
        (gateway("EGW00302", status=200), KisUnknownError, "EGW00302"),
        (gateway("EGW00206"), KisRefusedError, "EGW00206"),
        (gateway("EGW02006"), KisRefusedError, "EGW02006"),
        (JSONResponse({"error_code": "EGW00105"}, 403), KisRefusedError, "EGW00105"),
        (gateway("OPSQ0003"), KisUnknownError, "OPSQ0003"),
        # Codes that KIS lists nowhere: what they say of the order is anybody's guess.
        (gateway("IGW00007"), KisUnknownError, "IGW00007"),
        (gateway("IGW00007", status=200), KisUnknownError, "IGW00007"),
        (gateway("ZZZZ9999", status=200), KisUnknownError, "ZZZZ9999"),
        (JSONResponse({}, 200), KisUnknownError, ""),
        (JSONResponse({"rt_cd": "0"}, 502), KisUnknownError, ""),
        (JSONResponse([DONE], 200), KisUnknownError, ""),
        (Response("<html>502</html>", 502), KisUnknownError, ""),
        (Response("[" * 100_000, 200), KisUnknownError, ""),
        (Response(b"\xff\xfe{", 200), KisUnknownError, ""),
        (Response("", 200), KisUnknownError, ""),
        (Response("", 302, {"location": "http://127.0.0.1:1/"}), KisUnknownError, ""),
        (Response("Not Found", 404), KisUnknownError, ""),
    ],
)
async def test_every_answer_says_what_is_known_and_is_not_repeated(
    answer: Response, error: type[KisError], code: str
) -> None:
    async with serving(answer) as (bench, peer):
        with pytest.raises(KisError, match="domestic_stock/order_cash: ") as caught:
            await bench.place()
        assert caught.type is error
        assert caught.value.msg_cd == code
        assert len(peer.seen) == 1
        counts = bench.client.counts
        assert counts.throttled + counts.errors == 1


async def test_a_business_refusal_is_an_answer() -> None:
    body = {"rt_cd": "7", "msg_cd": "APBK0919", "msg1": "장운영일자가 주문일과 상이합니다   "}
    async with serving(JSONResponse(body)) as (bench, _):
        reply = await bench.place()
    assert not reply.ok
    assert (reply.rt_cd, reply.msg_cd, reply.msg1) == ("7", "APBK0919", body["msg1"].strip())


@pytest.mark.parametrize(
    ("said", "rate"),
    [("18", 18), ("0.5", 0.5), ("5000", 1000), ("0", 0.1), ("-1", 1000), ("nan", 1000), ("", 1000)],
)
async def test_the_rate_that_a_server_says_of_itself_is_kept_to(said: str, rate: float) -> None:
    answer = JSONResponse(DONE, headers={"X-Rate-Limit-Per-Second": said})
    async with serving(answer) as (bench, _):
        await bench.place()
        assert bench.throttle.rate == rate


async def test_too_many_a_second_slows_the_throttle() -> None:
    async with serving(gateway("EGW00201")) as (bench, _):
        with pytest.raises(KisNotProcessedError):
            await bench.place()
        assert bench.throttle.rate < 600
        assert bench.client.counts.throttled == 1


async def test_a_query_that_was_one_too_many_is_asked_again() -> None:
    async with serving(gateway("EGW00201"), JSONResponse(DONE)) as (bench, _):
        assert (await bench.list()).ok
        assert (bench.client.counts.calls, bench.client.counts.throttled) == (2, 1)


async def test_an_end_is_put_to_asking_again() -> None:
    async with serving(*[gateway("EGW00201")] * 7) as (bench, peer):
        with pytest.raises(KisNotProcessedError):
            await bench.list()
        assert len(peer.seen) == 6


@pytest.mark.parametrize("code", ["EGW00121", "EGW00122", "EGW00123"])
async def test_an_expired_token_is_renewed_and_the_call_made_once_more(code: str) -> None:
    async with serving(gateway(code), JSONResponse(DONE)) as (bench, peer):
        assert (await bench.place()).ok
        assert bench.tokens.renewed == ["token-1"]
        tokens = [seen.headers["authorization"] for seen in peer.seen]
        assert tokens == ["Bearer token-1", "Bearer token-2"]
        assert bench.client.counts.calls == 2


async def test_a_token_that_expires_twice_is_refused() -> None:
    async with serving(gateway("EGW00123")) as (bench, peer):
        with pytest.raises(KisRefusedError, match="EGW00123"):
            await bench.place()
        assert len(peer.seen) == 2


async def test_no_token_means_not_sent() -> None:
    async with serving() as (bench, peer):
        bench.tokens.fault = KisNotSentError("no token")
        with pytest.raises(KisNotSentError, match="no token"):
            await bench.place()
        assert peer.seen == []
        assert bench.client.counts.not_sent == 1


async def test_nobody_there_means_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with bench_at(f"http://127.0.0.1:{port}") as bench:
        with pytest.raises(KisNotSentError, match="cannot connect to http://127"):
            await bench.place()


async def test_an_address_that_is_none_means_not_sent() -> None:
    async with bench_at("kis.example") as bench:
        with pytest.raises(KisNotSentError, match="UnsupportedProtocol"):
            await bench.place()


async def test_no_turn_before_the_deadline_means_not_sent() -> None:
    async with serving(JSONResponse(DONE), throttle=Throttle(1)) as (bench, peer):
        await bench.list()
        with pytest.raises(KisNotSentError, match="call rate"):
            await bench.place(deadline=monotonic() + 0.05)
        assert len(peer.seen) == 1


async def test_a_deadline_that_passed_means_not_sent() -> None:
    now = [0.0]
    async with serving(monotonic=lambda: now[0]) as (bench, peer):
        now[0] = monotonic() + 100
        with pytest.raises(KisNotSentError, match="the deadline has passed"):
            await bench.place(deadline=monotonic() + 50)
        assert peer.seen == []


async def test_a_deadline_that_passes_while_connecting_means_not_sent() -> None:
    times = iter([0.0, 100.0])  # before connecting, and when the first byte would leave
    throttle = Throttle(1000, clock=lambda: 0.0)
    async with serving(monotonic=lambda: next(times), throttle=throttle) as (bench, peer):
        with pytest.raises(KisNotSentError, match="while connecting"):
            await bench.place(deadline=50)
        assert peer.seen == []


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"rt_cd":"0"')
    writer.close()


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"what?\r\n\r\n")
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def packed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nxyz")


@pytest.mark.parametrize("handle", [silence, hang_up, half, nonsense, reset, packed])
async def test_sent_without_a_usable_answer_is_unknown(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async with raw_peer(handle) as url, bench_at(url, answer_s=0.1) as bench:
        with pytest.raises(KisUnknownError, match="sent, but no answer came"):
            await bench.place()
        assert bench.client.counts.unknown == 1


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    with suppress(ConnectionError):
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()


async def bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    packed = gzip.compress(b" " * (128 << 20))
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n"
    with suppress(ConnectionError):
        writer.write(head.encode() + packed)
        await writer.drain()


@pytest.mark.parametrize("handle", [endless, bomb])
async def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async with raw_peer(handle) as url, bench_at(url, answer_s=8) as bench:
        with pytest.raises(KisUnknownError, match="ReadError"):
            await bench.place()


async def test_an_answer_that_trickles_in_is_given_up() -> None:
    stop = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not stop.is_set():
            writer.write(b" ")
            await asyncio.sleep(0.01)  # it trickles

    async with raw_peer(trickle) as url, bench_at(url, answer_s=0.1, connect_s=0.1) as bench:
        with pytest.raises(KisUnknownError, match="TimeoutError"):
            await bench.place()
        stop.set()


async def test_an_inquiry_waits_no_longer_than_its_deadline() -> None:
    async with raw_peer(silence) as url, bench_at(url) as bench:
        began = monotonic()
        with pytest.raises(KisUnknownError):
            await bench.list(deadline=began + 0.1)
        assert monotonic() - began < 1


async def test_the_answer_to_an_order_is_awaited_beyond_its_deadline() -> None:
    late = asyncio.Event()

    async def answer() -> Response:
        await late.wait()
        return JSONResponse(DONE)

    async with serving(answer) as (bench, peer), asyncio.TaskGroup() as group:
        await bench.throttle.acquire()
        deadline = monotonic() + 0.5
        call = group.create_task(bench.place(deadline=deadline))
        await peer.arrived.wait()
        asyncio.get_running_loop().call_at(deadline + 0.05, late.set)
        assert (await call).ok


# --- pages


def page(number: int, tr_cont: str) -> Response:
    body = {
        "rt_cd": "0",
        "msg_cd": "KIOK0510",
        "msg1": "-",
        "ctx_area_fk100": f"55512345^{number}" + " " * 20,
        "ctx_area_nk100": f"next-{number}" + " " * 90,
        "ctx_area_nk200": "of no use",
        "output1": [{"odno": str(number)}],
    }
    return JSONResponse(body, headers={"tr_cont": tr_cont})


async def numbers(bench: Bench, **options: Any) -> list[str]:
    replies = bench.client.pages(LIST.name, {"CANO": ACCOUNT}, **options)
    return [reply.body["output1"][0]["odno"] async for reply in replies]


async def test_pages_follow_each_other() -> None:
    async with serving(page(1, "F"), page(2, "M"), page(3, "D")) as (bench, peer):
        assert await numbers(bench) == ["1", "2", "3"]
    sent = [
        (seen.headers["tr_cont"], seen.query["CTX_AREA_FK100"], seen.query["CTX_AREA_NK100"])
        for seen in peer.seen
    ]
    assert sent == [("", "", ""), ("N", "55512345^1", "next-1"), ("N", "55512345^2", "next-2")]


async def test_pages_end_at_a_limit_and_at_a_refusal() -> None:
    async with serving(page(1, "M")) as (bench, peer):
        with capture_logs() as logs:
            assert await numbers(bench, limit=3) == ["1"] * 3
        assert len(peer.seen) == 3
        assert logs[-1]["event"] == "answer cut at the page limit"
    body = {"rt_cd": "7", "msg_cd": "X", "msg1": "", "output1": [{"odno": "-"}]}
    async with serving(JSONResponse(body, headers={"tr_cont": "M"})) as (bench, peer):
        assert await numbers(bench) == ["-"]


async def test_a_key_that_leads_on_announces_a_page_to_those_who_must_have_all() -> None:
    body = {"rt_cd": "0", "ctx_area_nk100": " " * 20, "output1": [{"odno": "2"}]}
    answers = page(1, ""), JSONResponse(body, headers={"tr_cont": ""})
    async with serving(*answers) as (bench, peer):
        assert await numbers(bench) == ["1"]
    async with serving(*answers) as (bench, peer):
        assert await numbers(bench, by_key=True) == ["1", "2"]
        assert peer.seen[1].headers["tr_cont"] == "N"


# --- secrets


async def test_nothing_secret_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"bad token-1 of app-key-1 app-secret-1 for {ACCOUNT}"
    answers = [gateway("EGW00123", echo), gateway("EGW00206", f"token-2 {ACCOUNT}"), page(1, "M")]
    shown: list[str] = []
    with capture_logs() as logs:
        async with serving(*answers) as (bench, _):
            with pytest.raises(KisRefusedError) as caught:
                await bench.place()
            shown += [str(caught.value), caught.value.msg1, repr(vars(bench.client))]
            shown += [
                repr(reply) async for reply in bench.client.pages(LIST.name, {"CANO": ACCOUNT})
            ]
        async with raw_peer(hang_up) as url, bench_at(url) as bench:
            with pytest.raises(KisUnknownError) as lost:
                await bench.list()
            shown += [str(lost.value), str(lost.value.__cause__)]
    text = f"{shown} {logs} {caplog.text}"
    assert not [secret for secret in SECRETS if secret in text]
