"""Symbol masters in KIS's formats, of what the simulated exchange lists and a few others (pure).

Written from the columns of the workbook, and zipped as KIS zips them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date

from bridge.catalog.model import Catalog, Column, Master
from bridge.simulator.exchange import listings
from bridge.simulator.exchange.listings import standard_symbol
from bridge.simulator.exchange.securities import SECTORS, Security, securities
from bridge.simulator.exchange.warrants import Warrant, warrants_on
from bridge.simulator.history.abroad import EXCHANGES, listed_abroad
from bridge.simulator.rest.contract_masters import CONTRACT_MASTERS, contract_rows
from bridge.simulator.stream import records

__all__ = ["FOLDER", "content", "packed"]

FOLDER = "/common/master/"
"""Path of the files on KIS's server."""

Entry = Mapping[str, str]

_A_DAY = date(2026, 11, 23)
_INDICES = (("0", "0001", "종합"), ("1", "1001", "KOSDAQ"), ("2", "2001", "KOSPI200"))
_OTHERS: Mapping[str, tuple[Entry, ...]] = {
    "member": (
        {"symbol": "00003", "name": "한국투자증권", "foreign": "0"},
        *({"symbol": code, "name": name, "foreign": "0"} for name, code in records.MEMBERS),
    ),
}
_MADE_UP: Entry = {"symbol": "SIM001", "name": "모의종목", "english_name": "SIMULATED"}


def content(master: Master, seed: int, day: date = _A_DAY) -> bytes:
    """Return the file of a master; of one that has nothing to list, a single made-up symbol.

    Contracts are those of ``day``.
    """
    return b"".join(_line(master, row) + b"\n" for row in _rows(master, seed, day))


def packed(catalog: Catalog, file: str, seed: int, day: date = _A_DAY) -> bytes | None:
    """Return what KIS offers under a file name, None for an unknown one; the same every time."""
    master = next((one for one in catalog.masters.values() if file and one.file == file), None)
    if master is None:
        return None
    data = content(master, seed, day)
    if not master.inner:
        return data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(master.inner, (2026, 1, 2, 0, 0, 0)), data)
    return buffer.getvalue()


def _rows(master: Master, seed: int, day: date) -> Iterable[Entry]:
    if master.id in CONTRACT_MASTERS:
        return contract_rows(master.id, seed, day)
    board = master.id.removeprefix("nxt_")
    if board in ("kospi", "kosdaq"):
        listed = (one for one in securities().values() if one.board == board)
        # Funds and notes are not traded on NXT.
        return [_listed(one, seed) for one in listed if board == master.id or one.kind == "stock"]
    if master.id == "index":
        return _indices()
    if master.id == "elw":
        return [_warrant(one, seed, day) for one in warrants_on(day)]
    if master.market == "overseas_stock":
        return _abroad(master)
    return _OTHERS.get(master.id, (_MADE_UP,))


def _warrant(one: Warrant, seed: int, day: date) -> Entry:
    listing, stock = (listings.listing(symbol, seed) for symbol in (one.symbol, one.underlying))
    return {
        "symbol": one.symbol,
        "standard_symbol": standard_symbol(one.symbol),
        "name": listing.name,
        "underlying_1": one.underlying,
        "strike_price": str(one.strike(stock.base)),
        "last_trade_date": f"{one.expires(day):%Y%m%d}",
        "remaining_days": str((one.expires(day) - day).days),
        "right_type": "C" if one.call else "P",
        "market_cap": str(listing.base * listing.shares // 100_000_000),
        "listed_shares": str(listing.shares // 1000),
    }


def _abroad(master: Master) -> list[Entry]:
    code = master.venue.upper()
    exchange = EXCHANGES.get(code)
    common = {
        "currency": exchange.currency if exchange else "USD",
        "decimals": "4",
        "country": exchange.country if exchange else "US",
        "exchange": code,
    }
    firms = listed_abroad().get(code, ())
    rows = [
        {
            "symbol": one.symbol,
            "name": one.name,
            "english_name": one.english,
            "key": f"{code}{one.symbol}",
        }
        for one in firms
    ]
    return [{**common, **row} for row in rows or (_MADE_UP,)]


def _indices() -> list[Entry]:
    rows = [dict(zip(("market_class", "symbol", "name"), row, strict=True)) for row in _INDICES]
    for sector in SECTORS:
        rows.append({"market_class": "0", "symbol": sector.kospi, "name": sector.name})
        rows.append({"market_class": "1", "symbol": sector.kosdaq, "name": sector.name})
    return list(rows)


def _listed(one: Security, seed: int) -> Entry:
    listing = listings.listing(one.symbol, seed)
    return {
        "symbol": one.symbol,
        "standard_symbol": standard_symbol(one.symbol),
        "name": listing.name,
        "security_group_code": {"stock": "ST", "etf": "EF", "etn": "EN"}[one.kind],
        "large_sector": one.sector_code if one.kind == "stock" else "0000",
        "kospi200_sector_class": "1" if "2001" in one.groups else "0",
        "krx100_member": "Y" if "4001" in one.groups else "N",
        "kosdaq150_member": "Y" if "3003" in one.groups else "N",
        "base_price": f"{listing.base:09d}",
        "regular_session_lot_size": "00001",
        "halted": "N",
        "previous_volume": f"{listing.previous_volume:012d}",
        "listed_shares": f"{listing.shares // 1000:015d}",
        "listing_date": "19750611",
        "preferred_share_class": "1" if one.common else "0",
        "market_cap": f"{listing.base * listing.shares // 100_000_000:09d}",
    }


def _line(master: Master, row: Entry) -> bytes:
    cells = [_cell(column, row.get(column.path, "")) for column in master.columns]
    return {"fixed": b"", "pipe": b"|", "tab": b"\t"}[master.format].join(cells)


def _cell(column: Column, text: str) -> bytes:
    """Return a value as bytes; a fixed column is cut between letters and padded with blanks."""
    data = text.encode("cp949")
    if column.width:
        data = data[: column.width].decode("cp949", errors="ignore").encode("cp949")
        data = data.ljust(column.width)
    return data
