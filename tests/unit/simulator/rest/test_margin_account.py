"""One account of futures and options, whatever happens: all its calls tell one truth.

What is expected follows from the executions alone, which one call lists, and from prices.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.simulator.rest.account_calls import AccountCalls

FUTURE = "domestic_futureoption"
CASH = 500_000_000
RATES = {"A65612": (Decimal("0.009"), Decimal("0.006"))}
RATE = (Decimal("0.105"), Decimal("0.07"))
"""Initial and maintenance margin."""


class Terms(NamedTuple):
    point: int
    tick: Decimal
    strike: Decimal | None = None


CENT, NICKEL = Decimal("0.01"), Decimal("0.05")
SYMBOLS = {
    "A01612": Terms(250_000, NICKEL),
    "A05612": Terms(50_000, Decimal("0.02")),
    "A65612": Terms(1_000_000, CENT),
    "B01612530": Terms(250_000, CENT, Decimal(530)),
    "C01612527": Terms(250_000, CENT, Decimal("527.5")),
}
SIDES = {"매수": 1, "환매": 1, "매도": -1, "전매": -1}


class Trade(NamedTuple):
    symbol: str
    signed: int
    amount: int
    """What was sold less what was bought, in won."""
    fee: int


def won(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


class Account(AccountCalls):
    """The account, and what its deposit should be since its last day ended."""

    def __init__(self) -> None:
        super().__init__("03")
        self.first, self.deposit = self.now, CASH

    def one(self, name: str, block: str, **params: str) -> dict[str, str]:
        answer = self.ask(f"{FUTURE}/{name}", **params)
        assert answer.rt_cd == "0", answer
        found: dict[str, str] = answer.outputs[block]
        return found

    def rows(self, name: str, block: str = "output1", **params: str) -> list[dict[str, str]]:
        """Return the rows of all pages."""
        rows, cont, key = [], "", ""
        while True:
            answer = self.ask(f"{FUTURE}/{name}", "", cont, CTX_AREA_NK200=key, **params)
            assert answer.rt_cd == "0", answer
            rows += answer.outputs[block]
            if answer.tr_cont not in ("F", "M"):
                return rows
            cont, key = "N", answer.outputs["ctx_area_nk200"]

    def trades(self) -> list[Trade]:
        """Return all executions, read from the list of each day."""
        found: list[Trade] = []
        held, day = Counter[str](), self.first
        while day.date() <= self.now.date():
            for row in self.rows("inquire_ccnl_bstime", ORD_DT=f"{day:%Y%m%d}"):
                symbol, number = row["pdno"], int(row["ccld_qty"])
                # The end of a contract closes what is held of it, whichever side that is.
                signed = -held[symbol] if not row["odno"] else SIDES[row["tr_type_name"]] * number
                assert abs(signed) == number
                held[symbol] += signed
                amount = int(row["trad_amt"]) * (-1 if signed > 0 else 1)
                found.append(Trade(symbol, signed, amount, int(row["fee"])))
            day += timedelta(days=1)
        return found

    def order(self, symbol: str, side: str, quantity: int, ticks: int | None) -> None:
        last = self.off_book.price(symbol)
        price = Decimal(0) if ticks is None else last + ticks * SYMBOLS[symbol].tick
        answer = self.ask(
            f"{FUTURE}/order",
            "day",
            SHTN_PDNO=symbol,
            SLL_BUY_DVSN_CD=side,
            ORD_QTY=f"{quantity}",
            ORD_DVSN_CD="02" if ticks is None else "01",
            UNIT_PRICE=f"{price}",
        )
        assert answer.rt_cd == "0" or answer.msg_cd in ("APBK0952", "APBK0507", "APBK0506")

    def move(self, symbol: str, ticks: int) -> None:
        price = self.off_book.price(symbol) + ticks * SYMBOLS[symbol].tick
        self.off_book.move(symbol, max(SYMBOLS[symbol].tick, price), self.now)

    def cancel(self) -> None:
        waiting = self.rows(
            "inquire_ccnl",
            STRT_ORD_DT="20261101",
            END_ORD_DT="20271231",
            CCLD_NCCS_DVSN="02",
        )
        for row in waiting[:1]:
            self.ask(
                f"{FUTURE}/order_rvsecncl",
                "day",
                ORGN_ODNO=row["odno"],
                RVSE_CNCL_DVSN_CD="02",
                RMN_QTY_YN="Y",
            )

    def pass_days(self, days: int) -> None:
        """Go on to a trading day; the days of a weekend are Monday's."""
        self.now += timedelta(days=days)
        self.now += timedelta(days=max(0, 7 - self.now.weekday()) if self.now.weekday() > 4 else 0)
        self.one("inquire_deposit", "output")
        self.deposit = expected(self)["next"]


def expected(account: Account) -> dict[str, int]:
    """Add the executions up, at the prices of now."""
    cash = options = fees = initial = kept = futures = 0
    held = Counter[str]()
    for trade in account.trades():
        cash += trade.amount
        fees += trade.fee
        held[trade.symbol] += trade.signed
        futures += 0 if SYMBOLS[trade.symbol].strike else trade.amount
    for symbol, quantity in held.items():
        terms, price = SYMBOLS[symbol], account.off_book.price(symbol)
        worth = won(quantity * price * terms.point)
        first, second = RATES.get(symbol, RATE)
        if terms.strike is None:
            futures += worth
            initial += won(abs(quantity) * price * terms.point * first)
            kept += won(abs(quantity) * price * terms.point * second)
        else:
            options += worth
            if quantity < 0:
                initial += -worth - quantity * won(terms.strike * terms.point * first)
                kept += -worth - quantity * won(terms.strike * terms.point * second)
    premium = cash - sum(
        trade.amount for trade in account.trades() if not SYMBOLS[trade.symbol].strike
    )
    return {
        "next": CASH + futures + premium - fees,
        "options": options,
        "futures": futures,
        "profit": futures + premium + options,
        "fees": fees,
        "margin": initial,
        "kept": kept,
        **{symbol: quantity for symbol, quantity in held.items() if quantity},
    }


def check(account: Account) -> None:
    """Hold every call against the executions."""
    want = expected(account)
    positions = {symbol: quantity for symbol, quantity in want.items() if symbol in SYMBOLS}
    totals: dict[str, dict[str, str]] = {}
    for name in ("inquire_balance", "inquire_ngt_balance", "inquire_balance_valuation_pl"):
        for basis in ("1", "2"):
            params = {"MGNA_DVSN": "01", "EXCC_STAT_CD": basis}
            rows = account.rows(name, **params)
            quantity = "cblc_qty1" if name.endswith("_pl") else "cblc_qty"
            assert positions == {
                row["shtn_pdno"]: int(row[quantity]) * SIDES[row["sll_buy_dvsn_name"]]
                for row in rows
            }
            told = account.one(name, "output2", **params)
            same = totals.setdefault(basis, told)
            assert {k: v for k, v in told.items() if k in same} == {
                k: v for k, v in same.items() if k in told
            }
            for word in ("evlu_pfls_amt", "trad_pfls_amt"):
                whole = int(told[f"{word}_smtl"])
                assert whole == int(told[f"futr_{word}"]) + int(told[f"opt_{word}"])
            assert int(told["evlu_pfls_amt_smtl"]) == sum(int(row["evlu_pfls_amt"]) for row in rows)
    told = totals["1"]
    assert int(told["dnca_cash"]) == account.deposit
    assert int(told["nxdy_dnca"]) == want["next"]
    assert (
        int(told["prsm_dpast_amt"])
        == want["next"] + want["options"]
        == (CASH + want["profit"] - want["fees"])
    )
    # What today brought leads from one deposit to the next.
    today = sum(int(told[name]) for name in ("thdt_dfpa", "rnwl_dfpa", "opt_dfpa"))
    assert account.deposit + today - int(told["fee"]) == want["next"]
    # Against the last settlement futures have earned just what is settled today.
    settled = int(told["futr_trad_pfls_amt"]) + int(told["futr_evlu_pfls_amt"])
    assert settled == int(told["thdt_dfpa"]) + int(told["rnwl_dfpa"])
    margins = account.one(
        "inquire_balance_settlement_pl", "output2", INQR_DT=f"{account.now:%Y%m%d}"
    )
    assert int(margins["brkg_mgna_tota"]) == want["margin"]
    assert int(margins["mmga_tota"]) == want["kept"]
    assert int(margins["opt_lqd_evlu_amt"]) == want["options"]
    assert int(margins["opt_sll_chgs"]) - int(margins["opt_buy_chgs"]) == int(told["opt_dfpa"])
    # Free is what is neither tied up nor promised to orders that wait.
    assert int(told["ord_psbl_cash"]) == want["next"] - int(told["mgna_tota"])
    promised = int(told["mgna_tota"]) - want["margin"]
    orders = account.rows("inquire_ccnl", STRT_ORD_DT="20261101", END_ORD_DT="20271231")
    assert promised >= 0
    assert promised == 0 or any(int(row["qty"]) for row in orders)
    deposit = account.one("inquire_deposit", "output")
    bought = totals["2"]
    for here, there in (
        ("dnca_tota", "dnca_cash"),
        ("ord_psbl_cash", "ord_psbl_cash"),
        ("futr_evlu_pfls_amt", "futr_evlu_pfls_amt"),
        ("evlu_pfls_smtl", "evlu_pfls_amt_smtl"),
        ("trad_pfls_smtl", "trad_pfls_amt_smtl"),
        ("brkg_fee", "fee"),
        ("nxdy_dnca", "nxdy_dnca"),
        ("prsm_dpast_amt", "prsm_dpast_amt"),
        ("brkg_mgna_cash", "mgna_tota"),
        ("wdrw_psbl_tot_amt", "wdrw_psbl_tot_amt"),
    ):
        assert deposit[here] == bought[there], here
    detail = account.one("ngt_margin_detail", "output3", MGNA_DVSN_CD="01")
    assert detail["brkg_mgna_tot_amt"] == told["mgna_tota"]
    assert detail["ord_psbl_cash_amt"] == told["ord_psbl_cash"]
    # All that was earned since the start: by closing, and by what is still held.
    period = {"INQR_STRT_DAY": "20261101", "INQR_END_DAY": "20271231"}
    fees = account.one("inquire_daily_amount_fee", "output2", **period)
    assert int(fees["fee_smtl"]) == want["fees"]
    earned = int(fees["trad_pfls_smtl"]) + int(bought["evlu_pfls_amt_smtl"])
    assert earned == want["profit"]
    by_day = account.rows("inquire_daily_amount_fee", **period)
    assert sum(int(row["trad_pfls"]) for row in by_day) == int(fees["trad_pfls_smtl"])
    filled = sum(int(row["tot_ccld_qty"]) for row in orders)
    listed = account.one("inquire_ccnl", "output2", STRT_ORD_DT="20261101", END_ORD_DT="20271231")
    assert int(listed["tot_ccld_qty_smtl"]) == filled
    assert int(listed["tot_ccld_amt_smtl"]) == sum(int(row["tot_ccld_amt"]) for row in orders)


SYMBOL, SIDE = st.sampled_from(sorted(SYMBOLS)), st.sampled_from(["01", "02"])
STEPS: Any = st.one_of(
    st.tuples(*(st.just("order"), SYMBOL, SIDE, st.integers(1, 7), st.none() | st.integers(-9, 9))),
    st.tuples(st.just("move"), SYMBOL, st.integers(-40, 40)),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("pass_days"), st.integers(1, 14)),
)


@given(steps=st.lists(STEPS, max_size=8))
@example(
    steps=[
        ("order", "A01612", "02", 3, None),
        ("order", "B01612530", "01", 2, None),
        ("move", "A01612", 31),
        ("pass_days", 1),
        ("order", "A01612", "01", 5, None),
        ("order", "C01612527", "02", 4, -3),
        ("move", "A01612", -17),
        ("cancel",),
        ("pass_days", 14),
        ("pass_days", 14),
    ]
)
def test_every_call_follows_from_the_executions(steps: list[tuple[Any, ...]]) -> None:
    account = Account()
    check(account)
    for name, *given_ in steps:
        getattr(account, name)(*given_)
        check(account)
