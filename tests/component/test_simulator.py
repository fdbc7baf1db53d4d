"""The simulated KIS over real sockets: what any KIS client would see."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from datetime import date
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.catalog.compile import load
from bridge.errors import ConfigError
from bridge.kis.crypto import decrypt
from bridge.kis.frames import DataFrame, PingPong, parse
from bridge.simulator.server import Simulator, SimulatorSettings
from tests.component.kis_client import (
    BALANCE,
    BOOK,
    CHANGE,
    DEADLINE_S,
    HOLIDAY,
    OPEN,
    ORDER,
    ORDERABLE,
    PRICE,
    simulated,
)


class TestTokens:
    async def test_once_a_minute(self) -> None:
        async with simulated() as kis:
            first = await kis.post_keys("/oauth2/tokenP")
            assert first.status_code == 200
            body = first.json()
            assert (body["token_type"], body["expires_in"]) == ("Bearer", 86_400)
            assert len(body["access_token_token_expired"]) == len("2026-09-23 08:16:59")
            second = await kis.post_keys("/oauth2/tokenP")
            assert second.status_code == 403
            assert second.json()["error_code"] == "EGW00133"
            assert "1분당 1회" in second.json()["error_description"]

    async def test_wrong_keys(self) -> None:
        async with simulated() as kis:
            answer = await kis.post_keys("/oauth2/tokenP", appsecret="x" * 180)
            assert (answer.status_code, answer.json()["error_code"]) == (403, "EGW00105")
            answer = await kis.post_keys("/oauth2/tokenP", grant_type="password")
            assert (answer.status_code, answer.json()["error_code"]) == (403, "EGW00116")
            answer = await kis.http.post("/oauth2/tokenP", content=b"[]")
            assert answer.json()["error_code"] == "EGW00102"

    async def test_expired_and_revoked(self) -> None:
        async with simulated(token_interval_s=0.0, token_lifetime_s=0.0) as kis:
            answer = await kis.call(PRICE, "FHKST01010100", {})
            assert (answer.status_code, answer.json()["msg_cd"]) == (500, "EGW00123")
        async with simulated() as kis:
            assert (await kis.call(PRICE, "FHKST01010100", {})).status_code == 200
            revoked = await kis.post_keys("/oauth2/revokeP", token=kis.token)
            assert revoked.json()["code"] == 200
            answer = await kis.call(PRICE, "FHKST01010100", {})
            assert (answer.status_code, answer.json()["msg_cd"]) == (500, "EGW00121")

    async def test_hashkey(self) -> None:
        async with simulated() as kis:
            headers = {"appkey": kis.simulator.app_key, "appsecret": kis.simulator.app_secret}
            answer = await kis.http.post("/uapi/hashkey", json={"PDNO": "1"}, headers=headers)
            assert answer.json()["BODY"] == {"PDNO": "1"}
            assert len(answer.json()["HASH"]) == 64


class TestGateway:
    async def test_headers_are_spelled_as_kis_spells_them(self) -> None:
        async with simulated() as kis:
            params = {"fid_cond_mrkt_div_code": "J", "fid_input_iscd": "005930"}
            answer = await kis.call(PRICE, "FHKST01010100", params)
            names = {name.decode() for name, _ in answer.headers.raw}
            assert {"tr_id", "tr_cont", "gt_uid", "Content-Type", "Content-Length"} <= names
            # KIS's own client makes Python names of all that is in lower case.
            assert all(name.isidentifier() for name in names if name.islower())
            body = answer.json()
            assert (body["rt_cd"], body["msg_cd"]) == ("0", "MCA00000")
            assert body["msg1"].strip() == "정상처리 되었습니다."
            assert all(isinstance(value, str) for value in body["output"].values())
            assert body["output"]["stck_mxpr"] == "356000"
            assert body["output"]["stck_shrn_iscd"] == "005930"

    async def test_refusals(self) -> None:
        refused: list[tuple[str, dict[str, str], str]] = [
            ("FHKST01010100", {"authorization": ""}, "EGW00122"),
            ("FHKST01010100", {"authorization": "x"}, "EGW00205"),
            ("FHKST01010100", {"appkey": "x" * 36}, "EGW00103"),
            ("FHKST01010100", {"appkey": ""}, "EGW00102"),
            ("X", {}, "EGW00310"),
        ]
        async with simulated() as kis:
            for tr_id, changes, code in refused:
                answer = await kis.call(PRICE, tr_id, {}, **changes)
                assert (answer.status_code, answer.json()["msg_cd"]) == (500, code)
                assert answer.json()["rt_cd"] == "1"

    async def test_environments_do_not_mix(self) -> None:
        async with simulated() as paper, simulated(environment="real") as real:
            answer = await paper.call(ORDER, "TTTC0012U", {})
            assert (answer.status_code, answer.json()["msg_cd"]) == (500, "EGW02006")
            answer = await paper.call(HOLIDAY, "CTCA0903R", {})
            assert answer.json()["msg_cd"] == "EGW02006"
            answer = await real.call(ORDER, "VTTC0012U", {})
            assert (answer.status_code, answer.json()["msg_cd"]) == (500, "EGW02004")

    async def test_too_many_a_second(self) -> None:
        async with simulated(rest_per_second=3) as kis:
            answers = [await kis.call(PRICE, "FHKST01010100", {}) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 500]
            assert answers[3].json()["msg_cd"] == "EGW00201"
            assert len(kis.simulator.rest.calls) == 3
            assert {answer.headers["X-Rate-Limit-Per-Second"] for answer in answers} == {"3"}
        async with simulated(rest_per_second=0) as kis:
            answer = await kis.call(PRICE, "FHKST01010100", {})
            assert "X-Rate-Limit-Per-Second" not in answer.headers

    async def test_unknown_path_and_bad_input(self) -> None:
        async with simulated() as kis:
            assert (await kis.call("/uapi/none", "X", {})).status_code == 404
            params = {"FID_COND_MRKT_DIV_CODE": "Z", "FID_INPUT_ISCD": "005930"}
            answer = await kis.call(PRICE, "FHKST01010100", params)
            assert (answer.status_code, answer.json()["rt_cd"]) == (200, "2")
            params = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "SAMSUNG"}
            assert (await kis.call(BOOK, "FHKST01010200", params)).json()["rt_cd"] == "1"
            body = await kis.place(1, 274_000, ORD_QTY="many")
            assert (body["rt_cd"], body["msg_cd"]) == ("2", "OPSQ2001")


class TestTrading:
    async def test_an_order_fills_and_its_notices_match_the_ledger(self) -> None:
        async with simulated() as kis, kis.socket() as ws:
            assert (await ws.ask("H0STCNI9", kis.simulator.hts_id)).msg_cd == "OPSP0000"
            body = await kis.place(7, 0, "01")
            assert (body["rt_cd"], body["msg_cd"]) == ("0", "40600000")
            assert body["output"]["KRX_FWDG_ORD_ORGNO"] == "00950"
            number = body["output"]["ODNO"]
            assert len(number) == 10
            taken = await ws.notice()
            assert (taken["CNTG_YN"], taken["ACPT_YN"], taken["RFUS_YN"]) == ("1", "1", "0")
            assert (taken["ODER_NO"], taken["ACNT_NO"]) == (number, "1234567801")
            assert taken["ODER_QTY"] == "000000007"
            filled = value = 0
            while filled < 7:
                fill = await ws.notice()
                assert (fill["CNTG_YN"], fill["ODER_NO"]) == ("2", number)
                assert (fill["CUST_ID"], fill["SELN_BYOV_CLS"]) == ("simtrader", "02")
                assert (len(fill["CNTG_QTY"]), len(fill["CNTG_UNPR"])) == (10, 9)
                filled += int(fill["CNTG_QTY"])
                value += int(fill["CNTG_QTY"]) * int(fill["CNTG_UNPR"])
            row = (await kis.daily()).json()["output1"][0]
            assert (row["odno"], row["tot_ccld_qty"], row["rmn_qty"]) == (number, "7", "0")
            assert int(row["tot_ccld_amt"]) == value
            balance = (await kis.call(BALANCE, "VTTC8434R", kis.account)).json()
            # Two days from now, when it is settled, with the fee.
            cash = int(balance["output2"][0]["prvs_rcdl_excc_amt"])
            assert cash == 500_000_000 - value - value * 140_527 // 10**9
            held = {row["pdno"]: row["hldg_qty"] for row in balance["output1"]}
            assert held["005930"] == "107"
            params = kis.account | {"PDNO": "005930", "ORD_UNPR": "274000", "ORD_DVSN": "00"}
            orderable = (await kis.call(ORDERABLE, "VTTC8908R", params)).json()["output"]
            assert int(orderable["ord_psbl_cash"]) == cash

    async def test_modify_and_cancel(self) -> None:
        async with simulated(environment="real") as kis, kis.socket() as ws:
            await ws.ask("H0STCNI0", kis.simulator.hts_id)
            placed = await kis.place(10, 200_000, tr_id="TTTC0802U")
            assert placed["msg_cd"] == "APBK0013"
            number = placed["output"]["ODNO"]
            change = kis.account | {
                "KRX_FWDG_ORD_ORGNO": placed["output"]["KRX_FWDG_ORD_ORGNO"],
                "ORGN_ODNO": number.lstrip("0"),
                "ORD_DVSN": "00",
                "RVSE_CNCL_DVSN_CD": "01",
                "ORD_QTY": "0",
                "ORD_UNPR": "200500",
                "QTY_ALL_ORD_YN": "Y",
            }
            modified = (await kis.call(CHANGE, "TTTC0013U", change)).json()
            second = modified["output"]["ODNO"]
            assert (modified["rt_cd"], second != number) == ("0", True)
            cancel = change | {
                "ORGN_ODNO": second,
                "RVSE_CNCL_DVSN_CD": "02",
                "QTY_ALL_ORD_YN": "N",
                "ORD_QTY": "4",
            }
            cancelled = (await kis.call(CHANGE, "TTTC0803U", cancel)).json()
            third = cancelled["output"]["ODNO"]
            told = [await ws.notice("H0STCNI0") for _ in range(5)]
            assert [(n["ODER_NO"], n["OODER_NO"], n["RCTF_CLS"], n["ACPT_YN"]) for n in told] == [
                (number, "", "0", "1"),
                (second, number, "1", "1"),
                (second, number, "1", "2"),
                (third, second, "2", "1"),
                (third, second, "2", "2"),
            ]
            rows = (await kis.call(OPEN, "TTTC0084R", kis.account)).json()["output"]
            assert [(r["odno"], r["orgn_odno"], r["psbl_qty"]) for r in rows] == [
                (second, number, "6")
            ]
            too_much = await kis.call(CHANGE, "TTTC0013U", cancel | {"ORD_QTY": "7"})
            assert (too_much.json()["rt_cd"], too_much.json()["msg_cd"]) == ("7", "KIER2320")

    async def test_refused_orders(self) -> None:
        refused = [
            ({"ORD_UNPR": "274100"}, "40310000", "APBK0506"),
            ({"ORD_UNPR": "400000"}, "40270000", "APBK0507"),
            ({"ORD_QTY": "100000"}, "40250000", "APBK0952"),
            ({"PDNO": "SAMSUNG"}, "40070000", "APBK0656"),
        ]
        async with simulated() as one, simulated(environment="real") as other:
            for changes, paper, real in refused:
                body = await one.place(1, 274_000, **changes)
                assert (body["msg_cd"], body["rt_cd"] == "0") == (paper, False)
                body = await other.place(1, 274_000, tr_id="TTTC0012U", **changes)
                assert (body["msg_cd"], body["rt_cd"]) == (real, "7")
            for kis, tr_id in ((one, "VTTC0012U"), (other, "TTTC0012U")):
                body = await kis.place(1, 274_000, tr_id=tr_id, CANO="87654321")
                assert (body["msg_cd"], body["rt_cd"]) == ("OPSQ2000", "2")
            assert not one.simulator.exchange.tickets
            assert not other.simulator.exchange.tickets

    async def test_venues(self) -> None:
        async with simulated() as paper, simulated(environment="real") as real:
            assert (await paper.place(1, 274_000, EXCG_ID_DVSN_CD="NXT"))["rt_cd"] == "1"
            body = await real.place(1, 274_000, tr_id="TTTC0012U", EXCG_ID_DVSN_CD="NXT")
            assert body["rt_cd"] == "0"
            row = (await real.daily("TTTC0081R")).json()["output1"][0]
            assert row["excg_id_dvsn_cd"] == "NXT"

    @pytest.mark.parametrize("strip", [True, False])
    async def test_pages(self, strip: bool) -> None:
        async with simulated() as kis:
            placed = [(await kis.place(1, 200_000))["output"]["ODNO"] for _ in range(33)]
            seen: list[str] = []
            marks = []
            area: dict[str, str] = {}
            while True:
                answer = await kis.daily(tr_cont="N" if area else "", **area)
                body = answer.json()
                seen += [row["odno"] for row in body["output1"]]
                marks.append(answer.headers["tr_cont"])
                if marks[-1] not in ("F", "M"):
                    break
                area = {
                    name.upper(): body[name].strip() if strip else body[name]
                    for name in ("ctx_area_fk100", "ctx_area_nk100")
                }
                assert len(body["ctx_area_nk100"]) == 100
                # What comes in between neither hides nor repeats a row.
                await kis.place(1, 200_000)
            assert marks == ["F", "M", "E"]
            assert seen == placed[::-1]

    async def test_holidays(self) -> None:
        async with simulated(environment="real", hours="krx") as kis:
            answer = await kis.call(HOLIDAY, "CTCA0903R", {"BASS_DT": "20260921"})
            days = {
                date.fromisoformat(row["bass_dt"]).weekday(): (row["opnd_yn"], row["wday_dvsn_cd"])
                for row in answer.json()["output"]
            }
            assert days[0] == ("Y", "02")
            assert days[5] == ("N", "07")
            assert days[6] == ("N", "01")

    async def test_a_notice_may_overtake_the_answer(self) -> None:
        async with simulated(early_notices=1.0) as kis, kis.socket() as ws:
            await ws.ask("H0STCNI9", kis.simulator.hts_id)
            placing = asyncio.create_task(kis.place(1, 0, "01"))
            assert (await ws.notice())["CNTG_YN"] == "1"
            assert (await placing)["rt_cd"] == "0"


class TestStream:
    async def test_trades_and_quotes_arrive_by_themselves(self) -> None:
        async with simulated(manual=False) as kis, kis.socket("/tryitout/H0STCNT0") as ws:
            answer = await ws.ask("H0STCNT0", "005930")
            assert (answer.rt_cd, answer.tr_key) == ("0", "005930")
            assert (len(answer.iv), len(answer.key)) == (16, 32)
            await ws.ask("H0STASP0", "005930")
            for tr_id, width in (("H0STCNT0", 47), ("H0STASP0", 63)):
                frame = await ws.frame(tr_id)
                assert len(frame.body.split("^")) == frame.count * width

    async def test_answers_to_registrations(self) -> None:
        async with simulated() as kis, kis.socket() as ws:
            assert (await ws.ask("H0STCNT0", "005930")).msg_cd == "OPSP0000"
            again = await ws.ask("H0STCNT0", "005930")
            assert (again.msg_cd, again.rt_cd) == ("OPSP0002", "1")
            assert (await ws.ask("H0STCNT0", "005930", "2")).msg_cd == "OPSP0001"
            assert (await ws.ask("H0STCNT0", "005930", "2")).msg_cd == "OPSP0003"
            assert (await ws.ask("H0STCNT0", "005930", "0")).msg_cd == "OPSP8997"
            for key in ("SAMSUNG", "삼성전자", ""):
                refused = await ws.ask("H0STCNT0", key)
                assert (refused.msg_cd, refused.rt_cd, refused.tr_key) == ("OPSP8992", "1", key)
                assert refused.msg1 == "SUBSCRIBE ERROR : invalid tr_key"
                assert not kis.simulator.stream.subscribed("H0STCNT0", key)
            assert (await ws.ask("X0STCNT0", "005930")).msg_cd == "OPSP8991"
            # Paper trading has neither this feed nor the notices of real trading.
            assert (await ws.ask("H0NXCNT0", "005930")).msg_cd == "OPSP8991"
            assert (await ws.ask("H0STCNI0", kis.simulator.hts_id)).msg_cd == "OPSP8991"
            assert (await ws.ask("H0STCNI9", "somebody")).msg_cd == "OPSP0017"
            refused = await ws.ask("H0STCNT0", "005930", approval_key="x")
            assert (refused.msg_cd, refused.rt_cd) == ("OPSP0011", "1")
            assert kis.simulator.stream.sessions == 1

    async def test_requests_that_are_none(self) -> None:
        requests = [
            ("hello", "OPSP9999"),
            ("[]", "OPSP9998"),
            ('{"header":{}}', "OPSP9992"),
            ('{"header":{},"body":{}}', "OPSP9991"),
            ('{"header":{},"body":{"input":{"tr_id":"H0STCNT0"}}}', "OPSP9990"),
            ('{"header":{},"body":{"input":{"tr_id":"H0STCNT0","tr_key":"1"}}}', "OPSP9997"),
        ]
        async with simulated() as kis, kis.socket() as ws:
            for text, code in requests:
                answer = await ws.say(text)
                assert (answer.msg_cd, answer.rt_cd, answer.tr_id) == (code, "9", "")

    async def test_forty_one_slots(self) -> None:
        async with simulated() as kis, kis.socket() as ws:
            for number in range(41):
                answer = await ws.ask("H0STCNT0", f"{number:06d}")
                assert answer.msg_cd == "OPSP0000"
            over = await ws.ask("H0STASP0", "005930")
            assert (over.msg_cd, over.tr_id, over.tr_key) == ("OPSP0008", "H0STASP0", "005930")
            await ws.ask("H0STCNT0", "000000", "2")
            assert (await ws.ask("H0STASP0", "005930")).msg_cd == "OPSP0000"

    async def test_one_session_an_app_key(self) -> None:
        async with simulated() as kis, kis.socket() as first:
            await first.ask("H0STCNT0", "005930")
            async with kis.socket() as second:
                answer = await second.ask("H0STCNT0", "005930")
                assert (answer.msg_cd, answer.rt_cd, answer.tr_id) == ("OPSP8996", "9", "")
                with pytest.raises(ConnectionClosed):
                    await second.text()
            kis.simulator.step(1.0)
            assert (await first.frame("H0STCNT0")).count
            await first.connection.close()
            async with kis.socket() as third:
                assert (await third.ask("H0STCNT0", "005930")).msg_cd == "OPSP0000"

    async def test_other_paths(self) -> None:
        async with simulated() as kis:
            async with kis.socket("/") as ws:
                assert (await ws.ask("H0STCNT0", "005930")).msg_cd == "OPSP0000"
            with pytest.raises(InvalidStatus, match="404"):
                async with kis.socket("/other"):
                    pass

    async def test_pingpong(self) -> None:
        async with (
            simulated(ping_every_s=0.05, ping_patience_s=0.4) as kis,
            kis.socket() as text,
            kis.socket() as pong,
            kis.socket() as silent,
        ):
            closed = asyncio.create_task(silent.connection.wait_closed())
            async with asyncio.timeout(DEADLINE_S):
                while not closed.done():
                    asked = await text.text()
                    assert isinstance(parse(asked), PingPong)
                    # Clients write the JSON anew, with blanks of their own.
                    await text.connection.send(json.dumps(json.loads(asked), indent=1))
                    await pong.connection.pong(await pong.text())
            assert kis.simulator.stream.sessions == 2

    async def test_a_dropped_connection(self) -> None:
        async with simulated() as kis, kis.socket() as ws:
            await ws.ask("H0STCNT0", "005930")
            kis.simulator.drop_connections()
            with pytest.raises(ConnectionClosed):
                await ws.text()
            async with kis.socket() as again:
                assert (await again.ask("H0STCNT0", "005930")).msg_cd == "OPSP0000"

    async def test_older_layouts(self) -> None:
        async with simulated(widths={"H0STCNT0": 46}) as kis, kis.socket() as ws:
            await ws.ask("H0STCNT0", "005930")
            kis.simulator.step(1.0)
            frame = await ws.frame("H0STCNT0")
            assert len(frame.body.split("^")) == frame.count * 46

    async def test_python_kis_gets_the_layouts_it_can_read(self) -> None:
        async with simulated() as kis:
            kis.http.headers["User-Agent"] = "PyKis/2.1.6"
            async with kis.socket() as ws:
                await ws.ask("H0STCNT0", "005930")
                kis.simulator.step(1.0)
                frame = await ws.frame("H0STCNT0")
                assert len(frame.body.split("^")) == frame.count * 46

    async def test_an_exchange_refusal_is_told(self) -> None:
        async with simulated() as kis, kis.socket() as ws:
            await ws.ask("H0STCNI9", kis.simulator.hts_id)
            kis.simulator.exchange.refuse_next.append("005930")
            assert (await kis.place(1, 274_000))["rt_cd"] == "0"
            assert (await ws.notice())["RFUS_YN"] == "0"
            assert (await ws.notice())["RFUS_YN"] == "1"
            row = (await kis.daily()).json()["output1"][0]
            assert (row["rjct_qty"], row["rmn_qty"]) == ("1", "0")

    async def test_play(self, tmp_path: Path) -> None:
        program = "0|H0STPGM0|001|005930^093000^1^2^3^4^5^6^7^8^9"
        body = "user^0000000000^1"
        path = tmp_path / "frames"
        path.write_text(f'{program}\n{{"raw": "0|H0STCNI0|001|{body}"}}\n', encoding="utf-8")
        async with (
            simulated(environment="real", play=path, rate=100.0) as kis,
            kis.socket() as ws,
        ):
            await ws.ask("H0STPGM0", "005930")
            await ws.ask("H0STCNI0", kis.simulator.hts_id)
            kis.simulator.step(0.1)
            for _ in range(2):
                assert await ws.text() == program
                notice = parse(await ws.text())
                assert isinstance(notice, DataFrame)
                assert decrypt(notice.body, *ws.keys["H0STCNI0"]) == body

    async def test_the_rate_is_reached_over_one_connection(self) -> None:
        async with simulated(rate=20_000.0) as kis, kis.socket() as ws:
            await ws.ask("H0STCNT0", "005930")
            for _ in range(20):
                kis.simulator.step(0.01)
            count = 0
            while count < 3_999:
                count += (await ws.frame("H0STCNT0")).count
            assert kis.simulator.stream.sent_records == pytest.approx(4_000, abs=1)


async def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with Simulator(load(), SimulatorSettings(rest_port=port)):
                pass


async def test_the_whole_surface_is_reachable_by_its_urls() -> None:
    async with simulated() as kis:
        simulator = kis.simulator
        assert simulator.rest_url.startswith("http://127.0.0.1:")
        assert simulator.ws_url.startswith("ws://127.0.0.1:")
        assert simulator.account == "12345678-01"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_the_command_says_one_line_and_ends_when_told(number: int, code: int) -> None:
    program = "from bridge.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", program, "simulate", "--json", "--rest-port", "0", "--ws-port", "0"),
        *("--clients", "2"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(3 * DEADLINE_S):
            kis = json.loads(await process.stdout.readline())["kis"]
            async with httpx.AsyncClient(base_url=kis["rest"]) as http:
                for one in (kis, *kis["clients"]):
                    keys = {"appkey": one["app_key"], "secretkey": one["app_secret"]}
                    answer = await http.post("/oauth2/Approval", json=keys)
                    assert len(answer.json()["approval_key"]) == 36
            accounts = list(SimulatorSettings().accounts)
            assert kis["clients"][0] | kis == kis | {"accounts": accounts}
            assert len({one["app_key"] for one in kis["clients"]}) == 2
            process.send_signal(number)
            rest = await process.stdout.read()
            assert (rest, await process.wait()) == (b"", code)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
