"""The request ``symbols``: what a symbol is called, and which symbols a name means."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bridge.catalog.model import Catalog, Master
from bridge.errors import RequestError
from bridge.kis.masters import Symbol, SymbolStore
from bridge.mqtt.message import Message
from bridge.mqtt.payloads import SymbolListing
from bridge.requests.answers import SymbolRow, SymbolsAnswer
from bridge.requests.models import SymbolsRequest

__all__ = ["SymbolRequests"]


class SymbolRequests:
    """Answers from the store; :meth:`listing` is the payload of ``symbols/{market}``."""

    def __init__(self, store: SymbolStore, catalog: Catalog) -> None:
        self._store = store
        self._masters = catalog.masters

    async def serve(self, payload: dict[str, Any], _: Message) -> SymbolsAnswer:
        """Serve the request; raises `RequestError`."""
        asked = SymbolsRequest.model_validate(payload)
        if bool(asked.search) == bool(asked.symbols):
            raise RequestError("invalid_request", "give search or symbols, one of the two")
        return await asyncio.to_thread(self._answer, asked)

    def listing(self, master: str) -> SymbolListing:
        """Return symbols and names of a master, in the order of KIS."""
        names = self._store.names([master])
        return {
            "market": master,
            "updated_at": self._store.updated().get(master),
            "symbols": [[symbol, name] for symbol, name in names.items()],
        }

    def names(self) -> dict[tuple[str, str], str]:
        """Return (market of the topics, symbol) → name, of every master that is stored."""
        return {
            (master.market, symbol): name
            for master in self._masters.values()
            if master.market
            for symbol, name in self._store.names([master.id]).items()
        }

    def masters(self, market: str) -> Sequence[Master]:
        """Return the masters that a market means; raises `RequestError` for none."""
        found = [m for m in self._masters.values() if market in ("", m.id, m.market)]
        if not found:
            known = ", ".join(self._masters)
            raise RequestError("unknown_market", f"no market {market!r} (one of {known})")
        return found

    def _answer(self, asked: SymbolsRequest) -> SymbolsAnswer:
        ids = [master.id for master in self.masters(asked.market)]
        if asked.symbols:
            found = self._store.lookup(asked.symbols, ids)
        else:
            found = self._store.search(asked.search, ids, asked.limit)
        updated = self._store.updated()
        return {
            "symbols": [self._row(symbol, details=asked.details) for symbol in found],
            "updated_at": {name: updated[name] for name in ids if name in updated},
        }

    def _row(self, symbol: Symbol, *, details: bool) -> SymbolRow:
        master = self._masters[symbol.master]
        row: SymbolRow = {
            "symbol": symbol.symbol,
            "name": symbol.name,
            "english_name": symbol.english_name or None,
            "master": symbol.master,
            "market": master.market or None,
            "venue": master.venue or None,
        }
        if details:
            row["details"] = dict(symbol.details)
        return row
