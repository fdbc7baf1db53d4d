"""The REST calls that tell what an account has traded overseas, and what it earned (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.holdings import Execution
from bridge.simulator.off_book.rates import won_rate
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.overseas.names import EXCHANGES
from bridge.simulator.rest.overseas.pages import OverseasDesk, day_of
from bridge.simulator.rest.overseas.settlement import settlement_day
from bridge.simulator.rest.params import Params

__all__ = ["OverseasStockHistory"]

_ZERO = Decimal(0)


class OverseasStockHistory(OverseasDesk):
    """Answers these calls; :meth:`handlers` says which."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "overseas_stock/inquire_period_profit": self._profits,
            "overseas_stock/inquire_period_trans": self._trades,
        }

    def _profits(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = day_of(params, "INQR_STRT_DT"), day_of(params, "INQR_END_DT")
        currency, in_won = params.get("CRCY_CD", ""), params.get("WCRC_FRCR_DVSN_CD") == "02"
        groups: dict[tuple[date, str], list[Execution]] = {}
        for one in self._executions(params, first, last):
            if one.closed and currency in ("", one.terms.currency):
                groups.setdefault((one.date, one.ticket.symbol), []).append(one)
        rows = [self._profit(parts, in_won=in_won) for parts in groups.values()]

        def total(name: str) -> Decimal:
            return sum((Decimal(row[name]) for row in rows), _ZERO)

        sold, bought = total("frcr_sll_amt_smtl1"), total("frcr_pchs_amt1")
        costs, earned = total("stck_sll_tlex"), total("ovrs_rlzt_pfls_amt")
        rate = won_rate(self.off_book.seed, currency or "USD", now.date())
        totals: dict[str, Row] = {
            "output2": {
                "stck_sll_amt_smtl": f"{sold:.5f}",
                "stck_buy_amt_smtl": f"{bought:.5f}",
                "smtl_fee1": f"{costs:.5f}",
                "excc_dfrm_amt": f"{sold - costs:.5f}",
                "ovrs_rlzt_pfls_tot_amt": f"{earned:.5f}",
                "tot_pftrt": f"{earned / bought * 100 if bought else 0:.8f}",
                "bass_dt": f"{now:%Y%m%d}",
                "exrt": f"{rate:.8f}",
            }
        }
        name = "overseas_stock/inquire_period_profit"
        return self.listed(name, "output1", rows, params, cont, totals)

    def _profit(self, parts: Sequence[Execution], *, in_won: bool) -> Row:
        """Tell what closing a symbol brought on a day."""
        one = parts[0]
        quantity = sum(part.closed for part in parts)
        sold = sum((part.terms.amount(part.closed, part.price) for part in parts), _ZERO)
        bought = sum((part.released for part in parts), _ZERO)
        costs = sum((part.costs for part in parts), _ZERO)
        rate = won_rate(self.off_book.seed, one.terms.currency, one.date)
        by = rate if in_won else Decimal(1)
        return {
            "trad_day": f"{one.date:%Y%m%d}",
            "ovrs_pdno": one.ticket.symbol,
            "ovrs_item_name": one.ticket.symbol,
            "slcl_qty": str(quantity),
            "pchs_avg_pric": f"{bought / quantity * by:.8f}",
            "frcr_pchs_amt1": f"{bought * by:.5f}",
            "avg_sll_unpr": f"{sold / quantity * by:.8f}",
            "frcr_sll_amt_smtl1": f"{sold * by:.5f}",
            "stck_sll_tlex": f"{costs * by:.5f}",
            "ovrs_rlzt_pfls_amt": f"{(sold - bought - costs) * by:.5f}",
            "pftrt": f"{(sold - bought - costs) / bought * 100 if bought else 0:.8f}",
            "exrt": f"{rate:.8f}",
            "ovrs_excg_cd": one.ticket.exchange,
            "frst_bltn_exrt": f"{rate:.8f}",
        }

    def _trades(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        first, last = day_of(params, "ERLM_STRT_DT"), day_of(params, "ERLM_END_DT")
        side = params.get("SLL_BUY_DVSN_CD", "")
        chosen = [
            one
            for one in self._executions(params, first, last)
            if side in ("", "00", one.ticket.side.value)
        ]

        def total(values: Iterator[Decimal]) -> str:
            return f"{sum(values, _ZERO):.5f}"

        buys = (one.amount for one in chosen if one.ticket.side is Side.BUY)
        sells = (one.amount for one in chosen if one.ticket.side is Side.SELL)
        totals: dict[str, Row] = {
            "output2": {
                "frcr_buy_amt_smtl": total(buys),
                "frcr_sll_amt_smtl": total(sells),
                "dmst_fee_smtl": total(one.fee for one in chosen),
                "ovrs_fee_smtl": total(one.tax for one in chosen),
            }
        }
        rows = [self._trade(one) for one in chosen]
        name = "overseas_stock/inquire_period_trans"
        return self.listed(name, "output1", rows, params, cont, totals)

    def _trade(self, one: Execution) -> Row:
        rate = won_rate(self.off_book.seed, one.terms.currency, one.date)
        settled = settlement_day(self.off_book.hours, one.ticket.exchange, one.date)
        return {
            "trad_dt": f"{one.date:%Y%m%d}",
            "sttl_dt": f"{settled:%Y%m%d}",
            "sll_buy_dvsn_cd": one.ticket.side.value,
            "sll_buy_dvsn_name": "매수" if one.ticket.side is Side.BUY else "매도",
            "pdno": one.ticket.symbol,
            "ovrs_item_name": one.ticket.symbol,
            "ccld_qty": str(one.quantity),
            "amt_unit_ccld_qty": f"{one.quantity}.00000000",
            "ft_ccld_unpr2": f"{one.price:.5f}",
            "ovrs_stck_ccld_unpr": f"{one.price:.5f}",
            "tr_frcr_amt2": f"{one.amount:.5f}",
            "tr_amt": f"{one.amount * rate:.0f}",
            "frcr_excc_amt_1": f"{abs(one.cash):.5f}",
            "wcrc_excc_amt": f"{abs(one.cash) * rate:.0f}",
            "dmst_frcr_fee1": f"{one.fee:.5f}",
            "frcr_fee1": f"{one.tax:.5f}",
            "dmst_wcrc_fee": f"{one.fee * rate:.0f}",
            "ovrs_wcrc_fee": f"{one.tax * rate:.0f}",
            "crcy_cd": one.terms.currency,
            "std_pdno": one.ticket.symbol,
            "erlm_exrt": f"{rate:.8f}",
            "loan_dvsn_cd": "00",
            "loan_dvsn_name": "현금",
        }

    def _executions(self, params: Params, first: date, last: date) -> Iterator[Execution]:
        """Yield the trades that a call is about; an exchange stands for its country."""
        exchange, symbol = params.get("OVRS_EXCG_CD", ""), params.get("PDNO", "")
        named = EXCHANGES.get(exchange)
        for one in self.off_book.money(self.account(params)).executions:
            ticket = one.ticket
            if ticket.market != "overseas_stock" or not first <= one.date <= last:
                continue
            if named is not None and EXCHANGES[ticket.exchange].country != named.country:
                continue
            if symbol in ("", "%", ticket.symbol):
                yield one
