"""What trading costs (pure): fees, taxes, loans. Amounts in won, fractions of a won are dropped.

Sources: the fee is KIS's published rate for orders over its online channels (BanKIS), fees of the
exchange and the depository included; the tax is the securities transaction tax, with the rural
development tax in it. Terms of credit are KIS's for stocks of its best class, with one rate of
interest where KIS has a table by days.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from bridge.simulator.exchange.securities import is_fund

__all__ = [
    "CREDIT_LIMIT",
    "GUARANTEE_PERCENT",
    "LOAN_DAYS",
    "expiry",
    "fee",
    "guarantee",
    "interest",
    "loan",
    "tax",
]

_FEE_PPB, _FUND_FEE_PPB = 140_527, 146_527
"""0.0140527 % of the value of stocks and 0.0146527 % of funds, buying and selling."""
_TAX_PER_10_000 = ((date(2026, 1, 1), 20), (date(2025, 1, 1), 15), (date.min, 18))
"""Of the value of shares sold, from a day on. KOSPI and KOSDAQ come to the same."""
GUARANTEE_PERCENT = 45
"""Of the value, that whoever trades on credit brings along."""
CREDIT_LIMIT = 1_000_000_000
"""Won that KIS lends to one account."""
LOAN_DAYS = 90
_LOAN_RATE, _SHORT_RATE = 90, 25
"""Interest a year on a loan and on borrowed shares, of 1,000."""
_PPB = 10**9


def fee(value: int, symbol: str) -> int:
    """Return the commission on what an order has traded in all."""
    return value * _rate(symbol) // _PPB


def tax(value: int, symbol: str, day: date) -> int:
    """Return the tax on what a sale has traded in all; there is none on funds."""
    if is_fund(symbol):
        return 0
    return value * next(rate for since, rate in _TAX_PER_10_000 if day >= since) // 10_000


def loan(value: int) -> int:
    """Return how much of a purchase is lent."""
    return value * (100 - GUARANTEE_PERCENT) // 100


def guarantee(value: int) -> int:
    """Return what is locked for shares that are sold without owning them."""
    return value - loan(value)


def interest(amount: int, lent_on: str, day: date, *, shares: bool) -> int:
    """Return the interest on a loan of money or of ``shares`` until a day."""
    days = (day - datetime.strptime(lent_on, "%Y%m%d").date()).days  # noqa: DTZ007 - a date
    return amount * (_SHORT_RATE if shares else _LOAN_RATE) * days // 365_000


def expiry(lent_on: str) -> str:
    """Return the day on which a loan is due."""
    since = datetime.strptime(lent_on, "%Y%m%d")  # noqa: DTZ007 - a date
    return f"{since + timedelta(days=LOAN_DAYS):%Y%m%d}"


def _rate(symbol: str) -> int:
    return _FUND_FEE_PPB if is_fund(symbol) else _FEE_PPB
