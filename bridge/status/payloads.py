"""What the bridge says of itself, as types: health, and the map of each session."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from bridge.mqtt.payloads import HaltRow, JournalReport, OwnerReport
from bridge.mqtt.shapes import Count, Microseconds
from bridge.subscriptions.rows import (
    ClientRow,
    RotationNumbers,
    SubscriptionCounts,
    SubscriptionRow,
)

__all__ = [
    "ArrivalNumbers",
    "ChannelProblems",
    "HealthReport",
    "LagNumbers",
    "PublishNumbers",
    "RateLimitedNumbers",
    "RefusedNumbers",
    "RestNumbers",
    "SessionNumbers",
    "SessionReport",
]

_ByChannel: TypeAlias = dict[str, Count]


class _Session(TypedDict):
    state: Literal["stopped", "connecting", "connected", "waiting"]
    slots_used: Count
    slots_limit: Count


class SessionReport(_Session):
    """A KIS session, its slots and who holds them."""

    subscriptions: list[SubscriptionRow]
    waiting: Annotated[Count, Field(description="Subscriptions without a slot, of all sessions")]


class SessionNumbers(_Session):
    """What a KIS session does; ages in seconds, null for never."""

    live: Annotated[Count, Field(description="Subscriptions that KIS delivers")]
    frames: Count
    records: Count
    last_frame_age_s: float | None
    last_message_age_s: float | None
    reconnects: Count
    invalid_utf8: Count


class ChannelProblems(TypedDict):
    """Records that were not decoded as the workbook says, by channel; `other`: what it lacks."""

    decode_errors: _ByChannel
    schema_drift: _ByChannel


class PublishNumbers(TypedDict):
    """What became of what was to be published."""

    published: Count
    backlog: Count
    backlog_bytes: Count
    dropped: Count
    too_large: Annotated[
        Count, Field(description="Those of the dropped that are larger than what the broker takes")
    ]
    conflated: Count
    possibly_lost: Count
    control_backlog: Count
    events_dropped: Count


class LagNumbers(TypedDict):
    """How old records of the last minute were when they left for the broker, in µs.

    Time in which the bridge stood still or the broker read nothing counts as well.
    """

    p50: int | None
    p99: int | None
    max: int | None
    waiting: Annotated[
        int | None, Field(description="Age of the oldest that the broker has not read; null: none")
    ]


class RestNumbers(TypedDict):
    """What became of the REST calls."""

    calls: Count
    throttled: Count
    errors: Count


class RateLimitedNumbers(TypedDict):
    """What was refused because its client sent too much."""

    requests: Count
    commands: Count


class ArrivalNumbers(TypedDict):
    """What came from the broker and was not taken, since the start."""

    rate_limited: RateLimitedNumbers
    unanswered: Annotated[Count, Field(description="Those among them that have no answer")]
    by_client: Annotated[dict[str, Count], Field(description="Those of whom most were refused")]
    dropped: Annotated[dict[str, Count], Field(description="What was not decoded, by reason")]


class RefusedNumbers(TypedDict):
    """What was refused since the start, whoever asked."""

    commands: Annotated[dict[str, Count], Field(description="By the reason of the ack")]
    requests: Annotated[dict[str, Count], Field(description="By the code of the answer")]


class HealthReport(TypedDict):
    """Counters, lags and states of everything that runs."""

    at: Microseconds
    environment: Literal["simulator", "paper", "real"]
    sessions: Annotated[dict[str, SessionNumbers], Field(description="By alias of the app")]
    subscriptions: SubscriptionCounts
    quality: Annotated[dict[str, Count], Field(description="Topics by the quality of their value")]
    rotation: NotRequired[
        Annotated[
            RotationNumbers,
            Field(description="Subscriptions that take turns; between two turns they do not wait"),
        ]
    ]
    clients: Annotated[
        list[ClientRow], Field(description="Who wants how much market data; twenty at most")
    ]
    arrivals: ArrivalNumbers
    refused: RefusedNumbers
    frames_dropped: Annotated[Count, Field(description="What sessions threw away as garbage")]
    decode_errors: Count
    schema_drift: Count
    by_channel: ChannelProblems
    publish: PublishNumbers
    lag_us: Annotated[
        LagNumbers, Field(description="From the KIS frame to MQTT, of the last minute")
    ]
    loop_lag_s: Annotated[
        float, Field(description="Longest that the event loop was late in the last minute")
    ]
    rest: RestNumbers
    clock_offset_s: Annotated[
        float | None,
        Field(description="KIS's clock minus this machine's; null: KIS has not told its time"),
    ]
    orders: Annotated[dict[str, Count], Field(description="Orders of today by state")]
    halted: Annotated[bool, Field(description="Whether anybody may not trade freely")]
    halts: list[HaltRow]
    journal: JournalReport
    owner: OwnerReport
