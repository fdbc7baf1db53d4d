"""The channels and the trading hours for readers, in Markdown, English and Korean; pure."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.catalog.model import Catalog, Channel, Field
from bridge.catalog.schemas import codes_text
from bridge.catalog.timetable import CLOSED

__all__ = ["reference"]

_MADE = "<!-- Made from spec/kis.xlsx by `kis-bridge spec docs`; do not edit. -->"


def reference(catalog: Catalog) -> dict[str, str]:
    """Return the pages by file name; ``README.md`` lists the others."""
    pages = {"README.md": "\n".join(_index(catalog)), "hours.md": "\n".join(_hours(catalog))}
    for channel in catalog.channels.values():
        pages[f"{channel.tr_id}.md"] = "\n".join(_page(channel, catalog))
    return pages


def _index(catalog: Catalog) -> Iterator[str]:
    yield from (_MADE, "# Channels", "")
    yield f"The {len(catalog.channels)} real-time channels of workbook {catalog.version}."
    yield "[When they send](hours.md), and when orders are taken."
    markets = dict.fromkeys(channel.market for channel in catalog.channels.values())
    for market in sorted(markets):
        yield from ("", f"## {market}", "", "| channel | topic | | |", "|---|---|---|---|")
        for channel in catalog.channels.values():
            if channel.market == market:
                link = f"[{channel.tr_id}]({channel.tr_id}.md)"
                yield f"| {link} | {_topic(channel)} | {channel.english} | {channel.korean} |"
    yield ""


def _hours(catalog: Catalog) -> Iterator[str]:
    hours = catalog.hours
    yield from (_MADE, "# Trading hours", "")
    yield from (
        "When records may come, which kinds are busy (something comes every minute in any usual",
        "symbol), and when orders are taken. A session belongs to the day on which it opens, in",
        "the time of its exchange. Of several special days for one session the last one counts.",
    )
    for market in dict.fromkeys(market for row in hours.sessions for market in row.markets):
        yield from ("", f"## {market}", "", "| venues | session | hours | busy | orders | |")
        yield "|---|---|---|---|---|---|"
        for row in hours.sessions:
            if market in row.markets:
                era = f", since {row.since}" if row.since else ""
                era += f", until {row.until}" if row.until else ""
                busy = ", ".join(row.busy) or ("" if row.data else "no data")
                orders = (", ".join(row.order_types) or "yes") if row.orders else ""
                yield (
                    f"| {', '.join(row.venues)} | {row.name}"
                    f" | {row.opens}–{row.closes} {row.timezone}, {row.calendar}{era}"
                    f" | {busy} | {orders} | {row.english} |"
                )
    yield from ("", "## Special days", "", "| calendar | days | what | opens | closes | |")
    yield "|---|---|---|---|---|---|"
    for day in hours.special_days:
        what = ", ".join((*day.markets, *day.venues, *day.sessions)) or "all"
        yield (
            f"| {day.calendar} | {', '.join(day.days)} | {what} | {day.opens or 'as usual'}"
            f" | {day.closes or ('' if day.opens == CLOSED else 'as usual')} | {day.english} |"
        )
    yield ""


def _topic(channel: Channel) -> str:
    if channel.encrypted:
        return "account notice, not published"
    venue = channel.venue or "{venue}"
    return f"`market/{channel.market}/{venue}/{channel.kind}`"


def _page(channel: Channel, catalog: Catalog) -> Iterator[str]:
    first, *older = channel.layouts
    yield from (_MADE, f"# {channel.tr_id}: {channel.english}", "", channel.korean, "")
    yield f"- Topic: {_topic(channel)}" + ("" if channel.encrypted else " `/{symbol}`")
    yield f"- Paper trading: {channel.tr_id_paper or 'not offered'}"
    if channel.venues:
        venues = ", ".join(f"`{v.venue}` ({v.prefix}, {v.timezone})" for v in channel.venues)
        yield f"- Venues: {venues}"
    else:
        yield f"- Times: {channel.timezone}"
    if calls := [row.api for row in catalog.snapshots if channel.tr_id in row.channels]:
        yield f"- Over REST ([backup](../backup.md)): {', '.join(f'`{api}`' for api in calls)}"
    yield f"- Layout: `{first.id}`, {first.width} values"
    for layout in older:
        known = {field.path for field in layout.fields}
        gone = [field.path for field in first.fields if field.path not in known]
        missing = f", without {', '.join(gone[:6])}" if gone else ""
        more = f" and {len(gone) - 6} more" if len(gone) > 6 else ""
        yield f"- Also seen: `{layout.id}`, {layout.width} values{missing}{more}"
    yield from ("", "| path | KIS | type | unit | | |", "|---|---|---|---|---|---|")
    for field in first.fields:
        yield _row(field, catalog)
    yield ""


def _row(field: Field, catalog: Catalog) -> str:
    kind = field.type + (f" / 10^{field.scale}" if field.scale else "")
    if field.optional:
        kind += ", may be missing"
    text = field.description
    if field.codes:
        text += f": {codes_text(field.codes, catalog)}"
    return f"| {field.path} | {field.name} | {kind} | {field.unit} | {text} | {field.korean} |"
