"""Events about the broker and about what its other clients do, as types."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from bridge.mqtt.shapes import Count, Microseconds

__all__ = ["LimitedClientRow", "MessageDroppedEvent", "RateLimitedEvent", "SessionTakenOverEvent"]


class LimitedClientRow(TypedDict):
    """A client that sent more than it may."""

    client: Annotated[str, Field(description="Blank: no name in the topic")]
    what: Literal["requests", "commands"]
    refused: Count
    unanswered: Annotated[
        Count, Field(description="Those among them that were not looked at and have no answer")
    ]


class RateLimitedEvent(TypedDict):
    """Clients sent more than they may; told at once when it begins, then once a minute."""

    kind: Literal["rate_limited"]
    since: Annotated[Microseconds, Field(description="What is counted came after this")]
    requests: Annotated[Count, Field(description="Requests that were refused")]
    commands: Annotated[Count, Field(description="Commands that were refused: none was taken")]
    unanswered: Annotated[Count, Field(description="Those among both that have no answer")]
    clients: Annotated[list[LimitedClientRow], Field(description="Who sent most of them")]
    message: str


class MessageDroppedEvent(TypedDict):
    """Messages were not decoded, and never will be: too large, or properties nobody can read."""

    kind: Literal["message_dropped"]
    since: Annotated[Microseconds, Field(description="What is counted came after this")]
    reasons: Annotated[dict[str, Count], Field(description="How many, by what was wrong")]
    topic: Annotated[str, Field(description="Of the last one, shortened")]
    bytes: Annotated[Count, Field(description="Of the last one")]
    message: str


class SessionTakenOverEvent(TypedDict):
    """Another client took the bridge's session at the broker, or the broker has it no longer."""

    kind: Literal["session_taken_over"]
    client_id: Annotated[str, Field(description="Without its secret part")]
    message: str
    suppressed: NotRequired[
        Annotated[Count, Field(description="Events like this that were left out before this one")]
    ]
