"""A channel, a REST call or the trading hours of the workbook as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from rich.table import Table

from bridge.catalog.model import Api, Channel, Field, Layout
from bridge.catalog.timetable import Timetable

__all__ = ["tables"]


def tables(found: Timetable | Channel | Api) -> Iterator[Any]:
    """Yield what rich prints: lines and tables."""
    match found:
        case Timetable():
            yield from _hours(found)
        case Channel():
            yield from _channel(found)
        case Api():
            yield from _api(found)
        case _:
            assert_never(found)


def _channel(channel: Channel) -> Iterator[Any]:
    venue = channel.venue or "{" + ",".join(venue.venue for venue in channel.venues) + "}"
    paper = f", paper {channel.tr_id_paper}" if channel.tr_id_paper else ""
    yield f"{channel.tr_id}{paper}: {channel.english} ({channel.korean})"
    if channel.encrypted:
        yield "account notice, encrypted, never published as market data"
    else:
        yield f"market/{channel.market}/{venue}/{channel.kind}/<symbol>"
    for venue_row in channel.venues:
        yield f"  {venue_row.venue}: {venue_row.prefix}<symbol>, {venue_row.timezone}"
    for i, layout in enumerate(channel.layouts):
        before = next(
            (other for other in channel.layouts[:i] if _begins(layout, other)),
            None,
        )
        if before is None:
            yield _fields(f"{layout.id}: {layout.width} values", layout.fields)
        else:
            named = f"the first {len(layout.fields)} of {before.id}"
            yield f"{layout.id}: {layout.width} values, {named}"
        if layout.width > len(layout.fields):
            yield f"  and {layout.width - len(layout.fields)} values without a name"


def _begins(layout: Layout, other: Layout) -> bool:
    return other.fields[: len(layout.fields)] == layout.fields


def _hours(hours: Timetable) -> Iterator[Any]:
    names = ["markets", "venues", "session", "hours", "zone", "holidays", "busy", "orders"]
    table = _table("sessions", names)
    for row in hours.sessions:
        era = f" since {row.since}" if row.since else ""
        era += f" until {row.until}" if row.until else ""
        busy = " ".join(row.busy) or ("-" if row.data else "no data")
        orders = (" ".join(row.order_types) or "yes") if row.orders else "-"
        cells = [" ".join(row.markets), " ".join(row.venues), row.name]
        cells += [f"{row.opens}-{row.closes}{era}", row.timezone, row.calendar]
        table.add_row(*cells, busy, orders)
    yield table
    table = _table("special days", ["calendar", "days", "what", "opens", "closes", ""])
    for day in hours.special_days:
        what = " ".join((*day.markets, *day.venues, *day.sessions)) or "all"
        cells = [day.calendar, " ".join(day.days), what, day.opens or "as usual"]
        table.add_row(*cells, day.closes, day.english)
    yield table


def _api(api: Api) -> Iterator[Any]:
    yield f"{api.name}: {api.english} ({api.korean})"
    yield f"{api.method} {api.path}" + (f", pages by {api.pages}" if api.pages else "")
    if api.changes:
        yield "changes something: not reachable by query"
    for ids in api.tr_ids:
        yield f"  {ids.variant or 'TR id'}: {ids.real}, paper {ids.paper or 'not offered'}"
    if api.params:
        table = _table("parameters", ["name", "path", "type", "where", "default", "codes", ""])
        for param in api.params:
            default = repr(param.default) if param.default or param.required else "not sent"
            row = [param.name, param.path, param.type, param.where, default, param.codes]
            table.add_row(*row, param.description)
        yield table
    for output in api.outputs:
        kind = "list" if output.array else "object"
        title = f"{output.name} ({kind})" if output.name else "beside rt_cd"
        yield _fields(title, output.fields)


def _fields(title: str, fields: Sequence[Field]) -> Table:
    table = _table(title, ["", "name", "path", "type", "unit", "codes", "signed by", "", "korean"])
    for number, field in enumerate(fields, 1):
        kind = f"{field.type} / 10^{field.scale}" if field.scale else field.type
        if field.optional:
            kind += ", optional"
        row = [str(number), field.name, field.path, kind, field.unit, field.codes]
        table.add_row(*row, field.signed_by, field.description, field.korean)
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
