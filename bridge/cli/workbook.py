"""The workbook that a command works from: the built-in one, or another with ``--spec``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bridge.catalog.compile import load, loads
from bridge.catalog.model import Catalog
from bridge.errors import WorkbookError
from bridge.runtime.bounded_json import JsonError, decode
from bridge.runtime.regular_file import read_regular

__all__ = ["OwnSpec", "catalog_of"]

_LARGEST = 16 << 20

OwnSpec: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--spec",
        help="Workbook (.xlsx) or compiled catalog (.json) to use.",
        show_default="built in",
    ),
]


def catalog_of(spec: Path | None) -> Catalog:
    """Return the catalog of a workbook, compiled (``.json``) or not; raise WorkbookError."""
    if spec is None:
        return load()
    if spec.suffix == ".json":
        try:
            content = read_regular(spec, _LARGEST)
            decode(content, _LARGEST, names=100_000)  # its bounds, before anything is made of it
            return loads(content.decode())
        except OSError as error:
            raise WorkbookError(f"{spec}: {error.strerror or error}") from error
        except JsonError as error:
            raise WorkbookError(f"{spec}: no compiled catalog") from error
    from bridge.catalog.workbook import read  # Excel is slow to import

    return read(spec)
