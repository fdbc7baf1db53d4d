"""The REST calls that tell what an account of futures and options overseas has (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.accounts import OffBookAccount
from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.holdings import Execution, Position
from bridge.simulator.off_book.rates import won_rate
from bridge.simulator.off_book.terms import terms
from bridge.simulator.off_book.tickets import OffBookMarket
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.future_lists import classed, is_option
from bridge.simulator.rest.overseas.pages import OverseasDesk, day_of
from bridge.simulator.rest.params import InputError, Params

__all__ = ["OverseasFutureAccounts"]

_MARKET: OffBookMarket = "overseas_derivative"
_ZERO = Decimal(0)
_KEPT = Decimal("0.8")
"""Part of the initial margin that has to stay."""
_TOTALS = {"TUS": "USD", "TKR": "KRW"}
"""Currencies of KIS's list that everything is converted into."""
_MOST = 999_999


class OverseasFutureAccounts(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_futureoption/inquire_deposit": self._deposit,
            "overseas_futureoption/margin_detail": self._margins,
            "overseas_futureoption/inquire_unpd": self._positions,
            "overseas_futureoption/inquire_psamount": self._orderable,
            "overseas_futureoption/inquire_period_ccld": self._period,
        }

    def _money(self, params: Params) -> OffBookAccount:
        return self.off_book.money(self.account(params))

    def _deposit(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money, asked = self._money(params), params.get("CRCY_CD", "")
        today = business_date(_MARKET, "", now)
        sums = dict.fromkeys(_DEPOSIT, _ZERO)
        for currency, rate in self._rates(money, asked, now):
            for name, value in _deposit(money, currency, today).items():
                sums[name] += value * rate
        assets = sums["fm_tot_asst_evlu_amt"]
        risk = sums["fm_mntn_mgn_amt"] / assets * 100 if assets else _ZERO
        row = {name: f"{value:.2f}" for name, value in sums.items()}
        row |= self._said(money, asked, now) | {"fm_risk_rt": f"{risk:.2f}"}
        return self.told("overseas_futureoption/inquire_deposit", {"output": row})

    def _margins(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money, asked = self._money(params), params.get("CRCY_CD", "")
        sums = dict.fromkeys(("free", "margin", "promised", "options"), _ZERO)
        for currency, rate in self._rates(money, asked, now):
            held = [one for one in money.positions(_MARKET) if one.terms.currency == currency]
            sums["free"] += money.free(currency) * rate
            sums["margin"] += money.margin(currency) * rate
            sums["promised"] += money.promised(currency) * rate
            sums["options"] += rate * sum(
                (one.margin for one in held if is_option(one.symbol)), _ZERO
            )
        margin, promised = sums["margin"], sums["promised"]
        values = {
            "fm_ord_psbl_amt": sums["free"],
            **dict.fromkeys(("fm_brkg_mgn_amt", "fm_gnrl_brkg_mgn_amt"), margin + promised),
            "fm_excc_brkg_mgn_amt": margin + promised,
            "fm_ustl_mgn_amt": margin,
            **dict.fromkeys(("fm_mntn_mgn_amt", "fm_gnrl_mntn_mgn_amt"), margin * _KEPT),
            **dict.fromkeys(("fm_ord_mgn_amt", "fm_futr_ord_mgn_amt"), promised),
            "fm_futr_ustl_mgn_amt": margin - sums["options"],
            "fm_sll_opt_ustl_mgn_amt": sums["options"],
            "fm_futr_mntn_mgn_amt": (margin - sums["options"]) * _KEPT,
            "fm_opt_mntn_mgn_amt": sums["options"] * _KEPT,
        }
        row = {name: f"{value:.2f}" for name, value in values.items()}
        row |= self._said(money, asked, now) | {"acnt_net_risk_mgna_aply_yn": "N"}
        return self.told("overseas_futureoption/margin_detail", {"output": row})

    def _positions(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money = self._money(params)
        number, product = money.number.split("-")
        rows: list[Row] = [
            {
                "cano": number,
                "acnt_prdt_cd": product,
                "ovrs_futr_fx_pdno": one.symbol,
                "crcy_cd": one.terms.currency,
                "sll_buy_dvsn_cd": "02" if one.quantity > 0 else "01",
                "fm_ustl_qty": str(abs(one.quantity)),
                "fm_ccld_avg_pric": f"{one.average:.8f}",
                "fm_now_pric": f"{one.price:.8f}",
                "fm_evlu_pfls_amt": f"{one.profit:.2f}",
                "fm_opt_evlu_amt": f"{_option_worth(one):.2f}",
                "fm_otp_evlu_pfls_amt": f"{one.profit if is_option(one.symbol) else _ZERO:.2f}",
                "fuop_dvsn": "02" if is_option(one.symbol) else "01",
                "ecis_rsvn_ord_yn": "N",
                "fm_lqd_psbl_qty": str(_closable(one)),
            }
            for one in money.positions(_MARKET)
            if one.quantity and classed(one.symbol, params.get("FUOP_DVSN", ""))
        ]
        return self.listed("overseas_futureoption/inquire_unpd", "output", rows, params, cont)

    def _orderable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money, symbol = self._money(params), params.get("OVRS_FUTR_FX_PDNO", "")
        found = terms(_MARKET, "", symbol)
        if found is None:
            raise InputError("OVRS_FUTR_FX_PDNO")
        side = Side.SELL if params.get("SLL_BUY_DVSN_CD") == "01" else Side.BUY
        held, last = money.position(_MARKET, symbol), self.off_book.price(symbol)
        against = held.quantity < 0 if side is Side.BUY else held.quantity > 0
        closable = _closable(held) if against else 0
        buys = found.paid and side is Side.BUY
        each = found.amount(1, last) if buys else found.tied(1, last)
        each += found.fees(1, last)
        new = min(_MOST, int(max(_ZERO, money.free(found.currency)) / each))
        number, product = money.number.split("-")
        row = {
            "cano": number,
            "acnt_prdt_cd": product,
            "ovrs_futr_fx_pdno": symbol,
            "crcy_cd": found.currency,
            "sll_buy_dvsn_cd": side.value,
            "fm_ustl_qty": str(abs(held.quantity)),
            "fm_lqd_psbl_qty": str(closable),
            "fm_new_ord_psbl_qty": str(new),
            "fm_tot_ord_psbl_qty": str(new + closable),
            "fm_mkpr_tot_ord_psbl_qty": str(new + closable),
        }
        return self.told("overseas_futureoption/inquire_psamount", {"output": row})

    def _period(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = day_of(params, "INQR_TERM_FROM_DT"), day_of(params, "INQR_TERM_TO_DT")
        money, asked = self._money(params), params.get("CRCY_CD", "")
        by_symbol: dict[str, list[Execution]] = {}
        for one in money.executions:
            if one.ticket.market == _MARKET and first <= one.date <= last:
                by_symbol.setdefault(one.ticket.symbol, []).append(one)
        rates = dict(self._rates(money, asked, now))
        symbols: list[Row] = []
        currencies: dict[str, dict[str, Decimal]] = {}
        for held in money.positions(_MARKET):
            done = by_symbol.get(held.symbol, [])
            rate = rates.get(held.terms.currency)
            if rate is None or not classed(held.symbol, params.get("FUOP_DVSN", "")):
                continue
            if not done and not held.quantity:
                continue
            values = _period_values(held, done)
            symbols.append(
                _period_row(money, held.terms.currency, values, rate)
                | {"ovrs_futr_fx_pdno": held.symbol, "fm_ccld_avg_pric": f"{held.average:.8f}"}
            )
            total = currencies.setdefault(held.terms.currency, dict.fromkeys(values, _ZERO))
            for name, value in values.items():
                total[name] += value
        sums = [
            _period_row(money, currency, values, rates[currency])
            for currency, values in currencies.items()
        ]
        name = "overseas_futureoption/inquire_period_ccld"
        return self.listed(name, "output2", symbols, params, cont, {"output1": sums})

    def _rates(
        self, money: OffBookAccount, asked: str, now: datetime
    ) -> Iterable[tuple[str, Decimal]]:
        """Return the currencies that a call is about, and what 1 of each is in the one it wants."""
        into = _TOTALS.get(asked)
        if into is None:
            return [(asked, Decimal(1))]
        seed, day = self.off_book.seed, now.date()
        own = won_rate(seed, into, day)
        return [(currency, won_rate(seed, currency, day) / own) for currency in money.cash]

    def _said(self, money: OffBookAccount, asked: str, now: datetime) -> Row:
        number, product = money.number.split("-")
        day = f"{business_date(_MARKET, '', now):%Y%m%d}"
        return {"cano": number, "acnt_prdt_cd": product, "crcy_cd": asked, "resp_dt": day}


_DEPOSIT = (
    "fm_dnca_rmnd",
    "fm_lqd_pfls_amt",
    "fm_fee",
    "fm_opt_tr_chgs",
    "fm_nxdy_dncl_amt",
    "fm_fuop_evlu_pfls_amt",
    "fm_tot_asst_evlu_amt",
    "fm_brkg_mgn_amt",
    "fm_mntn_mgn_amt",
    "fm_add_mgn_amt",
    "fm_ord_psbl_amt",
    "fm_drwg_psbl_amt",
    "fm_opt_evlu_amt",
    "fm_opt_icld_asst_evlu_amt",
)


def _deposit(money: OffBookAccount, currency: str, today: object) -> dict[str, Decimal]:
    """Tell the money of one currency: what it was this morning, and what was added since."""
    done = [one for one in money.executions if one.terms.currency == currency and one.date == today]
    held = [one for one in money.positions(_MARKET) if one.terms.currency == currency]
    futures = [one for one in held if not is_option(one.symbol)]
    funds, margin = money.funds(currency), money.margin(currency)
    gained = sum((one.profit for one in futures), _ZERO)
    closed = sum((one.gross for one in done if not one.terms.paid), _ZERO)
    fees = sum((one.fee for one in done), _ZERO)
    premium = sum((one.cash + one.fee for one in done if one.terms.paid), _ZERO)
    options = sum((_option_worth(one) for one in held), _ZERO)
    assets, free = funds + gained, money.free(currency)
    values = (
        *(funds - closed + fees - premium, closed, fees, premium, funds, gained, assets),
        *(margin + money.promised(currency), margin * _KEPT),
        *(max(_ZERO, margin * _KEPT - assets), free, max(_ZERO, min(free, free + gained))),
        *(options, assets + options),
    )
    return dict(zip(_DEPOSIT, values, strict=True))


def _option_worth(one: Position) -> Decimal:
    """Return what closing an option would bring; 0 for a future."""
    if not is_option(one.symbol):
        return _ZERO
    return one.worth if one.quantity > 0 else -one.worth


def _closable(one: Position) -> int:
    waiting = one.reserved if one.quantity > 0 else one.reserved_buys
    return max(0, abs(one.quantity) - waiting)


def _period_values(held: Position, done: list[Execution]) -> dict[str, Decimal]:
    def count(side: Side) -> Decimal:
        return Decimal(sum(one.quantity for one in done if one.ticket.side is side))

    closed, fees = sum((x.gross for x in done), _ZERO), sum((x.fee for x in done), _ZERO)
    option = is_option(held.symbol)
    return {
        "fm_buy_qty": count(Side.BUY),
        "fm_sll_qty": count(Side.SELL),
        "fm_lqd_pfls_amt": closed,
        "fm_fee": fees,
        "fm_net_pfls_amt": closed - fees,
        "fm_ustl_buy_qty": Decimal(max(0, held.quantity)),
        "fm_ustl_sll_qty": Decimal(max(0, -held.quantity)),
        "fm_ustl_evlu_pfls_amt": held.profit,
        "fm_ustl_evlu_pfls_amt2": held.profit,
        "fm_ustl_evlu_pfls_icdc_amt": _ZERO,
        "fm_ustl_agrm_amt": held.cost,
        "fm_opt_lqd_amt": closed if option else _ZERO,
    }


def _period_row(
    money: OffBookAccount, currency: str, values: dict[str, Decimal], rate: Decimal
) -> Row:
    number, product = money.number.split("-")
    row: Row = {"cano": number, "acnt_prdt_cd": product, "crcy_cd": currency}
    for name, value in values.items():
        row[name] = f"{value:.0f}" if name.endswith("_qty") else f"{value * rate:.2f}"
    return row
