"""Who waits for a connection, and what becomes of that."""

from __future__ import annotations

import asyncio

from bridge.errors import BrokerError

__all__ = ["Waiters"]


class Waiters:
    """Tasks that wait; the impatient ones are told of the first failure."""

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.Future[None], bool]] = []

    async def wait(self, *, fail_fast: bool, deadline_s: float | None) -> None:
        """Return when there is a connection; raises TimeoutError, or the failure if impatient."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((waiter, fail_fast))
        async with asyncio.timeout(deadline_s):
            await waiter

    def tell(self, failure: BrokerError | None, *, connected: bool) -> None:
        """Wake all on success, the impatient on failure."""
        kept = []
        for waiter, fail_fast in self._waiting:
            if waiter.done():
                continue
            if failure is not None and fail_fast:
                waiter.set_exception(failure)
            elif connected:
                waiter.set_result(None)
            else:
                kept.append((waiter, fail_fast))
        self._waiting = kept

    def give_up(self, failure: BrokerError) -> None:
        """Let nobody wait any more."""
        for waiter, _ in self._waiting:
            if not waiter.done():
                waiter.set_exception(failure)
        self._waiting.clear()
