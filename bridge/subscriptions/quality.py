"""How good the newest value of a subscription is. Pure: what is known of it is the argument.

The order of the questions is the order of what a reader has to know first: that KIS refuses the
key, that the market is closed, that nothing can arrive, that nothing did.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bridge.kis.codes import meaning

__all__ = ["SILENT", "Grade", "Graded", "Quality", "Situation", "grade"]

SILENT = "nothing came for longer than its pace allows"
"""The reason of one that is silent by itself."""


_LIVELY_S = 30.0
"""A limit as short as this was learned from what comes all the time."""


class Quality(StrEnum):
    """The words of the contract."""

    LIVE = "live"
    ROTATING = "rotating"
    BACKUP = "backup"
    STALE = "stale"
    CLOSED = "closed"
    REFUSED = "refused"
    OFF = "off"


class Grade(NamedTuple):
    """A quality and what it follows from."""

    quality: Quality
    reason: str = ""
    """For people; blank when there is nothing to explain."""
    source: str = ""
    """``session:ALIAS`` or ``rest``; blank: nowhere."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What is published of a topic; times are µs since the epoch."""

    quality: Quality
    since: int
    """Since when it has this quality."""
    last_at: int | None
    """When its newest value arrived; None: none has, since the bridge started."""
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a subscription at one moment."""

    open: bool
    """Whether its market is open, or sends although it should not be."""
    refusal: str = ""
    """The code with which KIS refuses it."""
    unanswered: bool = False
    """KIS was asked for it, several times, and said nothing."""
    app: str = ""
    """The app key whose session has a slot for it."""
    connected: bool = False
    """Whether that session is there; where it has no slot, whether any is that brings something."""
    confirmed: bool = False
    """KIS has said that it serves it, or does."""
    trouble: str = ""
    """Why nothing arrives on that session, in words."""
    recorded: bool = False
    """A record came since it was confirmed."""
    silent_s: float = 0.0
    """Since the newest record, or since one was first to be expected."""
    limit_s: float | None = None
    polled: bool = False
    """REST is asked instead, and answers."""
    rotating: bool = False
    """It shares a slot by turns, and had a turn of late."""


def grade(now: Situation) -> Grade:
    """Return how good it is."""
    source = f"session:{now.app}" if now.app else ""
    if now.refusal:
        words = meaning(now.refusal)
        reason = f"KIS refuses it: {now.refusal}{f', {words}' if words else ''}"
        return Grade(Quality.REFUSED, reason, source)
    if not now.open:
        return Grade(Quality.CLOSED, "its market is closed", source)
    if now.rotating and now.connected and not now.trouble:
        return Grade(Quality.ROTATING, "shares a slot by turns", source)
    if trouble := _trouble(now):
        if now.polled:
            return Grade(Quality.BACKUP, trouble, "rest")
        return Grade(Quality.STALE, trouble, source)
    return Grade(Quality.LIVE, "" if now.recorded else "no record yet", source)


def _trouble(now: Situation) -> str:
    """Return why no record can arrive, or that none did; blank: all is well."""
    if not now.app:
        return "KIS does not answer" if now.unanswered else "it waits for a slot"
    if not now.connected:
        return f"session {now.app} is away"
    if not now.confirmed:
        return "KIS has not confirmed it yet"
    if now.trouble:
        return now.trouble
    if now.limit_s is None:
        return ""
    if now.silent_s > now.limit_s:
        return SILENT
    # One that has a record every few seconds proves itself; of others KIS's word has to do.
    if not now.recorded and now.limit_s <= _LIVELY_S:
        return "no record since it was confirmed"
    return ""
