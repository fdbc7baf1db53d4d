"""What calls about an account of domestic stocks have in common (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from bridge.catalog.model import Catalog
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.ledger import StockAccount
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.exchange.valuation import AccountValue, MarkPrice, value
from bridge.simulator.rest.answers import Answer, Row, blank
from bridge.simulator.rest.paging import page
from bridge.simulator.rest.params import Params, account_of, text_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["AccountDesk", "days_of", "within"]


class AccountDesk:
    """Finds and values accounts, and writes rows and pages of theirs."""

    def __init__(self, exchange: Exchange, catalog: Catalog, settings: SimulatorSettings) -> None:
        self.exchange, self._catalog = exchange, catalog
        self.environment = settings.environment

    def find(self, params: Params, now: datetime) -> StockAccount:
        """Return the account of a call; raise OrderRefused when there is none."""
        self.exchange.advance(now)
        account = self.exchange.accounts.get(account_of(params))
        if account is None:
            raise OrderRefused("account")
        return account

    def value(self, account: StockAccount, params: Params, now: datetime) -> AccountValue:
        """Value an account at the prices that a call asks for."""
        closes = params.get("AFHR_FLPR_YN", "N") == "N"

        def mark(symbol: str) -> MarkPrice:
            market = self.exchange.market(symbol, now)
            price = (market.close if closes else 0) or market.last
            return MarkPrice(market.listing.name, price, market.listing.base)

        sold_out = params.get("PRCS_DVSN") == "00"
        return value(account, mark, self.exchange.timing, now.date(), sold_out=sold_out)

    def row(self, api: str, block: str, values: Mapping[str, object]) -> Row:
        """Return a row with every field that the catalog names, blank where we know nothing."""
        row = blank(self._catalog.apis.get(f"domestic_stock/{api}"), block)
        return row | {name: str(value) for name, value in values.items()}

    def page(
        self,
        block: str,
        rows: Sequence[Row],
        params: Params,
        cont: str,
        key: Sequence[str],
        sizes: tuple[int, int] = (50, 20),
        others: Mapping[str, object] | None = None,
    ) -> Answer:
        """Cut a page; ``sizes`` are the rows that a page has, real and paper."""
        size = sizes[0] if self.environment == "real" else sizes[1]
        return page(
            *(self.environment, block, rows, params, cont), key=key, size=size, others=others
        )


def days_of(params: Params) -> tuple[str, str]:
    """Return the first and the last day that a list is about, ``YYYYMMDD``."""
    return text_of(params, "INQR_STRT_DT"), text_of(params, "INQR_END_DT")


def within(day: date, days: tuple[str, str]) -> bool:
    return days[0] <= f"{day:%Y%m%d}" <= days[1]
