"""KIS's minute charts: how each market is asked, and what its rows say. Pure.

KIS is believed to label a minute by its beginning. Nobody has to rely on that: a chart is taken
only when it has exactly what the bridge itself saw of a complete minute (:meth:`Series.mend`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from bridge.catalog.model import Catalog, Channel
from bridge.extensions.candles.tally import EXACT, Tally
from bridge.kis.params import wire
from bridge.kis.query import shape

__all__ = ["Chart", "chart_of"]

_MINUTE_S = 60
_MOST_ROWS = 1_000
"""Of a page; KIS has 30 to 120 in one."""
_DERIVATIVES = {
    "H0IFCNT0": "index_future",
    "H0IOCNT0": "index_option",
    "H0ZFCNT0": "stock_future",
    "H0ZOCNT0": "stock_option",
    "H0CFCNT0": "commodity_future",
    "H0MFCNT0": "night_future",
    "H0EUCNT0": "night_option",
}
"""What the chart calls the market of a channel."""
_STOCK = "domestic_stock/inquire_time_itemchartprice"
_DERIVATIVE = "domestic_futureoption/inquire_time_fuopchartprice"
_OVERSEAS = "overseas_stock/inquire_time_itemchartprice"


@dataclass(frozen=True, slots=True)
class Chart:
    """The minute chart of one symbol."""

    catalog: Catalog
    api: str
    values: Mapping[str, str]
    """Parameters by English path, codes by their names."""
    raw: Mapping[str, str]
    """Parameters as they are."""
    zone: tzinfo
    date: str
    """Path of the date in a row."""
    cumulative: bool
    """A row has the value of its day so far, in the currency of the price: two tell a minute's."""
    pages: bool
    """An earlier page is had by an earlier time."""

    def params(self, until: int) -> dict[str, str]:
        """Return the parameters of the page whose last minute is that of ``until`` (seconds)."""
        local = datetime.fromtimestamp(until, self.zone)
        paths = {param.path for param in self.catalog.apis[self.api].params}
        times = {"date": f"{local:%Y%m%d}", "time": f"{local:%H%M%S}"}
        values = {path: text for path, text in times.items() if path in paths}
        return wire(self.catalog, self.api, {**self.values, **values}, self.raw)

    def rows(self, body: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
        """Return the rows of a page by the start of their minute, also those without trades."""
        rows = shape(self.catalog.apis[self.api], body, SecretStr("")).get("output2", ())
        found: dict[int, dict[str, Any]] = {}
        for row in rows[:_MOST_ROWS]:
            try:
                text = f"{row[self.date]}{row['time']}"
                start = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=self.zone)
            except (KeyError, ValueError):
                continue  # an empty row, or a night's hour beyond 24
            second = int(start.timestamp())
            found[second - second % _MINUTE_S] = row
        return found

    def tallies(self, rows: Mapping[int, Mapping[str, Any]]) -> dict[int, Tally]:
        """Return what was traded in each minute in which something was."""
        found: dict[int, Tally] = {}
        before: Mapping[str, Any] | None = None
        for start, row in sorted(rows.items()):
            figures = [row.get(path) for path in ("open", "high", "low", "price", "quantity")]
            if all(isinstance(figure, Decimal) for figure in figures) and figures[-1]:
                opened, high, low, close, volume = (Decimal(figure or 0) for figure in figures)
                value = self._value(row, before)
                found[start] = Tally(
                    *(opened, high, low, close, volume, value, None),
                    *(start, start + _MINUTE_S - 1),
                )
            before = row
        return found

    def _value(self, row: Mapping[str, Any], before: Mapping[str, Any] | None) -> Decimal | None:
        if not self.cumulative or before is None or before.get(self.date) != row.get(self.date):
            return None
        now, then = row.get("cumulative_value"), before.get("cumulative_value")
        if not isinstance(now, Decimal) or not isinstance(then, Decimal) or now <= then:
            return None
        return EXACT.subtract(now, then)


def chart_of(
    catalog: Catalog, channel: Channel, venue: str, symbol: str, *, paper: bool
) -> Chart | None:
    """Return the minute chart of a symbol; None: KIS has none here, or none that is used."""
    zones = {one.venue: one.timezone for one in channel.venues}
    zone = ZoneInfo(zones.get(venue, channel.timezone))
    found: Chart | None = None
    if channel.market == "domestic_stock":
        values = {"market": venue, "symbol": symbol}
        raw = {"include_past": "N", "other_class": ""}
        found = Chart(catalog, _STOCK, values, raw, zone, "date", cumulative=True, pages=True)
    elif channel.tr_id in _DERIVATIVES:
        values = {"market": _DERIVATIVES[channel.tr_id], "symbol": symbol}
        values |= {"include_past": "today"}
        raw = {"time_class": "60", "include_fake_tick": "N"}
        found = Chart(catalog, _DERIVATIVE, values, raw, zone, "date", cumulative=False, pages=True)
    elif channel.market == "overseas_stock":
        values = {"symbol": symbol, "minutes": "1", "record_count": "120"}
        values |= {"include_previous_day": "today"}
        raw = {"exchange": venue.upper(), "fill_gaps": ""}
        found = Chart(
            catalog, _OVERSEAS, values, raw, zone, "local_date", cumulative=False, pages=False
        )
    api = None if found is None else catalog.apis.get(found.api)
    offered = api is not None and any(ids.paper if paper else ids.real for ids in api.tr_ids)
    return found if offered else None
