"""The calls of the sheet ``snapshots`` that nothing else here answers: prices as their types allow.

Pure, seeded.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial

from bridge.catalog.model import Api, Catalog, Layout, Output
from bridge.simulator.history.instruments import INDICES
from bridge.simulator.rest.answers import Answer, Row, blank, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import Params
from bridge.simulator.stream.feed import KEY
from bridge.simulator.stream.price_walks import Tape, Typed

__all__ = ["PriceHandlers"]

_SHARED = ("overseas_stock", "domestic_futureoption")
_MOST = 1_000
"""Symbols that are remembered."""


class _Looked:
    """A tape that asking for a price does not move."""

    def __init__(self, tape: Tape) -> None:
        self.price = tape.price

    def move(self, symbol: str, price: Decimal, now: datetime) -> None:
        """Leave it where it is."""


class PriceHandlers:
    """Answers these calls; ``tape`` has the prices of derivatives and overseas stocks."""

    def __init__(self, catalog: Catalog, seed: int, tape: Tape) -> None:
        self._catalog, self._seed, self._tape = catalog, seed, _Looked(tape)
        self._drawn: dict[tuple[str, str, str], Typed] = {}

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each call, by its workbook name."""
        return {row.api: partial(self._price, row.api) for row in self._catalog.snapshots}

    def _price(
        self, name: str, variant: str, params: Params, tr_cont: str, now: datetime
    ) -> Answer:
        api = self._catalog.apis[name]
        asked = next(param.name for param in api.params if param.path == "symbol")
        symbol = params.get(asked.upper(), "")
        outputs: Row = {}
        for output in api.outputs:
            row = blank(api, output.name)
            if KEY.fullmatch(symbol):
                drawn = self._values(api, output, symbol).values(now, "")
                row |= {name: str(value) for name, value in drawn.items() if name}
                if api.category in _SHARED:
                    prices = [field.name for field in output.fields if field.path == "price"]
                    row |= dict.fromkeys(prices, f"{self._tape.price(symbol):.2f}")
            outputs[output.name] = [row] if output.array else row
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs)

    def _values(self, api: Api, output: Output, symbol: str) -> Typed:
        place = (api.name, output.name, symbol)
        drawn = self._drawn.get(place)
        if drawn is None:
            if len(self._drawn) >= _MOST:
                self._drawn.clear()
            layout = Layout(f"{api.name} {output.name}", len(output.fields), output.fields)
            tape = self._tape if api.category in _SHARED else None
            drawn = Typed(
                layout, symbol, self._seed, self._catalog.codes, tape, INDICES.get(symbol)
            )
            self._drawn[place] = drawn
        return drawn
