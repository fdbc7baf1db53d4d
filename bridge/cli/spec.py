"""``kis-bridge spec``: the workbook checked, compiled and shown."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bridge.catalog.compile import dumps, load, loads
from bridge.catalog.model import Api, Catalog, Channel, Field, Layout
from bridge.errors import WorkbookError

__all__ = ["app"]

_Spec = Annotated[Path, typer.Option("--spec", help="The workbook.")]
_OwnSpec = Annotated[
    Path | None,
    typer.Option("--spec", help="A workbook (.xlsx) or compiled catalog.", show_default="built in"),
]
_SPEC = Path("spec/kis.xlsx")
_COMPILED = Path("bridge/catalog/kis.json")

app = typer.Typer(
    name="spec",
    help="The workbook: check, compile, show.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("compile")
def compile_(
    spec: _Spec = _SPEC,
    output: Annotated[Path, typer.Option("--output", help="Where the JSON goes.")] = _COMPILED,
) -> None:
    """Write the JSON that ships in the package."""
    from bridge.catalog.workbook import read

    catalog = read(spec)
    try:
        output.write_text(dumps(catalog), encoding="utf-8")
    except OSError as error:
        raise WorkbookError(f"{output}: {error.strerror or error}") from error
    print(f"{output}: {_counts(catalog)}")


@app.command()
def check(spec: _Spec = _SPEC) -> None:
    """Tell everything that is wrong with a workbook, one line each; exit code 1 if anything is."""
    from bridge.catalog.workbook import examine

    catalog, problems = examine(spec)
    for line in problems:
        print(line)
    if problems:
        raise typer.Exit(1)
    print(f"ok: {spec}: {_counts(catalog)}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A channel (H0STCNT0) or a call (order_cash).")],
    spec: _OwnSpec = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Show the fields of a channel, or the parameters and answer of a REST call."""
    catalog = _read(spec)
    found = catalog.channel(name.upper()) or catalog.api(name)
    if found is None:
        raise WorkbookError(_unknown(catalog, name))
    if as_json:
        print(json.dumps(dataclasses.asdict(found), ensure_ascii=False, indent=1))
        return
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for part in _channel(found) if isinstance(found, Channel) else _api(found):
        console.print(part)


def _read(spec: Path | None) -> Catalog:
    if spec is None:
        return load()
    if spec.suffix == ".json":
        try:
            return loads(spec.read_text(encoding="utf-8"))
        except OSError as error:
            raise WorkbookError(f"{spec}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise WorkbookError(f"{spec}: no compiled catalog") from error
    from bridge.catalog.workbook import read

    return read(spec)


def _unknown(catalog: Catalog, name: str) -> str:
    known = [*catalog.channels, *catalog.apis, *(api.id for api in catalog.apis.values())]
    near = difflib.get_close_matches(name, known, 1) or difflib.get_close_matches(
        name.upper(), known, 1
    )
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"no channel or call named {name!r} in the workbook{hint}"


def _counts(catalog: Catalog) -> str:
    layouts = {
        layout.id: layout for channel in catalog.channels.values() for layout in channel.layouts
    }
    return (
        f"version {catalog.version}, {len(catalog.channels)} channels, {len(layouts)} layouts,"
        f" {len(catalog.apis)} calls, {len(catalog.codes)} code lists,"
        f" digest {catalog.digest[:12]}"
    )


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
