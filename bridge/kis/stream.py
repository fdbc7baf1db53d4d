"""The socket around a session: carries its texts, gives it the time, connects again.

Only what the network does wrong reconnects. A bug in a callback goes up to whoever runs the stream.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Literal

import structlog
from pydantic import SecretStr

from bridge.kis.codes import meaning
from bridge.kis.frames import DataFrame
from bridge.kis.link import Link, Open, Reads, StreamCounts, open_link
from bridge.kis.reconnection import Reconnection
from bridge.kis.replies import KisError
from bridge.kis.session import Lost, Notice, Session, SessionEvent
from bridge.runtime.backoff import Backoff

__all__ = ["ApprovalKey", "Stream", "StreamCounts"]

log = structlog.get_logger()

ApprovalKey = Callable[[bool], Awaitable[SecretStr]]
"""Gives the approval key; a new one when told True."""

CLOSE_S = 1.0
"""KIS has been seen never to answer a close (docs/kis.md); more would delay the next attempt."""
SEND_S = 10.0
"""A request is a few hundred bytes: when it does not leave, KIS does not read any more."""
RETRY = Backoff(0.5, 30.0, jitter=(0.5, 1.0))
"""Before another connection."""
LONGEST_QUIET_S = 120.0
REFUSED_AGAIN_S = 30.0
"""Quiet after a new approval key was refused like the one before."""


class Stream:
    """One WebSocket connection to KIS, kept up until :meth:`run` is cancelled.

    The callbacks are called from the event loop and must not block: ``on_data`` for each frame of
    market data and ``on_notice`` for each account notice, both with the µs since the epoch when it
    arrived; ``on_event`` for the rest. A ``Lost`` there tells in how many seconds the next attempt
    is made; its code is KIS's, or ``unreachable``, ``approval``, ``silent``, ``mute``,
    ``stalled``, ``closed CODE``.
    """

    def __init__(
        self,
        url: str,
        session: Session,
        approval_key: ApprovalKey,
        *,
        on_data: Callable[[DataFrame, int], None],
        on_notice: Callable[[Notice, int], None],
        on_event: Callable[[SessionEvent], None],
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        retry: Backoff | None = None,
        connect: Open = open_link,
        reads: Reads | None = None,
    ) -> None:
        self.counts = StreamCounts()
        self.state: Literal["stopped", "connecting", "connected", "waiting"] = "stopped"
        self.session = session
        self._url = url
        self._approval_key = approval_key
        self._on_data = on_data
        self._on_notice = on_notice
        self._on_event = on_event
        self._rng = rng or random.Random()  # noqa: S311 - spreads reconnections, no secret
        self._sleep = sleep
        self._reconnection = Reconnection(retry or RETRY, LONGEST_QUIET_S, self._rng.uniform)
        self._connected_at: float | None = None
        self._connect = connect
        self._reads = reads
        self._wake = asyncio.Event()
        self._lost: Lost | None = None
        self._monotonic: Callable[[], float] = time.monotonic  # the event loop's, while connected

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None:
        """Want a subscription, now and after every reconnection."""
        now = asyncio.get_running_loop().time()
        self._tell(self.session.subscribe(tr_id, key, now, priority))
        self._wake.set()

    def unsubscribe(self, tr_id: str, key: str) -> None:
        """Want a subscription no more."""
        self._tell(self.session.unsubscribe(tr_id, key, asyncio.get_running_loop().time()))
        self._wake.set()

    def delivers(self, tr_id: str, key: str) -> None:
        """Say that data of a subscription comes, although KIS has not answered the request."""
        self._tell(self.session.delivers(tr_id, key))
        self._wake.set()

    def expect(self, silence_s: float, mute_s: float | None) -> None:
        """Say how long nothing, and how long no market data, may come before it is a loss."""
        if self.session.expect(silence_s, mute_s, asyncio.get_running_loop().time()):
            self._wake.set()

    def allow(self, limit: int) -> None:
        """Try more slots than KIS has granted so far."""
        self.session.allow(limit)
        self._wake.set()

    async def run(self) -> None:
        """Stay connected until cancelled; then close politely, so that KIS frees the app key."""
        monotonic = asyncio.get_running_loop().time
        refresh = refused = False
        try:
            while True:
                self.state = "connecting"
                frames, self._connected_at = self.counts.frames, None
                lost = await self._connection(refresh)
                refused, refresh = refresh, lost.code == "OPSP0011"
                if refused and refresh:  # the new key as well: issuing keys does not help
                    lost = Lost(lost.code, REFUSED_AGAIN_S)
                now, since = monotonic(), self._connected_at
                pause = self._reconnection.pause(
                    now,
                    quiet_s=lost.retry_after,
                    lived_s=0.0 if since is None else now - since,
                    brought_data=self.counts.frames > frames,
                )
                lost = Lost(lost.code, pause)
                self.state = "waiting"
                log.warning(
                    "session lost",
                    code=lost.code,
                    reason=meaning(lost.code),
                    retry_s=round(lost.retry_after, 1),
                )
                self._on_event(lost)
                await self._sleep(lost.retry_after)
        finally:
            self.state = "stopped"

    async def _connection(self, refresh: bool) -> Lost:
        """Make one connection and serve it to its end; return why it ended."""
        try:
            self.session.approval_key = (await self._approval_key(refresh)).get_secret_value()
        except KisError as error:
            log.warning("no approval key", reason=str(error))
            return Lost("approval")
        self._reconnection.connects(asyncio.get_running_loop().time())
        try:
            link = await self._connect(self._url, self._received, self.counts, CLOSE_S, self._reads)
        except OSError as error:
            log.info("not connected", url=self._url, reason=str(error))
            return Lost("unreachable")
        return await self._converse(link)

    async def _converse(self, link: Link) -> Lost:
        try:
            self._monotonic = asyncio.get_running_loop().time
            self.counts.connections += 1
            self.state = "connected"
            self._lost = None
            log.info("session connected", url=self._url)
            self._connected_at = self._monotonic()
            self._tell(self.session.connected(self._connected_at))
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write(link))
                await link.serve()
                writer.cancel()
        finally:
            await link.close()
        self._tell(self.session.disconnected())
        return self._lost or Lost(f"closed {link.close_code}")

    def _received(self, text: str, arrived: int) -> None:
        counts = self.counts
        heard = self.session.receive(text, self._monotonic())
        # Market data makes nothing due, it only moves the end of patience further away: the writer
        # is not woken for it.
        if isinstance(heard, DataFrame):
            counts.frames += 1
            counts.last_frame_at = arrived
            self._on_data(heard, arrived)
            return
        counts.last_message_at = arrived
        self._tell(heard, arrived)
        self._wake.set()

    async def _write(self, link: Link) -> None:
        """Send what the session wants sent, when it wants it; close when it is lost."""
        monotonic = asyncio.get_running_loop().time
        while self._lost is None:
            self._wake.clear()
            self._tell(self.session.tick(monotonic()))
            try:
                async with asyncio.timeout(SEND_S):
                    for text in self.session.data_to_send():
                        await link.send(text)
            except ConnectionError:
                return
            except TimeoutError:
                self._lost = Lost("stalled")
            if self._lost is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self.session.next_deadline()):
                        await self._wake.wait()
        await link.close()

    def _tell(self, events: Iterable[SessionEvent], arrived: int = 0) -> None:
        for event in events:
            if isinstance(event, Notice):
                self._on_notice(event, arrived)
            elif isinstance(event, Lost):
                self._lost = event
            else:
                self._on_event(event)
