"""Subscriptions as people see them: in the session maps, in health and in requests' answers."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Annotated, Literal, NamedTuple, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from bridge.kis.codes import meaning
from bridge.kis.events import SubscriptionState
from bridge.mqtt.shapes import Count
from bridge.subscriptions.interest import NAMELESS, Interests
from bridge.subscriptions.refusals import SlotRefusal
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rotation import Rotation

__all__ = [
    "MOST_ROWS",
    "ClientRow",
    "RotationNumbers",
    "SlotStanding",
    "SubscriptionCounts",
    "SubscriptionRow",
    "SubscriptionWord",
    "client_rows",
    "rotation_numbers",
    "subscription_row",
    "tell_turn",
]

MOST_ROWS = 1000
"""Subscriptions in one answer, which a broker is to take and which is not to hold up the feed."""
_MOST_CLIENTS = 20
_MOST_HOLDERS = 20
"""Whoever invents names must not make health or a session's map long."""

SubscriptionWord: TypeAlias = Literal[
    "wanted", "requested", "live", "leaving", "refused", "waiting"
]
"""Where a subscription is: the words of the session, and ``waiting`` for a slot."""


class SlotStanding(NamedTuple):
    """Who serves a subscription."""

    app: str
    """Whose session has a slot for it; blank: it has none."""
    live: bool
    """Whether KIS has confirmed it."""
    refusal: str
    """The code of KIS's last refusal; blank: there is none."""
    rotating: bool = False
    """Whether it shares a slot by turns, and gets its turns in time."""


class SubscriptionRow(TypedDict):
    """A subscription and who holds it."""

    channel: str
    key: str
    session: Annotated[str | None, Field(description="Alias of the app; null: it has no slot")]
    state: SubscriptionWord
    priority: Annotated[int, Field(description="The smaller is served first")]
    holders: Annotated[list[str], Field(description="Who wants it; twenty at most")]
    holders_more: NotRequired[Annotated[Count, Field(description="How many more there are")]]
    code: NotRequired[Annotated[str, Field(description="Why KIS refused it")]]
    reason: NotRequired[Annotated[str | None, Field(description="The code in words")]]
    waits_as: NotRequired[Annotated[Count, Field(description="Place in the queue for a slot")]]
    lease_until: NotRequired[Annotated[int, Field(description="Seconds since the epoch")]]
    rotates: NotRequired[
        Annotated[Literal[True], Field(description="It shares a slot by turns with others")]
    ]
    turn_until: NotRequired[
        Annotated[
            int, Field(description="How long it keeps its slot at least, seconds since the epoch")
        ]
    ]
    turn_by: NotRequired[
        Annotated[
            int, Field(description="When it has a slot at the latest, seconds since the epoch")
        ]
    ]


class RotationNumbers(TypedDict):
    """How subscriptions share slots by turns."""

    subscriptions: Annotated[Count, Field(description="How many take turns")]
    slots: Annotated[Count, Field(description="How many of them have their turn")]
    turn_s: Annotated[float, Field(description="How long a turn lasts at least")]
    within_s: Annotated[
        Count | None,
        Field(
            description="Within how many seconds each of them has its turn again, as long as the"
            " sessions serve; 0: all have a slot; null: no slot is left for them"
        ),
    ]


class SubscriptionCounts(TypedDict):
    """How many subscriptions stand how."""

    wanted: Count
    live: Count
    waiting: Count
    refused: Count


class ClientRow(TypedDict):
    """A client, and what it takes."""

    client: Annotated[
        str | None, Field(description="Null: requests without a client's name in their topic")
    ]
    subscriptions: Annotated[Count, Field(description="What it wants, with a slot or without")]
    slots: Annotated[Count, Field(description="How much of it has a slot")]
    refused: Annotated[Count, Field(description="Requests refused because it had too many")]


def subscription_row(
    interests: Interests,
    wanted: Wanted,
    session: str | None,
    state: SubscriptionState | None,
    refusal: SlotRefusal | None,
    waits_as: int | None,
) -> SubscriptionRow:
    """Return the row of a subscription; ``state`` is what its session says."""
    word: SubscriptionWord = "waiting"
    if refusal is not None and refusal.waiting:
        word = SubscriptionState.REFUSED.value
    elif session is not None:
        word = (state or SubscriptionState.WANTED).value
    holders = interests.holders(wanted)
    row: SubscriptionRow = {
        "channel": wanted.channel,
        "key": wanted.key,
        "session": session,
        "state": word,
        "priority": interests.priority(wanted),
        "holders": holders[:_MOST_HOLDERS],
    }
    if len(holders) > _MOST_HOLDERS:
        row["holders_more"] = len(holders) - _MOST_HOLDERS
    if refusal is not None:
        row["code"] = refusal.code
        row["reason"] = meaning(refusal.code) or None
    elif waits_as is not None:
        row["waits_as"] = waits_as
    if (until := interests.until(wanted)) is not None:
        row["lease_until"] = int(until)
    return row


def tell_turn(
    row: SubscriptionRow, rotation: Rotation, wanted: Wanted, now: float, clock: float
) -> None:
    """Put into a row when its turn is; ``now`` is monotonic, ``clock`` since the epoch."""
    row["rotates"] = True
    if (left := rotation.until(wanted, now)) is not None:
        row["turn_until"] = int(clock + left)
    elif rotation.has_turns(wanted):
        row["turn_by"] = ceil(clock + rotation.next_turn(wanted, now))


def rotation_numbers(rotation: Rotation) -> RotationNumbers:
    """Return how the turns go."""
    within = rotation.within()
    return {
        "subscriptions": len(rotation),
        "slots": rotation.slots,
        "turn_s": round(rotation.turn_s, 1),
        "within_s": None if within is None else ceil(within),
    }


def client_rows(
    held: Mapping[str, int], slots: Mapping[str, int], refused: Mapping[str, int]
) -> list[ClientRow]:
    """Return a row for each client, those that take or were refused most."""
    names = sorted(
        {*held, *refused}, key=lambda name: (-refused.get(name, 0), -held.get(name, 0), name)
    )
    return [
        {
            "client": None if name == NAMELESS else name,
            "subscriptions": held.get(name, 0),
            "slots": slots.get(name, 0),
            "refused": refused.get(name, 0),
        }
        for name in names[:_MOST_CLIENTS]
    ]
