"""A simulator's calls without servers, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.runtime.clock import SEOUL
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.history.history import History
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings

NOW = datetime(2026, 11, 27, 10, tzinfo=SEOUL)
CATALOG = load()
Rows = list[dict[str, str]]


class Desktop:
    """Asks calls by their workbook names, with what the workbook says where a test says nothing."""

    def __init__(self, seed: int = 7) -> None:
        settings = SimulatorSettings(seed=seed, environment="real", manual=True)
        self.exchange = Exchange(seed=seed)
        history = History(Calendar(CATALOG.hours), seed=seed, began=NOW)
        off_book = OffBook(seed, settings.accounts)
        self.handlers = Handlers(self.exchange, CATALOG, settings, off_book, history)

    def ask(self, name: str, **params: object) -> Answer:
        call = self.handlers.calls[CATALOG.apis[name].path]
        asked: dict[str, str] = {}
        for param in CATALOG.apis[name].params:
            codes = CATALOG.codes.get(param.codes, ())
            asked[param.name.upper()] = param.default or (codes[0].code if codes else "")
        tr_cont = str(params.pop("tr_cont", ""))
        asked |= {name.upper(): str(value) for name, value in params.items()}
        return self.handlers.answer(call, call.api.tr_ids[0].variant, asked, tr_cont, NOW)

    def outputs(self, name: str, **params: object) -> Mapping[str, Any]:
        answer = self.ask(name, **params)
        assert answer.rt_cd == "0", (name, answer.msg1)
        return answer.outputs

    def rows(self, name: str, block: str = "output", **params: object) -> Rows:
        rows: Rows = self.outputs(name, **params)[block]
        return rows

    def row(self, name: str, block: str = "output", **params: object) -> dict[str, str]:
        row: dict[str, str] = self.outputs(name, **params)[block]
        return row

    def price(self, symbol: str) -> dict[str, str]:
        return self.row("domestic_stock/inquire_price", FID_INPUT_ISCD=symbol)


@pytest.fixture(scope="session")
def desktop() -> Desktop:
    """One that nobody trades on, so that all tests may share it."""
    return Desktop()
