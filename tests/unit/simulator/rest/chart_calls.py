"""A simulator's calls without its servers, at a time that the test says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.history.history import History
from bridge.simulator.history.tapes import Tapes
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings

CATALOG = load()
CALENDAR = Calendar(CATALOG.hours)
NOW = datetime(2026, 11, 30, 13, 5, 7, tzinfo=ZoneInfo("Asia/Seoul"))
"""A Monday."""


class ChartCalls:
    def __init__(self, *, seed: int = 1, began: datetime = NOW) -> None:
        settings = SimulatorSettings(environment="real", manual=True, seed=seed)
        self.now = began
        self.exchange = Exchange(seed=seed)
        self.tapes = Tapes(seed, began.date())
        self.off_book = OffBook(seed, settings.accounts, tapes=self.tapes)
        self.history = History(CALENDAR, seed=seed, began=began)
        self._handlers = Handlers(self.exchange, CATALOG, settings, self.off_book, self.history)

    def __call__(self, name: str, **params: str) -> Answer:
        api = CATALOG.apis[name]
        given = {param.name.upper(): param.default for param in api.params} | params
        call = self._handlers.calls[api.path]
        return self._handlers.answer(call, "", given, "", self.now)

    def rows(self, name: str, block: str, **params: str) -> list[dict[str, str]]:
        answer = self(name, **params)
        assert answer.rt_cd == "0", answer
        rows: list[dict[str, str]] = answer.outputs[block]
        return rows

    def row(self, name: str, block: str, **params: str) -> dict[str, Any]:
        row: dict[str, Any] = self(name, **params).outputs[block]
        return row

    def trade(self, symbol: str, seconds: int = 150) -> None:
        """Let a stock trade once a second."""
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            self.exchange.act(symbol, self.now)


def column(rows: Sequence[dict[str, str]], name: str) -> list[str]:
    return [row[name] for row in rows]
