"""A session with KIS as far as subscriptions need it."""

from __future__ import annotations

from typing import Protocol

from bridge.kis.session import Session
from bridge.kis.stream import StreamCounts

__all__ = ["SessionFeed"]


class SessionFeed(Protocol):
    """A stream as far as the pool needs it."""

    session: Session
    counts: StreamCounts

    @property
    def state(self) -> str: ...
    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None: ...
    def unsubscribe(self, tr_id: str, key: str) -> None: ...
    def delivers(self, tr_id: str, key: str) -> None: ...
    def allow(self, limit: int) -> None: ...
