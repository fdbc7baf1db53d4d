"""The Excel workbook as a catalog.

Strict: what comes out of here can be decoded with, published and traded by. Every complaint names
sheet and cell and says how to mend it, e.g.
``fields!E14: unknown type 'NUM' (one of int, decimal, …)``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.catalog.calls import read_apis
from bridge.catalog.compile import digest
from bridge.catalog.excel import open_sheets
from bridge.catalog.fields import read_layouts
from bridge.catalog.hours import read_hours
from bridge.catalog.masters import read_masters
from bridge.catalog.model import Catalog, Channel, Code, Layout, Venue
from bridge.catalog.sheets import Problems, SheetRow, Sheets, Tables, read_tables
from bridge.catalog.snapshots import read_snapshots
from bridge.errors import WorkbookError

__all__ = ["MARKETS", "examine", "examine_sheets", "read"]

MARKETS = (
    *("domestic_stock", "domestic_index", "domestic_elw", "domestic_etf"),
    *("domestic_derivative", "domestic_bond", "overseas_stock", "overseas_derivative"),
)
"""The markets of the topics."""

_PREFIX = re.compile(r"[A-Z]{4}")


def read(path: Path) -> Catalog:
    """Return the catalog of a workbook.

    Raises :class:`WorkbookError` with the first thing that is wrong; :func:`examine` tells all.
    """
    catalog, problems = examine(path)
    if problems:
        more = f" (and {len(problems) - 1} more: kis-bridge spec check)" if problems[1:] else ""
        raise WorkbookError(problems[0] + more)
    return catalog


def examine(path: Path) -> tuple[Catalog, Sequence[str]]:
    """Return what could be read of a workbook, and everything that is wrong with it, in lines.

    Raises :class:`WorkbookError` when the file is no Excel workbook at all.
    """
    return examine_sheets(open_sheets(path))


def examine_sheets(sheets: Sheets) -> tuple[Catalog, Sequence[str]]:
    """Do the same for cells that are read already."""
    problems = Problems()
    tables = read_tables(sheets, problems)
    codes = _codes(tables)
    channels = _channels(tables, read_layouts(tables, codes))
    apis = read_apis(tables, codes)
    catalog = Catalog(
        version=tables.version,
        digest="",
        channels=channels,
        apis=apis,
        codes=codes,
        masters=read_masters(tables, codes),
        hours=read_hours(tables, channels, codes, MARKETS),
        snapshots=read_snapshots(tables, channels, apis, codes),
    )
    return dataclasses.replace(catalog, digest=digest(catalog)), problems.lines


def _codes(tables: Tables) -> dict[str, tuple[Code, ...]]:
    lists: dict[str, dict[str, Code]] = {}
    for row in tables.rows["codes"]:
        row.word("list")
        row.word("name")
        rows = lists.setdefault(row["list"], {})
        row.new("code", rows, " in this list")
        row.new("name", {code.name for code in rows.values()}, " in this list")
        rows[row["code"]] = Code(row["code"], row["name"], row["english"], row["korean"])
    return {name: tuple(rows.values()) for name, rows in sorted(lists.items())}


def _channels(tables: Tables, layouts: Mapping[str, Layout]) -> dict[str, Channel]:
    rows = tables.rows["channels"]
    known = {row["tr_id"] for row in rows}
    venues = _venues(tables.rows["venues"], known)
    channels: dict[str, Channel] = {}
    papers: set[str] = set()
    for row in rows:
        row.new("tr_id", channels)
        other = row["tr_id_paper"] != row["tr_id"] and row["tr_id_paper"] not in papers
        row.new("tr_id_paper", known if other else papers, " among the TR ids")
        papers.add(row["tr_id_paper"])
        channels[row["tr_id"]] = _channel(row, layouts, venues.get(row["tr_id"], ()))
    used = {layout.id for channel in channels.values() for layout in channel.layouts}
    for row in tables.rows["layouts"]:
        if row["id"] and row["id"] not in used:
            row.wrong("id", f"no channel uses layout {row['id']!r}")
    return dict(sorted(channels.items()))


def _channel(row: SheetRow, layouts: Mapping[str, Layout], venues: Sequence[Venue]) -> Channel:
    row.tr_id("tr_id")
    row.tr_id("tr_id_paper")
    row.one_of("market", MARKETS)
    row.word("venue")
    row.word("kind")
    row.timezone("timezone")
    if (row["kind"] == "notice") != row.flag("encrypted"):
        row.wrong("encrypted", "must be yes for kind notice, and for no other")
    if bool(row["venue"]) == bool(venues):
        row.wrong("venue", "give a venue here or rows in the sheet venues, one of the two")
    if venues and not row["key"]:
        row.wrong("key", "is missing: the venue is read from that field")
    chosen: list[Layout] = []
    for name in row["layouts"].split():
        if name not in layouts:
            row.wrong("layouts", f"no layout {name!r} in the sheet layouts")
            continue
        layout = layouts[name]
        if any(layout.width == other.width for other in chosen):
            row.wrong("layouts", f"two layouts of {layout.width} values")
        chosen.append(layout)
        paths = {field.name: field.path for field in layout.fields}
        # The layout of today has the key. Of a record in an older one without it, what is
        # subscribed tells the exchange.
        needed = ("symbol", "key") if len(chosen) == 1 or not venues else ("symbol",)
        for column in needed:
            if row[column] and row[column] not in paths:
                row.wrong(column, f"no field {row[column]!r} in layout {name!r}")
        if paths.get(row["symbol"], "symbol") != "symbol":
            row.wrong("symbol", f"the path of {row['symbol']!r} must be symbol")
    return Channel(
        tr_id=row["tr_id"],
        tr_id_paper=row["tr_id_paper"],
        market=row["market"],
        venue=row["venue"],
        kind=row["kind"],
        english=row["english"],
        korean=row["korean"],
        layouts=tuple(chosen),
        symbol=row["symbol"],
        key=row["key"],
        timezone=row["timezone"],
        venues=tuple(venues),
        encrypted=row.flag("encrypted"),
    )


def _venues(rows: Sequence[SheetRow], channels: set[str]) -> dict[str, list[Venue]]:
    venues: dict[str, list[Venue]] = {}
    for row in rows:
        if row["channel"] and row["channel"] not in channels:
            row.wrong("channel", f"no channel {row['channel']!r} in the sheet channels")
        row.word("venue")
        row.timezone("timezone")
        if row["prefix"] and not _PREFIX.fullmatch(row["prefix"]):
            row.wrong("prefix", f"{row['prefix']!r} is no prefix (four capitals, e.g. DNAS)")
        others = venues.setdefault(row["channel"], [])
        row.new("venue", {venue.venue for venue in others}, " for this channel")
        row.new("prefix", {venue.prefix for venue in others}, " for this channel")
        others.append(Venue(row["venue"], row["prefix"], row["timezone"]))
    return venues
