"""The REST calls of a simulated account, asked for by their workbook names."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from bridge.catalog.compile import load
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.exchange.sessions import Hours
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings

__all__ = ["CATALOG", "NOW", "AccountCalls"]

CATALOG = load()
NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Asia/Seoul"))


class AccountCalls:
    """A simulator without its servers; ``now`` is the time of each call."""

    def __init__(
        self,
        product: str,
        environment: Literal["paper", "real"] = "real",
        hours: Hours = "always",
        now: datetime = NOW,
    ) -> None:
        settings = SimulatorSettings(environment=environment, hours=hours)
        self.now, self.account = now, f"12345678-{product}"
        exchange = Exchange(seed=1, accounts=[with_holdings("12345678-01", settings.cash, [])])
        self.off_book = OffBook(1, settings.accounts, exchange.accounts, settings.cash)
        self.off_book.tapes.first = now.date()
        self._handlers = Handlers(exchange, CATALOG, settings, self.off_book)

    def ask(self, name: str, variant: str = "", cont: str = "", **params: str) -> Answer:
        """Return KIS's answer."""
        account = {"CANO": self.account[:8], "ACNT_PRDT_CD": self.account[9:]}
        api = CATALOG.apis[name]
        call = self._handlers.calls[api.path]
        assert call.api is api
        return self._handlers.answer(call, variant, account | params, cont, self.now)
