"""Pages of a list that nobody wrote by hand, in each of the ways that KIS has (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bridge.catalog.model import Api
from bridge.simulator.rest.answers import Row
from bridge.simulator.rest.params import InputError, Params

__all__ = ["ListPage", "page"]

_SIZE = {"real": 20, "paper": 15}
_AREA = re.compile(r"CTX_AREA_(?:FK|NK)([0-9]*)")


@dataclass(frozen=True, slots=True)
class ListPage:
    """Which rows a page has, and what leads to the next one."""

    rows: range
    tr_cont: str
    keys: dict[str, str]
    """Values by their name in the answer."""

    def mark(self, outputs: Row) -> Row:
        """Return the answer with its keys: in the block that has them, else beside the blocks."""
        left = dict(self.keys)
        for block in outputs.values():
            if isinstance(block, dict):
                for name in self.keys.keys() & block.keys():
                    block[name] = self.keys[name]
                    left.pop(name, None)
        return outputs | left


def page(
    api: Api, params: Params, tr_cont: str, environment: Literal["paper", "real"], total: int
) -> ListPage | None:
    """Return the page that a call asks for of a list of rows; None where all comes at once."""
    if not api.pages:
        return None
    names = [p.name.upper() for p in api.params if p.path.startswith("continuation")]
    size = _SIZE[environment]
    start = 0
    if api.pages == "tr_cont":
        # Nothing but the header tells a page from the first one: there is no more after the second.
        start = size if tr_cont == "N" else 0
    elif tr_cont == "N" or api.pages == "key":
        start = _start(params, names, total)
    rows = range(start, min(start + size, total))
    more = rows.stop < total and not (api.pages == "tr_cont" and start)
    mark = ("M" if start else "F") if more else ("E" if start else "D")
    if api.pages == "key":
        mark = ""
    keys = {name.lower(): _key(name, params, rows.stop if more else None) for name in names}
    return ListPage(rows, mark, keys)


def _start(params: Params, names: list[str], total: int) -> int:
    value = next((params.get(name, "") for name in names if not name.startswith("CTX_AREA_FK")), "")
    if not value:
        return 0
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise InputError(names[0])
    return min(int(value), total)


def _key(name: str, params: Params, following: int | None) -> str:
    area = _AREA.fullmatch(name)
    width = int(area[1] or 20) if area else 0
    if name.startswith("CTX_AREA_FK"):
        asked = "^".join(v for k, v in sorted(params.items()) if not k.startswith("CTX_AREA"))
        return asked[:width].ljust(width)
    return ("" if following is None else str(following)).ljust(width)
