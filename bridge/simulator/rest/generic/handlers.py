"""An answer for every call that has none of its own, made of the workbook's outputs (pure, seeded).

Nothing in it is true but what the sources of :mod:`bridge.simulator.rest.facts` know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from random import Random

from bridge.catalog.model import Api, Catalog, Output
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.tickets import OrderRefused
from bridge.simulator.history.history import History
from bridge.simulator.history.instruments import Family as Market
from bridge.simulator.rest.answers import Answer, Row, done, padded
from bridge.simulator.rest.calls import Handler
from bridge.simulator.rest.facts import Facts, FactSource
from bridge.simulator.rest.generic import pages
from bridge.simulator.rest.generic.values import ROW_COUNTS, RowSubject, row
from bridge.simulator.rest.params import Params
from bridge.simulator.settings import SimulatorSettings

__all__ = ["GenericHandlers"]

_ROWS = 5
"""Of a list that does not come in pages."""
_ROWS_IN_PAGES = 45
"""Of one that does: three pages."""
_DAYS = frozenset(("date", "trade_date", "business_date", "local_date", "quote_date"))
"""Fields that make a row one of a day."""
_FAMILIES: Mapping[str, Market] = {
    "domestic_stock": "domestic_stock",
    "domestic_bond": "domestic_bond",
    "domestic_futureoption": "domestic_derivative",
    "elw": "domestic_stock",
    "etfetn": "domestic_stock",
    "overseas_stock": "overseas_stock",
    "overseas_futureoption": "overseas_derivative",
}
_LISTED = re.compile(r"(?=.*[0-9])[0-9A-Z]{4,9}|0000*")
_ANY = re.compile(r"[0-9A-Za-z./#@%&_ -]{1,20}")


def _volume(known: Facts | None) -> Decimal:
    return Decimal(known.volume if known else 0)


_RANKED_BY: Mapping[str, Callable[[Facts | None], Decimal]] = {
    "trade_pbmn": lambda known: Decimal(known.value if known else 0),
    "updown_rate": lambda known: known.rate if known else Decimal(0),
    "price_fluct": lambda known: known.rate if known else Decimal(0),
}
_NUMBERED = re.compile(r"symbol_([0-9]+)")
_FIRST_NUMBER = 50_000_001


@dataclass
class GenericHandlers:
    """Answers any call; ``sources`` are asked in turn what they know of a symbol."""

    exchange: Exchange
    catalog: Catalog
    settings: SimulatorSettings
    sources: Sequence[FactSource]
    history: History
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
        if asked and not _symbol(api).fullmatch(asked):
            return Answer("1", "MCA05918", padded("종목코드 오류입니다.", 80))
        known = self._facts(api, asked, now)
        several = _several(api, params)
        market = several or (() if known else self._symbols(api, params))
        names_symbols = bool(several) or any(_names_symbols(output) for output in api.outputs)
        total = len(market) if market and names_symbols else _ROWS_IN_PAGES
        page = pages.page(api, params, tr_cont, self.settings.environment, total)
        outputs: Row = {}
        rows = len(page.rows) if page is not None else _ROWS
        for output in api.outputs:
            if not output.array:
                subject = RowSubject(
                    api.category,
                    now,
                    known or self._facts(api, next(iter(market), ""), now),
                    rows=rows,
                )
                made = self._row(api, output, params, subject)
                outputs |= {output.name: made} if output.name else made
                continue
            numbers = page.rows if page is not None else range(len(several) or _ROWS)
            if len(api.outputs) > 1 and any(field.path in ROW_COUNTS for field in output.fields):
                numbers = numbers[:1]  # the head of the other list, which KIS writes as one, too
            listed = market if several or _names_symbols(output) else ()
            if any(field.path == "rank" for field in output.fields):
                listed = self._ranked(api, listed, now)
            subjects = self._subjects(api, output, listed, known, numbers, now)
            outputs[output.name] = [self._row(api, output, params, one) for one in subjects]
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
            subject = RowSubject(api.category, now, None, order_no=number)
            made = self._row(api, output, params, subject)
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

    def _symbols(self, api: Api, params: Params) -> tuple[str, ...]:
        return next(filter(None, (source.listed(api, params) for source in self.sources)), ())

    def _ranked(self, api: Api, market: Sequence[str], now: datetime) -> tuple[str, ...]:
        """Return symbols in the order of what a ranking is by: the volume, where nothing says."""
        by = _RANKED_BY.get(api.id, _volume)
        known = {symbol: self._facts(api, symbol, now) for symbol in market}
        return tuple(sorted(market, key=lambda one: by(known[one]), reverse=True))

    def _subjects(
        self,
        api: Api,
        output: Output,
        market: Sequence[str],
        known: Facts | None,
        numbers: Sequence[int],
        now: datetime,
    ) -> Iterator[RowSubject]:
        """Yield what each row of a list is about.

        Of one symbol rows go back in time; a list that names symbols and was asked for none is
        about one a row, and about none twice.
        """
        if market:
            for place, number in enumerate(numbers):
                if number < len(market):
                    about = self._facts(api, market[number], now)
                    yield RowSubject(api.category, now, about, number, rows=len(numbers) - place)
            return
        dated = any(field.path in _DAYS for field in output.fields)
        past = self._past(api, known, numbers, now) if known and dated else {}
        for number in numbers:
            about = past.get(number, known)
            yield RowSubject(api.category, now, about, number, number, len(numbers))

    def _past(
        self, api: Api, known: Facts, numbers: Sequence[int], now: datetime
    ) -> dict[int, Facts]:
        """Return a symbol as it stood so many days ago, by the number of days."""
        family = _FAMILIES.get(api.category)
        most = max(numbers, default=0) + 2
        if family is None or most < 3:
            return {}
        yesterday = now.date() - timedelta(days=1)
        bars = self.history.bars(family, known.symbol, "day", yesterday, most)
        return {
            number: replace(
                known,
                price=bar.close,
                base=before.close,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                volume=bar.volume,
                value=int(bar.value),
                previous_volume=before.volume,
                at=bar.start,
                asks=(),
                bids=(),
            )
            for number, (bar, before) in enumerate(pairwise(bars), 1)
            if number in numbers
        }

    def _row(self, api: Api, output: Output, params: Params, subject: RowSubject) -> Row:
        asked = sorted((k, v) for k, v in params.items() if not k.startswith("CTX_AREA"))
        about = subject.facts.symbol if subject.facts else ""
        place = f"generic {self.settings.seed} {api.name} {output.name} {asked} {about}"
        draw = Random(f"{place} {subject.rank}")  # noqa: S311 - a market, not a secret
        return row(output.fields, self.catalog.codes, params, subject, draw)


def _several(api: Api, params: Params) -> tuple[str, ...]:
    """Return the symbols of a call that asks for some at once, by their numbers."""
    asked = sorted(
        (int(number[1]), params.get(param.name.upper(), ""))
        for param in api.params
        if (number := _NUMBERED.fullmatch(param.path))
    )
    return tuple(symbol for _, symbol in asked if symbol)


def _names_symbols(output: Output) -> bool:
    return output.array and any(field.path == "symbol" for field in output.fields)


def _symbol(api: Api) -> re.Pattern[str]:
    """Return what a symbol of a call looks like; in some calls it is a market or an investor."""
    return _LISTED if api.category in ("elw", "etfetn") else _ANY
