"""The table of every call: which have an answer of their own, and where it is written (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from bridge.catalog.model import Api, Catalog
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.settings import SimulatorSettings

__all__ = ["BEGIN", "END", "with_table"]

BEGIN = "<!-- every call: written by kis-bridge spec simulator -->"
END = "<!-- end of every call -->"
_REST = "bridge.simulator.rest."


def with_table(text: str, catalog: Catalog) -> str:
    """Return a text with the table between the two marks; raise ValueError where they are not."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n{''.join(_lines(catalog))}{END}{after}"


def _lines(catalog: Catalog) -> Iterator[str]:
    handlers = Handlers(Exchange(), catalog, SimulatorSettings())
    where: dict[str, str] = {}
    for family in handlers.families:
        module = type(family).__module__.removeprefix(_REST)
        where = dict.fromkeys(family.handlers(), f"`{module}`") | where
    tokens = [name for name, api in catalog.apis.items() if not api.tr_ids]
    where = dict.fromkeys(tokens, "`server`") | where
    written = sum(name in where for name in catalog.apis)
    yield f"\n{len(catalog.apis)} calls: {written} have an answer of their own, written in the"
    yield " module of `rest/` that the table names; the others get the generic one.\n"
    for category, apis in groupby(catalog.apis.values(), key=lambda api: api.category):
        yield f"\n| {category} | real | paper | pages | answer |\n|---|---|---|---|---|\n"
        for api in apis:
            yield f"| {' | '.join(_row(api, where.get(api.name, 'generic')))} |\n"
    yield "\n"


def _row(api: Api, where: str) -> tuple[str, ...]:
    real = " ".join(ids.real for ids in api.tr_ids)
    paper = " ".join(ids.paper or "–" for ids in api.tr_ids)
    return api.id, real, "–" if set(paper.split()) <= {"–"} else paper, api.pages, where
