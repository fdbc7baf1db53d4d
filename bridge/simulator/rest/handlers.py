"""The REST calls themselves: parameters in, KIS's answer out (pure)."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.runtime.clock import SEOUL
from bridge.simulator.board.past import HistoryDays
from bridge.simulator.board.quotes import Quotes
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.history.charts import Charts
from bridge.simulator.history.history import History
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer, completed, refusal
from bridge.simulator.rest.board.handlers import BoardHandlers
from bridge.simulator.rest.bonds.orders import BondOrderHandlers
from bridge.simulator.rest.bonds.reports import BondReportHandlers
from bridge.simulator.rest.bonds.terms import BondTermHandlers
from bridge.simulator.rest.calls import Family, Handler, HandlerCall, calls
from bridge.simulator.rest.charts.derivative_charts import BondCharts, DerivativeCharts
from bridge.simulator.rest.charts.future_charts import FutureCharts
from bridge.simulator.rest.charts.index_charts import IndexCharts
from bridge.simulator.rest.charts.overseas_charts import OverseasCharts
from bridge.simulator.rest.charts.stock_charts import StockCharts
from bridge.simulator.rest.checks import check_codes, check_names
from bridge.simulator.rest.derivatives.balances import DerivativeBalanceHandlers
from bridge.simulator.rest.derivatives.boards import DerivativeBoardHandlers
from bridge.simulator.rest.derivatives.lists import DerivativeListHandlers
from bridge.simulator.rest.derivatives.orders import DerivativeOrderHandlers
from bridge.simulator.rest.domestic_accounts import DomesticAccounts
from bridge.simulator.rest.domestic_handlers import DomesticHandlers
from bridge.simulator.rest.domestic_lists import DomesticLists
from bridge.simulator.rest.domestic_orders import DomesticOrders
from bridge.simulator.rest.facts import DomesticFacts, OffBookFacts
from bridge.simulator.rest.generic.handlers import GenericHandlers
from bridge.simulator.rest.overseas.future_accounts import OverseasFutureAccounts
from bridge.simulator.rest.overseas.future_lists import OverseasFutureLists
from bridge.simulator.rest.overseas.future_orders import OverseasFutureOrders
from bridge.simulator.rest.overseas.future_quotes import OverseasFutureQuotes
from bridge.simulator.rest.overseas.stock_accounts import OverseasStockAccounts
from bridge.simulator.rest.overseas.stock_history import OverseasStockHistory
from bridge.simulator.rest.overseas.stock_lists import OverseasStockLists
from bridge.simulator.rest.overseas.stock_orders import OverseasStockOrders
from bridge.simulator.rest.overseas.stock_quotes import OverseasStockQuotes
from bridge.simulator.rest.overseas.stock_reservations import OverseasReservations
from bridge.simulator.rest.params import InputError, Params
from bridge.simulator.rest.pensions import Pensions
from bridge.simulator.rest.price_handlers import PriceHandlers
from bridge.simulator.rest.product_info import ProductHandlers
from bridge.simulator.rest.quotations import Quotations
from bridge.simulator.settings import SimulatorSettings

__all__ = ["Handlers"]

_NO_DAY_YET = datetime(2026, 1, 2, tzinfo=SEOUL)
"""Where a history ends that nobody has given an end."""


class Handlers:
    """Answers calls that have passed the gateway."""

    def __init__(
        self,
        exchange: Exchange,
        catalog: Catalog,
        settings: SimulatorSettings,
        off_book: OffBook | None = None,
        history: History | None = None,
    ) -> None:
        self._catalog, self._settings = catalog, settings
        if off_book is None:
            off_book = OffBook(settings.seed, settings.accounts)
        if history is None:
            history = History(Calendar(catalog.hours), seed=settings.seed, began=_NO_DAY_YET)
        quotations = Quotations(exchange, off_book, manual=settings.manual)
        charts = Charts(history, exchange, off_book.tapes)
        board = BoardHandlers(exchange, catalog, settings, history, off_book.tapes)
        self.families: tuple[Family, ...] = (
            DerivativeBoardHandlers(off_book, catalog, settings),
            BondReportHandlers(off_book, catalog, settings),
            *(
                charted(catalog, charts, quotations)
                for charted in (
                    *(StockCharts, IndexCharts, DerivativeCharts, BondCharts),
                    *(OverseasCharts, FutureCharts),
                )
            ),
            DomesticOrders(exchange, catalog, settings),
            ProductHandlers(catalog, settings.seed),
            DomesticAccounts(exchange, catalog, settings),
            DomesticLists(exchange, catalog, settings),
            Pensions(exchange, catalog, settings),
            DomesticHandlers(exchange, catalog, settings),
            BondOrderHandlers(off_book, catalog, settings),
            BondTermHandlers(catalog, settings),
            DerivativeOrderHandlers(off_book, catalog, settings),
            DerivativeBalanceHandlers(off_book, catalog, settings),
            DerivativeListHandlers(off_book, catalog, settings),
            OverseasStockOrders(off_book, catalog, settings),
            OverseasStockLists(off_book, catalog, settings),
            OverseasReservations(off_book, catalog, settings),
            OverseasStockAccounts(off_book, catalog, settings),
            OverseasStockHistory(off_book, catalog, settings),
            OverseasStockQuotes(off_book, catalog, settings),
            OverseasFutureOrders(off_book, catalog, settings),
            OverseasFutureLists(off_book, catalog, settings),
            OverseasFutureAccounts(off_book, catalog, settings),
            OverseasFutureQuotes(off_book, catalog, settings),
            board,
            PriceHandlers(catalog, quotations),
        )
        """Of two that answer the same call the first one does."""
        self.written: dict[str, Handler] = {}
        """Calls with an answer of their own, by their workbook name; all others get one made of
        the workbook's outputs."""
        for family in self.families:
            self.written = family.handlers() | self.written
        self.written |= board.complete(self.written)
        quotes = Quotes(exchange, HistoryDays(history))
        facts = (DomesticFacts(exchange, quotes), OffBookFacts(off_book))
        self._generic = GenericHandlers(exchange, catalog, settings, facts, history)

    @cached_property
    def calls(self) -> dict[str, HandlerCall]:
        """Every call of the workbook, by its path; read when the first one comes."""
        return calls(self._catalog)

    def refused(self, call: HandlerCall, params: Params) -> Answer | None:
        """Return what KIS says to parameters that it does not pass on; None when they are sound."""
        written = call.api.name in self.written
        try:
            check_names(call.api, params, lenient=written)
            check_codes(call.api, self._catalog, params, lenient=written)
        except InputError as error:
            return Answer("2", error.code, error.text)
        return None

    def answer(
        self, call: HandlerCall, variant: str, params: Params, tr_cont: str, now: datetime
    ) -> Answer:
        """Carry out a call."""
        api = call.api
        handler = self.written.get(api.name) or self._generic.handler(api)
        try:
            return completed(api, handler(variant, params, tr_cont, now))
        except OrderRefused as refused:
            return refusal(self._settings.environment, refused)
        except InputError as error:
            return Answer("2", error.code, error.text)
