"""Payloads of the bridge's own topics; market data and orders have modules of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, Literal, NotRequired, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from bridge.mqtt.event_payloads import BridgeEvent, HaltedMode
from bridge.mqtt.shapes import Count, Microseconds, Number
from bridge.mqtt.strict_json import encode
from bridge.runtime.clock import SEOUL

__all__ = [
    "MAX_REQUEST",
    "OFFLINE",
    "ONLINE",
    "AccessInfo",
    "BridgeState",
    "CandleReport",
    "EventKind",
    "HaltRow",
    "Info",
    "JournalMark",
    "JournalReport",
    "JournalState",
    "NotServed",
    "OwnerClaim",
    "OwnerReport",
    "Served",
    "SymbolListing",
    "WorkbookInfo",
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
    "stale",
    "order_unknown",
    "order_ambiguous",
    "order_external",
    "order_difference",
    "position_difference",
    "halted",
    "halt_done",
    "resumed",
    "config_warning",
    "clock_skew",
    "frozen",
    "journal_replaced",
    "journal_unavailable",
    "owner_conflict",
    "session_taken_over",
    "rate_limited",
    "message_dropped",
    "backup",
]

MAX_REQUEST = 64 * 1024
"""Bytes of the longest request that is read."""


class BridgeState(TypedDict):
    """Whether the bridge is there."""

    state: Literal["online", "offline"]


class CandleReport(TypedDict):
    """A candle of trades, by the exchange's own time of each."""

    symbol: str
    start: Annotated[
        str,
        Field(description="ISO 8601 with the exchange's offset; of a day its midnight"),
    ]
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    value: Annotated[
        Number | None,
        Field(description="Sum of price times quantity; null: KIS's chart does not tell it"),
    ]
    trades: Annotated[
        Count | None, Field(description="null: mended from KIS's chart, which does not count them")
    ]
    closed: Annotated[bool, Field(description="It is over")]
    complete: Annotated[bool, Field(description="No gap fell into it, or it was mended")]


ONLINE = encode(BridgeState(state="online"))
OFFLINE = encode(BridgeState(state="offline"))

_Echo: TypeAlias = Annotated[str | int, Field(description="That of the request")]


class WorkbookInfo(BaseModel):
    """Which workbook the bridge runs from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    digest: str


class AccessInfo(TypedDict):
    """Whom the bridge lets do what, behind the broker's own users."""

    trading: Annotated[
        Literal["named", "everybody"],
        Field(description="everybody: whoever the broker lets in may trade (simulator alone)"),
    ]
    requests: Annotated[
        Literal["named", "everybody"],
        Field(description="everybody: whoever the broker lets in may halt, resume, read accounts"),
    ]


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
    access: AccessInfo

    def encode(self) -> bytes:
        """Return the payload."""
        started_at = self.started_at.astimezone(SEOUL).isoformat()
        return encode(self.model_dump(mode="json") | {"started_at": started_at})


class HaltRow(TypedDict):
    """A halt that holds."""

    account: Annotated[str | None, Field(description="Null: every account")]
    client: Annotated[str | None, Field(description="Null: every client")]
    mode: HaltedMode


JournalState: TypeAlias = Literal["sound", "failing", "replaced"]


class JournalReport(TypedDict):
    """Whether the order journal can be relied on: only while it is sound are orders taken."""

    state: Annotated[
        JournalState,
        Field(
            description="failing: it cannot be written; replaced: a restart would not find in it"
            " what was ordered. Cancellations go on"
        ),
    ]
    reason: Annotated[str | None, Field(description="What is wrong, for people")]


class OwnerReport(TypedDict):
    """Whether this bridge sends orders; not while another one does."""

    mine: bool
    reason: Annotated[str | None, Field(description="Why it does not, for people; null: it does")]


class OwnerClaim(TypedDict):
    """Which bridge sends orders for an account; told again while it lives."""

    owner: Annotated[
        str | None, Field(description="Random name of its process; null: it was given up")
    ]
    host: str
    since: Annotated[Microseconds, Field(description="When it started")]
    at: Annotated[Microseconds, Field(description="When it said so last, by its own clock")]
    fence: Annotated[Count, Field(description="Grows with each owner")]


class JournalMark(TypedDict):
    """Which order journal was used last, and at least how far it has come."""

    journal: Annotated[str, Field(description="Its random name")]
    generation: Annotated[int, Field(ge=0, description="Commits that are on disk")]


class SymbolListing(TypedDict):
    """Symbols and names of a market."""

    market: str
    updated_at: Microseconds | None
    symbols: Annotated[
        list[Annotated[list[str], Field(min_length=2, max_length=2)]],
        Field(description="Symbol and name"),
    ]


_Data = TypeVar("_Data")


class Served(TypedDict):
    """The answer to a request that was served."""

    status: Literal["ok"]
    data: object
    """What the verb promises."""
    transaction: NotRequired[_Echo]
    next: NotRequired[
        Annotated[
            str,
            Field(description="Only where more follows: ask again with this as ``after``"),
        ]
    ]


class NotServed(TypedDict):
    """The answer to a request that was not served."""

    status: Literal["error"]
    code: str
    message: Annotated[str, Field(description="For people: what is wrong and what may be")]
    transaction: NotRequired[_Echo]


@dataclass(frozen=True, slots=True)
class Page(Generic[_Data]):
    """A part of an answer; ``after`` is what the next part is asked for with, None for the last."""

    data: _Data
    after: str | None


def ok(data: object, transaction: str | int | None = None) -> bytes:
    """Return the answer to a request that was served; ``data`` may be a `Page`."""
    answer: Served = {"status": "ok", "data": data}
    if isinstance(data, Page):
        answer["data"] = data.data
        if data.after is not None:
            answer["next"] = data.after
    if transaction is not None:
        answer["transaction"] = transaction
    return encode(answer)


def error(code: str, message: str, transaction: str | int | None = None) -> bytes:
    """Return the answer to a request that was not served."""
    answer: NotServed = {"status": "error", "code": code, "message": message}
    if transaction is not None:
        answer["transaction"] = transaction
    return encode(answer)


def event(told: BridgeEvent, at: datetime, suppressed: int | None = None) -> bytes:
    """Return the payload of ``bridge/event/{kind}``; times for people are Seoul's.

    ``suppressed`` counts the events like it that were left out before it.
    """
    counted = {} if suppressed is None else {"suppressed": suppressed}
    moment = at.astimezone(SEOUL).isoformat()
    return encode({"kind": told["kind"], "at": moment, **told, **counted})
