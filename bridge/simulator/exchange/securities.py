"""The list of what is listed by name: shares, funds and notes, nearly all of them invented (pure).

The same list for every seed; prices and numbers of shares are drawn in :mod:`listings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

__all__ = [
    "SECTORS",
    "Board",
    "Kind",
    "Sector",
    "Security",
    "find",
    "for_pensions",
    "is_fund",
    "securities",
    "security_of",
]

Board = Literal["kospi", "kosdaq"]
Kind = Literal["stock", "etf", "etn"]


@dataclass(frozen=True, slots=True)
class Sector:
    """A line of business: its index codes on both boards and what its invented firms are called."""

    kospi: str
    kosdaq: str
    name: str
    suffix: str
    english: str


@dataclass(frozen=True, slots=True)
class Security:
    """One listed share or fund."""

    symbol: str
    name: str
    english: str
    board: Board
    sector: Sector
    kind: Kind = "stock"
    common: str = ""
    """Symbol of the common share, of a preferred one."""
    groups: frozenset[str] = frozenset()
    """Codes of the indices that count it, as KIS's parameters name them."""
    leverage: int = 1
    """How often the index's change a fund makes."""
    real: bool = False
    """The symbol and the name are those of a firm that there is."""

    @property
    def sector_code(self) -> str:
        return self.sector.kospi if self.board == "kospi" else self.sector.kosdaq


SECTORS = (
    Sector("0013", "1041", "전기전자", "전자", "ELECTRONICS"),
    Sector("0009", "1066", "의약품", "제약", "PHARM"),
    Sector("0008", "1062", "화학", "화학", "CHEMICAL"),
    Sector("0015", "1072", "운수장비", "모터스", "MOTORS"),
    Sector("0012", "1068", "기계", "기계", "MACHINERY"),
    Sector("0005", "1058", "음식료품", "식품", "FOODS"),
    Sector("0011", "1065", "철강금속", "철강", "STEEL"),
    Sector("0018", "1026", "건설업", "건설", "CONSTRUCTION"),
    Sector("0016", "1027", "유통업", "유통", "RETAIL"),
    Sector("0019", "1028", "운수창고업", "해운", "SHIPPING"),
    Sector("0021", "1029", "금융업", "금융", "FINANCIAL"),
    Sector("0026", "1042", "서비스업", "소프트", "SOFTWARE"),
)
_ELECTRONICS, _PHARM, _CHEMICAL, _MOTORS, *_, _FINANCE, _SERVICES = SECTORS

_KNOWN: tuple[tuple[str, str, str, Board, Sector], ...] = (
    ("005930", "삼성전자", "SAMSUNG ELECTRONICS", "kospi", _ELECTRONICS),
    ("000660", "SK하이닉스", "SK HYNIX", "kospi", _ELECTRONICS),
    ("373220", "LG에너지솔루션", "LG ENERGY SOLUTION", "kospi", _ELECTRONICS),
    ("207940", "삼성바이오로직스", "SAMSUNG BIOLOGICS", "kospi", _PHARM),
    ("005380", "현대차", "HYUNDAI MOTOR", "kospi", _MOTORS),
    ("000270", "기아", "KIA", "kospi", _MOTORS),
    ("068270", "셀트리온", "CELLTRION", "kospi", _PHARM),
    ("035420", "NAVER", "NAVER", "kospi", _SERVICES),
    ("105560", "KB금융", "KB FINANCIAL GROUP", "kospi", _FINANCE),
    ("055550", "신한지주", "SHINHAN FINANCIAL GROUP", "kospi", _FINANCE),
    ("247540", "에코프로비엠", "ECOPRO BM", "kosdaq", _CHEMICAL),
    ("196170", "알테오젠", "ALTEOGEN", "kosdaq", _PHARM),
)
"""Those whose symbols and names are real."""

_STEMS = (
    *(("가람", "GARAM"), ("나래", "NARAE"), ("다솜", "DASOM"), ("라온", "RAON"), ("마루", "MARU")),
    *(("바다", "BADA"), ("소담", "SODAM"), ("아라", "ARA"), ("하늘", "HANEUL"), ("미르", "MIR")),
)
_INVENTED: tuple[tuple[Board, str, int], ...] = (("kospi", "97", 110), ("kosdaq", "98", 70))
"""Board, first digits of the symbols (KRX gives out none there) and how many."""
_PREFERRED = 10
_FUNDS: tuple[tuple[str, str, str, Kind, int], ...] = (
    ("069500", "모의 코스피200", "SIMULATED KOSPI200", "etf", 1),
    ("990010", "모의 코스피200 레버리지", "SIMULATED KOSPI200 LEVERAGE", "etf", 2),
    ("990020", "모의 코스피200 인버스", "SIMULATED KOSPI200 INVERSE", "etf", -1),
    ("990030", "모의 전기전자", "SIMULATED ELECTRONICS", "etf", 1),
    ("990040", "모의 금융", "SIMULATED FINANCIAL", "etf", 1),
    ("990050", "모의 바이오", "SIMULATED PHARM", "etf", 1),
    ("Q991010", "모의 코스피200 ETN", "SIMULATED KOSPI200 ETN", "etn", 1),
    ("Q991020", "모의 인버스 2X ETN", "SIMULATED INVERSE 2X ETN", "etn", -2),
)
_FUND_SECTORS = {"990030": _ELECTRONICS, "990040": _FINANCE, "990050": _PHARM}
_INDEX = Sector("2001", "3003", "지수", "지수", "INDEX")


@cache
def securities() -> Mapping[str, Security]:
    """Return all of them by symbol: the known ones, invented shares, funds and notes."""
    return {one.symbol: one for one in _all()}


def find(symbol: str) -> Security | None:
    """Return one, None for a symbol that is listed only when somebody asks for it."""
    return securities().get(symbol)


def is_fund(symbol: str) -> bool:
    """Tell whether it is a fund (ETF) or a note (ETN), which has no tax and no after-market."""
    found = find(symbol)
    return found.kind != "stock" if found else symbol.startswith("Q")


def for_pensions(symbol: str) -> bool:
    """Tell whether a retirement pension may hold it: funds without leverage, no stocks."""
    found = find(symbol)
    return found is not None and found.kind == "etf" and found.leverage == 1


def security_of(symbol: str) -> Security:
    """Return one of the list, or what an unlisted symbol would be: a firm of KOSPI."""
    sector = SECTORS[sum(map(ord, symbol)) % len(SECTORS)]
    unlisted = Security(symbol, f"모의{symbol}", f"SIMULATED {symbol}", "kospi", sector)
    return find(symbol) or unlisted


def _all() -> Iterator[Security]:
    counts: dict[Board, int] = {"kospi": 0, "kosdaq": 0}
    for symbol, name, english, board, sector in _KNOWN:
        groups = _groups(board, counts[board])
        counts[board] += 1
        yield Security(symbol, name, english, board, sector, groups=groups, real=True)
    for board, digits, number in _INVENTED:
        for index in range(number):
            # Each stem once in each line of business, so that no name comes twice.
            sector = SECTORS[index % len(SECTORS)]
            korean, english = _STEMS[index // len(SECTORS) % len(_STEMS)]
            mark = "" if board == "kospi" else "테크"
            common = Security(
                f"{digits}{index:03d}0",
                f"모의{korean}{mark}{sector.suffix}",
                f"SIMULATED {english} {'TECH ' if mark else ''}{sector.english}",
                board,
                sector,
                groups=_groups(board, counts[board]),
            )
            counts[board] += 1
            yield common
            if board == "kospi" and index < _PREFERRED:
                yield Security(
                    f"{digits}{index:03d}5",
                    f"{common.name}우",
                    f"{common.english} PREF",
                    board,
                    sector,
                    common=common.symbol,
                )
    for symbol, name, english, kind, leverage in _FUNDS:
        sector = _FUND_SECTORS.get(symbol, _INDEX)
        yield Security(symbol, name, english, "kospi", sector, kind, leverage=leverage)


def _groups(board: Board, rank: int) -> frozenset[str]:
    if board == "kosdaq":
        return frozenset({"3003"} if rank < 40 else ())
    return frozenset(({"2001"} if rank < 80 else set()) | ({"4001"} if rank < 40 else set()))
