"""What the bridge tells in ``bridge/event/{kind}``: a type for each shape of each kind.

The time of the event is put beside these members when it is told.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from bridge.mqtt.backup_events import BackupEvent
from bridge.mqtt.broker_events import (
    MessageDroppedEvent,
    RateLimitedEvent,
    SessionTakenOverEvent,
)
from bridge.mqtt.feed_events import StaleEvent
from bridge.mqtt.shapes import Count, Microseconds, Number

__all__ = [
    "BridgeEvent",
    "CandidateRow",
    "ClockSkewEvent",
    "ConfigWarningEvent",
    "EventTime",
    "FrozenEvent",
    "HaltCancelledEvent",
    "HaltDoneEvent",
    "HaltOrderRow",
    "HaltScope",
    "HaltedEvent",
    "HaltedMode",
    "JournalReplacedEvent",
    "JournalUnavailableEvent",
    "LossEvent",
    "OrderAmbiguousEvent",
    "OrderDifferenceEvent",
    "OrderExternalEvent",
    "OrderUnknownEvent",
    "OwnerConflictEvent",
    "PositionDifferenceEvent",
    "QuarantinedEvent",
    "RegistrationRow",
    "ResumedEvent",
    "SchemaDriftEvent",
    "ServiceGapEvent",
    "ServiceGapRow",
    "SessionLostEvent",
    "SessionRestoredEvent",
    "SlotRefusedEvent",
    "SlotsWaitingEvent",
]

EventTime: TypeAlias = Annotated[
    str, Field(description="With its offset", json_schema_extra={"format": "date-time"})
]
HaltedMode: TypeAlias = Literal["halted", "reduce_only"]
HaltScope: TypeAlias = Literal["ours", "account"]
_Account: TypeAlias = Annotated[str | None, Field(description="Null: every account")]
_Client: TypeAlias = Annotated[str | None, Field(description="Null: every client")]


class _Flood(TypedDict):
    """Of a kind that comes at most once a second about one thing."""

    suppressed: NotRequired[
        Annotated[Count, Field(description="Events like this that were left out before this one")]
    ]


ServiceGapRow = TypedDict(
    "ServiceGapRow",
    {"topic": str, "channel": str, "key": str, "from": Microseconds, "to": Microseconds},
)


class ServiceGapEvent(_Flood):
    """Subscriptions were not served for a while."""

    kind: Literal["gap"]
    reason: Annotated[str, Field(description="Why the subscriptions were not served")]
    subscriptions: list[ServiceGapRow]


class LossEvent(_Flood):
    """Records were decoded and did not reach the broker."""

    kind: Literal["gap"]
    reason: Annotated[str, Field(description="Why the records did not reach the broker")]
    certain: Annotated[bool, Field(description="False: at most so many are lost")]
    lost: Annotated[Count, Field(description="Records, of all these topics")]
    topics: Annotated[dict[str, Count], Field(description="Records lost, by topic")]


class SchemaDriftEvent(_Flood):
    """KIS sends a record of another width than the workbook knows; once a width."""

    kind: Literal["schema_drift"]
    channel: str
    width: Annotated[Count, Field(description="Values in a record")]
    known: list[Count]
    treatment: Annotated[str, Field(description="What becomes of these records")]


class QuarantinedEvent(_Flood):
    """A record, a frame or a notice could not be read and was not published."""

    kind: Literal["quarantined"]
    channel: str
    reason: str
    raw: NotRequired[
        Annotated[str | None, Field(description="The record as KIS sent it; never of a notice")]
    ]
    raw_length: NotRequired[
        Annotated[Count, Field(description="Characters, where raw is only their beginning")]
    ]
    records: NotRequired[Annotated[Count, Field(description="How many records KIS said there are")]]


class SessionLostEvent(_Flood):
    """The connection to KIS of an app key is lost."""

    kind: Literal["session_lost"]
    app: Annotated[str, Field(description="Alias of the app key")]
    code: Annotated[str, Field(description="KIS's code, or a word of the bridge: silent, mute …")]
    reason: str
    retry_s: float


class SessionRestoredEvent(_Flood):
    """An app key that was away is served again."""

    kind: Literal["session_restored"]
    app: str


class RegistrationRow(TypedDict):
    """Channel and key of a subscription."""

    channel: str
    key: str


class SlotRefusedEvent(_Flood):
    """KIS refused a subscription."""

    kind: Literal["slot_refused"]
    app: str
    channel: str
    key: Annotated[str | None, Field(description="Null for account notices")]
    code: Annotated[str, Field(description="KIS's code, or timeout")]
    reason: str
    limit: Annotated[int | None, Field(description="Slots there are, where that is known")]


class SlotsWaitingEvent(_Flood):
    """No slot is free for these."""

    kind: Literal["slot_refused"]
    code: Literal["waiting"]
    reason: str
    subscriptions: list[RegistrationRow]


class OrderUnknownEvent(TypedDict):
    """Nobody knows what became of a command; it is never sent again."""

    kind: Literal["order_unknown"]
    account: str
    client: str
    client_order_id: str
    verb: Literal["place", "modify", "cancel", "cancel_all"]
    command_id: NotRequired[str]
    message: NotRequired[str]


class CandidateRow(TypedDict):
    """A row of the exchange's list that may be a command's."""

    order_no: str
    action: Literal["place", "modify", "cancel"]
    side: str
    quantity: Count
    price: Number
    filled_quantity: Count
    ordered_at: Microseconds | None
    channel: Annotated[
        Literal["api", "elsewhere"] | None, Field(description="How it came to KIS; null: unsaid")
    ]


class OrderAmbiguousEvent(TypedDict):
    """Of a command without an answer nobody can prove which row it is: a person resolves it."""

    kind: Literal["order_ambiguous"]
    account: str
    client: str
    client_order_id: str
    verb: Literal["place", "modify", "cancel", "cancel_all"]
    command_id: NotRequired[str]
    symbol: str
    candidates: list[CandidateRow]


class OrderExternalEvent(TypedDict):
    """An order or fill that was placed outside the bridge."""

    kind: Literal["order_external"]
    account: str
    order_no: str
    symbol: str
    what: Annotated[
        Literal["taken", "modified", "cancelled", "rejected", "fill", "listed"],
        Field(description="Kind of the notice; listed: found in the exchange's list"),
    ]


class OrderDifferenceEvent(TypedDict):
    """The exchange has an order otherwise than the journal."""

    kind: Literal["order_difference"]
    account: str
    client: str
    client_order_id: str
    message: str


class PositionDifferenceEvent(TypedDict):
    """A position changed without a fill that the bridge knows."""

    kind: Literal["position_difference"]
    account: str
    market: str
    symbol: str
    expected_quantity: int
    quantity: int


class HaltedEvent(TypedDict):
    """A halt holds from now on."""

    kind: Literal["halted"]
    account: _Account
    client: _Client
    mode: HaltedMode
    reason: str


class HaltCancelledEvent(TypedDict):
    """What the cancellations of a halt left."""

    kind: Literal["halted"]
    account: _Account
    client: _Client
    mode: HaltedMode
    cancelled: Annotated[Count, Field(description="Orders that the halt left nothing open of")]
    not_cancelled: Count
    orders: Annotated[list[str], Field(description="The first of those, client/client_order_id")]


class HaltOrderRow(TypedDict):
    """An order that a halt was to cancel, or a part of it."""

    account: str
    client: Annotated[str | None, Field(description="Null: placed elsewhere")]
    client_order_id: str | None
    order_no: Annotated[str | None, Field(description="KIS's number; null: not known")]
    symbol: str
    quantity: Count
    why: NotRequired[Annotated[str, Field(description="Why it is left")]]


class HaltDoneEvent(TypedDict):
    """The last word about a halt that cancels: the exchange's list was read until it had nothing.

    Each list has the first hundred orders.
    """

    kind: Literal["halt_done"]
    account: _Account
    client: _Client
    scope: Annotated[
        HaltScope, Field(description="ours: what came through the bridge; account: everything")
    ]
    complete: Annotated[bool, Field(description="Whether nothing is left")]
    attempts: Annotated[Count, Field(description="How often was cancelled what was open")]
    cancelled: list[HaltOrderRow]
    filled: Annotated[list[HaltOrderRow], Field(description="What was filled meanwhile")]
    left: list[HaltOrderRow]


class ResumedEvent(TypedDict):
    """A halt is taken back."""

    kind: Literal["resumed"]
    account: _Account
    client: _Client
    mode: None
    reason: str


class ConfigWarningEvent(_Flood):
    """Something in the configuration has no effect."""

    kind: Literal["config_warning"]
    message: str


class ClockSkewEvent(TypedDict):
    """KIS's clock and that of this machine differ; told when that begins, grows or is over."""

    kind: Literal["clock_skew"]
    offset_s: Annotated[float, Field(description="KIS's clock minus this machine's")]
    skewed: Annotated[bool, Field(description="False: they agree again")]
    orders_stopped: Annotated[bool, Field(description="No new orders are sent for it")]
    message: str


class FrozenEvent(TypedDict):
    """The process did not run for a while: it, or the machine, was suspended or overloaded."""

    kind: Literal["frozen"]
    seconds: Annotated[float, Field(description="How long it stood still")]
    message: str


class JournalReplacedEvent(TypedDict):
    """The order journal is not the one that has what was ordered; new orders are refused."""

    kind: Literal["journal_replaced"]
    message: Annotated[str, Field(description="What was seen, and the mend")]


class JournalUnavailableEvent(TypedDict):
    """The order journal cannot be written, or can be again; new orders are refused meanwhile."""

    kind: Literal["journal_unavailable"]
    available: Annotated[bool, Field(description="True: it can be written again")]
    message: Annotated[str, Field(description="Why it cannot be written; blank when it can")]


class OwnerConflictEvent(TypedDict):
    """Another bridge sends orders for an account, so that this one does not."""

    kind: Literal["owner_conflict"]
    account: str
    owner: Annotated[str | None, Field(description="Its random name; null: not known")]
    host: str | None
    since: Annotated[Microseconds | None, Field(description="When it started")]
    message: str


BridgeEvent: TypeAlias = (
    ServiceGapEvent
    | LossEvent
    | SchemaDriftEvent
    | QuarantinedEvent
    | SessionLostEvent
    | SessionRestoredEvent
    | SlotRefusedEvent
    | SlotsWaitingEvent
    | StaleEvent
    | OrderUnknownEvent
    | OrderAmbiguousEvent
    | OrderExternalEvent
    | OrderDifferenceEvent
    | PositionDifferenceEvent
    | HaltedEvent
    | HaltCancelledEvent
    | HaltDoneEvent
    | ResumedEvent
    | ConfigWarningEvent
    | ClockSkewEvent
    | FrozenEvent
    | JournalReplacedEvent
    | JournalUnavailableEvent
    | OwnerConflictEvent
    | SessionTakenOverEvent
    | RateLimitedEvent
    | MessageDroppedEvent
    | BackupEvent
)
