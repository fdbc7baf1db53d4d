"""What is listed abroad by name: a few well-known firms, the rest invented (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

__all__ = [
    "EXCHANGES",
    "INDUSTRIES",
    "ForeignExchange",
    "ForeignFirm",
    "find_abroad",
    "listed_abroad",
]


@dataclass(frozen=True, slots=True)
class ForeignExchange:
    """An exchange as KIS names it."""

    code: str
    name: str
    order_code: str
    country: str
    country_name: str
    country_code: str
    """Of three digits."""
    currency: str
    product: str
    """KIS's code of what is traded there."""


EXCHANGES: Mapping[str, ForeignExchange] = {
    one.code: one
    for one in (
        ForeignExchange("NAS", "나스닥", "NASD", "US", "미국", "840", "USD", "512"),
        ForeignExchange("NYS", "뉴욕", "NYSE", "US", "미국", "840", "USD", "513"),
        ForeignExchange("AMS", "아멕스", "AMEX", "US", "미국", "840", "USD", "529"),
        ForeignExchange("HKS", "홍콩", "SEHK", "HK", "홍콩", "344", "HKD", "501"),
        ForeignExchange("SHS", "상해", "SHAA", "CN", "중국", "156", "CNY", "551"),
        ForeignExchange("SZS", "심천", "SZAA", "CN", "중국", "156", "CNY", "552"),
        ForeignExchange("TSE", "도쿄", "TKSE", "JP", "일본", "392", "JPY", "515"),
        ForeignExchange("HSX", "호치민", "VNSE", "VN", "베트남", "704", "VND", "508"),
        ForeignExchange("HNX", "하노이", "HASE", "VN", "베트남", "704", "VND", "507"),
    )
}
INDUSTRIES = (
    ("010", "모의 반도체", "SEMICONDUCTOR"),
    ("020", "모의 소프트웨어", "SOFTWARE"),
    ("030", "모의 자동차", "AUTO"),
    ("040", "모의 금융", "FINANCIAL"),
    ("050", "모의 제약", "PHARMA"),
    ("060", "모의 유통", "RETAIL"),
)
"""Code, Korean name, and what its invented firms are called."""
_KNOWN = (
    ("NAS", "AAPL", "애플", "APPLE INC", "010"),
    ("NAS", "MSFT", "마이크로소프트", "MICROSOFT CORP", "020"),
    ("NAS", "NVDA", "엔비디아", "NVIDIA CORP", "010"),
    ("NAS", "TSLA", "테슬라", "TESLA INC", "030"),
    ("NAS", "AMZN", "아마존", "AMAZON.COM INC", "060"),
    ("NAS", "GOOGL", "알파벳 A", "ALPHABET INC A", "020"),
    ("NAS", "META", "메타 플랫폼스", "META PLATFORMS INC", "020"),
    ("NYS", "BRK/B", "버크셔 해서웨이 B", "BERKSHIRE HATHAWAY B", "040"),
    ("NYS", "IBM", "IBM", "INTL BUSINESS MACHINES", "020"),
    ("AMS", "SPY", "SPDR S&P 500 ETF", "SPDR S&P 500 ETF TRUST", "040"),
    ("HKS", "00700", "텐센트", "TENCENT HOLDINGS LTD", "020"),
    ("SHS", "600519", "구이저우 마오타이", "KWEICHOW MOUTAI CO LTD", "060"),
    ("SZS", "000858", "우량예", "WULIANGYE YIBIN CO LTD", "060"),
    ("TSE", "7203", "토요타자동차", "TOYOTA MOTOR CORP", "030"),
    ("HNX", "SHS", "사이공하노이증권", "SAIGON HANOI SECURITIES", "040"),
    ("HSX", "VNM", "비나밀크", "VIETNAM DAIRY PRODUCTS", "060"),
)
"""Those whose symbols and names are real."""
_STEMS = (
    *(("북두", "DIPPER"), ("은하", "GALAXY"), ("파도", "WAVE"), ("소나무", "PINE")),
    *(("등대", "BEACON"), ("무지개", "RAINBOW")),
)
_SYMBOLS = {
    "NAS": "SIMQ{letter}",
    "NYS": "SIMN{letter}",
    "AMS": "SIMA{letter}",
    "HKS": "990{number:02d}",
    "SHS": "6990{number:02d}",
    "SZS": "3090{number:02d}",
    "TSE": "9{number:02d}A",
    "HSX": "ZH{letter}",
    "HNX": "ZN{letter}",
}
"""How the symbols of invented firms look: none that an exchange is known to have given out."""
_EACH = 24
"""Invented firms of an exchange."""


@dataclass(frozen=True, slots=True)
class ForeignFirm:
    """One listed share."""

    exchange: str
    symbol: str
    name: str
    english: str
    industry: str
    real: bool = False


@cache
def listed_abroad() -> Mapping[str, tuple[ForeignFirm, ...]]:
    """Return the firms of each exchange, by its code."""
    listed = {
        code: [ForeignFirm(*row, real=True) for row in _KNOWN if row[0] == code]
        for code in EXCHANGES
    }
    for code, look in _SYMBOLS.items():
        for number in range(_EACH):
            industry, korean, english = INDUSTRIES[number % len(INDUSTRIES)]
            stem, word = _STEMS[number // len(INDUSTRIES) % len(_STEMS)]
            symbol = look.format(letter=chr(ord("A") + number), number=number + 1)
            name = f"모의{stem}{korean.removeprefix('모의 ')}"
            listed[code].append(
                ForeignFirm(code, symbol, name, f"SIMULATED {word} {english}", industry)
            )
    return {code: tuple(firms) for code, firms in listed.items()}


@cache
def _by_symbol() -> Mapping[str, ForeignFirm]:
    return {one.symbol: one for firms in listed_abroad().values() for one in firms}


def find_abroad(symbol: str) -> ForeignFirm | None:
    """Return a firm by its symbol, None for one that is listed only when somebody asks."""
    return _by_symbol().get(symbol)
