"""Events about single subscriptions, as types."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from bridge.mqtt.shapes import Count, Microseconds

__all__ = ["StaleEvent", "StaleRow"]


class StaleRow(TypedDict):
    """A subscription that brings nothing any more."""

    topic: str
    channel: str
    key: str
    app: Annotated[str, Field(description="Alias of the app key whose session has its slot")]
    since: Annotated[
        Microseconds, Field(description="Its newest record, or when KIS confirmed it; µs")
    ]


class StaleEvent(TypedDict):
    """Subscriptions are silent while others of their session are not; KIS is asked anew, once."""

    kind: Literal["stale"]
    subscriptions: list[StaleRow]
    suppressed: NotRequired[
        Annotated[Count, Field(description="Events like this that were left out before this one")]
    ]
