"""KIS's own words for exchanges, countries and money overseas (pure data)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXCHANGES", "MONEY", "UNITED_STATES", "ExchangeNames", "wanted"]

UNITED_STATES = ("NASD", "NYSE", "AMEX")


@dataclass(frozen=True, slots=True)
class ExchangeNames:
    """One exchange, as each of KIS's calls names it."""

    name: str
    country: str
    """KIS's number."""
    country_name: str
    product: str
    """KIS's class of its stocks."""
    quoted: str
    """Its name in calls for prices."""
    market: str
    """Its number within the country, in the present balance."""
    variant: str
    """Of the calls that place orders."""
    country_code: str


def _us(name: str, product: str, quoted: str, market: str) -> ExchangeNames:
    return ExchangeNames(name, "840", "미국", product, quoted, market, "us", "US")


EXCHANGES = {
    "NASD": _us("나스닥", "512", "NAS", "01"),
    "NYSE": _us("뉴욕거래소", "513", "NYS", "02"),
    "AMEX": _us("아멕스", "529", "AMS", "05"),
    "SEHK": ExchangeNames("홍콩", "344", "홍콩", "501", "HKS", "01", "hongkong", "HK"),
    "SHAA": ExchangeNames("상해A", "156", "중국", "551", "SHS", "03", "shanghai", "CN"),
    "SZAA": ExchangeNames("심천A", "156", "중국", "552", "SZS", "04", "shenzhen", "CN"),
    "TKSE": ExchangeNames("일본", "392", "일본", "515", "TSE", "01", "japan", "JP"),
    "HASE": ExchangeNames("하노이거래소", "704", "베트남", "507", "HNX", "01", "vietnam", "VN"),
    "VNSE": ExchangeNames("호치민거래소", "704", "베트남", "508", "HSX", "02", "vietnam", "VN"),
}

MONEY = {
    "USD": ("미국 달러", "840"),
    "HKD": ("홍콩 달러", "344"),
    "CNY": ("중국 위안", "156"),
    "JPY": ("일본 엔", "392"),
    "VND": ("베트남 동", "704"),
}
"""Currency → its name and the country that it is of."""


def wanted(exchange: str, *, paper: bool = False) -> tuple[str, ...]:
    """Return the exchanges that an inquiry is about: at the real KIS Nasdaq is all of America."""
    if exchange in ("", "%"):
        return tuple(EXCHANGES)
    if exchange == "NASD" and not paper:
        return UNITED_STATES
    return (exchange,)
