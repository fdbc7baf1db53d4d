"""Symbol masters of KIS: taken apart by bytes, kept in SQLite, searched by symbol and name."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bridge.catalog.model import Master
from bridge.errors import BridgeError, DecodeError
from bridge.kis.values import number
from bridge.runtime import bounded_zip
from bridge.runtime.bounded_zip import ArchiveError
from bridge.runtime.folders import make_private
from bridge.runtime.private_files import open_private

__all__ = ["MastersError", "Symbol", "SymbolStore", "download", "parse", "unpack"]

_LARGEST = 16 << 20
"""Bytes of a file, as it comes and unpacked; the largest of KIS has about 4 MB."""
_MOST_MEMBERS = 16
_MOST_LINES = 200_000
"""Ten times of what the longest of KIS has."""
_SEPARATORS = {"pipe": b"|", "tab": b"\t"}
_NUMBERS = ("int", "decimal")
_SEARCHED = ("symbol", "name", "english_name")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS masters (id TEXT PRIMARY KEY, updated_at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS symbols (
  master TEXT NOT NULL,
  symbol TEXT NOT NULL,
  name TEXT NOT NULL,
  english_name TEXT NOT NULL,
  details TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_symbol ON symbols (symbol);
CREATE INDEX IF NOT EXISTS by_master ON symbols (master);
"""


class MastersError(BridgeError):
    """A master could not be downloaded, read or stored; the text says which one and why."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One line of a master."""

    master: str
    symbol: str
    name: str
    english_name: str
    details: Mapping[str, Any]
    """Every column by its English name; numbers as text, exactly as KIS wrote them."""


def unpack(master: Master, data: bytes) -> bytes:
    """Return the file in the ZIP that KIS offers, or the data themselves where it is not zipped.

    Raises :class:`MastersError`.
    """
    if not master.inner:
        return data
    try:
        files = bounded_zip.unpack(data, members=_MOST_MEMBERS, unpacked=_LARGEST)
    except ArchiveError as error:
        raise MastersError(f"{master.id}: {error}") from error
    for name, content in files.items():
        if name.lower() == master.inner.lower():
            return content
    raise MastersError(f"{master.id}: no {master.inner} in the ZIP ({', '.join(files)[:200]})")


def parse(master: Master, content: bytes) -> Iterator[Mapping[str, str | None]]:
    """Yield the lines of a master: English name → text, None for nothing; numbers are canonical.

    Fixed files are cut as bytes of cp949, in which a Korean letter has two. A line may end after
    any column. Raises :class:`MastersError` with the number of the line.
    """
    for place, line in enumerate(io.BytesIO(content), 1):  # not all of them at once
        if place > _MOST_LINES:
            raise MastersError(f"{master.id}: more than {_MOST_LINES} lines")
        if line := line.rstrip(b"\r\n\x1a"):
            try:
                yield _line(master, line)
            except DecodeError as error:
                raise MastersError(f"{master.id}, line {place}: {error}") from error


def _line(master: Master, line: bytes) -> dict[str, str | None]:
    columns = master.columns
    if master.format == "fixed":
        cells, start = [], 0
        for column in columns:
            if start >= len(line):
                break
            cells.append(line[start : start + column.width])
            start += column.width
        if start < len(line) or len(cells[-1]) < columns[len(cells) - 1].width:
            raise DecodeError(f"{len(line)} bytes, not {master.width} or the end of a column")
    else:
        separator = _SEPARATORS[master.format]
        cells = line.split(separator, len(columns))
        if len(cells) > len(columns) and cells[-1].strip(separator):
            raise DecodeError(f"{line.count(separator) + 1} columns, not {len(columns)}")
    values: dict[str, str | None] = {}
    for column, cell in zip(columns, cells, strict=False):
        text = cell.decode("cp949", errors="replace").strip()
        values[column.path] = (_number(text) if column.type in _NUMBERS else text) or None
    return values


def _number(text: str) -> str:
    """Return a canonical number; KIS's text where it is none."""
    try:
        return number(text) if text else ""
    except DecodeError:
        return text


async def download(http: httpx.AsyncClient, base_url: str, master: Master) -> bytes:
    """Return a master as KIS offers it. Raises :class:`MastersError`."""
    if not master.file:
        raise MastersError(f"{master.id}: KIS publishes no address for this file")
    url = f"{base_url.rstrip('/')}/{master.file}"
    try:
        async with http.stream("GET", url, timeout=30, follow_redirects=False) as response:
            if response.status_code != httpx.codes.OK:
                raise MastersError(f"{url}: HTTP {response.status_code}")
            data = bytearray()
            async for part in response.aiter_bytes():
                data += part
                if len(data) > _LARGEST:
                    raise MastersError(f"{url}: longer than {_LARGEST} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MastersError(f"{url}: {error or type(error).__name__}") from error
    return bytes(data)


class SymbolStore:
    """The masters in a SQLite file. Blocking, but for :meth:`update`; safe in any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def update(
        self, http: httpx.AsyncClient, base_url: str, master: Master, now_us: int
    ) -> int:
        """Download a master and put it in the place of its former self; return its lines.

        The former one stays when anything is wrong (:class:`MastersError`).
        """
        data = await download(http, base_url, master)
        return await asyncio.to_thread(self.replace, master, unpack(master, data), now_us)

    def replace(self, master: Master, content: bytes, now_us: int) -> int:
        """Keep a master's file; return the number of its lines."""
        rows = [
            (
                master.id,
                *(values.get(column) or "" for column in _SEARCHED),
                json.dumps(values, ensure_ascii=False, separators=(",", ":")),
            )
            for values in parse(master, content)
        ]
        if not rows:
            raise MastersError(f"{master.id}: the file is empty")
        # Parsed before, replaced in one transaction: a broken file leaves the old symbols alone.
        with self._open() as database, database:
            database.execute("DELETE FROM symbols WHERE master = ?", [master.id])
            database.executemany("INSERT INTO symbols VALUES (?, ?, ?, ?, ?)", rows)
            database.execute("INSERT OR REPLACE INTO masters VALUES (?, ?)", [master.id, now_us])
        return len(rows)

    def updated(self) -> Mapping[str, int]:
        """Return when each master was updated, in µs since the epoch."""
        if not self._path.parent.exists():
            return {}  # whoever only looks leaves nothing behind
        with self._open() as database:
            return dict(database.execute("SELECT id, updated_at FROM masters ORDER BY id"))

    def search(
        self, text: str, masters: Iterable[str] | None = None, limit: int = 50
    ) -> list[Symbol]:
        """Return symbols that begin with the text or whose name holds it, the nearest first."""
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where = (
            "(symbol LIKE :begin ESCAPE '\\' OR name LIKE :inside ESCAPE '\\'"
            " OR english_name LIKE :inside ESCAPE '\\')"
        )
        order = (
            "symbol = :text COLLATE NOCASE DESC, name = :text DESC,"
            " name LIKE :begin ESCAPE '\\' DESC, english_name LIKE :begin ESCAPE '\\' DESC,"
            " length(name), symbol"
        )
        values = {"text": text, "begin": f"{pattern}%", "inside": f"%{pattern}%", "limit": limit}
        return self._symbols(where, order, values, masters)

    def lookup(self, symbols: Sequence[str], masters: Iterable[str] | None = None) -> list[Symbol]:
        """Return the lines of these symbols."""
        named = {f"s{i}": symbol for i, symbol in enumerate(symbols)}
        where = f"symbol IN ({', '.join(f':{name}' for name in named)})"
        return self._symbols(where, "symbol, master", named | {"limit": 10_000}, masters)

    def names(self, masters: Iterable[str]) -> Mapping[str, str]:
        """Return symbol → name of these masters; the first one that has a symbol names it."""
        found: dict[str, str] = {}
        with self._open() as database:
            for master in masters:
                rows = database.execute(
                    "SELECT symbol, name FROM symbols WHERE master = ? ORDER BY rowid", [master]
                )
                for symbol, name in rows:
                    found.setdefault(symbol, name)
        return found

    def _symbols(
        self, where: str, order: str, values: Mapping[str, Any], masters: Iterable[str] | None
    ) -> list[Symbol]:
        values = dict(values)
        if masters is not None:
            named = {f"m{i}": master for i, master in enumerate(masters)}
            where += f" AND master IN ({', '.join(f':{name}' for name in named)})"
            values |= named
        # Only the names of placeholders stand in the text.
        text = f"SELECT * FROM symbols WHERE {where} ORDER BY {order} LIMIT :limit"  # noqa: S608
        with self._open() as database:
            rows = database.execute(text, values).fetchall()
        return [
            Symbol(master, symbol, name, english, json.loads(details))
            for master, symbol, name, english, details in rows
        ]

    def _open(self) -> closing[sqlite3.Connection]:
        try:
            make_private(self._path.parent)
            os.close(open_private(self._path))  # as all of state_dir
            database = sqlite3.connect(self._path, timeout=10)
        except (OSError, sqlite3.Error) as error:
            raise MastersError(f"{self._path}: {error}") from error
        try:
            database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            database.close()
            raise MastersError(f"{self._path}: {error}") from error
        return closing(database)
