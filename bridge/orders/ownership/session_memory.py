"""Remembers that the broker keeps a session for the bridge, so that its absence is noticed.

The session holds what clients sent while the bridge was away. Where it is gone, so are those
commands: they were never taken, and nobody but their senders knows of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import structlog

from bridge.mqtt.broker_events import SessionTakenOverEvent
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.mqtt.strict_json import JsonError, decode_object, encode
from bridge.runtime.clock import seoul_moment
from bridge.runtime.private_files import replace_private
from bridge.runtime.regular_file import open_regular

__all__ = ["FILE", "SessionMemory"]

log = structlog.get_logger()

FILE = "mqtt-session.json"
_BEAT_S = 30.0
_LONGEST = 1024


class SessionMemory:
    """Knows when the session was there last; ``tell`` takes events.

    ``client_id`` stands for the session and is not written down as it is; ``shown`` is what may be
    read of it; ``expected``: the broker should have it after a restart of both; ``clock`` gives
    seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        client_id: str,
        shown: str,
        tell: Callable[[BridgeEvent, str], None],
        *,
        expected: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = folder / FILE
        self._session = sha256(client_id.encode()).hexdigest()
        self._shown = shown
        self._tell = tell
        self._expected = expected
        self._clock = clock
        self._seen = 0
        """When it was there last, in whole seconds; 0: it never was, as far as is known."""

    async def load(self) -> None:
        """Read what an earlier process has left; call before anything is connected."""
        self._seen = await asyncio.to_thread(self._read)

    async def connected(self, present: bool) -> None:
        """Take note of a connection: whether the session was ``present`` at the broker."""
        if self._expected and self._seen and not present:
            event: SessionTakenOverEvent = {
                "kind": "session_taken_over",
                "client_id": self._shown,
                "message": "the broker no longer has the bridge's session: commands that were sent "
                f"since {seoul_moment(self._seen * 1_000_000)} and have no ack were not taken and "
                "never will be; their senders may send them again. A broker without persistence "
                "was restarted, the bridge was away for longer than the broker keeps it, or "
                "another client cleared it",
            }
            self._tell(event, f"{self._shown} empty")
        await self.seen()

    async def seen(self) -> None:
        """Remember that the session is there now."""
        self._seen = int(self._clock())
        await asyncio.to_thread(self._write, self._seen)

    async def run(self, connected: Callable[[], bool]) -> None:
        """Go on remembering while it is there, until cancelled."""
        while True:
            await asyncio.sleep(_BEAT_S)
            if connected():
                await self.seen()

    def _read(self) -> int:
        try:
            with open_regular(self._file) as file:
                told = decode_object(file.read(_LONGEST + 1), _LONGEST)
        except FileNotFoundError:
            return 0
        except (OSError, JsonError) as error:
            log.warning("not read", file=str(self._file), cause=str(error))
            return 0
        seen = told.get("seen")
        ours = told.get("session") == self._session
        return seen if ours and type(seen) is int and 0 < seen < 2**32 else 0

    def _write(self, seen: int) -> None:
        try:
            replace_private(self._file, encode({"session": self._session, "seen": seen}))
        except OSError as error:
            log.warning("not written", file=str(self._file), cause=error.strerror or str(error))
