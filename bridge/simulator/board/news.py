"""Titles of news that nobody wrote, each about a listed firm, and said to be simulated (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

__all__ = ["Headline", "titles"]

_A_DAY = 96
_TEXTS = (
    "{}, 신제품 공개",
    "{}, 대규모 공급계약 체결",
    "{}, 분기 실적 발표 예정",
    "{}, 자기주식 취득 결정",
    "{}, 신규 시설투자 결정",
    "{}, 임원 선임 공시",
    "{}, 기업설명회 개최",
    "[특징주] {}, 거래량 증가",
)


@dataclass(frozen=True, slots=True)
class Headline:
    """One piece of news; ``number`` grows from one to the next."""

    number: str
    at: datetime
    symbol: str
    name: str
    text: str


def titles(
    source: str, firms: Sequence[tuple[str, str]], until: datetime, seed: int
) -> list[Headline]:
    """Return a day's titles until a moment of it, the latest first; firms are symbol and name."""
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    draw = Random(f"news {source} {seed} {midnight:%Y%m%d}")  # noqa: S311 - invented, no secret
    found = []
    for place in range(_A_DAY):
        at = midnight + timedelta(seconds=place * 900 + draw.randrange(900))
        symbol, name = draw.choice(firms)
        text = f"[모의] {draw.choice(_TEXTS).format(name)}"
        if at <= until:
            found.append(Headline(f"{at:%Y%m%d%H%M%S}{place:04d}", at, symbol, name, text))
    return found[::-1]
