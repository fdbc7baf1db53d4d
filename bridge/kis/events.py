"""What a session tells: a closed union of events, and the states of a subscription. Pure data.

Market data is no event: a session returns the frame itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

__all__ = [
    "Dropped",
    "Lost",
    "Notice",
    "SessionEvent",
    "SlotRefused",
    "Subscribed",
    "SubscriptionState",
    "Unsubscribed",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """An account notice, opened; ``body`` holds ``count`` records joined by ``^``."""

    tr_id: str
    count: int
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """KIS delivers this subscription from now on."""

    tr_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The subscription is gone and its slot free."""

    tr_id: str
    key: str


@dataclass(frozen=True, slots=True)
class SlotRefused:
    """The subscription is not delivered; ``code`` is KIS's, or ``timeout``.

    With ``OPSP0008`` it waits for a slot and ``limit`` says how many there are; with every other
    code it stays refused until it is subscribed again.
    """

    tr_id: str
    key: str
    code: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that KIS sent was thrown away; never holds its content."""

    reason: str
    tr_id: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no more use; close it and come back after ``retry_after`` seconds.

    ``OPSP8996``: the app key has a session elsewhere; ``OPSP0011``: the approval key is refused;
    ``silent``: nothing came, not even PINGPONG. The shell adds its own codes.
    """

    code: str
    retry_after: float = 0.0


SessionEvent: TypeAlias = Notice | Subscribed | Unsubscribed | SlotRefused | Dropped | Lost


class SubscriptionState(Enum):
    """Where a subscription is, as far as KIS has told."""

    WANTED = "wanted"
    REQUESTED = "requested"
    LIVE = "live"
    LEAVING = "leaving"
    REFUSED = "refused"
