"""Answers of accounts overseas, in the blocks and pages that the workbook names (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from bridge.catalog.model import Catalog
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.rest.answers import Answer, Row, blank, done, padded
from bridge.simulator.rest.params import InputError, Params, account_of
from bridge.simulator.settings import SimulatorSettings

__all__ = ["OverseasDesk", "day_of"]

_PAGE = {"real": 20, "paper": 15}
_KEY = re.compile(r"CTX_AREA_NK([0-9]*)")
_WIDTH = 20
"""Of a key that does not say its width in its name."""
_PLACE = re.compile(r"[0-9]{1,6}")


class OverseasDesk:
    """What the calls of a family have in common."""

    def __init__(self, off_book: OffBook, catalog: Catalog, settings: SimulatorSettings) -> None:
        self.off_book, self._catalog, self.settings = off_book, catalog, settings

    @property
    def paper(self) -> bool:
        return self.settings.environment == "paper"

    def account(self, params: Params) -> str:
        """Return the number of the account that is asked for."""
        return self.off_book.account(account_of(params))

    def quoted(self, api: str, blocks: Mapping[str, Row | Sequence[Row]]) -> Answer:
        """Answer a question about prices."""
        outputs = {name: self._filled(api, name, value) for name, value in blocks.items()}
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs)

    def told(self, api: str, blocks: Mapping[str, Row | Sequence[Row]]) -> Answer:
        """Answer a question about an account, all at once."""
        outputs = {name: self._filled(api, name, value) for name, value in blocks.items()}
        return done(self.settings.environment, outputs, "D")

    def listed(
        self,
        api: str,
        block: str,
        rows: Sequence[Row],
        params: Params,
        cont: str,
        totals: Mapping[str, Row | Sequence[Row]] | None = None,
    ) -> Answer:
        """Cut a page; the key of the next one is how far this one came."""
        size, name, suffix = _PAGE[self.settings.environment], "", ""
        for param in self._catalog.apis[api].params:
            if read := _KEY.fullmatch(param.name.upper()):
                name, suffix = read[0], read[1]
        start = 0
        if cont == "N" and not name:
            # Nothing but the header tells a page from the first one: all the others are the last.
            start = size
        elif cont == "N" and (key := params.get(name, "").strip()):
            if not _PLACE.fullmatch(key):
                raise InputError(name)
            start = int(key)
        stop = start + size if name or not start else len(rows)
        more = stop < len(rows)
        outputs: Row = {}
        if name:
            width = int(suffix or _WIDTH)
            outputs[f"ctx_area_fk{suffix}"] = "".ljust(width)
            outputs[f"ctx_area_nk{suffix}"] = (str(stop) if more else "").ljust(width)
        outputs[block] = self._filled(api, block, rows[start:stop])
        for other, values in (totals or {}).items():
            outputs[other] = self._filled(api, other, values)
        mark = ("M" if start else "F") if more else ("E" if start else "D")
        return done(self.settings.environment, outputs, mark)

    def _filled(self, api: str, block: str, values: Row | Sequence[Row]) -> Row | list[Row]:
        """Return rows with the workbook's members, whatever else was told of their subject."""
        empty = blank(self._catalog.apis[api], block)
        if isinstance(values, Mapping):
            return {name: values.get(name, nothing) for name, nothing in empty.items()}
        return [{name: row.get(name, nothing) for name, nothing in empty.items()} for row in values]


def day_of(params: Params, name: str, *, blank: date | None = None) -> date:
    """Return a date that a call names; ``blank`` stands for one that is not given."""
    text = params.get(name, "")
    if not text and blank is not None:
        return blank
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date
    except ValueError as error:
        raise InputError(name) from error
