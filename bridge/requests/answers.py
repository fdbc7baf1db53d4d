"""What requests are answered with: the ``data`` of each verb, the row of each listing."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from bridge.mqtt.payloads import HaltRow
from bridge.mqtt.shapes import Count, Microseconds
from bridge.orders.model.lifecycle import State
from bridge.subscriptions.rows import SubscriptionRow

__all__ = [
    "AdoptAnswer",
    "ChannelRow",
    "ChannelsAnswer",
    "HaltAnswer",
    "NewestRecord",
    "QueryAnswer",
    "ResolveAnswer",
    "ResumeAnswer",
    "SnapshotAnswer",
    "Standing",
    "SubscribeAnswer",
    "SubscriptionsAnswer",
    "SymbolRow",
    "SymbolsAnswer",
    "UnsubscribeAnswer",
]


class SubscribeAnswer(TypedDict):
    """How many subscriptions were taken."""

    subscribed: Count
    waiting: Annotated[Count, Field(description="How many of them have no slot yet")]
    rotating: NotRequired[
        Annotated[Count, Field(description="How many of them share slots by turns")]
    ]
    within_s: NotRequired[
        Annotated[
            Count | None,
            Field(
                description="Within how many seconds each of those has a slot at the latest, as"
                " long as the sessions serve and nothing more is wanted; null: no slot is left"
            ),
        ]
    ]


class UnsubscribeAnswer(TypedDict):
    """How many subscriptions ended."""

    ended: Count


SubscriptionsAnswer: TypeAlias = list[SubscriptionRow]


class ChannelRow(TypedDict):
    """A channel that can be subscribed."""

    channel: str
    market: str
    venues: list[str]
    kind: str
    description: str
    korean: str


ChannelsAnswer: TypeAlias = list[ChannelRow]


@with_config(ConfigDict(extra="allow"))
class NewestRecord(TypedDict):
    """A record of market data."""

    symbol: str
    channel: str
    seq: Count


SnapshotAnswer: TypeAlias = Annotated[
    dict[str, NewestRecord],
    Field(
        description="The newest record by topic, in the order of the topics; each has the members"
        " of its own topic. A page: 1000 records and 256 KiB at most, less where the broker takes"
        " less"
    ),
]


@with_config(ConfigDict(extra="allow"))
class QueryAnswer(TypedDict):
    """Beside these two, the blocks of KIS's answer (output, output1 …).

    Their members are named by the workbook: kis-bridge spec show CALL
    """

    pages: Annotated[Count, Field(description="Answers of KIS that were joined")]
    more: Annotated[bool, Field(description="Whether KIS has further pages")]


class SymbolRow(TypedDict):
    """A line of a symbol master."""

    symbol: str
    name: str
    english_name: str | None
    master: str
    market: str | None
    venue: str | None
    details: NotRequired[
        Annotated[
            dict[str, str | None],
            Field(description="Every column of the master, as the workbook names it"),
        ]
    ]


class SymbolsAnswer(TypedDict):
    """Symbols that were found."""

    symbols: list[SymbolRow]
    updated_at: Annotated[
        dict[str, Microseconds], Field(description="When each master was fetched")
    ]


class _Named(TypedDict):
    environment: Literal["simulator", "paper", "real"]
    account: Annotated[str | None, Field(description="Which was asked for; null: every account")]
    client: Annotated[str | None, Field(description="Which was asked for; null: every client")]
    mode: Annotated[
        Literal["halted", "reduce_only"] | None,
        Field(description="What holds for it now, also by a wider halt; null: it trades freely"),
    ]
    halts: list[HaltRow]


class Standing(_Named):
    """Who may trade how, after a halt or its end."""

    halted: Annotated[bool, Field(description="Whether anybody may not trade freely")]


class HaltAnswer(_Named):
    """What holds after a halt."""

    halted: Literal[True]
    known: Annotated[bool, Field(description="Whether anybody has this client's name so far")]
    cancelling: Annotated[Count, Field(description="Open orders that are being cancelled")]
    written: Annotated[
        bool,
        Field(
            description="Whether it is on disk. False: it holds, and is written as soon as that is"
            " possible; a restart before that would forget it"
        ),
    ]


class ResumeAnswer(Standing):
    """What holds after a halt was taken back."""

    resumed: Annotated[bool, Field(description="Whether exactly this was halted before")]


class AdoptAnswer(TypedDict):
    """The journal that is in use now."""

    journal: Annotated[str, Field(description="Its random name, a new one")]
    generation: Count


class ResolveAnswer(TypedDict):
    """What became of the command that a person settled."""

    client_order_id: str
    state: State
    order_no: str | None
