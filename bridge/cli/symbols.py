"""``kis-bridge symbols``: the symbol masters of KIS, downloaded and searched."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bridge.catalog.model import Catalog, Master
from bridge.cli.broker import AsJson
from bridge.cli.configuration import ConfigFile, chosen, configured
from bridge.cli.options import grouped
from bridge.cli.workbook import OwnSpec, catalog_of
from bridge.errors import ConfigError
from bridge.kis.masters import MastersError, SymbolStore
from bridge.kis.rest import open_http
from bridge.runtime.clock import now_us, seoul_day
from bridge.runtime.suggestions import nearest

__all__ = ["MASTERS_URL", "app", "store_of"]

MASTERS_URL = "https://new.real.download.dws.co.kr/common/master"
"""Where KIS offers the files; ``--url`` and ``KIS_BRIDGE_MASTERS_URL`` change it."""

_STATE_DIR = Path("~/.local/state/kis-bridge")
_Markets = Annotated[
    list[str] | None,
    typer.Option(
        "--market",
        help="Which list: kospi, nas … Repeat it for several.",
        show_default="all",
    ),
]


@dataclasses.dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where the symbols are kept."""

    config: ConfigFile = None
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            envvar="KIS_BRIDGE_KIS__STATE_DIR",
            help="Folder in which the bridge keeps its state.",
            show_default=f"kis.state_dir of the configuration file, else {_STATE_DIR}",
        ),
    ] = None

    def store(self) -> SymbolStore:
        """Return the store; raises :class:`ConfigError`."""
        if self.state_dir is not None:
            return store_of(self.state_dir)
        if chosen(self.config) is None:
            return store_of(_STATE_DIR)
        return store_of(configured(self.config, secrets=False).kis.state_dir)


app = typer.Typer(
    name="symbols",
    help="Download the lists of symbols, and find symbols by name.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def store_of(state_dir: Path) -> SymbolStore:
    """Return the store of a bridge."""
    return SymbolStore(state_dir.expanduser() / "symbols.db")


@app.command()
@grouped
def update(
    where: StoreOptions,
    market: _Markets = None,
    url: Annotated[
        str, typer.Option("--url", envvar="KIS_BRIDGE_MASTERS_URL", help="Where the files are.")
    ] = MASTERS_URL,
    spec: OwnSpec = None,
    as_json: AsJson = False,
) -> None:
    """Download the lists of symbols. KIS makes new ones on business days.

    The exit code is 1 if one of them could not be had.
    """
    chosen = _masters(catalog_of(spec), market)
    masters = [master for master in chosen if master.file]
    if market and len(masters) < len(chosen):
        without = next(master.id for master in chosen if not master.file)
        raise ConfigError(f"--market {without}: KIS offers no file of it")
    counts = asyncio.run(_update(masters, url, where.store()))
    failed = [name for name, count in counts.items() if isinstance(count, str)]
    if as_json:
        print(json.dumps(counts, ensure_ascii=False))
    else:
        for name, count in counts.items():
            print(f"{name}: {count}" + ("" if name in failed else " symbols"))
    if failed:
        raise typer.Exit(1)


@app.command()
@grouped
def search(
    where: StoreOptions,
    text: Annotated[str, typer.Argument(help="Beginning of a symbol or part of a name.")],
    market: _Markets = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most symbols to show.")] = 20,
    spec: OwnSpec = None,
    as_json: AsJson = False,
) -> None:
    """Find symbols by symbol or name. The exit code is 1 if there is none."""
    catalog = catalog_of(spec)
    store = where.store()
    updated = store.updated()
    if not updated:
        raise ConfigError("no symbols here yet: run kis-bridge symbols update")
    found = store.search(text, [master.id for master in _masters(catalog, market)], limit)
    if as_json:
        print(json.dumps([dataclasses.asdict(symbol) for symbol in found], ensure_ascii=False))
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("symbol", "name", "", "market", "as of"):
            table.add_column(column, overflow="fold")
        for symbol in found:
            day = seoul_day(updated[symbol.master])
            row = (symbol.symbol, symbol.name, symbol.english_name, symbol.master, str(day))
            table.add_row(*row)
        Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)
    if not found:
        raise typer.Exit(1)


async def _update(masters: Sequence[Master], url: str, store: SymbolStore) -> dict[str, int | str]:
    counts: dict[str, int | str] = {}
    async with open_http() as http:
        for master in masters:
            try:
                now = now_us()
                counts[master.id] = await store.update(http, url, master, now)
            except MastersError as error:
                counts[master.id] = str(error)
    return counts


def _masters(catalog: Catalog, names: Sequence[str] | None) -> list[Master]:
    for name in names or ():
        if name not in catalog.masters:
            near = nearest(name, catalog.masters)
            hint = f"did you mean {near}?" if near else f"one of {', '.join(catalog.masters)}"
            raise ConfigError(f"--market {name}: there is none ({hint})")
    return [catalog.masters[name] for name in names or catalog.masters]
