"""``kis-bridge orders``: what the journal has of a day, as a table, JSON lines or CSV."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from bridge.cli.journal import JournalOptions
from bridge.cli.options import grouped
from bridge.errors import ConfigError
from bridge.mqtt.strict_json import encode
from bridge.orders.journal import audit
from bridge.orders.journal.reader import read, read_controls
from bridge.orders.model.lifecycle import State
from bridge.orders.model.managed_order import ManagedOrder, restore
from bridge.orders.publishing import payloads
from bridge.runtime.clock import seoul_day_end, seoul_day_start

__all__ = ["described", "orders"]

_SHOWN = (
    *("account", "client", "client_order_id", "symbol", "side", "quantity", "price", "state"),
    *("filled_quantity", "average_price", "order_no"),
)
_COLUMNS = (
    *("account", "client", "client_order_id", "market", "venue", "symbol", "side", "order_type"),
    *("quantity", "price", "condition_price", "state", "filled_quantity", "average_price"),
    *("remaining_quantity", "cancelled_quantity", "order_no", "seq"),
    *("received_at", "submitted_at", "at"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"-\d+(\.\d+)?")


@grouped
def orders(
    where: JournalOptions,
    day: Annotated[
        str,
        typer.Option("--day", help="Day in Korea, e.g. 2026-11-23.", show_default="today there"),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="All days.")] = False,
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    client: Annotated[str, typer.Option(help="Only this client.")] = "",
    symbol: Annotated[str, typer.Option(help="Only this symbol.")] = "",
    state: Annotated[State | None, typer.Option(help="Only orders in this state.")] = None,
    everything_that_happened: Annotated[
        bool,
        typer.Option(
            "--audit",
            help="Every command, step, halt and resumption in the order in which it happened."
            " JSON lines, or CSV with --csv.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each order.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header line.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to this file instead of standard output.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Show the orders of a day as the journal has them.

    With --audit, show everything that happened on that day. A bridge may be running meanwhile.
    """
    if as_json and as_csv:
        raise ConfigError("--json and --csv: choose one")
    if day and everything:
        raise ConfigError("--day and --all: choose one")
    first, last = (0, 2**62) if everything else _day(day)
    url = where.url()
    wanted = _Wanted(account, client, symbol, state)
    if everything_that_happened:
        if state is not None:
            raise ConfigError("--state: an audit has every state")
        told = audit.entries(read(url, first, last), read_controls(url), first, last)
        rows: list[Mapping[str, Any]] = [entry for entry in told if wanted.entry(entry)]
        with _target(output) as file:
            _write(rows, audit.COLUMNS, file, as_csv=as_csv)
        return
    found = [restore(record) for record in read(url, first, last) if record.verb == "place"]
    chosen = [order for order in found if wanted.order(order)]
    with _target(output) as file:
        if as_json:
            file.writelines(f"{described(order)}\n" for order in chosen)
        elif as_csv:
            _write([_values(order) for order in chosen], _COLUMNS, file, as_csv=True)
        else:
            _table(chosen, file)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be shown; blank: all."""

    account: str
    client: str
    symbol: str
    state: State | None

    def order(self, order: ManagedOrder) -> bool:
        return self.state in (None, order.progress.state) and self.entry(_values(order))

    def entry(self, entry: Mapping[str, str]) -> bool:
        """Tell of an order, or an audit's entry; what names nobody concerns everybody."""
        return all(
            not wanted or entry[name] in ("", wanted)
            for name, wanted in (
                ("account", self.account),
                ("client", self.client),
                ("symbol", self.symbol),
            )
        )


def described(order: ManagedOrder) -> str:
    """Return an order as one line of JSON, with its account and client."""
    account, client, *_ = order.identity
    text = payloads.state(order).decode()
    return f"{encode({'account': account, 'client': client}).decode()[:-1]},{text[1:]}"


def _day(text: str) -> tuple[int, int]:
    """Return when a Korean day begins and ends, in µs since the epoch."""
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    if text:
        try:
            day = date.fromisoformat(text)
            noon = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)  # there
            now = int(noon.timestamp()) * 1_000_000
            return seoul_day_start(now), seoul_day_end(now)
        except (ValueError, OverflowError):
            raise ConfigError(f"--day {text!r}: write a date, e.g. 2026-11-23") from None
    return seoul_day_start(now), seoul_day_end(now)


def _values(order: ManagedOrder) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(described(order), parse_float=str, parse_int=str)
    return values


@contextmanager
def _target(output: Path | None) -> Iterator[TextIO]:
    """Give where to write; a file is the owner's alone."""
    if output is None:
        yield sys.stdout
        return
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - its mode
            yield file
    except OSError as error:
        raise ConfigError(f"--output {output}: {error.strerror}") from None


def _write(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], file: TextIO, *, as_csv: bool
) -> None:
    if not as_csv:
        file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        return
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)


def _cell(value: object) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    # A wide = is one too, where Korean is written.
    risky = unicodedata.normalize("NFKC", text[:1]).startswith(_FORMULA)
    return f"'{text}" if risky and not _NUMBER.fullmatch(text) else text


def _table(chosen: Sequence[ManagedOrder], file: TextIO) -> None:
    table = Table(box=None, pad_edge=False)
    for name in _SHOWN:
        table.add_column(name.replace("client_order_id", "id").replace("_", " "), no_wrap=True)
    for order in chosen:
        values = _values(order)
        values["price"] = values["price"] or values["order_type"]
        table.add_row(*(values[name] or "" for name in _SHOWN))
    # A pipe or a file has no width to fit into.
    Console(file=file, width=None if file.isatty() else 240).print(table)
