"""The calls of accounts overseas, asked at a time that a test says."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.kis.decode import notice_values
from bridge.simulator.exchange.exchange import Exchange, with_holdings
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.off_book.overseas_hours import OffBookHours
from bridge.simulator.off_book.turns import take_turn
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.calls import HandlerCall
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream.notices import off_book_notice

__all__ = ["CATALOG", "Desk", "korea"]

CATALOG = load()


def korea(text: str) -> datetime:
    """Return a moment of the week of 2026-11-23, a Monday: ``24 22:30``."""
    day, clock = text.split()
    hour, minute = clock.split(":")
    return datetime(2026, 11, int(day), int(hour), int(minute), tzinfo=ZoneInfo("Asia/Seoul"))


class Desk:
    """A simulator's calls without its servers."""

    def __init__(self, *, environment: str = "real", always: bool = True, at: str = "23 10:00"):
        settings = SimulatorSettings(environment=environment)  # type: ignore[arg-type]
        domestic = with_holdings(settings.accounts[0], settings.cash, [])
        self.exchange = Exchange(seed=1, accounts=[domestic])
        self.off_book = OffBook(
            *(1, settings.accounts, self.exchange.accounts, settings.cash),
            OffBookHours(Calendar(CATALOG.hours), always=always),
        )
        self._handlers = Handlers(self.exchange, CATALOG, settings, self.off_book)
        self.now = korea(at)

    def ask(self, name: str, variant: str = "", cont: str = "", **params: str) -> Answer:
        """Make a call; a missing account is the one of its market."""
        product = "08" if name.startswith("overseas_futureoption/") else "01"
        account = {"CANO": "12345678", "ACNT_PRDT_CD": product}
        call = HandlerCall(CATALOG.apis[name], {}, {})
        return self._handlers.answer(call, variant, account | params, cont, self.now)

    def stock(self, variant: str = "us_buy", **params: str) -> Answer:
        """Place an order for a stock."""
        order = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL", "ORD_QTY": "10", "OVRS_ORD_UNPR": "1.00"}
        return self.ask("overseas_stock/order", variant, **(order | params))

    def future(self, **params: str) -> Answer:
        """Place an order for a future."""
        order = {"OVRS_FUTR_FX_PDNO": "ESZ26", "SLL_BUY_DVSN_CD": "02", "PRIC_DVSN_CD": "1"}
        order |= {"FM_LIMIT_ORD_PRIC": "6000", "FM_STOP_ORD_PRIC": "0", "FM_ORD_QTY": "2"}
        order |= {"CCLD_CNDT_CD": "6"}
        return self.ask("overseas_futureoption/order", **(order | params))

    def live(self, at: str) -> None:
        """Let the market come to a moment."""
        self.now = korea(at)
        self.off_book.live(self.now)
        take_turn(self.off_book, self.now)

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what customers were told since the last call: channel and values, decoded."""
        events, self.off_book.events = self.off_book.events, []
        found = []
        for event in events:
            tr_id, values = off_book_notice(event, hts_id="x")
            channel = CATALOG.channels[tr_id]
            body = "^".join(str(values.get(field.name, "")) for field in channel.layouts[0].fields)
            found += [(tr_id, dict(read)) for read in notice_values(channel, 1, body)]
        return found


def number(answer: Answer) -> str:
    """Return the order number of an answer that took it."""
    assert answer.rt_cd == "0", answer
    return str(answer.outputs["output"]["ODNO"])
