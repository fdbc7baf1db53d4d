"""A subscription as people see it: the row of the session maps and of the request's answer."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from bridge.mqtt.shapes import Count

__all__ = ["SubscriptionCounts", "SubscriptionRow", "SubscriptionWord"]

SubscriptionWord: TypeAlias = Literal[
    "wanted", "requested", "live", "leaving", "refused", "waiting"
]
"""Where a subscription is: the words of the session, and ``waiting`` for a slot."""


class SubscriptionRow(TypedDict):
    """A subscription and who holds it."""

    channel: str
    key: str
    session: Annotated[str | None, Field(description="Alias of the app; null: it has no slot")]
    state: SubscriptionWord
    priority: Annotated[int, Field(description="The smaller is served first")]
    holders: Annotated[list[str], Field(description="Who wants it")]
    code: NotRequired[Annotated[str, Field(description="Why KIS refused it")]]
    reason: NotRequired[Annotated[str | None, Field(description="The code in words")]]
    waits_as: NotRequired[Annotated[Count, Field(description="Place in the queue for a slot")]]
    lease_until: NotRequired[Annotated[int, Field(description="Seconds since the epoch")]]


class SubscriptionCounts(TypedDict):
    """How many subscriptions stand how."""

    wanted: Count
    live: Count
    waiting: Count
    refused: Count
