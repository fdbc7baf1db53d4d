"""What the screen shows, as text of a given width (pure)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from bridge.cli.screen.picture import BookLevel, OrderRow, Picture, WatchedSymbol
from bridge.runtime.clock import seoul_moment

__all__ = ["COLUMNS", "ListColumn", "book", "cells", "event", "headline", "orders", "plain"]


class ListColumn(NamedTuple):
    """A column of the watch list; ``width`` in cells, of which a Korean letter takes two."""

    title: str
    width: int
    right: bool = True


COLUMNS = (
    ListColumn("symbol", 9, right=False),
    ListColumn("name", 11, right=False),
    ListColumn("price", 10),
    ListColumn("change", 8),
    ListColumn("%", 7),
    ListColumn("volume", 11),
    ListColumn("quality", 8, right=False),
    ListColumn("age", 4),
)
"""68 cells, one beside each, and two for a scroll bar: a terminal of 80 has room for all."""

_UP, _DOWN = "red", "blue"
"""As in Korea."""
_QUALITIES = {
    "live": "green",
    "rotating": "cyan",
    "backup": "cyan",
    "stale": "bold yellow",
    "closed": "dim",
    "refused": "bold red",
}
_STATES = {
    "partially_filled": "partial",
    "submitting": "sending",
    "not_placed": "not placed",
}
_ENDED = {"filled": "green", "rejected": "red", "unknown": "bold yellow"}
_LATEST = 1 << 52
"""µs since the epoch that a calendar still has."""
_BEST = 5
"""Prices of each side that the book has room for."""


def plain(text: str) -> str:
    """Return text that is no order to the terminal, and no direction to read in."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def cells(quote: WatchedSymbol) -> list[Text]:
    """Return a row of the watch list, each cell as wide as its column."""
    colour = _colour(quote.change)
    shown = (
        (quote.place.symbol, ""),
        (quote.name or quote.place.venue, "" if quote.name else "dim"),
        (_number(quote.price), colour),
        (_number(quote.change, signed=True), colour),
        (_number(quote.rate, signed=True), colour),
        (_number(quote.volume), ""),
        (quote.quality or "-", _QUALITIES.get(quote.quality, "")),
        (_age(quote.age_s), "dim"),
    )
    return [
        _cell(text, column, style) for (text, style), column in zip(shown, COLUMNS, strict=True)
    ]


def book(quote: WatchedSymbol | None) -> Table:
    """Return the best prices of both sides, the dearest first."""
    table = Table.grid(padding=(0, 1))
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    if quote is None or not (quote.asks or quote.bids):
        table.add_row(Text("no order book", "dim"))
        return table
    asks, bids = quote.asks[:_BEST], quote.bids[:_BEST]
    most = max((level.quantity or Decimal(0) for level in (*asks, *bids)), default=Decimal(0))
    for level in reversed(asks):
        table.add_row(_bar(level, most, _DOWN), _price(level, quote), _number(level.quantity))
    for level in bids:
        table.add_row(_bar(level, most, _UP), _price(level, quote), _number(level.quantity))
    return table


def orders(picture: Picture, rows: int, width: int) -> Table:
    """Return the orders that changed last; what there is no room for is said."""
    table = Table.grid(padding=(0, 1))
    wide = width >= 74
    titles = [
        "time",
        *(["client", "order"] if wide else []),
        "symbol",
        "side",
        "filled",
        "at",
        "state",
    ]
    for title in titles:
        table.add_column(justify="right" if title in ("filled", "at") else "left", no_wrap=True)
    every = list(picture.orders())
    if not every:
        table.add_row(Text("no orders", "dim"))
        return table
    table.add_row(*(Text(title, "dim") for title in titles))
    room = rows - 1 if len(every) <= rows - 1 else rows - 2
    for order in every[: max(room, 0)]:
        table.add_row(*_order(order, wide=wide))
    if len(every) > room:
        table.add_row(Text(f"… {len(every) - room} more", "dim"))
    return table


def event(picture: Picture) -> Text:
    """Return what the bridge has told last, in one line."""
    for kind, content in picture.events():
        told = [
            f"{name} {value}"
            for name, value in content.items()
            if name not in ("at", "event") and isinstance(value, str | int | Decimal)
        ]
        at = content.get("at")
        when = seoul_moment(at)[11:19] if isinstance(at, int) and 0 < at < _LATEST else ""
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{when} {plain(kind)[:24]} ", "bold yellow")
        return line.append(plain("  ".join(told))[:400])
    return Text("nothing has happened", "dim")


def headline(picture: Picture, width: int) -> Text:
    """Return what one has to know of the bridge before everything else, in one line."""
    state, info, health = (picture.bridge(what) for what in ("state", "info", "health"))
    environment = str(info.get("environment") or health.get("environment") or "")
    line = Text(no_wrap=True)
    if environment:
        real = environment == "real"
        line.append(
            f" {plain(environment.upper())[:12]} ", "bold white on red" if real else "reverse"
        )
        line.append(" ")
    told = plain(str(state.get("state") or "waiting …"))[:12]
    line.append(told, "green" if told == "online" else "bold yellow")
    if health.get("halted") is True:
        line.append(" ")
        line.append(" ORDERS HALTED ", "bold white on red")
    for text, style in _facts(health):
        if line.cell_len + cell_len(text) + 2 <= width:
            line.append(f"  {text}", style)
    return line


def _facts(health: dict[str, Any]) -> list[tuple[str, str]]:
    sessions = health.get("sessions")
    facts = []
    if isinstance(sessions, dict):
        for alias, one in list(sessions.items())[:20]:
            if isinstance(one, dict):
                well = one.get("state") == "connected"
                slots = f"{_whole(one.get('slots_used'))}/{_whole(one.get('slots_limit'))}"
                facts.append((f"{plain(alias)[:12]} {slots}", "" if well else "bold yellow"))
    lag, publish = health.get("lag_us"), health.get("publish")
    if isinstance(publish, dict):
        lost = sum(
            value
            for name in ("dropped", "possibly_lost", "too_large")
            if isinstance(value := publish.get(name), int)
        )
        facts.append((f"lost {lost}", "bold yellow" if lost else ""))
    if (
        isinstance(lag, dict)
        and isinstance(lag.get("p50"), int)
        and isinstance(lag.get("p99"), int)
    ):
        facts.append((f"lag {lag['p50'] / 1000:.1f}/{lag['p99'] / 1000:.1f} ms", ""))
    return facts


def _order(order: OrderRow, *, wide: bool) -> list[Text]:
    price = order.average or order.price
    ended = _ENDED.get(order.state, "")
    row = [Text(seoul_moment(order.at)[11:19] if 0 < order.at < _LATEST else "")]
    if wide:
        row += [Text(_fit(plain(order.client), 10)), Text(_fit(plain(order.name), 14))]
    return [
        *row,
        Text(_fit(plain(order.symbol), 7)),
        Text(plain(order.side)[:4], _UP if order.side == "buy" else _DOWN),
        Text(f"{_number(order.filled) or '0'}/{_number(order.quantity)}"),
        Text(_number(price) or plain(order.kind)[:9]),
        Text(_STATES.get(order.state, plain(order.state)[:10]), ended),
    ]


def _price(level: BookLevel, quote: WatchedSymbol) -> Text:
    base = None if quote.price is None or quote.change is None else quote.price - quote.change
    colour = "" if base is None or level.price is None else _colour(level.price - base)
    last = level.price is not None and level.price == quote.price
    return Text(_number(level.price), f"{colour} {'reverse' if last else ''}".strip())


def _bar(level: BookLevel, most: Decimal, colour: str) -> Text:
    """Return a bar as long as the quantity is large, of eight cells at most."""
    eighths = int(64 * (level.quantity or 0) / most) if most > 0 else 0
    whole, rest = divmod(max(eighths, 0), 8)
    return Text("█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else ""), f"dim {colour}")


def _colour(change: Decimal | None) -> str:
    return "" if not change else _UP if change > 0 else _DOWN


def _cell(text: str, column: ListColumn, style: str) -> Text:
    text = plain(text)
    room = column.width
    short = _fit(text, room)
    blanks = " " * (room - cell_len(short))
    return Text(f"{blanks}{short}" if column.right else f"{short}{blanks}", style)


def _fit(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _number(value: Decimal | None, *, signed: bool = False) -> str:
    if value is None:
        return ""
    # Without the f, zero with eight decimals is 0E-8.
    return f"{value:+,f}" if signed and value else f"{value:,f}"


def _whole(value: object) -> str:
    return str(value) if isinstance(value, int) else "?"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for limit, unit, one in ((100, "s", 1), (6_000, "m", 60), (360_000, "h", 3_600)):
        if seconds < limit:
            return f"{int(seconds / one)}{unit}"
    return "days"
