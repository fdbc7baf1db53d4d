"""``kis-bridge spec``: the workbook checked, compiled and shown."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge import __version__
from bridge.catalog.compile import dumps
from bridge.catalog.model import Api, Catalog, Channel
from bridge.catalog.timetable import Timetable
from bridge.cli.spec_show import tables
from bridge.cli.workbook import OwnSpec, catalog_of
from bridge.errors import FrameError, WorkbookError
from bridge.kis.frames import DataFrame, parse
from bridge.runtime.bounded_json import JsonError, decode
from bridge.runtime.regular_file import read_regular
from bridge.runtime.suggestions import nearest

__all__ = ["app", "misfits", "yaml_text"]

_LARGEST_CAPTURE = 256 << 20

_Spec = Annotated[Path, typer.Option("--spec", help="The workbook.")]
_Output = Annotated[
    Path, typer.Option("--output", help="File to write to. - means standard output.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Write JSON instead of YAML.")]
_SPEC = Path("spec/kis.xlsx")
_COMPILED = Path("bridge/catalog/kis.json")
_FRAMES = Path("tests/data/frames.jsonl")

app = typer.Typer(
    name="spec",
    help="Check, compile and show the workbook, and write the documents made of it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("compile")
def compile_(
    spec: _Spec = _SPEC,
    output: Annotated[Path, typer.Option("--output", help="File to write to.")] = _COMPILED,
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
def check(
    spec: _Spec = _SPEC,
    frames: Annotated[
        Path | None,
        typer.Option(
            "--frames",
            help="Captured frames (JSON lines) to hold the layouts against.",
            show_default=f"{_FRAMES} for {_SPEC}",
        ),
    ] = None,
) -> None:
    """List everything that is wrong with a workbook, one line for each problem.

    The exit code is 1 if there is any.
    """
    from bridge.catalog.workbook import examine

    catalog, found = examine(spec)
    problems = list(found)
    if frames is None and spec == _SPEC and _FRAMES.is_file():
        frames = _FRAMES
    if frames is not None:
        problems += misfits(catalog, frames)
    for line in problems:
        print(line)
    if problems:
        raise typer.Exit(1)
    print(f"ok: {spec}: {_counts(catalog)}")


def misfits(catalog: Catalog, frames: Path) -> Iterator[str]:
    """Tell which captured frames have a width that no layout of their channel has.

    Each line of the file is an object with ``raw``; several records that the frame counts as one
    are no misfit. Channels that the workbook does not have, and notices, are passed over.
    """
    try:
        lines = read_regular(frames, _LARGEST_CAPTURE).decode().splitlines()
        captured = [parse(decode(line, _LARGEST_CAPTURE)["raw"]) for line in lines]
    except OSError as error:
        raise WorkbookError(f"{frames}: {error.strerror or error}") from error
    except (JsonError, ValueError, KeyError, TypeError, FrameError) as error:
        raise WorkbookError(f"{frames}: no captured frames ({error})") from error
    for number, frame in enumerate(captured, 1):
        channel = catalog.channel(frame.tr_id) if isinstance(frame, DataFrame) else None
        if not isinstance(frame, DataFrame) or channel is None or frame.encrypted:
            continue
        width, rest = divmod(frame.body.count("^") + 1, frame.count)
        known = [layout.width for layout in channel.layouts]
        if rest or all(width % one for one in known):
            widths = ", ".join(map(str, known))
            yield f"{frames}:{number}: {frame.tr_id} has {width} values, not {widths}"


@app.command("asyncapi")
def asyncapi_(
    spec: OwnSpec = None, output: _Output = Path("spec/asyncapi.yaml"), as_json: _AsJson = False
) -> None:
    """Write the AsyncAPI document of all topics."""
    from bridge.documents.asyncapi import asyncapi

    _document(asyncapi(catalog_of(spec), __version__), output, as_json=as_json)


@app.command("openapi")
def openapi_(
    spec: OwnSpec = None, output: _Output = Path("spec/openapi.yaml"), as_json: _AsJson = False
) -> None:
    """Write the OpenAPI document of KIS's REST calls."""
    from bridge.catalog.openapi import openapi

    _document(openapi(catalog_of(spec)), output, as_json=as_json)


@app.command()
def schema(
    spec: OwnSpec = None,
    output: Annotated[Path, typer.Option("--output", help="Folder to write to.")] = Path(
        "spec/schema"
    ),
) -> None:
    """Write a JSON Schema for each payload."""
    from bridge.documents.topics import payloads

    files = {
        f"{name}.json": _pretty(content) for name, content in payloads(catalog_of(spec)).items()
    }
    _write_all(output, files)


@app.command()
def docs(
    spec: OwnSpec = None,
    output: Annotated[Path, typer.Option("--output", help="Folder to write to.")] = Path(
        "docs/channels"
    ),
) -> None:
    """Write a Markdown page for each channel."""
    from bridge.documents.reference import reference

    _write_all(output, reference(catalog_of(spec)))


@app.command()
def topics(
    spec: OwnSpec = None,
    output: Annotated[Path, typer.Option("--output", help="File to write.")] = Path(
        "docs/topics.md"
    ),
) -> None:
    """Write the page of all topics and payloads."""
    from bridge.documents.guide import guide

    text = guide(catalog_of(spec))
    _write(output, text)
    print(f"{output}: {len(text.encode())} bytes")


@app.command()
def simulator(
    spec: OwnSpec = None,
    output: Annotated[Path, typer.Option("--output", help="File that has the table.")] = Path(
        "bridge/simulator/README.md"
    ),
) -> None:
    """Write which calls the simulator answers by hand into its README."""
    from bridge.simulator.rest.call_table import with_table

    try:
        text = with_table(output.read_text(encoding="utf-8"), catalog_of(spec))
    except (OSError, ValueError) as error:
        raise WorkbookError(f"{output}: {error}") from error
    _write(output, text)
    print(f"{output}: {len(text.encode())} bytes")


def yaml_text(document: object) -> str:
    """Return a document as YAML, the innermost groups in one line each."""
    import yaml

    text: str = yaml.dump(
        document,
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),  # ten times as fast
        allow_unicode=True,
        sort_keys=False,
        default_flow_style=None,
        width=120,
    )
    return text


def _document(document: object, output: Path, *, as_json: bool) -> None:
    text = _pretty(document) if as_json else yaml_text(document)
    if output == Path("-"):
        print(text, end="")
        return
    _write(output, text)
    print(f"{output}: {len(text.encode())} bytes")


def _pretty(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _write_all(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        _write(directory / name, text)
    print(f"{directory}: {len(files)} files")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorkbookError(f"{path}: {error.strerror or error}") from error


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(help="A channel (H0STCNT0), a call (order_cash), or hours.")
    ],
    spec: OwnSpec = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the fields of a channel, the parameters and answer of a REST call, or trading hours."""
    catalog = catalog_of(spec)
    found: Timetable | Channel | Api | None = catalog.channel(name.upper()) or catalog.api(name)
    if name == "hours":
        found = catalog.hours
    if found is None:
        raise WorkbookError(_unknown(catalog, name))
    if as_json:
        print(json.dumps(dataclasses.asdict(found), ensure_ascii=False, indent=1))
        return
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for part in tables(found):
        console.print(part)


def _unknown(catalog: Catalog, name: str) -> str:
    known = [*catalog.channels, *catalog.apis, *(api.id for api in catalog.apis.values())]
    near = nearest(name, known) or nearest(name.upper(), known)
    hint = f" (did you mean {near}?)" if near else ""
    return f"no channel or call named {name!r} in the workbook{hint}"


def _counts(catalog: Catalog) -> str:
    layouts = {
        layout.id: layout for channel in catalog.channels.values() for layout in channel.layouts
    }
    return (
        f"version {catalog.version}, {len(catalog.channels)} channels, {len(layouts)} layouts,"
        f" {len(catalog.apis)} calls, {len(catalog.masters)} masters,"
        f" {len(catalog.codes)} code lists, digest {catalog.digest[:12]}"
    )
