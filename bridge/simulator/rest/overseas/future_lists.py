"""The REST calls that list orders and executions of futures and options overseas (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

from bridge.simulator.derivatives.overseas import overseas_contract
from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.holdings import Execution
from bridge.simulator.off_book.tickets import OffBookMarket, OffBookTicket
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.pages import OverseasDesk, day_of
from bridge.simulator.rest.params import Params

__all__ = ["OverseasFutureLists", "classed", "is_option"]

_MARKET: OffBookMarket = "overseas_derivative"
_ZERO = Decimal(0)
_ACTIONS = {"place": "00", "modify": "01", "cancel": "02"}


class OverseasFutureLists(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_futureoption/inquire_ccld": self._today,
            "overseas_futureoption/inquire_daily_order": self._orders,
            "overseas_futureoption/inquire_daily_ccld": self._executed,
            "overseas_futureoption/inquire_period_trans": self._statement,
        }

    def _today(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        today = business_date(_MARKET, "", now)
        rows = [
            _order_row(ticket)
            for ticket in self._tickets(params)
            if ticket.date == today or ticket.remaining
        ]
        return self.listed("overseas_futureoption/inquire_ccld", "output", rows, params, cont)

    def _orders(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = day_of(params, "STRT_DT"), day_of(params, "END_DT")
        rows = [
            _order_row(ticket) for ticket in self._tickets(params) if first <= ticket.date <= last
        ]
        name = "overseas_futureoption/inquire_daily_order"
        return self.listed(name, "output", rows, params, cont)

    def _executed(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = day_of(params, "STRT_DT"), day_of(params, "END_DT")
        currency, side = params.get("CRCY_CD", ""), params.get("SLL_BUY_DVSN_CD", "")
        chosen = [
            one
            for one in self._executions(params, first, last)
            if side not in ("01", "02") or side == one.ticket.side.value
            if currency not in _CURRENCIES or currency == one.terms.currency
            if classed(one.ticket.symbol, params.get("FUOP_DVSN_CD", ""))
        ]
        futures = [one for one in chosen if not is_option(one.ticket.symbol)]
        options = [one for one in chosen if is_option(one.ticket.symbol)]
        totals: dict[str, Row] = {
            "output2": {
                "fm_tot_ccld_qty": str(sum(one.quantity for one in chosen)),
                "fm_tot_futr_agrm_amt": _money(sum((one.amount for one in futures), _ZERO)),
                "fm_tot_opt_agrm_amt": _money(sum((one.amount for one in options), _ZERO)),
                "fm_fee_smtl": _money(sum((one.fee for one in chosen), _ZERO)),
            }
        }
        rows = [_execution_row(one) for one in chosen]
        name = "overseas_futureoption/inquire_daily_ccld"
        return self.listed(name, "output1", rows, params, cont, totals)

    def _statement(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = day_of(params, "INQR_TERM_FROM_DT"), day_of(params, "INQR_TERM_TO_DT")
        money = self.off_book.money(self.account(params))
        currency, kind = params.get("CRCY_CD", ""), params.get("ACNT_TR_TYPE_CD", "")
        after = {one: money.funds(one) for one in money.cash}
        rows: list[Row] = []
        number, product = money.number.split("-")
        for one in reversed(money.executions):
            own = one.terms.currency
            left = after[own]
            after[own] = left - one.cash
            # Money neither comes nor goes here: everything is a settlement.
            if not first <= one.date <= last or kind == "2":
                continue
            if currency in _CURRENCIES and currency != own:
                continue
            rows.append(
                {
                    "bass_dt": f"{one.date:%Y%m%d}",
                    "cano": number,
                    "acnt_prdt_cd": product,
                    "fm_ldgr_inog_seq": one.number,
                    "acnt_tr_type_name": "결제",
                    "crcy_cd": own,
                    "tr_itm_name": one.ticket.symbol,
                    "fm_iofw_amt": _money(one.cash + one.fee),
                    "fm_fee": _money(one.fee),
                    "fm_sttl_amt": _money(one.cash),
                    "fm_bf_dncl_amt": _money(left - one.cash),
                    "fm_dncl_amt": _money(left),
                }
            )
        rows.reverse()
        name = "overseas_futureoption/inquire_period_trans"
        return self.listed(name, "output", rows, params, cont)

    def _tickets(self, params: Params) -> Iterator[OffBookTicket]:
        state, side = params.get("CCLD_NCCS_DVSN", ""), params.get("SLL_BUY_DVSN_CD", "")
        for ticket in self.off_book.of(_MARKET, self.account(params)):
            if side in ("01", "02") and side != ticket.side.value:
                continue
            if (state == "02" and not ticket.filled) or (state == "03" and not ticket.remaining):
                continue
            if classed(ticket.symbol, params.get("FUOP_DVSN", "")):
                yield ticket

    def _executions(self, params: Params, first: date, last: date) -> Iterator[Execution]:
        for one in self.off_book.money(self.account(params)).executions:
            if one.ticket.market == _MARKET and first <= one.date <= last:
                yield one


_CURRENCIES = ("USD", "EUR", "HKD", "CNY", "JPY", "KRW", "VND")
"""The others of KIS's list stand for all of them."""


def is_option(symbol: str) -> bool:
    """Tell an option from a future."""
    found = overseas_contract(symbol)
    return found is not None and found.option


def classed(symbol: str, asked: str) -> bool:
    """Tell whether a symbol is of the class that a call asks for: 01 futures, 02 options."""
    return asked not in ("01", "02") or is_option(symbol) is (asked == "02")


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _price(value: Decimal) -> str:
    return f"{value:.8f}"


def _order_row(ticket: OffBookTicket) -> Row:
    average = ticket.value / ticket.filled if ticket.filled else _ZERO
    number, product = ticket.account.split("-")
    day = f"{ticket.date:%Y%m%d}"
    return {
        "cano": number,
        "acnt_prdt_cd": product,
        "dt": day,
        "ord_dt": day,
        "odno": ticket.number,
        "orgn_ord_dt": day if ticket.original else "",
        "orgn_odno": ticket.original,
        "ovrs_futr_fx_pdno": ticket.symbol,
        "rvse_cncl_dvsn_cd": _ACTIONS[ticket.action],
        "sll_buy_dvsn_cd": ticket.side.value,
        "cplx_ord_dvsn_cd": "0",
        "pric_dvsn_cd": ticket.kind,
        "bass_pric_type_cd": ticket.kind,
        "rcit_dvsn_cd": "02",
        "ord_stat_cd": "02" if ticket.remaining else "03",
        "fm_ord_qty": str(ticket.quantity),
        "fm_ord_pric": _price(ticket.price),
        "fm_stop_ord_pric": _price(ticket.trigger),
        "ecis_rsvn_ord_yn": "N",
        "rsvn_dvsn": "N",
        "fm_ccld_qty": str(ticket.filled),
        "fm_ccld_pric": _price(average),
        "fm_ord_rmn_qty": str(ticket.remaining),
        "rcit_dtl_dtime": f"{ticket.at:%Y%m%d%H%M%S}000",
        "erlm_dtl_dtime": f"{ticket.at:%Y%m%d%H%M%S}000",
        "ccld_dtl_dtime": f"{ticket.at:%Y%m%d%H%M%S}000" if ticket.filled else "",
        "ordr_emp_no": "OpnAPI",
        "ord_stfno": "OpnAPI",
        "ccld_cndt_cd": "5" if ticket.lasting else "2" if ticket.kind == "2" else "6",
        "trad_end_dt": day,
        "new_lqd_dvsn_cd": "1",
        "fuop_dvsn": "02" if is_option(ticket.symbol) else "01",
    }


def _execution_row(one: Execution) -> Row:
    option = is_option(one.ticket.symbol)
    amount = _money(one.amount)
    return {
        "dt": f"{one.date:%Y%m%d}",
        "ccno": one.number,
        "ovrs_futr_fx_pdno": one.ticket.symbol,
        "sll_buy_dvsn_cd": one.ticket.side.value,
        "fm_ccld_qty": str(one.quantity),
        "fm_ccld_amt": amount,
        "fm_futr_ccld_amt": "0.00" if option else _price(one.price),
        "fm_opt_ccld_amt": _price(one.price) if option else "0.00",
        "crcy_cd": one.terms.currency,
        "fm_fee": _money(one.fee),
        "fm_futr_pure_agrm_amt": "0.00" if option else amount,
        "fm_opt_pure_agrm_amt": amount if option else "0.00",
        "ccld_dtl_dtime": f"{one.at:%Y%m%d%H%M%S}000",
        "ord_dt": f"{one.ticket.date:%Y%m%d}",
        "odno": one.ticket.number,
        "ord_mdia_dvsn_name": "OpenAPI",
    }
