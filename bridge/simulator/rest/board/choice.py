"""Which symbols a ranking is about: market, class, ranges of price, volume and change (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from bridge.simulator.board.quotes import Quote
from bridge.simulator.exchange.securities import Security, securities
from bridge.simulator.rest.board.desk import BoardDesk, limits_of
from bridge.simulator.rest.board.stocks import Stock
from bridge.simulator.rest.params import Params

__all__ = ["Classes", "chosen", "in_market"]

Classes = Literal["", "12", "67"]
"""What of FID_DIV_CLS_CODE is a class of shares: the codes of common and of preferred ones.

With ``67`` the codes between are firms under some supervision, of which there are none here."""

_RANGES: tuple[tuple[tuple[str, str], Callable[[Quote], float]], ...] = (
    (("FID_INPUT_PRICE_1", "FID_INPUT_PRICE_2"), lambda quote: quote.last),
    (("FID_APLY_RANG_PRC_1", "FID_APLY_RANG_PRC_2"), lambda quote: quote.last),
    (("FID_VOL_CNT", ""), lambda quote: quote.volume),
    (("FID_APLY_RANG_VOL", ""), lambda quote: quote.volume),
    (("FID_INPUT_VOL_1", ""), lambda quote: quote.volume),
    (("FID_PBMN", ""), lambda quote: quote.value),
    (("FID_RSFL_RATE1", "FID_RSFL_RATE2"), lambda quote: quote.percent),
)
"""Parameters of the least and the most, and what they are about."""
_EXCLUDED = {4: "preferred", 6: "etf", 7: "etn"}
"""Places of FID_TRGT_EXLS_CLS_CODE, when it is a mask; nothing here is of the other kinds."""
_MASK = 10


def in_market(security: Security, code: str) -> bool:
    """Tell whether a symbol counts to a market or index; blank and 0000: to all of them."""
    if code in ("", "0000"):
        return True
    if code in ("0001", "1001"):
        return security.board == ("kospi" if code == "0001" else "kosdaq")
    return code in security.groups or security.sector_code == code


def chosen(
    desk: BoardDesk,
    params: Params,
    now: datetime,
    classes: Classes = "",
    markets: Mapping[str, str] | None = None,
) -> list[Stock]:
    """Return what a request asks for; ``markets``: codes of its own for the markets."""
    code = params.get("FID_INPUT_ISCD", "")
    code = (markets or {}).get(code, code)
    wanted = [one for one in securities().values() if in_market(one, code)]
    wanted = [one for one in wanted if _of_class(one, params, classes)]
    return _in_ranges([Stock(desk, one, now) for one in wanted], params)


def _of_class(security: Security, params: Params, classes: Classes) -> bool:
    mask = params.get("FID_TRGT_EXLS_CLS_CODE", "")
    if len(mask) == _MASK and any(
        mask[place] == "1" and kind == ("preferred" if security.common else security.kind)
        for place, kind in _EXCLUDED.items()
    ):
        return False
    code = params.get("FID_DIV_CLS_CODE", "")
    if not classes or code in ("", "0"):
        return True
    if code == classes[0]:
        return not security.common
    return code == classes[1] and bool(security.common)


def _in_ranges(stocks: list[Stock], params: Params) -> list[Stock]:
    for names, read in _RANGES:
        least, most = limits_of(params, *names)
        if least is not None:
            stocks = [one for one in stocks if read(one.quote) >= least]
        if most is not None:
            stocks = [one for one in stocks if read(one.quote) <= most]
    return stocks
