"""Whether this bridge may send orders: what is asked right before the first byte leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

from bridge.runtime.clock import steady_us
from bridge.runtime.turns import News

__all__ = ["Title"]


class Title:
    """Granted for a while each time, because who was paused does not notice that it was.

    It is looked up on a clock of this machine that nobody sets; nothing is asked of anybody.
    """

    def __init__(self, steady: Callable[[], int] = steady_us) -> None:
        self._steady = steady
        self._until: float = 0
        self._other = ""
        self._news = News()
        self._inherited: tuple[int, int] | None = None

    @classmethod
    def alone(cls) -> Self:
        """Return one for good, where there can be no other bridge."""
        title = cls(lambda: 0)
        title.grant(math.inf)
        return title

    def grant(self, until: float) -> None:
        """Let this bridge send until then, in µs of the steady clock."""
        self._until, self._other = until, ""
        self._news.tell()

    def deny(self, other: str) -> None:
        """Let this bridge send nothing, because another one does: that is how people find it."""
        self._until, self._other = 0, other
        self._news.tell()

    def inherit(self, since: int, until: int) -> None:
        """Take note that another bridge, which fell silent, may have sent what is delivered again.

        ``since`` is when it may have done that at the earliest, in µs since the epoch; ``until``
        the broker may still deliver that to this bridge, in µs of the steady clock.
        """
        self._inherited = since, until

    @property
    def inherited(self) -> int | None:
        """Since when another bridge may have sent what is delivered again; None: none can have."""
        if self._inherited is None or self._steady() >= self._inherited[1]:
            return None
        return self._inherited[0]

    @property
    def held(self) -> bool:
        """Whether this bridge may send now."""
        return self._steady() < self._until

    def problem(self, *, harmless: bool = False) -> str:
        """Say why nothing may be sent now, for people; blank: it may.

        ``harmless``: it does no harm if another bridge has done the same, as the cancellation of a
        whole order. It goes also while this bridge cannot say that it lives, so that trading can be
        stopped without a broker, but not when another bridge is known.
        """
        if self.held or (harmless and not self._other):
            return ""
        if self._other:
            return f"{self._other} sends for this account"
        return (
            "this bridge was away from the broker, or stood still, for so long that another one "
            "may send for this account"
        )

    async def changed(self) -> None:
        """Return when it was granted or denied, or :meth:`wake` was called."""
        await self._news.wait()

    def wake(self) -> None:
        """Let those look again who wait for it."""
        self._news.tell()

    async def gained(self) -> None:
        """Return when this bridge may send."""
        while not self.held:
            await self.changed()

    async def settled(self) -> None:
        """Return when it is known who may send."""
        while not (self.held or self._other):
            await self.changed()
