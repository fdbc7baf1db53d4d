"""The REST calls about money and positions of a domestic account (pure)."""

from __future__ import annotations

from datetime import datetime

from bridge.catalog.model import Catalog
from bridge.simulator.exchange import charges
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.kinds import KINDS
from bridge.simulator.exchange.ledger import Holding, StockAccount
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest
from bridge.simulator.exchange.valuation import (
    AccountValue,
    ValuedPosition,
    orderable,
    totals,
)
from bridge.simulator.rest import account_rows
from bridge.simulator.rest.accounts import AccountDesk
from bridge.simulator.rest.answers import Answer, Row, done, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import InputError, Params, number_of, text_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["DomesticAccounts"]

_POSITION = ("pdno", "trad_dvsn_name", "loan_dt")
_ASSETS = 19
"""Rows of the asset statement: stocks, funds, bonds … deposit, loans, and their sum."""
_STOCKS, _OVERSEAS, _DEPOSIT, _SUM = 0, 7, 16, 18
_MARGINS = (20, 30, 40, 50, 60, 100)
_LOAN_MARGINS = (45, 50, 60, 70)


class DomesticAccounts:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, exchange: Exchange, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._exchange = exchange
        self._accounts = AccountDesk(exchange, catalog, settings)

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            "domestic_stock/inquire_balance": self._balance,
            "domestic_stock/inquire_balance_rlz_pl": self._realised,
            "domestic_stock/inquire_account_balance": self._assets,
            "domestic_stock/inquire_psbl_order": self._orderable,
            "domestic_stock/inquire_psbl_sell": self._sellable,
            "domestic_stock/inquire_credit_psamount": self._lendable,
            "domestic_stock/intgr_margin": self._margin,
            "domestic_stock/period_rights": self._rights,
        }

    # positions

    def _balance(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._positions("inquire_balance", params, cont, now)

    def _realised(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        return self._positions("inquire_balance_rlz_pl", params, cont, now)

    def _positions(self, api: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts = self._accounts
        valued = accounts.value(accounts.find(params, now), params, now)
        by_day = params.get("INQR_DVSN") != "02"
        rows = [
            accounts.row(api, "output1", account_rows.position(one, by_day=by_day))
            for one in (valued.positions if by_day else _by_symbol(valued))
        ]
        total = account_rows.account(valued)
        if api.endswith("rlz_pl"):
            total |= account_rows.realised(valued)
        others = {"output2": [accounts.row(api, "output2", total)]}
        return accounts.page("output1", rows, params, cont, _POSITION, others=others)

    def _assets(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts = self._accounts
        valued = accounts.value(accounts.find(params, now), params, now)
        stocks = (
            valued.cost,
            valued.stocks,
            valued.profit,
            valued.debt,
            valued.stocks - valued.debt,
        )
        cash = (0, valued.settled, 0, 0, valued.settled)
        shown = {_STOCKS: stocks, _DEPOSIT: cash}
        shown[_SUM] = (
            *(valued.cost, valued.stocks + valued.settled),
            *(valued.profit, valued.debt, valued.net),
        )
        rows = []
        for index in range(_ASSETS):
            cost, worth, profit, debt, left = shown.get(index, (0, 0, 0, 0, 0))
            values = {
                "pchs_amt": cost,
                "evlu_amt": worth,
                "evlu_pfls_amt": profit,
                "crdt_lnd_amt": debt,
                "real_nass_amt": left,
                "whol_weit_rt": account_rows.ratio(worth, valued.stocks + valued.settled),
            }
            rows.append(accounts.row("inquire_account_balance", "output1", values))
        sums = {
            "pchs_amt_smtl": valued.cost,
            "nass_tot_amt": valued.net,
            "loan_amt_smtl": valued.debt,
            "evlu_pfls_amt_smtl": valued.profit,
            "evlu_amt_smtl": valued.stocks,
            "tot_asst_amt": valued.total,
            "tot_lnda_tot_ulst_lnda": valued.debt,
            "stln_evlu_amt": valued.owed,
            "crdt_fncg_amt": valued.debt,
            "tot_dncl_amt": valued.settled,
            "dncl_amt": valued.deposit,
        }
        total = accounts.row("inquire_account_balance", "output2", sums)
        return done(accounts.environment, {"output1": rows, "output2": total})

    # what can be ordered

    def _orderable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account = self._accounts.find(params, now)
        return self._can_buy("inquire_psbl_order", account, "", params, now)

    def _lendable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account, credit = self._accounts.find(params, now), text_of(params, "CRDT_TYPE")
        text_of(params, "PDNO")
        if credit not in ("21", "22", "23", "24", "25", "26", "27", "28"):
            raise InputError("CRDT_TYPE")
        return self._can_buy("inquire_credit_psamount", account, credit, params, now)

    def _can_buy(
        self, api: str, account: StockAccount, credit: str, params: Params, now: datetime
    ) -> Answer:
        deposit, again = orderable(account, self._exchange.timing, now.date())
        price, most, amount = 0, 0, deposit + again
        if symbol := params.get("PDNO", ""):
            request = self._asked(account, symbol, credit, params, now)
            price = request.price
            most = self._most(account, request, now)
        if credit:
            amount = most * price
        values = {
            "ord_psbl_cash": deposit,
            "ord_psbl_sbst": 0,
            "ruse_psbl_amt": again,
            "psbl_qty_calc_unpr": price,
            "nrcvb_buy_amt": amount,
            "nrcvb_buy_qty": most,
            "max_buy_amt": amount,
            "max_buy_qty": most,
        }
        return done(
            self._accounts.environment, {"output": self._accounts.row(api, "output", values)}
        )

    def _asked(
        self, account: StockAccount, symbol: str, credit: str, params: Params, now: datetime
    ) -> OrderRequest:
        """Return the order that a question is about; one without a price pays any."""
        kind = KINDS.get(params.get("ORD_DVSN", "00"))
        price = number_of(params, "ORD_UNPR", blank=0)
        if not price or (kind is not None and not kind.priced):
            price = self._exchange.market(symbol, now).upper
        side = Side.SELL if credit in ("22", "24", "25", "27") else Side.BUY
        return OrderRequest(
            account.number, symbol, side, 1, price, credit=credit, lent_on=_today(credit, now)
        )

    def _most(self, account: StockAccount, request: OrderRequest, now: datetime) -> int:
        if request.opens:
            return self._exchange.most(request, now)
        return sum(
            held.quantity - held.reserved
            for (symbol, loan, _), held in account.positions.items()
            if (symbol, loan) == (request.symbol, request.loan)
        )

    def _sellable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts, symbol = self._accounts, text_of(params, "PDNO")
        account = accounts.find(params, now)
        market = self._exchange.market(symbol, now)
        valued = accounts.value(account, params, now)
        found = [one for one in valued.positions if (one.symbol, one.loan) == (symbol, "")]
        row: Row = account_rows.position(found[0]) if found else {}
        values = {
            "pdno": symbol,
            "prdt_name": market.listing.name,
            "buy_qty": row.get("thdt_buyqty", 0),
            "sll_qty": row.get("thdt_sll_qty", 0),
            "cblc_qty": row.get("hldg_qty", 0),
            "now_pric": market.last,
        }
        names = ("ord_psbl_qty", "pchs_avg_pric", "pchs_amt", "evlu_amt", "evlu_pfls_amt")
        values |= {name: row[name] for name in (*names, "evlu_pfls_rt") if row}
        return done(
            accounts.environment,
            {"output1": accounts.row("inquire_psbl_sell", "output1", values)},
        )

    def _margin(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts = self._accounts
        account = accounts.find(params, now)
        deposit, again = orderable(account, self._exchange.timing, now.date())
        used = account.reserved + account.guarantees
        free = deposit + again
        values: Row = {
            "acmga_rt": "100.00",
            "stck_cash_objt_amt": f"{deposit + used}.00",
            "stck_ruse_psbl_objt_amt": f"{again}.00",
            "stck_cash_use_amt": f"{used}.00",
            "stck_cash_ord_psbl_amt": f"{deposit}.00",
            "stck_ruse_psbl_ord_psbl_amt": f"{again}.00",
            "stck_rsip100_max_ord_psbl_amt": f"{deposit}.00",
            "bond_max_ord_psbl_amt": f"{free}.00",
            "lmt_amt": charges.CREDIT_LIMIT,
        }
        # The account pays in full: what a stock's own margin would allow beyond that is not taken.
        for percent in _MARGINS:
            values[f"stck_cash{percent}_max_ord_psbl_amt"] = f"{free}.00"
            values[f"stck_itgr_cash{percent}_ord_psbl_amt"] = f"{free}.00"
        values["stck_itgr_100_ord_psbl_amt"] = f"{free}.00"
        values["bond_itgr_ord_psbl_amt"] = f"{free}.00"
        for percent in _LOAN_MARGINS:
            lent = min(free * 100 // percent, account.free_credit * 100 // (100 - percent))
            values[f"stck_fncg{percent}_max_ord_psbl_amt"] = f"{lent}.00"
            values[f"stck_itgr_fncg{percent}_ord_psbl_amt"] = f"{lent}.00"
        short = free * 100 // charges.GUARANTEE_PERCENT
        values["stck_stln_max_ord_psbl_amt"] = f"{short}.00"
        values["stck_itgr_stln_ord_psbl_amt"] = f"{short}.00"
        return done(
            accounts.environment, {"output": accounts.row("intgr_margin", "output", values)}
        )

    def _rights(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        """Answer that there are none: firms here pay no dividend and change no capital."""
        self._accounts.find(params, now)
        outputs: Row = {"ctx_area_fk100": " " * 100, "ctx_area_nk100": " " * 100, "output1": []}
        return Answer("0", "KIOK0560", padded("조회할 내용이 없습니다", 80), outputs, "D")


def _by_symbol(valued: AccountValue) -> list[ValuedPosition]:
    """Put loans of one kind together, whenever they were taken."""
    groups: dict[tuple[str, str], list[ValuedPosition]] = {}
    for one in valued.positions:
        groups.setdefault((one.symbol, one.loan), []).append(one)
    return [
        rows[0]
        if len(rows) == 1
        else ValuedPosition(
            rows[0].position,
            rows[0].mark,
            Holding(
                quantity=sum(one.held.quantity for one in rows),
                cost=sum(one.held.cost for one in rows),
                reserved=sum(one.held.reserved for one in rows),
                debt=sum(one.held.debt for one in rows),
            ),
            totals(one.today for one in rows),
            totals(one.before for one in rows),
        )
        for rows in groups.values()
    ]


def _today(credit: str, now: datetime) -> str:
    return f"{now:%Y%m%d}" if credit else ""
