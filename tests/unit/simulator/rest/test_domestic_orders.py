from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream.notices import stock_notice

CATALOG = load()
NOW = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
NUMBER, SYMBOL = "12345678-01", "005930"
ACCOUNT = {"CANO": "12345678", "ACNT_PRDT_CD": "01"}
TRADING = "/uapi/domestic-stock/v1/trading/"


class Desk:
    """A real account at a simulated KIS."""

    def __init__(self, *, hours: bool = False) -> None:
        self.exchange = Exchange(
            seed=1,
            calendar=Calendar(CATALOG.hours) if hours else None,
            accounts=[with_holdings(NUMBER, 10**9, [(SYMBOL, 100, 270_000)])],
        )
        settings = SimulatorSettings(environment="real", manual=True)
        self.handlers = Handlers(self.exchange, CATALOG, settings)

    def __call__(
        self,
        name: str,
        params: Mapping[str, str],
        *,
        variant: str = "",
        now: datetime = NOW,
        cont: str = "",
    ) -> Answer:
        call = self.handlers.calls[TRADING + name]
        return self.handlers.answer(call, variant, ACCOUNT | dict(params), cont, now)

    def order(self, kind: str, *, now: datetime = NOW, **more: str) -> Answer:
        params = {"PDNO": SYMBOL, "ORD_QTY": "1", "ORD_UNPR": "274000", "ORD_DVSN": kind}
        return self("order-cash", params | more, variant="buy", now=now)

    def bid(self) -> str:
        return str(self.exchange.market(SYMBOL, NOW).book.best(Side.BUY))


@pytest.mark.parametrize(
    ("clock", "kind", "venue", "code"),
    [
        ((8, 25), "00", "KRX", "APBK0013"),
        ((8, 25), "11", "KRX", "APBK1943"),
        ((8, 10), "01", "KRX", "APBK0919"),
        ((8, 10), "27", "NXT", "APBK0013"),
        ((8, 10), "21", "NXT", "APBK3013"),
        ((10, 0), "22", "SOR", "APBK3009"),
        ((16, 30), "41", "KRX", "APBK0013"),
        ((16, 30), "00", "KRX", "APBK0919"),
        ((16, 30), "07", "KRX", "APBK1943"),
    ],
)
def test_kinds_are_taken_and_refused_by_the_hours(
    clock: tuple[int, int], kind: str, venue: str, code: str
) -> None:
    desk = Desk(hours=True)
    now = NOW.replace(hour=clock[0], minute=clock[1])
    unpriced = {"ORD_UNPR": "0"} if kind in ("01", "21") else {}
    answer = desk.order(kind, now=now, EXCG_ID_DVSN_CD=venue, **unpriced)
    assert answer.msg_cd == code


def test_a_credit_order_says_so_in_its_notices() -> None:
    desk = Desk()
    params = {
        "PDNO": SYMBOL,
        "ORD_QTY": "2",
        "ORD_UNPR": desk.bid(),
        "ORD_DVSN": "00",
        "CRDT_TYPE": "21",
        "LOAN_DT": "20260922",
    }
    answer = desk("order-credit", params, variant="buy")
    assert answer.msg_cd == "APBK0013"
    (event,) = desk.exchange.events
    values = stock_notice(event, hts_id="x", name="x")
    assert (values["CRDT_CLS"], values["CRDT_LOAN_DATE"]) == ("21", "20260922")
    assert values["ODER_NO"] == answer.outputs["output"]["ODNO"]
    change = {
        "ORGN_ODNO": answer.outputs["output"]["ODNO"],
        "RVSE_CNCL_DVSN_CD": "02",
        "QTY_ALL_ORD_YN": "Y",
    }
    assert desk("order-rvsecncl", change).rt_cd == "0"
    assert desk.exchange.accounts[NUMBER].free_credit == 10**9


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"CRDT_TYPE": "25"}, "APBK0937"),
        ({"LOAN_DT": "20260921"}, "APBK0938"),
        ({"LOAN_DT": ""}, "OPSQ2001"),
        ({"CRDT_TYPE": "26"}, "APBK1234"),
    ],
)
def test_credit_orders_that_are_refused(params: dict[str, str], code: str) -> None:
    order = {
        "PDNO": SYMBOL,
        "ORD_QTY": "1",
        "ORD_UNPR": "274000",
        "ORD_DVSN": "00",
        "CRDT_TYPE": "21",
        "LOAN_DT": "20260922",
    }
    assert Desk()("order-credit", order | params, variant="buy").msg_cd == code


LIST = {
    "RSVN_ORD_ORD_DT": "20260922",
    "RSVN_ORD_END_DT": "20260923",
    "RSVN_ORD_SEQ": "",
    "PRCS_DVSN_CD": "0",
    "CNCL_YN": "",
    "PDNO": "",
    "SLL_BUY_DVSN_CD": "",
}


class TestReservations:
    EVENING = NOW.replace(hour=18)
    MORNING = NOW.replace(day=23, hour=8, minute=30)

    def reserve(self, desk: Desk, **more: str) -> str:
        params = {
            "PDNO": SYMBOL,
            "ORD_QTY": "3",
            "ORD_UNPR": "274000",
            "SLL_BUY_DVSN_CD": "02",
            "ORD_DVSN_CD": "00",
            "ORD_OBJT_CBLC_DVSN_CD": "10",
        }
        answer = desk("order-resv", params | more, now=self.EVENING)
        assert answer.rt_cd == "0", answer
        return str(answer.outputs["output"]["RSVN_ORD_SEQ"])

    def listed(self, desk: Desk, now: datetime, **more: str) -> list[dict[str, str]]:
        rows = desk("order-resv-ccnl", LIST | more, now=now).outputs["output"]
        assert isinstance(rows, list)
        return rows

    def test_the_list_tells_what_became_of_each(self) -> None:
        desk = Desk(hours=True)
        sent, gone, dear = (
            self.reserve(desk),
            self.reserve(desk),
            self.reserve(desk, SLL_BUY_DVSN_CD="01", ORD_QTY="900"),
        )
        assert desk(
            "order-resv-rvsecncl", {"RSVN_ORD_SEQ": gone}, variant="cancel", now=self.EVENING
        ).outputs["output"] == {"NRML_PRCS_YN": "Y"}
        assert [row["prcs_rslt"] for row in self.listed(desk, self.EVENING)] == [
            *("미처리", "취소", "미처리")
        ]
        rows = {row["rsvn_ord_seq"]: row for row in self.listed(desk, self.MORNING)}
        assert [rows[seq]["prcs_rslt"] for seq in (sent, gone, dear)] == ["처리", "취소", "거부"]
        assert rows[sent]["odno"] in desk.exchange.tickets
        assert rows[dear]["rjct_rson2"]
        assert len(self.listed(desk, self.MORNING, PRCS_DVSN_CD="2")) == 1
        assert len(self.listed(desk, self.MORNING, CNCL_YN="Y")) == 2
        assert len(self.listed(desk, self.MORNING, SLL_BUY_DVSN_CD="01")) == 1

    def test_a_change_keeps_the_number(self) -> None:
        desk = Desk(hours=True)
        number = self.reserve(desk)
        change = {
            "RSVN_ORD_SEQ": number,
            "PDNO": SYMBOL,
            "ORD_QTY": "7",
            "ORD_UNPR": "270000",
            "SLL_BUY_DVSN_CD": "02",
            "ORD_DVSN_CD": "00",
            "ORD_OBJT_CBLC_DVSN_CD": "10",
        }
        answer = desk("order-resv-rvsecncl", change, variant="modify", now=self.EVENING)
        assert answer.rt_cd == "0"
        (row,) = self.listed(desk, self.EVENING)
        assert (row["rsvn_ord_seq"], row["ord_rsvn_qty"], row["ord_rsvn_unpr"]) == (
            *(number, "7", "270000"),
        )

    def test_the_list_has_pages(self) -> None:
        desk = Desk(hours=True)
        for _ in range(25):
            self.reserve(desk)
        first = desk("order-resv-ccnl", LIST, now=self.EVENING)
        key = {"CTX_AREA_NK200": first.outputs["ctx_area_nk200"].strip()}
        second = desk("order-resv-ccnl", LIST | key, now=self.EVENING, cont="N")
        assert (first.tr_cont, second.tr_cont) == ("F", "E")
        seen = [row["rsvn_ord_seq"] for one in (first, second) for row in one.outputs["output"]]
        assert seen == [str(number) for number in range(25, 0, -1)]
