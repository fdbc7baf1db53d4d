"""An account of bonds, whatever happens: what its calls tell follows from its executions."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.simulator.bonds.issues import KNOWN
from tests.unit.simulator.rest.account_calls import AccountCalls

BONDS = KNOWN[:2]
SHORT = {symbol[3:]: symbol for symbol in BONDS}
PERIOD = {"INQR_STRT_DT": "20261101", "INQR_END_DT": "20271231"}


class Account(AccountCalls):
    def __init__(self) -> None:
        super().__init__("01")
        self.cash = self.orderable()

    def output(self, name: str, block: str = "output", **params: str) -> Any:
        answer = self.ask(f"domestic_bond/{name}", **params)
        assert answer.rt_cd == "0", answer
        return answer.outputs[block]

    def orderable(self) -> int:
        [row] = self.output("inquire_psbl_order", PDNO=BONDS[0], BOND_ORD_UNPR="10000")
        return int(row["ord_psbl_cash"])

    def order(self, side: str, symbol: str, quantity: int, apart: int) -> None:
        answer = self.ask(
            f"domestic_bond/{side}",
            PDNO=symbol,
            ORD_QTY2=f"{quantity}",
            BOND_ORD_UNPR=f"{self.off_book.price(symbol) + apart}",
            SAMT_MKET_PTCI_YN="Y",
            BOND_RTL_MKET_YN="N",
            ORD_DVSN="01",
        )
        assert answer.rt_cd == "0" or answer.msg_cd in ("APBK1234", "APBK0952")

    def move(self, symbol: str, won: int) -> None:
        self.off_book.move(symbol, self.off_book.price(symbol) + won, self.now)

    def cancel(self) -> None:
        for row in self.output("inquire_psbl_rvsecncl")[:1]:
            self.output(
                "order_rvsecncl",
                PDNO=row["pdno"],
                ORGN_ODNO=row["odno"],
                QTY_ALL_ORD_YN="Y",
                RVSE_CNCL_DVSN_CD="02",
            )

    def pass_day(self) -> None:
        self.now += timedelta(days=1)


def check(account: Account) -> None:
    held, cash, promised = Counter[str](), account.cash, 0
    orders = account.output("inquire_daily_ccld", "output2", SORT_SQN_DVSN="01", **PERIOD)
    for row in orders:
        sign = 1 if row["sll_buy_dvsn_cd"] == "02" else -1
        held[SHORT[row["shtn_pdno"]]] += sign * int(row["tot_ccld_qty"])
        cash -= sign * int(row["tot_ccld_amt"])
        if sign == 1:
            # A thousand won of face value each, at a price for ten thousand.
            waits = int(row["nccs_qty"]) * Decimal(row["bond_ord_unpr"]) / 10
            promised += int(waits + Decimal("0.5"))
    assert account.orderable() == cash - promised
    lots = account.output("inquire_balance")
    told = Counter[str]()
    for lot in lots:
        told[lot["pdno"]] += int(lot["cblc_qty"])
        assert 0 <= int(lot["ord_psbl_qty"]) <= int(lot["cblc_qty"])
        assert int(lot["buy_amt"]) > 0
    assert +told == +held
    free = sum(int(lot["cblc_qty"]) - int(lot["ord_psbl_qty"]) for lot in lots)
    waiting = account.output("inquire_psbl_rvsecncl")
    assert free == sum(
        int(row["ord_psbl_qty"]) for row in waiting if row["sll_buy_dvsn_cd"] == "01"
    )
    [totals] = account.output("inquire_daily_ccld", "output1", **PERIOD)
    assert int(totals["tot_ccld_qty_smtl"]) == sum(int(row["tot_ccld_qty"]) for row in orders)
    assert int(totals["tot_ccld_amt_smtl"]) == sum(int(row["tot_ccld_amt"]) for row in orders)


SYMBOL = st.sampled_from(BONDS)
STEPS: Any = st.one_of(
    st.tuples(
        *(st.just("order"), st.sampled_from(["buy", "sell"]), SYMBOL),
        *(st.integers(1, 200), st.integers(-5, 5)),
    ),
    st.tuples(st.just("move"), SYMBOL, st.integers(-6, 6)),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("pass_day")),
)


@given(steps=st.lists(STEPS, max_size=8))
@example(
    steps=[
        ("order", "buy", BONDS[0], 101, 0),
        ("move", BONDS[0], -2),
        ("order", "buy", BONDS[0], 53, 0),
        ("order", "sell", BONDS[0], 120, 3),
        ("pass_day",),
        ("order", "buy", BONDS[0], 7, 0),
        ("move", BONDS[0], 4),
        ("order", "sell", BONDS[0], 30, 2),
        ("cancel",),
    ]
)
def test_every_call_follows_from_the_executions(steps: list[tuple[Any, ...]]) -> None:
    account = Account()
    check(account)
    for name, *given_ in steps:
        getattr(account, name)(*given_)
        check(account)
