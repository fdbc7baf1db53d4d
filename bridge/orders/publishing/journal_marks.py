"""Which journal was used, kept where a lost disk cannot take it: retained at the broker.

It is published after the commits that it tells of, so that it never claims more than there is. A
bridge that finds another journal there, or more than its own has, takes no new orders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from bridge.errors import JournalError
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.payloads import JournalMark
from bridge.mqtt.strict_json import JsonError, decode_object, encode
from bridge.mqtt.topics import Topics
from bridge.orders.journal.identity import Mark
from bridge.orders.journal.journal import Journal

__all__ = ["JournalMarks"]

log = structlog.get_logger()

_SAVE_S, _PUBLISH_S = 1.0, 5.0
_LONGEST = 1_024
"""Bytes of a mark."""
_HEARD_S = 0.3
"""A broker sends what is retained together with its answer to the subscription."""


class JournalMarks:
    """Subscribes when it is made; the environments do not get into each other's way."""

    def __init__(
        self, journal: Journal, control: ControlClient, topics: Topics, environment: str
    ) -> None:
        self._journal = journal
        self._control = control
        self._topic = topics.journal(environment)
        self._came = asyncio.Event()
        control.subscribe(self._topic, 1, self._take)

    def before(self, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Return some work that begins when it is known what the broker may know."""

        async def informed() -> None:
            await self._control.wait_connected()
            with suppress(TimeoutError):
                async with asyncio.timeout(_HEARD_S):
                    await self._came.wait()
            await work()

        return informed

    async def _take(self, message: Message) -> None:
        message.ack()
        try:
            known = Mark.told(decode_object(message.payload, _LONGEST))
        except (JsonError, ValueError) as error:
            if message.payload:  # else somebody has cleared it
                log.warning("not a journal's mark", topic=self._topic, cause=str(error))
            return
        try:
            await self._journal.compare(known, self._topic)
        except JournalError as error:
            log.warning("journal not written", cause=str(error))
        self._came.set()

    async def run(self) -> None:
        """Remember how far the journal has come, beside it and at the broker, until cancelled."""
        loop = asyncio.get_running_loop()
        published, publish_at = Mark("", 0), loop.time()
        while True:
            mark, sound = self._journal.mark, not self._journal.standing.replaced
            due = mark.journal != published.journal or loop.time() >= publish_at
            if sound and due and mark != published:
                published, publish_at = mark, loop.time() + _PUBLISH_S
                payload = encode(JournalMark(journal=mark.journal, generation=mark.generation))
                await self._control.publish(Publication(self._topic, payload, retain=True))
            await self._journal.save_mark()
            await self._journal.standing.news.wait(_SAVE_S)
