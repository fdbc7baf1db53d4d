"""Values that nobody knows: what a field's type and English path let expect (pure, seeded)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from bridge.catalog.model import Field
from bridge.simulator.rest.facts import Facts
from bridge.simulator.rest.generic.told import Number, number

__all__ = ["amount", "code", "day", "text"]

_LAST = re.compile(r"([a-z]+)(?:_\d+)?(?:\[\d+\])?$")
_KINDS = {
    "rate": "rate ratio percent share volatility disparity parity gearing leverage delta gamma"
    " theta vega rho yield weight strength per pbr premium turnover",
    "count": "count days months rank sequence number multiplier frequency digits",
    "quantity": "quantity volume shares holding interest contracts size",
    "price": "price high low open close limit nav settlement ask bid average index eps bps",
    "money": "value amount cash deposit margin profit fee loss gain tax cost costs assets debt"
    " capital sales equity liabilities income total orderable substitute reserve balance dividend",
}
_KIND = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_AHEAD = re.compile(r"expiry|matur|_end|end_|until|last_|settle|redempt|payment|next|valid|refund")
_BEHIND = re.compile(r"start|listing|issue|buy_|sale|first|previous|registr|loan|begin|from|open")
_BLANK = re.compile(r"delist|cancel|abol|stop|halt|exclusion")
_MONTHS = re.compile(r"month$")


def amount(field: Field, known: Facts | None, draw: Random) -> str:
    """Return a number of a size that its name lets expect."""
    last = _LAST.search(field.path)
    kind = _KIND.get(last[1] if last else "", "")
    price = known.price if known else Decimal(draw.randrange(1_000, 100_000))
    volume = known.volume if known else 100_000
    value: Number
    match kind:
        case "rate":
            value = Decimal(draw.randrange(1, 3_000)) / 100
        case "count":
            value = draw.randrange(1, 60)
        case "quantity":
            value = draw.randrange(1, max(2, volume // 20))
        case "price":
            value = price * (1 + Decimal(draw.randrange(-200, 201)) / 10_000)
        case "money":
            value = draw.randrange(10_000, 50_000_000)
        case _:
            value = draw.randrange(1, 1_000)
    decimals = known.decimals if known and kind == "price" else 2
    return number(field, value, decimals)


def day(field: Field, at: datetime, draw: Random) -> str:
    """Return a day before, on or after a day; blank for what happens to few."""
    if _BLANK.search(field.path):
        return ""
    if _AHEAD.search(field.path):
        at += timedelta(days=draw.randrange(7, 400))
    elif _BEHIND.search(field.path):
        at -= timedelta(days=draw.randrange(30, 2_000))
    return f"{at:%Y%m%d}"


def code(field: Field, draw: Random) -> str:
    """Return a code that no list explains."""
    name, path = field.name.lower(), field.path
    if name.endswith("_yn"):
        return draw.choice("YNNN")
    if path.endswith("order_no"):
        return f"{draw.randrange(1, 90_000):010d}"
    if path.endswith(("org_no", "branch")):
        return "91252"
    if path.endswith("member_no"):
        return f"{draw.randrange(1, 100):05d}"
    if path.endswith(("_no", "sequence", "serial_no")):
        return str(draw.randrange(1, 10_000))
    return "00" if name.endswith("_cd") else "0"


def text(field: Field, at: datetime, draw: Random) -> str:
    """Return a text: one that holds a moment, or its Korean name marked as simulated."""
    path = field.path
    if path.endswith("datetime"):
        return f"{at:%Y%m%d%H%M%S}"
    if path.endswith("date"):
        return day(field, at, draw)
    if path.endswith("time"):
        return f"{at:%H%M%S}"
    if _MONTHS.search(path):
        quarter = at.replace(month=(at.month - 1) // 3 * 3 or 12, year=at.year - (at.month < 4))
        return f"{quarter:%m}" if path == "fiscal_month" else f"{quarter:%Y%m}"
    if path.endswith(("name", "title", "message", "opinion", "manager", "source", "kind")):
        return f"모의 {field.korean}"[:40]
    return ""
