"""The calls of the sheet ``snapshots`` that nothing else here answers (pure).

Their prices are those of the records and of the charts.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from bridge.catalog.model import Catalog
from bridge.simulator.history.figures import Figure
from bridge.simulator.rest.answers import Answer, Row, blank, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.params import Params
from bridge.simulator.rest.quotations import Quotations, family_of_call, told
from bridge.simulator.stream.feed import KEY

__all__ = ["PriceHandlers"]

_CURRENCIES = {
    "HKS": "HKD",
    "TSE": "JPY",
    **dict.fromkeys(("SHS", "SZS", "SHI", "SZI"), "CNY"),
    **dict.fromkeys(("HSX", "HNX"), "VND"),
}
"""By exchange; dollars of all others."""


class PriceHandlers:
    """Answers these calls."""

    def __init__(self, catalog: Catalog, quotes: Quotations) -> None:
        self._catalog, self._quotes = catalog, quotes

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
                family, venue = family_of_call(api, symbol), params.get("EXCD", "")
                figures = dict(self._quotes.ladder(family, symbol, now, venue))
                figures |= {"date": f"{now:%Y%m%d}", "time": f"{now:%H%M%S}"}
                if family == "overseas_stock":
                    figures |= _abroad(venue, symbol, now)
                row = told(output.fields, figures, 4 if family == "overseas_stock" else None)
            outputs[output.name] = [row] if output.array else row
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs)


def _abroad(venue: str, symbol: str, now: datetime) -> dict[str, Figure]:
    """Return what a quotation of a stock abroad says besides: clients know it by its key."""
    return {
        "key": f"D{venue}{symbol}",
        "decimals": 4,
        "currency": _CURRENCIES.get(venue, "USD"),
        "quote_date": f"{now:%Y%m%d}",
        "quote_time": f"{now:%H%M%S}",
    }
