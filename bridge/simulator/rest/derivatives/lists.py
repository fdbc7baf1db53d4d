"""Orders, executions and fees of an account of futures and options (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.simulator.derivatives.contracts import contract
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.closing import catch_up
from bridge.simulator.off_book.holdings import Execution
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.tickets import NIGHT, OffBookMarket, OffBookTicket
from bridge.simulator.rest.account_pages import AccountPages
from bridge.simulator.rest.answers import Answer, Row
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.derivatives.names import ACCOUNT_NAME, SIDES, kind_of, traded
from bridge.simulator.rest.params import Params, account_of, text_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["DerivativeListHandlers"]

_FUTURE = "domestic_futureoption"
_MARKET: OffBookMarket = "domestic_derivative"
_ZERO = Decimal(0)


class DerivativeListHandlers:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._off_book = off_book
        self._calendar = None if settings.hours == "always" else Calendar(catalog.hours)
        self._pages = AccountPages(catalog, settings.environment)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            f"{_FUTURE}/inquire_ccnl": self._orders,
            f"{_FUTURE}/inquire_ngt_ccnl": self._night_orders,
            f"{_FUTURE}/inquire_ccnl_bstime": self._executions,
            f"{_FUTURE}/inquire_daily_amount_fee": self._fees,
        }

    # orders

    def _orders(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        chosen = [one for one in self._chosen(params, now) if one.exchange != NIGHT]
        done = self._done(params)
        rows = [self._listed(one, done.get(one, [])) for one in chosen]
        fills = [fill for one in chosen for fill in done.get(one, [])]
        totals = {
            "tot_ord_qty": sum(one.quantity for one in chosen if one.action == "place"),
            "tot_ccld_amt_smtl": int(sum((fill.amount for fill in fills), _ZERO)),
            "tot_ccld_qty_smtl": sum(one.filled for one in chosen),
            "fee_smtl": int(sum((fill.fee for fill in fills), _ZERO)),
        }
        name = f"{_FUTURE}/inquire_ccnl"
        return self._pages.page(name, "output1", rows, params, cont, output2=totals)

    def _night_orders(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        wanted = params.get("FUOP_DVSN_CD", "")
        chosen = [
            one
            for one in self._chosen(params, now)
            if one.exchange == NIGHT and wanted in ("", "02" if _is_option(one.symbol) else "01")
        ]
        done = self._done(params)
        rows = [
            (row := self._listed(one, done.get(one, []))) | {"ord_idx4": row["ord_idx"]}
            for one in chosen
        ]
        fills = [fill for one in chosen for fill in done.get(one, [])]
        quantity = sum(one.filled for one in chosen)
        amount = int(sum((fill.amount for fill in fills), _ZERO))
        totals = {
            "tot_ord_qty": sum(one.quantity for one in chosen if one.action == "place"),
            **dict.fromkeys(("tot_ccld_qty", "tot_ccld_qty_SMTL"), quantity),
            **dict.fromkeys(("tot_ccld_amt", "tot_ccld_amt_SMTL"), amount),
            "fee": int(sum((fill.fee for fill in fills), _ZERO)),
        }
        name = f"{_FUTURE}/inquire_ngt_ccnl"
        return self._pages.page(name, "output1", rows, params, cont, output2=totals)

    def _chosen(self, params: Params, now: datetime) -> list[OffBookTicket]:
        """Return the orders that a call asks for, in its order."""
        catch_up(self._off_book, self._calendar, now)
        first, last = params.get("STRT_ORD_DT", ""), params.get("END_ORD_DT", "")
        side, state = params.get("SLL_BUY_DVSN_CD", ""), params.get("CCLD_NCCS_DVSN", "")
        number, symbol = params.get("STRT_ODNO", "").strip(), params.get("PDNO", "").strip()
        account = self._off_book.account(account_of(params))
        chosen = [
            one
            for one in self._off_book.of(_MARKET, account)
            if first <= f"{one.date:%Y%m%d}" <= last
            and side in ("", "00", one.side.value)
            and symbol in ("", one.symbol)
            and {"01": one.filled > 0, "02": one.remaining > 0}.get(state, True)
        ]
        if params.get("SORT_SQN") == "DS":
            chosen.reverse()
        if number:
            # The list goes on from that order, itself included.
            place = [one.number for one in chosen]
            chosen = chosen[place.index(wanted) :] if (wanted := number.zfill(10)) in place else []
        return chosen

    def _listed(self, one: OffBookTicket, done: Sequence[Execution]) -> Row:
        kind, kind_name = kind_of(one.kind)
        return {
            "ord_gno_brno": "91252",
            "cano": one.account[:8],
            "csac_name": ACCOUNT_NAME,
            "acnt_prdt_cd": one.account[9:],
            "ord_dt": f"{one.date:%Y%m%d}",
            "odno": one.number,
            "orgn_odno": one.original,
            "sll_buy_dvsn_cd": one.side.value,
            "trad_dvsn_name": traded(one),
            "nmpr_type_cd": kind,
            "nmpr_type_name": kind_name,
            "pdno": one.symbol,
            "prdt_name": _name(one.symbol, one.at.date()),
            "prdt_type_cd": "301",
            "ord_qty": one.quantity,
            "ord_idx": f"{one.price:.2f}",
            "qty": one.remaining,
            "ord_tmd": f"{one.at:%H%M%S}",
            "tot_ccld_qty": one.filled,
            "avg_idx": f"{one.value / one.filled:.6f}" if one.filled else "0",
            "tot_ccld_amt": int(sum((fill.amount for fill in done), _ZERO)),
            "rjct_qty": 0,
            "ord_stfno": "OpnAPI",
            "sprd_item_yn": "N",
        }

    def _done(self, params: Params) -> Mapping[OffBookTicket, list[Execution]]:
        found: dict[OffBookTicket, list[Execution]] = {}
        for one in self._executed(params):
            found.setdefault(one.ticket, []).append(one)
        return found

    def _executed(self, params: Params) -> Iterable[Execution]:
        """Yield the executions of an account, oldest first, those at the end of contracts too."""
        for one in self._off_book.money(account_of(params)).executions:
            if one.ticket.market == _MARKET:
                yield one

    # executions and what they cost

    def _executions(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        catch_up(self._off_book, self._calendar, now)
        day = text_of(params, "ORD_DT")
        first = params.get("FUOP_TR_STRT_TMD", "") or "000000"
        last = params.get("FUOP_TR_END_TMD", "") or "240000"
        done = [
            one
            for one in self._executed(params)
            if f"{one.date:%Y%m%d}" == day and first <= f"{one.at:%H%M%S}" <= last
        ]
        rows = [
            {
                "pdno": one.ticket.symbol,
                "prdt_name": _name(one.ticket.symbol, one.date),
                "odno": one.ticket.number,
                "tr_type_name": _trade_name(one),
                "last_sttldt": _expiry(one),
                "ccld_idx": f"{one.price:.2f}",
                "ccld_qty": one.quantity,
                "trad_amt": int(one.amount),
                "fee": int(one.fee),
                "ccld_btwn": f"{one.at:%H%M%S}",
            }
            for one in done
        ]
        totals = {
            "tot_ccld_qty_smtl": sum(one.quantity for one in done),
            "tot_ccld_amt_smtl": int(sum((one.amount for one in done), _ZERO)),
            "fee_smtl": int(sum((one.fee for one in done), _ZERO)),
        }
        name = f"{_FUTURE}/inquire_ccnl_bstime"
        return self._pages.page(name, "output1", rows, params, cont, output2=totals)

    def _fees(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        catch_up(self._off_book, self._calendar, now)
        first, last = text_of(params, "INQR_STRT_DAY"), text_of(params, "INQR_END_DAY")
        days: dict[tuple[date, str], list[Execution]] = {}
        for one in self._executed(params):
            if first <= f"{one.date:%Y%m%d}" <= last:
                days.setdefault((one.date, one.ticket.symbol), []).append(one)
        rows = [
            {"ord_dt": f"{day:%Y%m%d}", "pdno": symbol, "item_name": _name(symbol, day)}
            | _sides(done, sell="sll", buy="buy")
            | {
                "tot_fee_smtl": _fee(done),
                "trad_pfls": int(sum((one.gross for one in done), _ZERO)),
            }
            for (day, symbol), done in sorted(days.items())
        ]
        every = [one for done in days.values() for one in done]
        options = [one for one in every if _is_option(one.ticket.symbol)]
        futures = [one for one in every if not _is_option(one.ticket.symbol)]
        totals: Row = _sides(every, sell="sll", buy="buy")
        for word, done in (("futr", futures), ("opt", options)):
            totals |= {
                f"{word}_agrm": sum(one.quantity for one in done),
                **dict.fromkeys((f"{word}_agrm_amt", f"{word}_agrm_amt_smtl"), _amount(done)),
                f"{word}_sll_fee_smtl": _fee(_of(done, Side.SELL)),
                f"{word}_buy_fee_smtl": _fee(_of(done, Side.BUY)),
                **dict.fromkeys((f"{word}_fee_smtl", f"{word}_fee"), _fee(done)),
            }
        totals |= {
            "agrm_amt_smtl": _amount(every),
            **dict.fromkeys(("fee", "fee_smtl"), _fee(every)),
            "trad_pfls_smtl": int(sum((one.gross for one in every), _ZERO)),
        }
        name = f"{_FUTURE}/inquire_daily_amount_fee"
        return self._pages.page(name, "output1", rows, params, cont, output2=totals)


def _sides(done: Sequence[Execution], *, sell: str, buy: str) -> Row:
    row: Row = {}
    for word, side in ((sell, Side.SELL), (buy, Side.BUY)):
        own = _of(done, side)
        row |= {f"{word}_agrm_amt": _amount(own), f"{word}_fee": _fee(own)}
    return row


def _of(done: Iterable[Execution], side: Side) -> list[Execution]:
    return [one for one in done if one.ticket.side is side]


def _amount(done: Iterable[Execution]) -> int:
    return int(sum((one.amount for one in done), _ZERO))


def _fee(done: Iterable[Execution]) -> int:
    return int(sum((one.fee for one in done), _ZERO))


def _trade_name(one: Execution) -> str:
    if not one.ticket.number:
        return "최종결제"
    if one.closed == one.quantity:
        return "전매" if one.ticket.side is Side.SELL else "환매"
    return SIDES[one.ticket.side]


def _name(symbol: str, day: date) -> str:
    listed = contract(symbol, day)
    return listed.name if listed else symbol


def _expiry(one: Execution) -> str:
    listed = contract(one.ticket.symbol, one.date)
    return f"{listed.expiry:%Y%m%d}" if listed else ""


def _is_option(symbol: str) -> bool:
    return symbol[:1] in ("2", "3", "B", "C")
