"""The planned faults, where they meet the connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.protocol import State

from bridge.simulator.faults.plan import Fault, Faults

__all__ = ["Injector"]

log = structlog.get_logger()

_TURN_S = 0.02
_NORMAL, _GOING_AWAY, _UNCLEAN = 1000, 1001, 1006


@dataclass(slots=True)
class _Line:
    """What has gone wrong with one connection."""

    dead: bool = False
    """Half open: nothing arrives any more, and in the end it breaks."""
    late: list[str] = field(default_factory=list)
    """Answers that are held back."""
    slowed: bool = False


class Injector:
    """Does to the connections what the plan says; without a plan, nothing.

    ``revoke`` and ``forget`` take back every token and every approval key, in the fault's words,
    ``mislay`` loses the registrations that the fault is about.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        revoke: Callable[[Fault], None],
        forget: Callable[[Fault], None],
        mislay: Callable[[Fault], None],
    ) -> None:
        self._faults, self._revoke, self._forget = faults, revoke, forget
        self._mislay = mislay
        self._began = 0.0
        self._lines: dict[ServerConnection, _Line] = {}
        self._locked: dict[str, float] = {}
        """App key → until when an unclean close keeps it in use."""

    def begin(self) -> None:
        """Start the clock."""
        self._began = asyncio.get_running_loop().time()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return asyncio.get_running_loop().time() - self._began

    def has(self, kind: str) -> bool:
        """Tell whether a fault that lasts is on."""
        return self._faults.active(kind, self.elapsed()) is not None

    def deaf(self, tr_id: str, key: str) -> bool:
        """Tell whether nothing of a registration is sent now."""
        return self._faults.deaf(tr_id, key, self.elapsed())

    def slots(self, usual: int) -> int:
        """Return how many registrations are granted."""
        fewer = self._faults.active("slots", 0.0)
        return fewer.count if fewer else usual

    def rest(self, tr_id: str) -> Fault | None:
        """Return what goes wrong with a REST call."""
        now = self.elapsed()
        if self._faults.active("maintenance", now):
            return Fault("http", status=503)
        return self._faults.rest(tr_id, now)

    # answers

    def answer(self, tr_id: str) -> Fault | None:
        """Return what goes wrong with the answer to this registration."""
        return self._faults.answer(tr_id, self.elapsed())

    def answers(self, connection: ServerConnection, answer: str, fault: Fault | None) -> list[str]:
        """Return what is really sent for an answer that has this fault."""
        line = self._lines[connection]
        if line.dead:
            return []
        late, line.late = line.late, []
        match fault.kind if fault else "":
            case "no_answer":
                return late
            case "duplicate_answer":
                return [answer, answer, *late]
            case "late_answer":
                line.late = [answer]
                return late
            case _:
                return [answer, *late]

    # the app key that stays in use

    def joined(self, connection: ServerConnection) -> None:
        """Take note of a new connection."""
        self._lines[connection] = _Line()

    def left(self, connection: ServerConnection, app_key: str) -> None:
        """Take note that a connection has ended; ``app_key`` is blank when it used none."""
        del self._lines[connection]
        lock = self._faults.active("lock", self.elapsed())
        if lock is not None and connection.close_code == _UNCLEAN and app_key:
            self.lock(app_key, lock.for_s)

    def lock(self, app_key: str, seconds: float) -> None:
        """Let an app key be in use for so long, as if a connection that is gone still held it."""
        self._locked[app_key] = self.elapsed() + seconds

    def locked(self, app_key: str) -> bool:
        """Tell whether an app key is still in use by a connection that is gone."""
        return self._locked.get(app_key, 0.0) > self.elapsed()

    # frames

    def send(self, connections: Iterable[ServerConnection], text: str) -> None:
        """Send a text to all whose line is not dead, spoiled if it is market data."""
        alive = [one for one in connections if (line := self._lines.get(one)) and not line.dead]
        plain = text.startswith("0|")
        for said in self._faults.frames(text, self.elapsed()) if plain else [text]:
            if isinstance(said, str):
                broadcast(alive, said)
            else:
                broadcast(alive, said, text=True)  # a text frame that is no text

    # what happens by itself

    async def run(self, send: Callable[[ServerConnection, str], None], question: str) -> None:
        """Let the planned faults happen; ``question`` is a PINGPONG."""
        faults = self._faults
        storm = 0.0
        while True:
            await asyncio.sleep(_TURN_S)
            now = self.elapsed()
            for fault in faults.tick(now):
                log.debug("fault", kind=fault.kind)
                self._strike(fault)
            flood = faults.active("pingpong_storm", now)
            storm = storm + flood.count * _TURN_S if flood else 0.0
            slow, silent = (faults.active(kind, now) is not None for kind in ("slow", "silence"))
            for connection, line in list(self._lines.items()):
                if line.dead and not silent:
                    connection.transport.abort()
                if slow != line.slowed and not connection.transport.is_closing():
                    line.slowed = slow
                    transport = connection.transport
                    (transport.pause_reading if slow else transport.resume_reading)()
                late, line.late = line.late, []
                for said in [*late, *[question] * int(storm)]:
                    send(connection, said)
            storm %= 1

    def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case "drop":
                for connection in list(self._lines):
                    connection.transport.abort()
            case "revoke":
                self._revoke(fault)
            case "forget":
                self._forget(fault)
            case "mislay":
                self._mislay(fault)
            case "silence":
                for line in self._lines.values():
                    line.dead = True
            case "close":
                self._close(_NORMAL)
            case "maintenance":
                self._close(_GOING_AWAY, "maintenance")
            case _:
                pass

    def _close(self, code: int, reason: str = "") -> None:
        for connection in list(self._lines):
            if connection.state is State.OPEN:  # a client may be closing it just now
                connection.protocol.send_close(code, reason)
                connection.send_data()
