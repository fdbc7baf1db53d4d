"""Lists of an account, cut into pages as KIS does: its keys beside the blocks (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from bridge.catalog.model import Catalog
from bridge.simulator.rest.answers import Answer, Row, blank, done, padded
from bridge.simulator.rest.params import InputError, Params

__all__ = ["AccountPages"]

_PAGE = {"real": 20, "paper": 15}
_KEY = re.compile(r"CTX_AREA_([FN])K([0-9]+)")
_PLACE = re.compile(r"[0-9]{1,6}")


class AccountPages:
    """Makes the answers of some calls from rows in KIS's words."""

    def __init__(self, catalog: Catalog, environment: Literal["paper", "real"]) -> None:
        self._catalog, self._environment = catalog, environment

    def row(self, api: str, block: str, values: Mapping[str, object]) -> Row:
        """Return a row with every field of the workbook, blank where nothing is known."""
        row = blank(self._catalog.apis[api], block)
        return row | {name: str(value) for name, value in values.items() if name in row}

    def one(self, api: str, **blocks: Row | Sequence[Row]) -> Answer:
        """Answer a call that has no pages."""
        return done(self._environment, self._blocks(api, blocks))

    def quote(self, api: str, **blocks: Row | Sequence[Row]) -> Answer:
        """Answer a call about prices."""
        outputs = self._blocks(api, blocks)
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs)

    def page(
        self,
        api: str,
        block: str,
        rows: Sequence[Row],
        params: Params,
        cont: str,
        *,
        beside: Mapping[str, Sequence[Row]] = MappingProxyType({}),
        **others: Row | Sequence[Row],
    ) -> Answer:
        """Answer with some of ``rows``; the key of the next page is how far this one came.

        Lists ``beside`` are cut at the same places, ``others`` are whole on each page.
        """
        size, start = _PAGE[self._environment], 0
        names = [param.name.upper() for param in self._catalog.apis[api].params]
        keys = {name: match for name in names if (match := _KEY.fullmatch(name))}
        if cont == "N":
            place = next((params.get(n, "") for n, m in keys.items() if m[1] == "N"), "").strip()
            if place and not _PLACE.fullmatch(place):
                raise InputError("CTX_AREA_NK")
            start = int(place or 0)
        more = start + size < len(rows)
        outputs: Row = {}
        for name, match in keys.items():
            text = str(start + size) if more and match[1] == "N" else ""
            outputs[name.lower()] = text.ljust(int(match[2]))
        page = slice(start, start + size)
        cut = {name: lines[page] for name, lines in ({**beside, block: rows}).items()}
        outputs |= self._blocks(api, {**cut, **others})
        mark = ("M" if start else "F") if more else ("E" if start else "D")
        return done(self._environment, outputs, mark)

    def _blocks(self, api: str, blocks: Mapping[str, Row | Sequence[Row]]) -> Row:
        """Fill the rows up; a block is a list where the workbook has one."""
        outputs: Row = {}
        for output in self._catalog.apis[api].outputs:
            given = blocks.get(output.name, [] if output.array else {})
            rows = [given] if isinstance(given, dict) else list(given)
            filled = [self.row(api, output.name, one) for one in rows]
            outputs[output.name] = filled if output.array else filled[0]
        return outputs
