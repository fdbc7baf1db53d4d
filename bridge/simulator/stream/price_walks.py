"""Prices without an order book: indices, overseas stocks and everything else (pure, seeded)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Protocol
from zoneinfo import ZoneInfo

from bridge.catalog.model import Code, Field, Layout
from bridge.runtime.clock import SEOUL
from bridge.simulator.history.figures import Figure, percent, sign_of
from bridge.simulator.history.tapes import Tape
from bridge.simulator.stream.encode import Value, Values

__all__ = ["Index", "Overseas", "TradingTapes", "Typed"]

_OVERSEAS_KEY = re.compile(r"([DR])([A-Z]{3})([A-Z0-9./]{1,12})")
_ZONES = {
    "America/New_York": ("NAS", "NYS", "AMS", "BAQ", "BAY", "BAA"),
    "Asia/Tokyo": ("TSE",),
    "Asia/Hong_Kong": ("HKS",),
    "Asia/Shanghai": ("SHS", "SZS", "SHI", "SZI"),
    "Asia/Ho_Chi_Minh": ("HSX", "HNX"),
}
_ZONE = {market: ZoneInfo(zone) for zone, markets in _ZONES.items() for market in markets}


_LEVEL = re.compile(r"(asks|bids)\[(\d+)\]\.price")
_CENT = Decimal("0.01")


class TradingTapes(Protocol):
    """Where the trades of a symbol are written down, and what lets it trade."""

    def tape(self, symbol: str, venue: str = "") -> Tape: ...
    def turn(self, symbol: str, now: datetime) -> None: ...


class Index:
    """A KRX index (``H0UPCNT0``, ``H0UPANC0``)."""

    def __init__(self, code: str, tape: Tape) -> None:
        self._code, self._tape = code, tape

    def values(self, now: datetime) -> Values:
        tape, draw = self._tape, self._tape.random
        tape.turn(now)
        price, base = tape.last, tape.base
        values: Values = {
            "BSTP_CLS_CODE": self._code,
            "BSOP_HOUR": now.strftime("%H%M%S"),
            "PRPR_NMIX": f"{price:.2f}",
            "PRDY_VRSS_SIGN": sign_of(price, base),
            "BSTP_NMIX_PRDY_VRSS": f"{price - base:.2f}",
            # Thousands of shares and millions of won, as KIS has them.
            "ACML_VOL": tape.volume // 1_000,
            "ACML_TR_PBMN": int(tape.value) // 1_000_000,
            "PCAS_VOL": tape.quantity // 1_000,
            "PCAS_TR_PBMN": int(tape.quantity * price * tape.instrument.multiplier) // 1_000_000,
            "PRDY_CTRT": percent(price - base, base),
            "UPLM_ISSU_CNT": 1,
            "ASCN_ISSU_CNT": 480,
            "STNR_ISSU_CNT": 70,
            "DOWN_ISSU_CNT": 390,
            "LSLM_ISSU_CNT": 0,
            "TICK_VRSS": draw.randrange(-40, 41),
        }
        for prefix, point, value in (
            ("OPRC", "OPRC_NMIX", tape.open),
            ("HGPR", "NMIX_HGPR", tape.high),
            ("LWPR", "NMIX_LWPR", tape.low),
        ):
            values[point] = f"{value:.2f}"
            # In spite of its name KIS sends its distance from the previous close.
            values[f"{prefix}_VRSS_NMIX_PRPR"] = f"{value - base:.2f}"
            values[f"{prefix}_VRSS_NMIX_SIGN"] = sign_of(value, base)
            values[f"PRDY_CLPR_VRSS_{prefix}_RATE"] = percent(value - base, base)
        return values


class Overseas:
    """An overseas stock (``HDFSCNT0``, ``HDFSASP0``, ``HDFSASP1``), named by its key."""

    def __init__(self, key: str, turns: TradingTapes) -> None:
        match = _OVERSEAS_KEY.fullmatch(key)
        if match is None or match[2] not in _ZONE:
            raise ValueError(f"no such key: {key!r}")
        self._key, self._symbol, self._venue = key, match[3], match[2]
        self._zone = _ZONE[match[2]]
        self._dollars = match[2] in _ZONES["America/New_York"]
        self._turns = turns

    def _moment(self, now: datetime) -> Values:
        there = now.astimezone(self._zone)
        here = now.astimezone(SEOUL)
        return {
            "RSYM": self._key,
            "SYMB": self._symbol,
            "ZDIV": self._decimals,
            "TYMD": there.strftime("%Y%m%d"),
            "XYMD": there.strftime("%Y%m%d"),
            "XHMS": there.strftime("%H%M%S"),
            "KYMD": here.strftime("%Y%m%d"),
            "KHMS": here.strftime("%H%M%S"),
        }

    @property
    def _decimals(self) -> int:
        return 4 if self._dollars else 3

    def _price(self, value: Decimal) -> str:
        return f"{value:.{self._decimals}f}"

    def trade(self, now: datetime) -> Values:
        tape = self._turns.tape(self._symbol, self._venue)
        self._turns.turn(self._symbol, now)
        draw = tape.random
        price, base = tape.last, tape.base
        moved = percent(price - base, base)
        signed = f"{moved:+.2f}" if moved else "0.00"
        return self._moment(now) | {
            "OPEN": self._price(tape.open),
            "HIGH": self._price(tape.high),
            "LOW": self._price(tape.low),
            "LAST": self._price(price),
            "SIGN": sign_of(price, base),
            # The change carries no sign here: the sign code has it.
            "DIFF": self._price(abs(price - base)),
            "RATE": signed,
            "PBID": self._price(max(_CENT, price - _CENT)),
            "PASK": self._price(price + _CENT),
            "VBID": draw.randrange(1, 900),
            "VASK": draw.randrange(1, 900),
            "EVOL": tape.quantity,
            "TVOL": tape.volume,
            "TAMT": int(tape.value),
            "BIVL": tape.sold,
            "ASVL": tape.bought,
            "STRN": percent(tape.bought, tape.sold),
            "MTYP": "1",
        }

    def quote(self, now: datetime) -> Values:
        tape = self._turns.tape(self._symbol, self._venue).read(now)
        values, price, draw = self._moment(now), tape.last, tape.random
        totals = [0, 0]
        for level in range(1, 11):
            bid, ask = draw.randrange(1, 900), draw.randrange(1, 900)
            values |= {
                f"PBID{level}": self._price(max(_CENT, price - _CENT * level)),
                f"PASK{level}": self._price(price + _CENT * level),
                f"VBID{level}": bid,
                f"VASK{level}": ask,
                f"DBID{level}": 0,
                f"DASK{level}": 0,
            }
            totals = [totals[0] + bid, totals[1] + ask]
        return values | {"BVOL": totals[0], "AVOL": totals[1], "BDVL": 0, "ADVL": 0}


class Typed:
    """Values for a layout nobody has modelled: what is known by its paths, else by its types.

    ``figures`` lets the symbol trade and returns what is known of it.
    """

    def __init__(
        self,
        layout: Layout,
        key: str,
        seed: int,
        codes: Mapping[str, tuple[Code, ...]],
        figures: Callable[[datetime], Mapping[str, Figure]],
    ) -> None:
        self._layout, self._key, self._codes, self._figures = layout, key, codes, figures
        self._random = Random(f"typed {seed} {layout.id} {key}")  # noqa: S311 - a market

    def values(self, now: datetime, key_name: str) -> Values:
        """Return a record whose field ``key_name`` holds the subscription key."""
        known = self._figures(now)
        values = {field.name: self._value(field, now, known) for field in self._layout.fields}
        values[key_name] = self._key
        return values

    def _value(self, field: Field, now: datetime, known: Mapping[str, Figure]) -> Value:
        figure = known.get(field.path)
        match field.type:
            case "sign":
                return str(figure or known["change_sign"])
            case "date":
                return now.strftime("%Y%m%d")
            case "time":
                return now.strftime("%H%M%S")
            case "code":
                listed = self._codes.get(field.codes)
                return self._random.choice(listed).code if listed else ""
            case "string":
                return ""
            case "int" | "decimal":
                number = figure if isinstance(figure, Decimal) else Decimal(figure or 0)
                if figure is None:
                    number = self._number(field.path, known)
                number *= 10**field.scale
                return str(int(number)) if field.type == "int" else f"{number:.2f}"

    def _number(self, path: str, known: Mapping[str, Figure]) -> Decimal:
        price, step = Decimal(known["price"]), Decimal(known["tick"])
        level = _LEVEL.match(path)
        if level:
            steps = (int(level[2]) + 1) * (1 if level[1] == "asks" else -1)
            return max(step, price + steps * step)
        if "price" in path:
            return price
        return Decimal(self._random.randrange(1, 1_000))
