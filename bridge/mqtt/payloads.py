"""JSON payloads of the bridge's own topics; market data and orders have their own encoders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict

from bridge.errors import RequestError

__all__ = [
    "MAX_REQUEST",
    "OFFLINE",
    "ONLINE",
    "EventKind",
    "Info",
    "WorkbookInfo",
    "decode_object",
    "encode",
    "error",
    "event",
    "ok",
]

EventKind = Literal[
    "gap",
    "schema_drift",
    "quarantined",
    "session_lost",
    "session_restored",
    "slot_refused",
    "order_unknown",
    "order_external",
    "order_difference",
    "position_difference",
    "halted",
    "resumed",
    "config_warning",
]

MAX_REQUEST = 64 * 1024
"""Bytes of the longest request that is read."""

ONLINE = b'{"state":"online"}'
OFFLINE = b'{"state":"offline"}'


class WorkbookInfo(BaseModel):
    """Which workbook the bridge runs from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    digest: str


class Info(BaseModel):
    """The retained ``bridge/info``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    environment: Literal["simulator", "paper", "real"]
    started_at: datetime
    workbook: WorkbookInfo
    accounts: tuple[str, ...]
    """Aliases, never numbers."""
    limits: Mapping[str, int]

    def encode(self) -> bytes:
        """Return the payload."""
        return encode(self.model_dump(mode="json"))


def encode(value: object) -> bytes:
    """Return compact UTF-8 JSON; Hangul stays readable, a `Decimal` is written digit by digit.

    :raises ValueError: a NaN or infinity, which JSON does not have.
    :raises TypeError: something that has no JSON form.
    """
    return _text(value).encode()


def ok(data: object, transaction: str | int | None = None) -> bytes:
    """Return the answer to a request that was served."""
    return encode({"status": "ok", "data": data} | _echo(transaction))


def error(code: str, message: str, transaction: str | int | None = None) -> bytes:
    """Return the answer to a request that was not served."""
    return encode({"status": "error", "code": code, "message": message} | _echo(transaction))


def event(kind: EventKind, at: datetime, **details: object) -> bytes:
    """Return the payload of ``bridge/event/{kind}``; ``at`` carries its offset."""
    return encode({"kind": kind, "at": at.isoformat(), **details})


def decode_object(payload: bytes, limit: int = MAX_REQUEST) -> dict[str, Any]:
    """Return the JSON object in ``payload``; numbers with a point come as `Decimal`.

    :raises RequestError: ``too_large`` or ``invalid_request``; never anything else.
    """
    if len(payload) > limit:
        raise RequestError("too_large", f"{len(payload)} bytes; at most {limit} are read")
    try:
        value = json.loads(payload.decode(), parse_float=Decimal, parse_constant=_no_constant)
        if b"\\u" in payload:
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        # Python reads it, and then no topic, answer or log can be made of it.
        raise RequestError("invalid_request", "the JSON has half of a surrogate pair") from None
    except UnicodeDecodeError:
        raise RequestError("invalid_request", "the payload is not UTF-8 text") from None
    except RecursionError:
        raise RequestError("invalid_request", "the JSON is nested too deeply") from None
    except ValueError as problem:
        raise RequestError("invalid_request", f"the payload is not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise RequestError("invalid_request", 'the payload must be a JSON object: {"…": …}')
    return value


def _text(value: object) -> str:
    match value:
        case Decimal() if value.is_finite():
            return format(value, "f")
        case Mapping():
            pairs = (f"{json.dumps(key, ensure_ascii=False)}:{_text(value[key])}" for key in value)
            return f"{{{','.join(pairs)}}}"
        case list() | tuple():
            return f"[{','.join(map(_text, value))}]"
        case Decimal():
            value = float(value)  # said as of a float
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _echo(transaction: str | int | None) -> dict[str, str | int]:
    return {} if transaction is None else {"transaction": transaction}
