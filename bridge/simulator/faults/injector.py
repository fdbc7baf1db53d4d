"""The planned faults, where they meet the connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from websockets.asyncio.server import ServerConnection, broadcast

from bridge.simulator.faults.plan import Fault, Faults
from bridge.simulator.rest.keys import Keys
from bridge.simulator.stream.acks import reply
from bridge.simulator.stream.connection import ClientSession

__all__ = ["Injector"]

log = structlog.get_logger()

_TURN_S = 0.02
_UNCLEAN, _GOING_AWAY = 1006, 1001


class Injector:
    """Does to the sessions what the plan says; without a plan, nothing."""

    def __init__(
        self, faults: Faults, keys: Keys, sessions: Mapping[ServerConnection, ClientSession]
    ) -> None:
        self._faults, self._keys, self._sessions = faults, keys, sessions
        self._began = 0.0
        self._locked: dict[str, float] = {}
        """App key → until when an unclean close keeps it in use."""
        self._spoiling: Fault | None = None
        """What goes wrong with the answer that is being made."""

    def begin(self) -> None:
        """Start the clock."""
        self._began = asyncio.get_running_loop().time()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return asyncio.get_running_loop().time() - self._began

    def has(self, kind: str) -> bool:
        """Tell whether a fault that lasts is on."""
        return self._faults.active(kind, self.elapsed()) is not None

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

    def instead(self, text: str) -> dict[str, Any] | None:
        """Return a false answer to a registration, which then does not happen."""
        try:
            given = json.loads(text)["body"]["input"]
            tr_id, key = str(given["tr_id"]), str(given["tr_key"])
        except (ValueError, KeyError, TypeError):
            return None
        self._spoiling = fault = self._faults.answer(tr_id, self.elapsed())
        if fault is None or fault.kind != "answer":
            return None
        return reply(fault.code, tr_id, key, text=fault.code)

    def answers(self, session: ClientSession, answer: dict[str, Any]) -> list[str]:
        """Return what is really sent for an answer."""
        said = json.dumps(answer, ensure_ascii=False)
        fault, self._spoiling = self._spoiling, None
        if session.dead:
            return []
        late, session.late = session.late, []
        match fault.kind if fault else "":
            case "no_answer":
                return late
            case "duplicate_answer":
                return [said, said, *late]
            case "late_answer":
                session.late = [said]
                return late
            case _:
                return [said, *late]

    # the app key that stays in use

    def left(self, session: ClientSession) -> None:
        """Take note that a connection has ended."""
        lock = self._faults.active("lock", self.elapsed())
        if lock is not None and session.connection.close_code == _UNCLEAN and session.slots:
            self._locked[session.app_key] = self.elapsed() + lock.for_s

    def locked(self, app_key: str) -> bool:
        """Tell whether an app key is still in use by a connection that is gone."""
        return self._locked.get(app_key, 0.0) > self.elapsed()

    # frames

    def send(self, connections: Iterable[ServerConnection], text: str) -> None:
        """Send a text to all whose line is not dead, spoiled if it is market data."""
        heard = (self._sessions.get(one) for one in connections)
        alive = [one.connection for one in heard if one and not one.dead]
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
                self._strike(fault.kind)
            flood = faults.active("pingpong_storm", now)
            storm = storm + flood.count * _TURN_S if flood else 0.0
            slow, silent = (faults.active(kind, now) is not None for kind in ("slow", "silence"))
            for connection, session in list(self._sessions.items()):
                if session.dead and not silent:
                    connection.transport.abort()
                if slow != session.slowed and not connection.transport.is_closing():
                    session.slowed = slow
                    transport = connection.transport
                    (transport.pause_reading if slow else transport.resume_reading)()
                late, session.late = session.late, []
                for said in [*late, *[question] * int(storm)]:
                    send(connection, said)
            storm %= 1

    def _strike(self, kind: str) -> None:
        match kind:
            case "drop":
                for connection in list(self._sessions):
                    connection.transport.abort()
            case "revoke":
                self._keys.revoke_all()
            case "forget":
                self._keys.forget_approvals()
            case "silence":
                for session in self._sessions.values():
                    session.dead = True
            case "maintenance":
                for connection in list(self._sessions):
                    if not connection.transport.is_closing():
                        connection.protocol.send_close(_GOING_AWAY, "maintenance")
                        connection.send_data()
            case _:
                pass
