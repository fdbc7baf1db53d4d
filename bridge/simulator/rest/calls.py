"""Which path and TR ids make which call (pure data)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.params import Params

__all__ = ["CALLS", "Handler", "HandlerCall"]

Handler = Callable[[str, Params, str, datetime], Answer]
"""Answers a call: variant, parameters, ``tr_cont``, now."""


@dataclass(frozen=True, slots=True)
class HandlerCall:
    """One REST call: ``real`` and ``paper`` map the TR ids it takes to a variant."""

    handler: str
    method: str
    real: Mapping[str, str]
    paper: Mapping[str, str]


def _ids(variant: str, *tr_ids: str) -> dict[str, str]:
    return dict.fromkeys(tr_ids, variant)


_TRADING = "/uapi/domestic-stock/v1/trading/"
_QUOTATIONS = "/uapi/domestic-stock/v1/quotations/"

CALLS: dict[str, HandlerCall] = {
    _QUOTATIONS + "inquire-price": HandlerCall(
        "price", "GET", _ids("", "FHKST01010100"), _ids("", "FHKST01010100")
    ),
    _QUOTATIONS + "inquire-asking-price-exp-ccn": HandlerCall(
        "asking_price", "GET", _ids("", "FHKST01010200"), _ids("", "FHKST01010200")
    ),
    _QUOTATIONS + "inquire-time-itemchartprice": HandlerCall(
        "minutes", "GET", _ids("", "FHKST03010200"), _ids("", "FHKST03010200")
    ),
    _QUOTATIONS + "search-info": HandlerCall("info", "GET", _ids("", "CTPF1604R"), {}),
    _QUOTATIONS + "chk-holiday": HandlerCall("holidays", "GET", _ids("", "CTCA0903R"), {}),
    _TRADING + "order-cash": HandlerCall(
        "order",
        "POST",
        _ids("buy", "TTTC0012U", "TTTC0802U") | _ids("sell", "TTTC0011U", "TTTC0801U"),
        _ids("buy", "VTTC0012U", "VTTC0802U") | _ids("sell", "VTTC0011U", "VTTC0801U"),
    ),
    _TRADING + "order-rvsecncl": HandlerCall(
        "change",
        "POST",
        _ids("", "TTTC0013U", "TTTC0803U"),
        _ids("", "VTTC0013U", "VTTC0803U"),
    ),
    _TRADING + "inquire-psbl-rvsecncl": HandlerCall(
        "changeable", "GET", _ids("", "TTTC0084R", "TTTC8036R"), {}
    ),
    _TRADING + "inquire-daily-ccld": HandlerCall(
        "daily",
        "GET",
        _ids("", "TTTC0081R", "TTTC8001R") | _ids("old", "CTSC9215R", "CTSC9115R"),
        _ids("", "VTTC0081R", "VTTC8001R") | _ids("old", "VTSC9215R", "VTSC9115R"),
    ),
    _TRADING + "inquire-balance": HandlerCall(
        "balance", "GET", _ids("", "TTTC8434R"), _ids("", "VTTC8434R")
    ),
    _TRADING + "inquire-psbl-order": HandlerCall(
        "orderable", "GET", _ids("", "TTTC8908R"), _ids("", "VTTC8908R")
    ),
}
"""Path → call. The TR ids that were valid before KRX and NXT were told apart still work."""
