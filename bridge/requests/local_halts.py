"""Halts without a broker: a signal, and a file in the state directory."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, Protocol

import structlog

from bridge.errors import JournalError

__all__ = ["FILE", "LocalHalts"]

log = structlog.get_logger()

FILE = "halt"
"""Its presence in the state directory halts everybody."""
_LOOK_S = 0.25


class _Gate(Protocol):
    """The part of the order gateway that is used here."""

    def mode(self, account: str, client: str) -> str: ...
    async def halt(self, mode: Literal["halted"], *, reason: str) -> object: ...


class LocalHalts:
    """Halts everybody on SIGUSR1, and as long as the file is there; neither ever resumes."""

    def __init__(
        self,
        gate: _Gate,
        state_dir: Path,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gate = gate
        self._file = state_dir / FILE
        self._pause = pause
        self._signalled = asyncio.Event()

    async def run(self) -> None:
        """Watch for both, until cancelled."""
        async with _signal(self._signalled), asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_signal())
            tasks.create_task(self._watch_file())

    async def _watch_signal(self) -> None:
        while True:
            await self._signalled.wait()
            self._signalled.clear()
            await self._halt("SIGUSR1")

    async def _watch_file(self) -> None:
        while True:
            # In a thread: the directory may be on a server that does not answer. And halted again
            # after a resumption: as long as the file is there nobody trades.
            present = await asyncio.to_thread(self._there)
            if present and self._gate.mode("", "") != "halted":
                await self._halt(f"the file {self._file}")
            await self._pause(_LOOK_S)

    def _there(self) -> bool:
        try:
            return self._file.exists()
        except OSError as error:  # an unreadable directory must not end the bridge
            log.warning("the halt file cannot be looked for", cause=str(error))
            return False

    async def _halt(self, reason: str) -> None:
        log.warning("everybody halted", reason=reason)
        with contextlib.suppress(JournalError):  # it holds all the same, and is told in its events
            await self._gate.halt("halted", reason=reason)


@asynccontextmanager
async def _signal(happened: asyncio.Event) -> AsyncIterator[None]:
    number = getattr(signal, "SIGUSR1", None)
    if number is None:  # Windows has none
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, happened.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)
