"""What an HTTP answer of KIS carries beside its rows; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

__all__ = ["fault", "said_rate", "text"]

_RATE = "x-rate-limit-per-second"
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_SLOWEST = 0.1
"""Calls a second at least, whatever a server says of itself."""


def said_rate(response: httpx.Response) -> float | None:
    """Return the calls a second that the simulator says it takes; KIS says nothing of the kind."""
    said = response.headers.get(_RATE, "")
    if not _NUMBER.fullmatch(said):
        return None
    return max(float(said), _SLOWEST)


def fault(rt_cd: str, msg_cd: str) -> bool:
    """Tell a refusal by the gateway from an answer of the system behind it."""
    return rt_cd != "0" and msg_cd.startswith("EGW")


def text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value.strip() if isinstance(value, str) else ""
