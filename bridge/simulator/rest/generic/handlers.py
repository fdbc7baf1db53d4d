"""An answer for every call that has none of its own, made of the workbook's outputs (pure, seeded).

Nothing in it is true but what the sources of :mod:`bridge.simulator.rest.facts` know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random

from bridge.catalog.model import Api, Catalog, Output
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.rest.answers import Answer, Row, done, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.facts import Facts, FactSource
from bridge.simulator.rest.generic import pages
from bridge.simulator.rest.generic.values import RowSubject, row
from bridge.simulator.rest.params import Params
from bridge.simulator.settings import SimulatorSettings

__all__ = ["GenericHandlers"]

_ROWS = 5
"""Of a list that does not come in pages."""
_FIRST_NUMBER = 50_000_001


@dataclass
class GenericHandlers:
    """Answers any call; ``sources`` are asked in turn what they know of a symbol."""

    exchange: Exchange
    catalog: Catalog
    settings: SimulatorSettings
    sources: Sequence[FactSource]
    _ordered: int = field(default=0, init=False)
    """How many order numbers have been given."""

    def handler(self, api: Api) -> Handler:
        """Return what answers a call."""
        return partial(self._answer, api)

    def _answer(
        self, api: Api, variant: str, params: Params, tr_cont: str, now: datetime
    ) -> Answer:
        if api.changes:
            return self._order(api, params, now)
        asked = self._asked(api, params)
        known = self._facts(api, asked, now)
        page = pages.page(api, params, tr_cont, self.settings.environment)
        outputs: Row = {}
        for output in api.outputs:
            if not output.array:
                made = self._row(
                    api, output, params, RowSubject(now, known or self._first(api, now))
                )
                outputs |= {output.name: made} if output.name else made
                continue
            listed = self._listed(api, output, asked, known)
            numbers = page.rows if page is not None else range(len(listed) or _ROWS)
            outputs[output.name] = [
                self._row(api, output, params, self._subject(api, listed, known, number, now))
                for number in numbers
            ]
        mark = ""
        if page is not None:
            outputs = page.mark(outputs)
            mark = page.tr_cont
        if "CANO" in params:
            return done(self.settings.environment, outputs, mark)
        return Answer("0", "MCA00000", padded("정상처리 되었습니다.", 80), outputs, mark)

    def _order(self, api: Api, params: Params, now: datetime) -> Answer:
        session = self.exchange.session(now)
        if session != "open":
            raise OrderRefused("session", session)
        self._ordered += 1
        number = f"{_FIRST_NUMBER + self._ordered:010d}"
        outputs: Row = {}
        for output in api.outputs:
            made = self._row(api, output, params, RowSubject(now, None, order_no=number))
            if not output.name:
                outputs |= made
            else:
                outputs[output.name] = [made] if output.array else made
        return Answer("0", "APBK0013", "주문 전송 완료 되었습니다.", outputs)

    def _asked(self, api: Api, params: Params) -> str:
        """Return the symbol that a call names."""
        for param in api.params:
            if param.path == "symbol" and (symbol := params.get(param.name.upper(), "")):
                return symbol
        return ""

    def _facts(self, api: Api, symbol: str, now: datetime) -> Facts | None:
        found = (source.facts(api, symbol, now) for source in self.sources)
        return next(filter(None, found), None) if symbol else None

    def _symbols(self, api: Api) -> tuple[str, ...]:
        return next(filter(None, (source.listed(api) for source in self.sources)), ())

    def _first(self, api: Api, now: datetime) -> Facts | None:
        return self._facts(api, next(iter(self._symbols(api)), ""), now)

    def _listed(self, api: Api, output: Output, asked: str, known: Facts | None) -> tuple[str, ...]:
        """Return the symbols that a list is about: none where all rows are about the same one."""
        several = known is None and any(field.path == "symbol" for field in output.fields)
        return self._symbols(api) if several else ()

    def _subject(
        self, api: Api, listed: Sequence[str], known: Facts | None, number: int, now: datetime
    ) -> RowSubject:
        if listed:
            known = self._facts(api, listed[number % len(listed)], now)
            return RowSubject(now, known, rank=number)
        return RowSubject(now, known, rank=number, back=number)

    def _row(self, api: Api, output: Output, params: Params, subject: RowSubject) -> Row:
        asked = sorted((k, v) for k, v in params.items() if not k.startswith("CTX_AREA"))
        about = subject.facts.symbol if subject.facts else ""
        place = f"generic {self.settings.seed} {api.name} {output.name} {asked} {about}"
        draw = Random(f"{place} {subject.rank}")  # noqa: S311 - a market, not a secret
        return row(output.fields, self.catalog.codes, params, subject, draw)
