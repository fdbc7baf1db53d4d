"""The REST calls about a retirement pension: an account of product 29 (pure)."""

from __future__ import annotations

from datetime import datetime

from bridge.catalog.model import Catalog
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.ledger import StockAccount
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRefused, OrderRequest
from bridge.simulator.exchange.valuation import orderable
from bridge.simulator.rest import account_rows
from bridge.simulator.rest.accounts import AccountDesk
from bridge.simulator.rest.answers import BRANCHES, Answer, Row, done
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import Params, number_of, text_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["Pensions"]

_HELD, _ORDERS = "pension_inquire_balance", "pension_inquire_daily_ccld"
_PRESENT, _ORDERABLE = "pension_inquire_present_balance", "pension_inquire_psbl_order"
_DEPOSIT = "pension_inquire_deposit"


class Pensions:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, exchange: Exchange, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._exchange = exchange
        self._accounts = AccountDesk(exchange, catalog, settings)
        self._branch = BRANCHES[settings.environment]

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            f"domestic_stock/{_HELD}": self._balance,
            f"domestic_stock/{_PRESENT}": self._present,
            f"domestic_stock/{_ORDERS}": self._orders,
            f"domestic_stock/{_DEPOSIT}": self._deposit,
            f"domestic_stock/{_ORDERABLE}": self._orderable,
        }

    def _balance(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts = self._accounts
        valued = accounts.value(self._find(params, now), params, now)
        rows = [
            _only(
                accounts.row(_HELD, "output1", {}),
                account_rows.position(one)
                | {
                    "cblc_dvsn_name": "일반",
                    "item_dvsn_name": "ETF",
                },
            )
            for one in valued.positions
        ]
        sums = _only(accounts.row(_HELD, "output2", {}), account_rows.account(valued))
        return accounts.page("output1", rows, params, cont, ("pdno",), others={"output2": sums})

    def _present(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts = self._accounts
        valued = accounts.value(self._find(params, now), params, now)
        rows = [
            _only(
                accounts.row(_PRESENT, "output1", {}),
                account_rows.position(one)
                | {
                    "cblc_dvsn": "10",
                    "cblc_dvsn_name": "일반",
                    "slpsb_qty": one.free,
                    "cblc_weit": account_rows.ratio(one.value, valued.value),
                },
            )
            for one in valued.positions
            if one.held.quantity or params.get("PRCS_DVSN_CD") != "01"
        ]
        realised = valued.today.realised
        sums = {
            "pchs_amt_smtl_amt": valued.cost,
            "evlu_amt_smtl_amt": valued.value,
            "evlu_pfls_smtl_amt": valued.profit,
            "trad_pfls_smtl": realised,
            "thdt_tot_pfls_amt": realised + valued.profit,
            "pftrt": account_rows.ratio(valued.profit, valued.cost),
        }
        others = {"output2": [accounts.row(_PRESENT, "output2", sums)]}
        return accounts.page("output1", rows, params, cont, ("pdno",), others=others)

    def _orders(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts, account = self._accounts, self._find(params, now)
        side, state = params.get("SLL_BUY_DVSN_CD", ""), params.get("CCLD_NCCS_DVSN", "")
        chosen = [
            ticket
            for ticket in reversed(self._exchange.tickets.values())
            if ticket.request.account == account.number
            and ticket.at.date() == now.date()
            and (variant != "krx_only" or ticket.request.venue == "KRX")
            and side in ("", "00", "%%", ticket.request.side)
            and {"01": ticket.filled > 0, "02": ticket.remaining > 0}.get(state, True)
        ]
        rows = []
        for ticket in chosen:
            told = account_rows.daily(ticket, self._branch)
            told |= {
                "trad_dvsn_name": told["sll_buy_dvsn_cd_name"],
                "nccs_qty": ticket.remaining,
                "objt_cust_dvsn_name": "개인",
                "pchs_avg_pric": told["avg_prvs"],
                "stpm_efct_occr_yn": "Y" if ticket.triggered_at else "N",
            }
            rows.append(_only(accounts.row(_ORDERS, "output", {}), told))
        return accounts.page("output", rows, params, cont, ("odno",))

    def _deposit(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts = self._accounts
        valued = accounts.value(self._find(params, now), params, now)
        values = {
            "dnca_tota": valued.deposit,
            "nxdy_excc_amt": valued.next_day,
            "nxdy_sttl_amt": valued.next_day - valued.deposit,
            "nx2_day_sttl_amt": valued.settled - valued.next_day,
        }
        return done(accounts.environment, {"output": accounts.row(_DEPOSIT, "output", values)})

    def _orderable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts, account = self._accounts, self._find(params, now)
        deposit, again = orderable(account, self._exchange.timing, now.date())
        symbol, price = text_of(params, "PDNO"), number_of(params, "ORD_UNPR", blank=0)
        if not price or params.get("ORD_DVSN") == "01":
            price = self._exchange.market(symbol, now).upper
        request = OrderRequest(account.number, symbol, Side.BUY, 1, price)
        values = {
            "ord_psbl_cash": deposit,
            "ruse_psbl_amt": again,
            "psbl_qty_calc_unpr": price,
            "max_buy_amt": deposit + again,
            "max_buy_qty": self._exchange.most(request, now),
        }
        return done(accounts.environment, {"output": accounts.row(_ORDERABLE, "output", values)})

    def _find(self, params: Params, now: datetime) -> StockAccount:
        account = self._accounts.find(params, now)
        if not account.pension:
            raise OrderRefused("account")
        return account


def _only(blank: Row, values: Row) -> Row:
    """Return the values that a row has a field for."""
    return blank | {name: str(values[name]) for name in blank.keys() & values.keys()}
