"""The one hook that extensions hang on.

An extension is a feature that the two lines know nothing of: it hears, computes and publishes
beside them, and neither ever waits for it. It imports no other extension, and only the application
imports it, so that it can be taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

import structlog

from bridge.extensions.context import ExtensionContext

__all__ = ["Extension", "Extensions"]

log = structlog.get_logger()


class Extension(Protocol):
    """What every extension is."""

    def __init__(self, context: ExtensionContext) -> None:
        """Prepare; nothing runs before `start`."""

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin; whatever runs does so in ``tasks``, where a bug ends the bridge loudly.

        Whoever owns ``tasks`` cancels what is left in it after `stop`.
        """

    async def stop(self) -> None:
        """Say goodbye while the broker is still there."""


class Extensions:
    """Those that the configuration asks for."""

    def __init__(self, kinds: Iterable[type[Extension]], context: ExtensionContext) -> None:
        self._running = [kind(context) for kind in kinds]

    async def run(self) -> None:
        """Start them and run their tasks until cancelled; a bug in one ends this loudly."""
        async with asyncio.TaskGroup() as tasks:
            for one in self._running:
                log.info("extension started", extension=type(one).__name__.lower())
                one.start(tasks)

    async def stop(self) -> None:
        """Stop them, the last one first."""
        for one in reversed(self._running):
            await one.stop()
