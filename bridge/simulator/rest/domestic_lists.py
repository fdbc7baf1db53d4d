"""The REST calls that list orders, executions and profits of a domestic account (pure)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from bridge.catalog.model import Catalog
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.ledger import DayTrades
from bridge.simulator.exchange.tickets import Position, Ticket
from bridge.simulator.exchange.valuation import totals
from bridge.simulator.rest import account_rows
from bridge.simulator.rest.accounts import AccountDesk, days_of, within
from bridge.simulator.rest.answers import BRANCHES, Answer
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import Params
from bridge.simulator.settings import SimulatorSettings

__all__ = ["DomesticLists"]

_RECENT = timedelta(days=92)
"""Orders of the last three months are in one list, older ones in another."""
_PAYMENTS = {
    "01": {""},
    "02": {"21", "23"},
    "03": set[str](),
    "04": {"22", "24"},
    "05": set[str](),
    "06": {"21"},
    "07": {"23"},
}
"""Kinds of loan by ``INQR_DVSN_3``; nothing is pledged or lent out here."""
_ORDERS, _CHANGEABLE = "inquire_daily_ccld", "inquire_psbl_rvsecncl"
_DAYS, _TRADES = "inquire_period_profit", "inquire_period_trade_profit"


class DomesticLists:
    """Answers these calls; :meth:`handlers` says which."""

    def __init__(self, exchange: Exchange, catalog: Catalog, settings: SimulatorSettings) -> None:
        self._exchange = exchange
        self._accounts = AccountDesk(exchange, catalog, settings)
        self._branch = BRANCHES[settings.environment]

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {
            f"domestic_stock/{_ORDERS}": self._daily,
            f"domestic_stock/{_CHANGEABLE}": self._changeable,
            f"domestic_stock/{_DAYS}": self._profit,
            f"domestic_stock/{_TRADES}": self._trade_profit,
        }

    def _daily(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account, accounts = self._accounts.find(params, now).number, self._accounts
        days = days_of(params)
        old = variant == "before_3_months"
        since = now.date() - _RECENT
        chosen = [
            ticket
            for ticket in self._exchange.tickets.values()
            if ticket.request.account == account
            and within(ticket.at.date(), days)
            and (ticket.at.date() < since) is old
            and _wanted(ticket, params, self._branch)
        ]
        if params.get("INQR_DVSN") != "01":
            chosen.reverse()
        rows = [
            accounts.row(_ORDERS, "output1", account_rows.daily(ticket, self._branch))
            for ticket in chosen
        ]
        sums = accounts.row(_ORDERS, "output2", account_rows.daily_totals(chosen))
        return accounts.page(
            *("output1", rows, params, cont, ("ord_dt", "odno"), (100, 15)),
            others={"output2": sums},
        )

    def _changeable(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        account, accounts = self._accounts.find(params, now).number, self._accounts
        side = {"1": "01", "2": "02"}.get(params.get("INQR_DVSN_2", "0"))
        tickets = [
            ticket
            for ticket in reversed(self._exchange.floor.open.values())
            if ticket.request.account == account and side in (None, ticket.request.side)
        ]
        if params.get("INQR_DVSN_1") == "1":
            tickets.sort(key=lambda ticket: ticket.request.symbol)
        rows = [
            accounts.row(_CHANGEABLE, "output", account_rows.changeable(ticket, self._branch))
            for ticket in tickets
        ]
        return accounts.page("output", rows, params, cont, ("odno",), (100, 15))

    def _profit(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts, chosen = self._accounts, self._traded(params, now)
        by_day: dict[date, list[DayTrades]] = {}
        for day, _, traded in chosen:
            by_day.setdefault(day, []).append(traded)
        rows = [
            accounts.row(_DAYS, "output1", account_rows.day_profit(day, totals(all_of_it)))
            for day, all_of_it in by_day.items()
        ]
        sums = account_rows.profit_totals(totals(row for _, _, row in chosen), by_trade=False)
        others = {"output2": accounts.row(_DAYS, "output2", sums)}
        return accounts.page("output1", rows, params, cont, ("trad_dt",), others=others)

    def _trade_profit(self, variant: str, params: Params, cont: str, now: datetime) -> Answer:
        accounts, chosen = self._accounts, self._traded(params, now)
        rows = [
            accounts.row(
                *(_TRADES, "output1"),
                account_rows.trade_profit(day, position, self._name(position, now), row),
            )
            for day, position, row in chosen
        ]
        sums = account_rows.profit_totals(totals(row for _, _, row in chosen), by_trade=True)
        others = {"output2": accounts.row(_TRADES, "output2", sums)}
        key = ("trad_dt", "pdno", "trad_dvsn_name", "loan_dt")
        return accounts.page("output1", rows, params, cont, key, others=others)

    # inside

    def _traded(self, params: Params, now: datetime) -> list[tuple[date, Position, DayTrades]]:
        account, days = self._accounts.find(params, now), days_of(params)
        symbol = params.get("PDNO", "")
        chosen = [
            (day, position, row)
            for day, rows in account.days.items()
            if within(day, days)
            for position, row in rows.items()
            if symbol in ("", position[0])
        ]
        chosen.sort(key=lambda one: one[0], reverse=params.get("SORT_DVSN") != "01")
        return chosen

    def _name(self, position: Position, now: datetime) -> str:
        return self._exchange.market(position[0], now).listing.name


def _wanted(ticket: Ticket, params: Params, branch: str) -> bool:
    """Tell whether the filters of a list let an order through; blank ones let all."""
    request = ticket.request
    number, kind = params.get("ODNO", ""), params.get("INQR_DVSN_3", "")
    return (
        params.get("SLL_BUY_DVSN_CD", "") in ("", "00", request.side)
        and params.get("PDNO", "") in ("", request.symbol)
        and (not number or number.zfill(10) == ticket.number)
        and params.get("ORD_GNO_BRNO", "") in ("", branch)
        and params.get("EXCG_ID_DVSN_CD", "") in ("", "ALL", request.venue)
        and (kind not in _PAYMENTS or request.loan in _PAYMENTS[kind])
        and params.get("INQR_DVSN_1", "") not in ("1", "2")
        and {"01": ticket.filled > 0, "02": ticket.remaining > 0}.get(
            params.get("CCLD_DVSN", ""), True
        )
    )
