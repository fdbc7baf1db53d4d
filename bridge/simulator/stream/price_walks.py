"""Prices without an order book: indices, overseas stocks and everything else (pure, seeded)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Protocol
from zoneinfo import ZoneInfo

from bridge.catalog.model import Code, Field, Layout
from bridge.runtime.clock import SEOUL
from bridge.simulator.history.instruments import instrument
from bridge.simulator.stream.encode import Value, Values
from bridge.simulator.stream.records import rate, sign

__all__ = ["Index", "Overseas", "Tape", "Typed"]

_OVERSEAS_KEY = re.compile(r"([DR])([A-Z]{3})([A-Z0-9./]{1,12})")
_ZONES = {
    "America/New_York": ("NAS", "NYS", "AMS", "BAQ", "BAY", "BAA"),
    "Asia/Tokyo": ("TSE",),
    "Asia/Hong_Kong": ("HKS",),
    "Asia/Shanghai": ("SHS", "SZS", "SHI", "SZI"),
    "Asia/Ho_Chi_Minh": ("HSX", "HNX"),
}
_ZONE = {market: ZoneInfo(zone) for zone, markets in _ZONES.items() for market in markets}


class Tape(Protocol):
    """The last price of each symbol, where orders and records meet."""

    def price(self, symbol: str) -> Decimal: ...
    def move(self, symbol: str, price: Decimal, now: datetime) -> None: ...


class _Walk:
    """A price that wanders around its base, with the day's statistics."""

    def __init__(self, seed: str, base: float, spread: float) -> None:
        self.random = Random(seed)  # noqa: S311 - a market, not a secret
        self.base = base
        self.price = self.open = self.high = self.low = base
        self.volume = self.value = self.bought = self.sold = self.quantity = 0
        self._spread = spread

    def step(self, quantity: int) -> None:
        draw = self.random
        pull = (self.base - self.price) * 1e-4
        self.price = max(0.01, self.price * (1 + draw.gauss(0.0, self._spread)) + pull)
        self.high, self.low = max(self.high, self.price), min(self.low, self.price)
        self.quantity = quantity
        self.volume += quantity
        self.value += int(quantity * self.price)
        if draw.random() < 0.5:
            self.bought += quantity
        else:
            self.sold += quantity


class Index:
    """A KRX index (``H0UPCNT0``, ``H0UPANC0``)."""

    def __init__(self, code: str, seed: int) -> None:
        base = float(instrument("domestic_index", code, seed).base)
        self._code = code
        self._walk = _Walk(f"index {seed} {code}", base, 0.00005)

    def values(self, now: datetime) -> Values:
        walk = self._walk
        walk.step(walk.random.randrange(50, 900))
        price, base = round(walk.price, 2), walk.base
        values: Values = {
            "BSTP_CLS_CODE": self._code,
            "BSOP_HOUR": now.strftime("%H%M%S"),
            "PRPR_NMIX": f"{price:.2f}",
            "PRDY_VRSS_SIGN": sign(price, base),
            "BSTP_NMIX_PRDY_VRSS": f"{price - base:.2f}",
            "ACML_VOL": walk.volume,
            "ACML_TR_PBMN": walk.value // 50,
            "PCAS_VOL": walk.quantity,
            "PCAS_TR_PBMN": int(walk.quantity * price / 50),
            "PRDY_CTRT": rate(price - base, base),
            "UPLM_ISSU_CNT": 1,
            "ASCN_ISSU_CNT": 480,
            "STNR_ISSU_CNT": 70,
            "DOWN_ISSU_CNT": 390,
            "LSLM_ISSU_CNT": 0,
            "TICK_VRSS": walk.random.randrange(-40, 41),
        }
        for prefix, point, value in (
            ("OPRC", "OPRC_NMIX", walk.open),
            ("HGPR", "NMIX_HGPR", walk.high),
            ("LWPR", "NMIX_LWPR", walk.low),
        ):
            value = round(value, 2)
            values[point] = f"{value:.2f}"
            # In spite of its name KIS sends its distance from the previous close.
            values[f"{prefix}_VRSS_NMIX_PRPR"] = f"{value - base:.2f}"
            values[f"{prefix}_VRSS_NMIX_SIGN"] = sign(value, base)
            values[f"PRDY_CLPR_VRSS_{prefix}_RATE"] = rate(value - base, base)
        return values


class Overseas:
    """An overseas stock (``HDFSCNT0``, ``HDFSASP0``, ``HDFSASP1``), named by its key."""

    def __init__(self, key: str, seed: int, tape: Tape) -> None:
        match = _OVERSEAS_KEY.fullmatch(key)
        if match is None or match[2] not in _ZONE:
            raise ValueError(f"no such key: {key!r}")
        self._key, self._symbol = key, match[3]
        self._zone = _ZONE[match[2]]
        self._dollars = match[2] in _ZONES["America/New_York"]
        self._tape = tape
        base = float(tape.price(self._symbol))
        self._walk = _Walk(f"overseas {seed} {key}", base, 0.0002)

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

    def _price(self, value: float) -> str:
        return f"{round(value, 2):.{self._decimals}f}"

    def trade(self, now: datetime) -> Values:
        walk = self._walk
        walk.price = float(self._tape.price(self._symbol))
        walk.step(walk.random.randrange(1, 400))
        price, base = round(walk.price, 2), walk.base
        self._tape.move(self._symbol, Decimal(f"{price:.2f}"), now)
        percent = rate(price - base, base)
        signed = percent if percent.startswith("-") or percent == "0.00" else f"+{percent}"
        return self._moment(now) | {
            "OPEN": self._price(walk.open),
            "HIGH": self._price(walk.high),
            "LOW": self._price(walk.low),
            "LAST": self._price(price),
            "SIGN": sign(price, base),
            # The change carries no sign here: the sign code has it.
            "DIFF": self._price(abs(price - base)),
            "RATE": signed,
            "PBID": self._price(price - 0.01),
            "PASK": self._price(price + 0.01),
            "VBID": walk.random.randrange(1, 900),
            "VASK": walk.random.randrange(1, 900),
            "EVOL": walk.quantity,
            "TVOL": walk.volume,
            "TAMT": walk.value,
            "BIVL": walk.sold,
            "ASVL": walk.bought,
            "STRN": rate(walk.bought, walk.sold),
            "MTYP": "1",
        }

    def quote(self, now: datetime) -> Values:
        walk = self._walk
        values = self._moment(now)
        price = float(self._tape.price(self._symbol))
        totals = [0, 0]
        for level in range(1, 11):
            bid, ask = walk.random.randrange(1, 900), walk.random.randrange(1, 900)
            values |= {
                f"PBID{level}": self._price(max(0.01, price - 0.01 * level)),
                f"PASK{level}": self._price(price + 0.01 * level),
                f"VBID{level}": bid,
                f"VASK{level}": ask,
                f"DBID{level}": 0,
                f"DASK{level}": 0,
            }
            totals = [totals[0] + bid, totals[1] + ask]
        return values | {"BVOL": totals[0], "AVOL": totals[1], "BDVL": 0, "ADVL": 0}


class Typed:
    """Plausible values for a layout nobody has modelled: what its types and paths allow."""

    def __init__(
        self,
        layout: Layout,
        key: str,
        seed: int,
        codes: Mapping[str, tuple[Code, ...]],
        tape: Tape | None = None,
        base: float | None = None,
    ) -> None:
        self._layout, self._key, self._codes, self._tape = layout, key, codes, tape
        base = (base or 1_000.0) if tape is None else float(tape.price(key))
        self._walk = _Walk(f"typed {seed} {layout.id} {key}", base, 0.0003)

    def values(self, now: datetime, key_name: str) -> Values:
        """Return a record whose field ``key_name`` holds the subscription key."""
        if self._tape is not None:
            self._walk.price = float(self._tape.price(self._key))
        self._walk.step(self._walk.random.randrange(1, 500))
        if self._tape is not None:
            self._walk.price = round(self._walk.price, 2)
            self._tape.move(self._key, Decimal(f"{self._walk.price:.2f}"), now)
        down = self._walk.price < self._walk.base
        values = {field.name: self._value(field, now, down=down) for field in self._layout.fields}
        values[key_name] = self._key
        return values

    def _value(self, field: Field, now: datetime, *, down: bool) -> Value:
        walk, path = self._walk, field.path
        match field.type:
            case "sign":
                return "5" if down else "2"
            case "date":
                return now.strftime("%Y%m%d")
            case "time":
                return now.strftime("%H%M%S")
            case "code":
                known = self._codes.get(field.codes)
                return walk.random.choice(known).code if known else ""
            case "string":
                return ""
            case "int" | "decimal":
                number = self._number(path)
                if field.signed_by and down:
                    number = -number
                number *= 10**field.scale
                return str(int(number)) if field.type == "int" else f"{number:.2f}"

    def _number(self, path: str) -> float:
        walk = self._walk
        level = re.match(r"(asks|bids)\[(\d+)\]\.price", path)
        if level:
            offset = (int(level[2]) + 1) * (1 if level[1] == "asks" else -1)
            return walk.price + offset
        if "price" in path or path in ("open", "high", "low"):
            return walk.price
        if "volume" in path or "value" in path:
            return float(walk.volume)
        if "change" in path or "rate" in path:
            return abs(walk.price - walk.base)
        return float(walk.random.randrange(1, 1_000))
