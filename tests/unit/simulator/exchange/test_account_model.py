"""Whatever is ordered and however it trades, all reports of an account agree.

What must come out is worked out here from the notices of fills alone, with KIS's rates written out
once more; nothing of it is asked of the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.catalog.compile import load
from bridge.simulator.exchange import ticks
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings

CATALOG = load()
START = datetime(2026, 9, 22, 10, 0, tzinfo=ZoneInfo("Asia/Seoul"))
NUMBER, SYMBOLS = "12345678-01", ("005930", "000660")
ACCOUNT = {"CANO": "12345678", "ACNT_PRDT_CD": "01"}
TRADING = "/uapi/domestic-stock/v1/trading/"
CASH, SHARES, PAID = 3_000_000_000, 100, 200_000
EVER = {"INQR_STRT_DT": "20260101", "INQR_END_DT": "20991231"}
SHORT, REPAYS = ("22", "24"), {"25": "21", "27": "23", "26": "22", "28": "24"}

QUANTITIES = st.integers(1, 250)

Position = tuple[str, str, str]


def fee(value: int) -> int:
    return int(value * Decimal("0.000140527"))


def tax(value: int) -> int:
    return int(value * Decimal("0.0020"))


def lent(value: int) -> int:
    return int(value * Decimal("0.55"))


@dataclass
class Held:
    shares: int = 0
    debt: int = 0
    cost: int = 0
    locked: int = 0


class Account:
    """An account worked out from its fills."""

    def __init__(self) -> None:
        self.cash = CASH
        self.held: dict[Position, Held] = defaultdict(Held)
        for symbol in SYMBOLS:
            self.held[symbol, "", ""] = Held(SHARES, cost=SHARES * PAID)
        self.value: dict[str, int] = defaultdict(int)
        self.filled: dict[str, int] = defaultdict(int)
        self.sold_on: dict[str, int] = defaultdict(int)
        self.change_on: dict[str, int] = defaultdict(int)
        self.opening_charges = 0

    def fill(self, event: Any) -> None:
        ticket, request = event.ticket, event.ticket.request
        number, day = ticket.number, f"{event.at:%Y%m%d}"
        amount = event.quantity * event.price
        before = self.value[number]
        after = self.value[number] = before + amount
        self.filled[number] += event.quantity
        charged = fee(after) - fee(before)
        if request.side is Side.SELL:
            charged += tax(after) - tax(before)
            self.sold_on[day] += amount
        loan = REPAYS.get(request.credit, request.credit)
        one = self.held[request.symbol, loan, request.lent_on]
        opens = request.credit not in REPAYS if request.credit else request.side is Side.BUY
        change = -charged
        if opens:
            self.opening_charges += charged
            one.shares += event.quantity
            one.cost += amount
            if loan in SHORT:
                one.locked += amount - (lent(after) - lent(before))
            else:
                owed = lent(after) - lent(before) if loan else 0
                one.debt += owed
                change -= amount - owed
        else:
            part = {
                name: getattr(one, name) * event.quantity // one.shares
                for name in ("cost", "debt", "locked")
            }
            if loan:
                days = (event.at.date() - datetime.strptime(request.lent_on, "%Y%m%d").date()).days  # noqa: DTZ007 - a date
                rate, base = (25, "cost") if loan in SHORT else (90, "debt")
                change -= part[base] * rate * days // 365_000
            change += part["cost"] - amount if loan in SHORT else amount - part["debt"]
            for name, share in part.items():
                setattr(one, name, getattr(one, name) - share)
            one.shares -= event.quantity
        self.cash += change
        self.change_on[day] += change


class AccountModel(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 5))
    def begin(self, seed: int) -> None:
        shares = [(symbol, SHARES, PAID) for symbol in SYMBOLS]
        self.exchange = Exchange(seed=seed, accounts=[with_holdings(NUMBER, CASH, shares)])
        self.handlers = Handlers(
            self.exchange, CATALOG, SimulatorSettings(environment="real", manual=True)
        )
        self.now = START
        self.account = Account()
        self.ordered: dict[str, dict[str, Any]] = {}
        for symbol in SYMBOLS:
            self.exchange.market(symbol, self.now)

    # what happens

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(["buy", "sell"]),
        kind=st.sampled_from(["00", "01", "11", "12", "02", "22"]),
        offset=st.integers(-3, 3),
        quantity=QUANTITIES,
    )
    def order(self, symbol: str, side: str, kind: str, offset: int, quantity: int) -> None:
        self.ask("order-cash", self._order(symbol, kind, offset, quantity), side)

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        kind=st.sampled_from(["00", "01"]),
        quantity=QUANTITIES,
        credit=st.sampled_from(["21", "22", "23", "24"]),
    )
    def borrow(self, symbol: str, kind: str, quantity: int, credit: str) -> None:
        params = self._order(symbol, kind, 1, quantity)
        params |= {"CRDT_TYPE": credit, "LOAN_DT": f"{self.now:%Y%m%d}"}
        self.ask("order-credit", params, "sell" if credit in SHORT else "buy")

    @precondition(lambda self: self.borrowed())
    @rule(pick=st.integers(0, 50), share=st.floats(0.1, 1.0), kind=st.sampled_from(["01", "00"]))
    def repay(self, pick: int, share: float, kind: str) -> None:
        position, held = self.borrowed()[pick % len(self.borrowed())]
        symbol, loan, lent_on = position
        credit = next(name for name, opened in REPAYS.items() if opened == loan)
        params = self._order(symbol, kind, 0, max(1, int(held.shares * share)))
        params |= {"CRDT_TYPE": credit, "LOAN_DT": lent_on}
        self.ask("order-credit", params, "buy" if loan in SHORT else "sell")

    def borrowed(self) -> list[tuple[Position, Held]]:
        return [
            (position, held)
            for position, held in self.account.held.items()
            if position[1] and held.shares
        ]

    def _order(self, symbol: str, kind: str, offset: int, quantity: int) -> dict[str, str]:
        price = ticks.step(ticks.down(self.exchange.market(symbol, self.now).last), offset)
        return {
            "PDNO": symbol,
            "ORD_QTY": str(quantity),
            "ORD_UNPR": "0" if kind == "01" else str(price),
            "ORD_DVSN": kind,
            "CNDT_PRIC": str(price) if kind == "22" else "",
        }

    @rule(pick=st.integers(0, 50), quantity=st.integers(1, 40), whole=st.booleans())
    def cancel(self, pick: int, quantity: int, whole: bool) -> None:
        self.change(pick, quantity, whole, {"RVSE_CNCL_DVSN_CD": "02"})

    @rule(
        pick=st.integers(0, 50),
        quantity=st.integers(1, 40),
        whole=st.booleans(),
        offset=st.integers(-3, 3),
    )
    def modify(self, pick: int, quantity: int, whole: bool, offset: int) -> None:
        price = ticks.step(ticks.down(self.exchange.market(SYMBOLS[0], self.now).last), offset)
        change = {"RVSE_CNCL_DVSN_CD": "01", "ORD_UNPR": str(price), "ORD_DVSN": "00"}
        self.change(pick, quantity, whole, change)

    def change(self, pick: int, quantity: int, whole: bool, what: dict[str, str]) -> None:
        if self.ordered:
            number = list(self.ordered)[pick % len(self.ordered)]
            params = {
                "ORGN_ODNO": number,
                "ORD_QTY": str(quantity),
                "QTY_ALL_ORD_YN": "Y" if whole else "N",
            }
            self.ask("order-rvsecncl", params | what)

    @rule(symbol=st.sampled_from(SYMBOLS), times=st.integers(1, 10))
    def others_trade(self, symbol: str, times: int) -> None:
        for _ in range(times):
            self.exchange.act(symbol, self.now)
        self.listen()

    @rule(days=st.sampled_from([1, 2, 40]))
    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)
        self.ask("inquire-balance", {})
        for row in self.ordered.values():
            if row["day"] < self.now.date():
                row["left"] = 0

    @rule(quantity=st.integers(1, 30), price_offset=st.integers(-2, 2))
    def reserve(self, quantity: int, price_offset: int) -> None:
        price = ticks.step(
            ticks.down(self.exchange.market(SYMBOLS[0], self.now).last), price_offset
        )
        params = {
            "PDNO": SYMBOLS[0],
            "ORD_QTY": str(quantity),
            "ORD_UNPR": str(price),
            "SLL_BUY_DVSN_CD": "02",
            "ORD_DVSN_CD": "00",
            "ORD_OBJT_CBLC_DVSN_CD": "10",
        }
        assert self.ask("order-resv", params)["RSVN_ORD_SEQ"]

    # what is told of it

    def call(self, name: str, params: Mapping[str, str], variant: str = "") -> Any:
        call = self.handlers.calls[TRADING + name]
        return self.handlers.answer(call, variant, ACCOUNT | dict(params), "", self.now)

    def ask(self, name: str, params: Mapping[str, str], variant: str = "") -> Any:
        answer = self.call(name, params, variant)
        self.listen()
        return answer.outputs.get("output", {})

    def report(self, name: str, params: Mapping[str, str] | None = None, variant: str = "") -> Any:
        answer = self.call(name, params or {}, variant)
        assert answer.rt_cd == "0", answer
        return answer.outputs

    def listen(self) -> None:
        """Hear the notices, in their order."""
        events, self.exchange.events = self.exchange.events, []
        for event in events:
            ticket, number = event.ticket, event.ticket.number
            match event.kind:
                case "taken":
                    left = 0 if ticket.action == "cancel" else event.quantity
                    day = event.at.date()
                    self.ordered[number] = {"quantity": event.quantity, "left": left, "day": day}
                case "confirmed":
                    self.ordered[ticket.original]["left"] -= event.quantity
                case "filled":
                    self.account.fill(event)
                    self.ordered[number]["left"] -= event.quantity
                case "lapsed":
                    self.ordered[number]["left"] -= event.quantity

    @invariant()
    def all_reports_agree(self) -> None:
        self.positions_are_what_was_filled()
        self.cash_is_what_fills_have_changed_and_settles_two_days_later()
        self.orders_are_listed_with_what_became_of_them()
        self.what_waits_can_be_changed()
        self.profit_explains_what_has_become_of_the_money()
        self.what_can_be_ordered_is_what_nothing_else_has_spoken_for()

    def positions_are_what_was_filled(self) -> None:
        self.balance = self.report("inquire-balance", {"INQR_DVSN": "01"})
        names = {"현금": "", "자기융자": "21", "유통융자": "23", "유통대주": "22", "자기대주": "24"}
        told = {
            (row["pdno"], names[row["trad_dvsn_name"]], row["loan_dt"]): (
                *(int(row["hldg_qty"]), int(row["loan_amt"]), int(row["pchs_amt"])),
            )
            for row in self.balance["output1"]
            if row["hldg_qty"] != "0"
        }
        assert told == {
            position: (one.shares, one.debt, one.cost)
            for position, one in self.account.held.items()
            if one.shares
        }

    def cash_is_what_fills_have_changed_and_settles_two_days_later(self) -> None:
        total = self.balance["output2"][0]
        today, yesterday = (
            self.account.change_on[f"{self.now - timedelta(days=days):%Y%m%d}"] for days in (0, 1)
        )
        cash = self.account.cash
        assert [
            int(total[name]) for name in ("prvs_rcdl_excc_amt", "nxdy_excc_amt", "dnca_tot_amt")
        ] == [cash, cash - today, cash - today - yesterday]

    def orders_are_listed_with_what_became_of_them(self) -> None:
        params = EVER | {"INQR_DVSN": "01"}
        rows = [
            row
            for variant in ("before_3_months", "within_3_months")
            for row in self.report("inquire-daily-ccld", params, variant)["output1"]
        ]
        for row in rows:
            number = row["odno"]
            ordered = self.ordered[number]
            assert (int(row["ord_qty"]), int(row["rmn_qty"])) == (
                *(ordered["quantity"], ordered["left"]),
            )
            assert int(row["tot_ccld_qty"]) == self.account.filled[number]
            assert int(row["tot_ccld_amt"]) == self.account.value[number]
        assert len(rows) == min(100, len(self.ordered))

    def what_waits_can_be_changed(self) -> None:
        rows = self.report("inquire-psbl-rvsecncl")["output"]
        assert {row["odno"]: int(row["psbl_qty"]) for row in rows} == {
            number: row["left"] for number, row in self.ordered.items() if row["left"]
        }

    def profit_explains_what_has_become_of_the_money(self) -> None:
        """Worth now = worth at first + realised + what opening cost + what is not realised."""
        by_day = self.report("inquire-period-profit", EVER)
        by_trade = self.report("inquire-period-trade-profit", EVER)
        realised = int(by_day["output2"]["tot_rlzt_pfls"])
        assert int(by_trade["output2"]["tot_rlzt_pfls"]) == realised
        total = self.balance["output2"][0]
        at_first = CASH + len(SYMBOLS) * SHARES * PAID
        assert int(total["nass_amt"]) == (
            at_first + realised - self.account.opening_charges + int(total["evlu_pfls_smtl_amt"])
        )
        sold = {row["trad_dt"]: int(row["sll_amt"]) for row in by_day["output1"]}
        assert {day: value for day, value in sold.items() if value} == {
            day: value for day, value in self.account.sold_on.items() if value
        }

    def what_can_be_ordered_is_what_nothing_else_has_spoken_for(self) -> None:
        waiting = sum(self._put_aside(number) for number in self.ordered)
        locked = sum(one.locked for one in self.account.held.values())
        row = self.report("inquire-psbl-order", {"PDNO": "", "ORD_UNPR": "", "ORD_DVSN": "00"})
        told = int(row["output"]["nrcvb_buy_amt"])
        assert told == max(0, self.account.cash - waiting - locked)

    def _put_aside(self, number: str) -> int:
        """Return the cash that an order can still cost, at the dearest price it may pay."""
        left = self.ordered[number]["left"]
        ticket = self.exchange.tickets[number]
        request, before = ticket.request, self.account.value[number]
        if not left or (request.credit in REPAYS and request.credit not in ("26", "28")):
            return 0
        market = self.exchange.market(request.symbol, self.now)
        dearest = request.kind in ("01", "02") or request.credit in SHORT
        after = before + left * (market.upper if dearest else request.price)
        if request.credit in SHORT:
            return self._short(after) - self._short(before)
        if request.credit in ("26", "28"):
            return ticket.held  # depends on what the sale had brought when it was ordered
        if request.side is Side.SELL:
            return 0
        loan = bool(request.credit)
        cost = [value + fee(value) - (lent(value) if loan else 0) for value in (before, after)]
        return cost[1] - cost[0]

    @staticmethod
    def _short(value: int) -> int:
        return value - lent(value) + fee(value) + tax(value)


TestAccountModel = AccountModel.TestCase
TestAccountModel.settings = settings(stateful_step_count=25)
