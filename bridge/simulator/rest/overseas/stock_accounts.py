"""The REST calls that tell what an account has overseas, in shares and in money (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.accounts import OffBookAccount
from bridge.simulator.off_book.dates import business_date
from bridge.simulator.off_book.holdings import Position
from bridge.simulator.off_book.rates import won_rate
from bridge.simulator.off_book.terms import CURRENCIES, TradingTerms, terms
from bridge.simulator.off_book.tickets import OffBookMarket
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.off_book_balances import stock_row, stock_totals
from bridge.simulator.rest.overseas.names import EXCHANGES, MONEY, wanted
from bridge.simulator.rest.overseas.pages import OverseasDesk
from bridge.simulator.rest.params import InputError, Params, amount_of

__all__ = ["OverseasStockAccounts"]

_STOCK: OffBookMarket = "overseas_stock"
_ZERO = Decimal(0)


class OverseasStockAccounts(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_stock/inquire_balance": self._balance,
            "overseas_stock/inquire_present_balance": self._present,
            "overseas_stock/inquire_paymt_stdr_balance": self._settled,
            "overseas_stock/inquire_psamount": self._orderable,
            "overseas_stock/foreign_margin": self._margins,
        }

    def _balance(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money = self.off_book.money(self.account(params))
        places = wanted(params.get("OVRS_EXCG_CD", ""), paper=self.paper)
        held = [one for one in money.positions(_STOCK) if one.exchange in places]
        number, product = money.number.split("-")
        own = {"cano": number, "acnt_prdt_cd": product, "loan_type_cd": "00"}
        rows = [
            stock_row(one) | own | {"prdt_type_cd": EXCHANGES[one.exchange].product}
            for one in held
            if one.quantity
        ]
        totals = {"output2": stock_totals(held)}
        return self.listed("overseas_stock/inquire_balance", "output1", rows, params, cont, totals)

    def _present(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        country, market = params.get("NATN_CD", ""), params.get("TR_MKET_CD", "")

        def asked(exchange: str) -> bool:
            names = EXCHANGES[exchange]
            if country in ("", "000"):
                return True
            return country == names.country and market in ("", "00", names.market)

        blocks = self._told_balance(params, now, [one for one in EXCHANGES if asked(one)])
        return self.told("overseas_stock/inquire_present_balance", blocks)

    def _settled(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        # Trades settle at once here, so that what is settled is what is there.
        blocks = self._told_balance(params, now, list(EXCHANGES))
        return self.told("overseas_stock/inquire_paymt_stdr_balance", blocks)

    def _told_balance(
        self, params: Params, now: datetime, places: list[str]
    ) -> Mapping[str, Row | list[Row]]:
        money = self.off_book.money(self.account(params))
        # INQR_DVSN_CD 02 are parts of shares bought by their amount, which nobody has here.
        fractions = params.get("INQR_DVSN_CD") == "02"
        held = [
            one
            for one in money.positions(_STOCK)
            if one.exchange in places and one.quantity and not fractions
        ]
        currencies = list(dict.fromkeys(CURRENCIES[place] for place in places))
        rates = {one: won_rate(self.off_book.seed, one, now.date()) for one in MONEY}
        in_won = params.get("WCRC_FRCR_DVSN_CD") == "01"
        return {
            "output1": [
                self._held(money, one, now, rates[one.terms.currency], in_won=in_won)
                for one in held
            ],
            "output2": [self._cash(money, one, now, rates[one]) for one in currencies],
            "output3": _sums(money, held, currencies, rates),
        }

    def _held(
        self, money: OffBookAccount, one: Position, now: datetime, rate: Decimal, *, in_won: bool
    ) -> Row:
        names, today = EXCHANGES[one.exchange], business_date(_STOCK, one.exchange, now)
        done = [
            execution
            for execution in money.executions
            if execution.date == today and execution.ticket.symbol == one.symbol
        ]
        buys = [execution for execution in done if execution.ticket.side is Side.BUY]
        sells = [execution for execution in done if execution.ticket.side is Side.SELL]
        bought, sold = sum(x.quantity for x in buys), sum(x.quantity for x in sells)

        def amount(value: Decimal) -> str:
            return f"{_won(value * rate)}" if in_won else f"{value:.5f}"

        return {
            "prdt_name": one.symbol,
            "pdno": one.symbol,
            "std_pdno": one.symbol,
            "cblc_qty13": f"{one.quantity - bought + sold}.00000000",
            "thdt_buy_ccld_qty1": f"{bought}.00000000",
            "thdt_sll_ccld_qty1": f"{sold}.00000000",
            "ccld_qty_smtl1": f"{one.quantity}.00000000",
            "ord_psbl_qty1": f"{one.sellable}.00000000",
            "frcr_pchs_amt": amount(one.cost),
            "frcr_evlu_amt2": amount(one.worth),
            "evlu_pfls_amt2": amount(one.profit),
            "evlu_pfls_rt1": f"{one.profit / one.cost * 100 if one.cost else 0:.8f}",
            "bass_exrt": f"{rate:.8f}",
            "buy_crcy_cd": one.terms.currency,
            "ovrs_now_pric1": f"{one.price:.5f}",
            "avg_unpr3": f"{one.average:.8f}",
            "tr_mket_name": names.name,
            "natn_kor_name": names.country_name,
            "pchs_rmnd_wcrc_amt": f"{_won(one.cost * rate)}",
            "thdt_buy_ccld_frcr_amt": f"{sum((x.amount for x in buys), _ZERO):.5f}",
            "thdt_sll_ccld_frcr_amt": f"{sum((x.amount for x in sells), _ZERO):.5f}",
            "unit_amt": "1",
            "prdt_type_cd": names.product,
            "scts_dvsn_name": "보통주",
            "ovrs_excg_cd": one.exchange,
            "item_lnkg_excg_cd": names.quoted,
            "oprt_dtl_dtime": f"{now:%Y%m%d%H%M%S}",
        }

    def _cash(self, money: OffBookAccount, currency: str, now: datetime, rate: Decimal) -> Row:
        done = [
            one
            for one in money.executions
            if one.terms.currency == currency
            and one.ticket.market == _STOCK
            and one.date == business_date(_STOCK, one.ticket.exchange, now)
        ]
        free, funds = money.free(currency), money.funds(currency)
        buys = sum((one.amount for one in done if one.ticket.side is Side.BUY), _ZERO)
        sells = sum((one.amount for one in done if one.ticket.side is Side.SELL), _ZERO)
        return {
            "crcy_cd": currency,
            "crcy_cd_name": MONEY[currency][0],
            "frcr_buy_amt_smtl": f"{buys:.6f}",
            "frcr_sll_amt_smtl": f"{sells:.6f}",
            "frcr_dncl_amt_2": f"{funds:.6f}",
            "frst_bltn_exrt": f"{rate:.8f}",
            "frcr_buy_mgn_amt": f"{money.promised(currency):.6f}",
            "frcr_drwg_psbl_amt_1": f"{free:.6f}",
            "frcr_evlu_amt2": f"{_won(funds * rate)}",
            "acpl_cstd_crcy_yn": "Y",
            "nxdy_frcr_drwg_psbl_amt": f"{free:.6f}",
        }

    def _orderable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money = self.off_book.money(self.account(params))
        exchange, price = params.get("OVRS_EXCG_CD", ""), amount_of(params, "OVRS_ORD_UNPR")
        found = terms(_STOCK, exchange, params.get("ITEM_CD", ""))
        if found is None:
            raise InputError("OVRS_EXCG_CD")
        if not price.is_finite() or not 0 <= price < 10**12:
            raise InputError("OVRS_ORD_UNPR")
        free = max(_ZERO, money.free(found.currency))
        most = affordable(found, free, price)
        rate = won_rate(self.off_book.seed, found.currency, now.date())
        spent = found.amount(most, price)
        row = {
            "tr_crcy_cd": found.currency,
            "ord_psbl_frcr_amt": f"{free:.2f}",
            "sll_ruse_psbl_amt": "0.00",
            "ovrs_ord_psbl_amt": f"{spent:.2f}" if price else f"{free:.2f}",
            "max_ord_psbl_qty": str(most),
            "echm_af_ord_psbl_amt": "0.00",
            "echm_af_ord_psbl_qty": "0",
            "ord_psbl_qty": str(most),
            "exrt": f"{rate:.8f}",
            "frcr_ord_psbl_amt1": f"{free:.6f}",
            "ovrs_max_ord_psbl_qty": str(most),
        }
        return self.told("overseas_stock/inquire_psamount", {"output": row})

    def _margins(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        money = self.off_book.money(self.account(params))
        rows: list[Row] = []
        for currency, (name, _) in MONEY.items():
            free = f"{money.free(currency):.5f}"
            rows.append(
                {
                    "natn_name": name.split()[0],
                    "crcy_cd": currency,
                    "frcr_dncl_amt1": f"{money.funds(currency):.5f}",
                    "frcr_mgn_amt": f"{money.promised(currency):.5f}",
                    "frcr_gnrl_ord_psbl_amt": free,
                    "frcr_ord_psbl_amt1": free,
                    "itgr_ord_psbl_amt": free,
                    "bass_exrt": f"{won_rate(self.off_book.seed, currency, now.date()):.8f}",
                }
            )
        return self.told("overseas_stock/foreign_margin", {"output": rows})


def affordable(found: TradingTerms, free: Decimal, price: Decimal) -> int:
    """Return how many shares money is enough for, fees included."""
    if price <= 0 or free <= 0:
        return 0
    most = min(int(free / (found.amount(1, price) * (1 + found.fee))), 10**9 - 1)
    # Fees are rounded to whole coins, which can make one of them too many.
    while most and found.amount(most, price) + found.fees(most, price) > free:
        most -= 1
    return most


def _sums(
    money: OffBookAccount,
    held: Iterable[Position],
    currencies: Iterable[str],
    rates: Mapping[str, Decimal],
) -> Row:
    """Add up everything in won."""
    cost = worth = _ZERO
    for one in held:
        cost += _won(one.cost * rates[one.terms.currency])
        worth += _won(one.worth * rates[one.terms.currency])
    foreign = free = promised = _ZERO
    for currency in currencies:
        foreign += _won(money.funds(currency) * rates[currency])
        free += _won(money.free(currency) * rates[currency])
        promised += _won(money.promised(currency) * rates[currency])
    won, rate = money.funds("KRW"), f"{(worth - cost) / cost * 100 if cost else 0:.8f}"
    return {
        **dict.fromkeys(("pchs_amt_smtl", "pchs_amt_smtl_amt"), f"{cost}"),
        **dict.fromkeys(("evlu_amt_smtl", "evlu_amt_smtl_amt", "wcrc_evlu_amt_smtl"), f"{worth}"),
        **dict.fromkeys(("evlu_pfls_amt_smtl", "tot_evlu_pfls_amt"), f"{worth - cost}"),
        "dncl_amt": f"{won}",
        "tot_dncl_amt": f"{won + foreign}",
        "wdrw_psbl_tot_amt": f"{money.free('KRW') + free}",
        **dict.fromkeys(("frcr_evlu_tota", "tot_frcr_cblc_smtl"), f"{foreign}"),
        "frcr_cblc_wcrc_evlu_amt_smtl": f"{foreign}",
        "evlu_erng_rt1": rate,
        **dict.fromkeys(("tot_asst_amt", "tot_asst_amt2"), f"{won + foreign + worth}"),
        **dict.fromkeys(("buy_mgn_amt", "mgna_tota"), f"{promised}"),
        "frcr_use_psbl_amt": f"{free}",
    }


def _won(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal(1), ROUND_HALF_UP)
