"""The rows of ``check``'s table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Literal

from bridge.errors import BridgeError

__all__ = ["LIMIT_S", "Finding", "bounded", "ok", "problem"]

LIMIT_S: Final = 5.0
"""Nothing is tried for longer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the table."""

    what: str
    status: Literal["ok", "problem"]
    detail: str
    mend: str = ""


def ok(what: str, detail: str) -> Finding:
    return Finding(what, "ok", detail)


def problem(what: str, detail: str, mend: str = "") -> Finding:
    return Finding(what, "problem", detail, mend)


async def bounded(what: str, attempt: Awaitable[Finding]) -> Finding:
    """Turn a late answer, and any error of ours, into a row."""
    try:
        async with asyncio.timeout(LIMIT_S):
            return await attempt
    except TimeoutError:
        return problem(what, f"no answer within {LIMIT_S:g} s")
    except BridgeError as error:
        return problem(what, str(error))
