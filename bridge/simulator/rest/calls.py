"""Which path and TR ids make which call: those of the workbook, and older ones (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.catalog.model import Api, Catalog
from bridge.simulator.rest.answers import Answer
from bridge.simulator.rest.params import Params

__all__ = ["Family", "Handler", "HandlerCall", "calls"]

Handler = Callable[[str, Params, str, datetime], Answer]
"""Answers a call: variant, parameters, ``tr_cont``, now."""


class Family(Protocol):
    """Calls that belong together."""

    def handlers(self) -> dict[str, Handler]:
        """Return what answers each of them, by its workbook name."""


@dataclass(frozen=True, slots=True)
class HandlerCall:
    """One REST call: ``real`` and ``paper`` map the TR ids it takes to a variant."""

    api: Api
    real: Mapping[str, str]
    paper: Mapping[str, str]


_FORMER = {
    "TTTC0012U": ("TTTC0802U", "VTTC0802U"),
    "TTTC0011U": ("TTTC0801U", "VTTC0801U"),
    "TTTC0013U": ("TTTC0803U", "VTTC0803U"),
    "TTTC0081R": ("TTTC8001R", "VTTC8001R"),
    "CTSC9215R": ("CTSC9115R", "VTSC9115R"),
    "TTTC0084R": ("TTTC8036R", ""),
    "TTTC0052U": ("TTTC0852U", ""),
    "TTTC0051U": ("TTTC0851U", ""),
    "CTFN7107R": ("JTCE6003R", ""),
    "CTFN6118R": ("JTCE6001R", ""),
    "STTN1101U": ("JTCE1001U", ""),
    "STTN1103U": ("JTCE1002U", ""),
    "STTN5201R": ("JTCE5005R", ""),
    "STTN5105R": ("JTCE1004R", ""),
}
"""TR id → those before it, real and paper, which still work.

They are from before KRX and NXT, and before the night market moved to KRX.
"""


def calls(catalog: Catalog) -> dict[str, HandlerCall]:
    """Return every call that has TR ids, by its path."""
    return {api.path: _call(api) for api in catalog.apis.values() if api.tr_ids}


def _call(api: Api) -> HandlerCall:
    real: dict[str, str] = {}
    paper: dict[str, str] = {}
    for ids in api.tr_ids:
        former_real, former_paper = _FORMER.get(ids.real, ("", ""))
        for known, names in ((real, (ids.real, former_real)), (paper, (ids.paper, former_paper))):
            known.update({name: ids.variant for name in names if name})
    return HandlerCall(api, real, paper)
