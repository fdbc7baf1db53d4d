"""What a quotation tells: figures of a symbol now, by the English paths of the workbook (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from random import Random

from bridge.catalog.model import Api, Field
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.market import Market
from bridge.simulator.exchange.order_book import Side
from bridge.simulator.history.charts import market_of
from bridge.simulator.history.figures import Figure, of_market, of_tape
from bridge.simulator.history.instruments import Family
from bridge.simulator.history.tapes import Tape
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Row

__all__ = ["Quotations", "family_of_call", "told"]

_LEVELS = 10
_CATCH_UP = 20
"""Turns at most when somebody asks for a symbol that has stood still."""
_TURNS_PER_S = 4


def family_of_call(api: Api, symbol: str) -> Family:
    """Return the market that a quotation is about."""
    match api.category:
        case "domestic_bond":
            return "domestic_bond"
        case "domestic_futureoption":
            return "domestic_derivative"
        case "overseas_futureoption":
            return "overseas_derivative"
        case "overseas_stock":
            return "overseas_stock"
        case _:
            known = listings.plausible(symbol)
            return "domestic_stock" if known else "domestic_index"


def told(
    fields: Iterable[Field], figures: Mapping[str, Figure], decimals: int | None = None
) -> Row:
    """Return a row of what is known, blank where nothing is; ``decimals`` of prices, where KIS
    writes more or fewer than two."""
    return {field.name: _text(field, figures.get(field.path), decimals) for field in fields}


def _text(field: Field, figure: Figure | None, decimals: int | None) -> str:
    match field.type:
        case "int":
            return str(int(figure or 0))
        case "decimal":
            number = Decimal(figure or 0)
            priced = decimals is not None and not field.path.endswith(("rate", "strength"))
            return f"{number:.{decimals}f}" if priced else f"{number:.2f}"
        case "sign":
            return str(figure or "3")
        case _:
            return "" if figure is None else str(figure)


def _turns(latest: datetime, now: datetime) -> int:
    """Return how many turns a symbol has missed since its latest trade."""
    return min(_CATCH_UP, int((now - latest).total_seconds() * _TURNS_PER_S))


class Quotations:
    """Figures of every symbol; asking lets one that nobody watches live on a little."""

    def __init__(self, exchange: Exchange, off_book: OffBook, *, manual: bool) -> None:
        self._exchange, self._off_book, self._manual = exchange, off_book, manual

    def figures(
        self, family: Family, symbol: str, now: datetime, venue: str = ""
    ) -> Mapping[str, Figure]:
        """Return what is known of a symbol now."""
        if family == "domestic_stock":
            return of_market(self.market(symbol, now))
        return of_tape(self.tape(family, symbol, now, venue))

    def market(self, symbol: str, now: datetime) -> Market:
        """Return the market of a symbol that has an order book, as it is now."""
        market = market_of(self._exchange, symbol, now)
        latest = market.latest
        kept = symbol in self._exchange.markets
        if kept and not self._manual and latest is not None:
            for _ in range(_turns(latest.at, now)):
                self._exchange.act(symbol, now)
        return market

    def tape(self, family: Family, symbol: str, now: datetime, venue: str = "") -> Tape:
        """Return the tape of a symbol that has no order book, as it is now."""
        tape = self._off_book.tapes.tape(family, symbol, venue)
        latest = tape.latest
        tape.read(now)
        if self._manual or latest is None:
            return tape
        for _ in range(_turns(latest, now)):
            if family in ("domestic_index", "overseas_index"):
                tape.turn(now)
            else:
                self._off_book.turn(symbol, now)
        return tape

    def ladder(
        self, family: Family, symbol: str, now: datetime, venue: str = ""
    ) -> Mapping[str, Figure]:
        """Return the figures of a symbol and its order book."""
        figures = dict(self.figures(family, symbol, now, venue))
        for name, levels in self._depth(family, symbol, now, figures).items():
            total = 0
            for place, (price, size) in enumerate(levels):
                figures[f"{name}[{place}].price"] = price
                figures[f"{name}[{place}].quantity"] = size
                figures[f"{name}[{place}].count"] = 1 + size // 50
                total += size
            figures[f"total_{name[:-1]}_quantity"] = total
        return figures

    def _depth(
        self, family: Family, symbol: str, now: datetime, figures: Mapping[str, Figure]
    ) -> dict[str, list[tuple[Decimal | int, int]]]:
        if family == "domestic_stock":
            book = market_of(self._exchange, symbol, now).book
            return {
                "asks": list(book.depth(Side.SELL, _LEVELS)),
                "bids": list(book.depth(Side.BUY, _LEVELS)),
            }
        price, step = Decimal(figures["price"]), Decimal(figures["tick"])
        draw = Random(f"ladder {symbol} {price}")  # noqa: S311 - a market, not a secret
        return {
            name: [
                (max(step, price + side * step * level), draw.randrange(1, 900))
                for level in range(1, _LEVELS + 1)
            ]
            for name, side in (("asks", 1), ("bids", -1))
        }
