"""What an account of futures and options has, owes and can do (pure)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.off_book.closing import catch_up, trading_day
from bridge.simulator.off_book.margin_book import Basis, MarginBook, MarginDay, MarginRow
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.terms import terms
from bridge.simulator.rest.account_pages import AccountPages
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.derivatives.names import traded_class
from bridge.simulator.rest.params import InputError, Params, account_of, amount_of, text_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["DerivativeBalanceHandlers"]

_BASES: dict[str, Basis] = {"1": "settled", "2": "bought"}
_UNPRICED = ("02", "04", "12", "13", "14", "15")
_FUTURE = "domestic_futureoption"


class DerivativeBalanceHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._off_book = off_book
        self._calendar = None if settings.hours == "always" else Calendar(catalog.hours)
        self._pages = AccountPages(catalog, settings.environment)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            f"{_FUTURE}/inquire_balance": self._balance,
            f"{_FUTURE}/inquire_ngt_balance": self._night_balance,
            f"{_FUTURE}/inquire_balance_valuation_pl": self._valuation,
            f"{_FUTURE}/inquire_balance_settlement_pl": self._settlement,
            f"{_FUTURE}/inquire_deposit": self._deposit,
            f"{_FUTURE}/inquire_psbl_order": self._orderable,
            f"{_FUTURE}/inquire_psbl_ngt_order": self._orderable_at_night,
            f"{_FUTURE}/ngt_margin_detail": self._margins,
        }

    # positions

    def _balance(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._positions(f"{_FUTURE}/inquire_balance", params, cont, now)

    def _night_balance(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._positions(f"{_FUTURE}/inquire_ngt_balance", params, cont, now)

    def _valuation(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._positions(f"{_FUTURE}/inquire_balance_valuation_pl", params, cont, now)

    def _positions(self, api: str, params: Params, cont: str, now: datetime) -> Answer:
        basis = _BASES.get(params.get("EXCC_STAT_CD", "") or "1")
        if basis is None:
            raise InputError("EXCC_STAT_CD")
        if params.get("MGNA_DVSN", "") not in ("", "01", "02"):
            raise InputError("MGNA_DVSN")
        day = self._book(params, now).day(basis)
        kept = params.get("MGNA_DVSN") == "02"
        account = {"cano": params.get("CANO"), "acnt_prdt_cd": params.get("ACNT_PRDT_CD")}
        rows = [account | self._held(one, now) for one in day.rows if one.quantity]
        totals = _totals(day, day.maintenance if kept else day.margin)
        return self._pages.page(api, "output1", rows, params, cont, output2=totals)

    def _held(self, one: MarginRow, now: datetime) -> Row:
        listed = contract(one.symbol, trading_day(now))
        quantity = abs(one.quantity)
        return {
            "pdno": f"KR4{one.symbol:0<9}",
            "prdt_type_cd": "301",
            "shtn_pdno": one.symbol,
            "prdt_name": listed.name if listed else one.symbol,
            **traded_class(one.quantity),
            "cblc_qty": quantity,
            "cblc_qty1": quantity,
            "excc_unpr": f"{one.settled:.2f}",
            "ccld_avg_unpr1": f"{one.average:.9f}",
            "idx_clpr": f"{one.price:.2f}",
            "pchs_amt": int(one.cost),
            "evlu_amt": int(one.worth),
            "evlu_pfls_amt": int(one.profit),
            "trad_pfls_amt": int(one.realized),
            "lqd_psbl_qty": one.closable,
        }

    def _settlement(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        asked, book = text_of(params, "INQR_DT"), self._book(params, now)
        day = _of(book, asked, trading_day(now))
        rows = [
            {
                "pdno": one.symbol,
                "prdt_name": listed.name if listed else one.symbol,
                "trad_dvsn_name": traded_class(one.quantity or one.carried)["sll_buy_dvsn_name"],
                "bfdy_cblc_qty": abs(one.carried),
                "new_qty": one.opened,
                "mnpl_rpch_qty": one.closed,
                "cblc_qty": abs(one.quantity),
                "cblc_amt": int(one.cost),
                "trad_pfls_amt": int(one.realized),
                "evlu_amt": int(one.worth),
                "evlu_pfls_amt": int(one.profit),
            }
            for one in (day.rows if day else ())
            for listed in (contract(one.symbol, trading_day(now)),)
        ]
        totals: Row = {}
        if day is not None:
            totals = {
                "nxdy_dnca": int(day.next_deposit),
                **dict.fromkeys(("mmga_cash", "mmga_tota"), int(day.maintenance)),
                **dict.fromkeys(("brkg_mgna_cash", "brkg_mgna_tota"), int(day.margin)),
                "opt_buy_chgs": int(day.premium_bought),
                "opt_sll_chgs": int(day.premium_sold),
                "opt_lqd_evlu_amt": int(day.options),
                "fee": int(day.fees),
                "thdt_dfpa": int(day.traded),
                "rnwl_dfpa": int(day.renewed),
                "dnca_cash": int(day.deposit),
            }
        name = f"{_FUTURE}/inquire_balance_settlement_pl"
        return self._pages.page(name, "output1", rows, params, cont, output2=totals)

    # money

    def _deposit(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        day = self._book(params, now).day("bought")
        realized = {option: int(day.realized(option=option)) for option in (False, True)}
        profit = {option: int(day.profit(option=option)) for option in (False, True)}
        row = {
            "dnca_tota": int(day.deposit),
            "brkg_mgna_cash": int(day.margin + day.promised),
            "wdrw_psbl_tot_amt": _withdrawable(day),
            **dict.fromkeys(("ord_psbl_cash", "ord_psbl_tota"), int(day.free)),
            "mtnc_rt": _kept(day),
            **dict.fromkeys(("add_mgna_tota", "add_mgna_cash"), int(day.called)),
            "futr_trad_pfls": realized[False],
            "opt_trad_pfls_amt": realized[True],
            "trad_pfls_smtl": sum(realized.values()),
            "futr_evlu_pfls_amt": profit[False],
            "opt_evlu_pfls_amt": profit[True],
            "evlu_pfls_smtl": sum(profit.values()),
            "excc_dfpa": int(day.traded + day.renewed),
            "opt_dfpa": int(day.premium),
            "brkg_fee": int(day.fees),
            "nxdy_dnca": int(day.next_deposit),
            "prsm_dpast_amt": int(day.assets),
        }
        return self._pages.one(f"{_FUTURE}/inquire_deposit", output=row)

    def _margins(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        if params.get("MGNA_DVSN_CD", "01") not in ("01", "02"):
            raise InputError("MGNA_DVSN_CD")
        day = self._book(params, now).day("settled")
        whole = day.maintenance if params.get("MGNA_DVSN_CD") == "02" else day.margin
        row = {
            "new_mgn_amt": int(day.promised),
            "opt_pric_mgna": int(
                sum((one.worth for one in day.rows if one.option and one.quantity < 0), Decimal(0))
            ),
            "tot_risk_mgna": int(whole),
            "netrisk_brkg_mgna": int(whole),
            "opt_sll_chgs": int(day.premium_sold),
            "opt_buy_chgs": int(day.premium_bought),
            "futr_loss_amt": int(max(Decimal(0), -day.traded - day.renewed)),
            "futr_prft_amt": int(max(Decimal(0), day.traded + day.renewed)),
            "thdt_ccld_net_loss_amt": int(max(Decimal(0), -day.traded)),
            "brkg_mgna": int(whole + day.promised),
        }
        row["fuop_pric_altr_mgna"] = row["tot_risk_mgna"] - row["opt_pric_mgna"]
        totals = {
            **dict.fromkeys(("dnca_cash", "dnca_tota"), int(day.deposit)),
            **dict.fromkeys(("wdrw_psbl_cash_amt", "wdrw_psbl_tot_amt"), _withdrawable(day)),
            **dict.fromkeys(("ord_psbl_cash_amt", "ord_psbl_tot_amt"), int(day.free)),
            **dict.fromkeys(("brkg_mgna_cash_amt", "brkg_mgna_tot_amt"), int(whole + day.promised)),
            **dict.fromkeys(("add_mgna_cash_amt", "add_mgna_tot_amt"), int(day.called)),
            "opt_dfpa": int(day.premium),
            "excc_dfpa": int(day.traded + day.renewed),
            "fee_amt": int(day.fees),
            "nxdy_dncl_amt": int(day.next_deposit),
            "prsm_dpast_amt": int(day.assets),
            "opt_buy_exus_acnt_yn": "N",
        }
        name = f"{_FUTURE}/ngt_margin_detail"
        return self._pages.one(name, output1=[row], output2=[row], output3=totals)

    # orders

    def _orderable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        closable, opening, price = self._most(params, now)
        row = {
            "tot_psbl_qty": closable + opening,
            "lqd_psbl_qty1": closable,
            "ord_psbl_qty": closable + opening,
            "bass_idx": f"{price:.2f}",
        }
        return self._pages.one(f"{_FUTURE}/inquire_psbl_order", output=row)

    def _orderable_at_night(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        closable, opening, price = self._most(params, now)
        row = {
            **dict.fromkeys(("max_ord_psbl_qty", "tot_psbl_qty"), closable + opening),
            **dict.fromkeys(("lqd_psbl_qty", "lqd_psbl_qty_1"), closable),
            "ord_psbl_qty": closable + opening,
            "bass_idx": f"{price:.2f}",
        }
        return self._pages.one(f"{_FUTURE}/inquire_psbl_ngt_order", output=row)

    def _most(self, params: Params, now: datetime) -> tuple[int, int, Decimal]:
        """Return how many contracts an order could close, how many more it could open, and a price.

        As many as that, and no more, are taken by an order of that price.
        """
        book, symbol = self._book(params, now), text_of(params, "PDNO")
        one = contract(symbol, trading_day(now))
        found = terms("domestic_derivative", "", symbol)
        if one is None or found is None:
            raise OrderRefused("symbol")
        side = {"01": Side.SELL, "02": Side.BUY}.get(params.get("SLL_BUY_DVSN_CD", ""))
        if side is None:
            raise InputError("SLL_BUY_DVSN_CD")
        last, given = self._off_book.price(symbol), amount_of(params, "UNIT_PRICE")
        if not given.is_finite() or given < 0:
            raise InputError("UNIT_PRICE")
        price = last if params.get("ORD_DVSN_CD") in _UNPRICED or not given else given
        held = book.account.position("domestic_derivative", symbol)
        waits = book.account.ahead("domestic_derivative", symbol, side)
        against = held.quantity if side is Side.SELL else -held.quantity
        closable = min(max(0, against - waits), one.product.most)
        paid = found.paid and side is Side.BUY

        def needed(number: int) -> Decimal:
            if paid:
                return found.amount(number, price) + found.fees(number, price)
            return found.tied(number, last) + found.fees(number, last) if number else Decimal(0)

        free = book.account.free("KRW")
        number = max(0, int(free / needed(1))) if needed(1) else 0
        while number and needed(number) > free:
            number -= 1
        while needed(number + 1) <= free and number < one.product.most:
            number += 1
        opening = max(0, number - closable) if paid else number
        return (
            closable if not paid else min(closable, number),
            min(opening, one.product.most - closable),
            price,
        )

    def _book(self, params: Params, now: datetime) -> MarginBook:
        catch_up(self._off_book, self._calendar, now)
        number = account_of(params)
        self._off_book.money(number)
        book = self._off_book.books.get(number)
        if book is None:
            raise OrderRefused("account")
        return book


def _of(book: MarginBook, asked: str, today: date) -> MarginDay | None:
    """Return a day that is remembered, or the one that is on."""
    if asked == f"{today:%Y%m%d}":
        return book.day("settled")
    days = (told["settled"] for day, told in book.closed if f"{day:%Y%m%d}" == asked)
    return next(days, None)


def _totals(day: MarginDay, margin: Decimal) -> Row:
    realized = {option: int(day.realized(option=option)) for option in (False, True)}
    profit = {option: int(day.profit(option=option)) for option in (False, True)}
    held = [one for one in day.rows if one.quantity]
    tied = int(margin + day.promised)
    return {
        **dict.fromkeys(("dnca_cash", "tot_dncl_amt"), int(day.deposit)),
        "tot_ccld_amt": int(day.amount),
        **dict.fromkeys(("cash_mgna", "mgna_tota"), tied),
        **dict.fromkeys(("mmga_tot_amt", "mmga_cash_amt"), int(day.maintenance)),
        "opt_dfpa": int(day.premium),
        "thdt_dfpa": int(day.traded),
        "rnwl_dfpa": int(day.renewed),
        "fee": int(day.fees),
        **dict.fromkeys(("nxdy_dnca", "nxdy_dncl_amt"), int(day.next_deposit)),
        **dict.fromkeys(("prsm_dpast", "prsm_dpast_amt"), int(day.assets)),
        **dict.fromkeys(("pprt_ord_psbl_cash", "ord_psbl_cash", "ord_psbl_tota"), int(day.free)),
        **dict.fromkeys(("add_mgna_cash", "add_mgna_tota", "isfc_amt"), int(day.called)),
        "futr_trad_pfls_amt": realized[False],
        "opt_trad_pfls_amt": realized[True],
        "futr_evlu_pfls_amt": profit[False],
        "opt_evlu_pfls_amt": profit[True],
        "trad_pfls_amt_smtl": sum(realized.values()),
        "evlu_pfls_amt_smtl": sum(profit.values()),
        "wdrw_psbl_tot_amt": _withdrawable(day),
        "mtnc_rt": _kept(day),
        "pchs_amt_smtl": int(sum((one.cost for one in held), Decimal(0))),
        "evlu_amt_smtl": int(sum((one.worth for one in held), Decimal(0))),
    }


def _withdrawable(day: MarginDay) -> int:
    """Return what can be taken out: nothing that is only gained today."""
    return int(max(Decimal(0), min(day.free, day.deposit - day.margin - day.promised)))


def _kept(day: MarginDay) -> str:
    return f"{day.next_deposit / day.margin * 100:.2f}" if day.margin else "0.00"
