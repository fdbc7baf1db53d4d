"""Bonds of an exchange that does not exist: invented issuers, terms and ratings (pure, seeded)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from random import Random

__all__ = ["FACE", "KNOWN", "BondIssue", "issue", "plausible"]

FACE = 10_000
"""Won of face value that a price is for."""

_SYMBOL = re.compile(r"KR[0-9A-Z]{10}")
_CACHED = 4_096


@dataclass(frozen=True, slots=True)
class BondIssue:
    """One bond; it pays its coupon every ``months`` and its face value at the end."""

    symbol: str
    name: str
    english: str
    issuer: str
    kind: str
    """KIS's class: ``GA`` of the state, ``MB`` municipal, ``SA`` special, ``BA`` of a bank, ``CA``
    of a company."""
    kind_name: str
    coupon: Decimal
    """Percent a year."""
    months: int
    issued: date
    matures: date
    amount: int
    """Won that were issued."""
    rating: str
    spread: Decimal
    """Percent a year that it yields above the state's."""

    @property
    def payment(self) -> Decimal:
        """Won of each coupon, for :data:`FACE`."""
        return FACE * self.coupon / 100 * self.months / 12

    def payments(self) -> list[date]:
        """Return the days of its coupons, the last of which is its end."""
        years = self.matures.year - self.issued.year
        count = (12 * years + self.matures.month - self.issued.month) // self.months
        return [_months_before(self.matures, self.months * n) for n in range(count)][::-1]

    def period(self, day: date) -> tuple[date, date]:
        """Return the last day before or on ``day`` that interest runs from, and the next coupon."""
        days = [self.issued, *self.payments()]
        last = max((one for one in days if one <= day), default=self.issued)
        return last, min((one for one in days if one > last), default=self.matures)

    def accrued(self, day: date) -> Decimal:
        """Return the won of interest that :data:`FACE` has earned since the last coupon."""
        if not self.issued <= day < self.matures:
            return Decimal(0)
        last, following = self.period(day)
        earned = self.payment * (day - last).days / (following - last).days
        return earned.quantize(Decimal("0.01"))


def _months_before(day: date, months: int) -> date:
    """Return the same day of an earlier month; every bond here ends by the 28th."""
    month = day.year * 12 + day.month - 1 - months
    return date(month // 12, month % 12 + 1, day.day)


@dataclass(frozen=True, slots=True)
class _BondClass:
    code: str
    name: str
    issuers: tuple[str, ...]
    ratings: tuple[str, ...]
    spreads: tuple[float, float]


_RATINGS = ("AA", "AA-", "A+")
_CLASSES = {
    "1": _BondClass("GA", "국채", ("모의국고", "모의국민주택"), ("",), (0.0, 0.02)),
    "2": _BondClass("MB", "지방채", ("모의도시철도", "모의지역개발"), ("AAA",), (0.1, 0.25)),
    "3": _BondClass("SA", "특수채", ("모의전력공사", "모의도로공사"), ("AAA",), (0.2, 0.4)),
    "6": _BondClass("CA", "회사채", ("가상전자", "가상화학", "가상물산"), _RATINGS, (0.6, 1.9)),
}
"""By the third character of a symbol."""
_BANK = _BondClass("BA", "금융채", ("모의은행", "가상캐피탈"), ("AAA", "AA+"), (0.3, 0.7))

KNOWN = (
    "KR101501DA32",
    "KR103502GC97",
    "KR2033022D33",
    "KR2088012A16",
    "KR35010153A1",
    "KR6001234E51",
    "KR6095572D81",
    "KR6449111CB8",
)
"""Listed from the start; the symbols are made of KIS's form, the bonds are invented."""


def plausible(symbol: str) -> bool:
    """Tell whether a symbol has the form of a Korean bond's."""
    return _SYMBOL.fullmatch(symbol) is not None and symbol[2] in _CLASSES


@lru_cache(maxsize=_CACHED)
def issue(symbol: str, seed: int) -> BondIssue:
    """Return the bond of a plausible symbol; the same every time."""
    draw = Random(f"bond {seed} {symbol}")  # noqa: S311 - a market, no secret
    kind = _CLASSES[symbol[2]]
    if symbol[2] == "6" and draw.random() < 0.4:
        kind = _BANK
    code, issuer = kind.code, draw.choice(kind.issuers)
    years = draw.choice((2, 3, 5, 10, 20, 30) if code == "GA" else (2, 3, 5, 7))
    # Long enough ago that it trades, far enough away that it will for years.
    left = draw.randrange(1, years) if years > 2 else 1
    matures = date(2027 + left, draw.randrange(1, 13), draw.randrange(1, 29))
    issued = matures.replace(year=matures.year - years - 1)
    spread = Decimal(str(round(draw.uniform(*kind.spreads), 3)))
    coupon = Decimal("2.5") + spread + Decimal(draw.randrange(0, 12)) / 8
    series = f"{coupon.normalize():f}".replace(".", "").ljust(5, "0")
    number = draw.randrange(1, 400)
    name = f"{issuer}{number}-{matures:%y%m}({series})"
    return BondIssue(
        *(symbol, name, f"SIMULATED {code} {number} {matures:%y%m}", issuer, code, kind.name),
        *(coupon, 6 if code == "GA" else 3, issued, matures),
        *(draw.randrange(1, 200) * 10_000_000_000, draw.choice(kind.ratings), spread),
    )
