"""Whether the journal can be relied on: one place that knows, for all who have to ask."""

from __future__ import annotations

from bridge.mqtt.payloads import JournalReport, JournalState
from bridge.runtime.turns import News

__all__ = ["JournalStanding"]


class JournalStanding:
    """What is wrong with the journal; used in the event loop alone.

    ``news`` comes with every change.
    """

    def __init__(self) -> None:
        self.news = News()
        self.failing = ""
        """Why the last attempt to write failed; blank: it did not."""
        self.failing_since: float | None = None
        """Since when (by the loop's clock) nothing could be written."""
        self.replaced = ""
        """Why orders are missing in it, or will be after a restart; blank: none are."""
        self.adoptable = False
        """Whether it is the one to go on with, once a person has said so."""

    @property
    def state(self) -> JournalState:
        """What holds, in one word; what is worst counts."""
        if self.replaced:
            return "replaced"
        return "failing" if self.failing else "sound"

    @property
    def reason(self) -> str:
        """Say what is wrong; blank: nothing."""
        return self.replaced or self.failing

    def report(self) -> JournalReport:
        """Return it for health."""
        return {"state": self.state, "reason": self.reason or None}

    def wrote(self) -> None:
        """Take note that something is on disk."""
        if self.failing_since is not None:
            self.failing, self.failing_since = "", None
            self.news.tell()

    def failed(self, why: str, now: float) -> None:
        """Take note that something could not be written."""
        if self.failing_since is None:
            self.failing_since = now
        if self.failing != why:
            self.failing = why
            self.news.tell()

    def replace(self, why: str) -> None:
        """Take note that the journal is not the one that was opened; that holds to the restart."""
        if not self.replaced or self.adoptable:
            self.replaced, self.adoptable = why, False
            self.news.tell()

    def doubt(self, why: str) -> None:
        """Take note that the journal lacks what another one had; that holds until it is adopted."""
        if not self.replaced:
            self.replaced, self.adoptable = why, True
            self.news.tell()

    def adopted(self) -> None:
        """Take note that a person wants to go on with the journal as it is."""
        if self.adoptable:
            self.replaced, self.adoptable = "", False
            self.news.tell()
