"""The market-wide calls: which of them are answered here (pure)."""

from __future__ import annotations

from functools import partial

from bridge.catalog.model import Catalog
from bridge.simulator.board.finance import Finance
from bridge.simulator.board.flows import Flows
from bridge.simulator.board.past import HistoryDays
from bridge.simulator.board.quotes import Quotes
from bridge.simulator.board.rights import RightsCalendar
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.history.history import History
from bridge.simulator.history.tapes import Tapes
from bridge.simulator.rest.board.abroad import abroad
from bridge.simulator.rest.board.abroad_lists import lists_abroad
from bridge.simulator.rest.board.desk import BoardDesk
from bridge.simulator.rest.board.firm_rankings import firm_rankings
from bridge.simulator.rest.board.firms import firms
from bridge.simulator.rest.board.flow_rankings import flow_rankings
from bridge.simulator.rest.board.foreign_overview import overviews_abroad
from bridge.simulator.rest.board.funds import funds
from bridge.simulator.rest.board.lists import lists
from bridge.simulator.rest.board.markets import markets
from bridge.simulator.rest.board.overview import completed, stock_overview
from bridge.simulator.rest.board.rankings import rankings
from bridge.simulator.rest.board.traders import traders
from bridge.simulator.rest.board.warrant_lists import warrant_lists
from bridge.simulator.rest.board.warrants import warrants
from bridge.simulator.rest.calls import Handler
from bridge.simulator.settings import SimulatorSettings

__all__ = ["BoardHandlers"]


class BoardHandlers:
    """Answers rankings, statements, calendars and whatever else is not about one account."""

    def __init__(
        self,
        exchange: Exchange,
        catalog: Catalog,
        settings: SimulatorSettings,
        history: History,
        tapes: Tapes,
    ) -> None:
        past, finance = HistoryDays(history), Finance(settings.seed)
        self._desk = BoardDesk(
            catalog,
            settings,
            Quotes(exchange, past),
            past,
            finance,
            Flows(settings.seed),
            RightsCalendar(settings.seed, finance),
            tapes,
        )

    def complete(self, written: dict[str, Handler]) -> dict[str, Handler]:
        """Return calls of others with what is known here."""
        completions = {
            "domestic_stock/inquire_price": stock_overview,
        }
        return {
            name: completed(written[name], partial(told, self._desk))
            for name, told in completions.items()
            if name in written
        }

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        desk = self._desk
        families = (
            *(rankings, firm_rankings, flow_rankings, firms, lists, traders, markets),
            *(warrants, warrant_lists, funds, abroad, overviews_abroad, lists_abroad),
        )
        return desk.handlers({name: tell for one in families for name, tell in one(desk).items()})
