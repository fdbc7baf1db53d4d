"""The WebSocket side of the simulated KIS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from random import Random
from typing import Any

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as HandshakeResponse

from bridge.catalog.model import Catalog, Channel
from bridge.runtime.bounded_json import JsonError, decode
from bridge.simulator.exchange.tickets import ExchangeEvent
from bridge.simulator.faults.injector import Injector
from bridge.simulator.faults.plan import Faults
from bridge.simulator.keys import Keys
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream.acks import reply
from bridge.simulator.stream.connection import ClientConnection, ClientSession, Slot, widths_of
from bridge.simulator.stream.encode import Encoder, Values, frame, sealed
from bridge.simulator.stream.feed import Source
from bridge.simulator.stream.mutes import Mutes
from bridge.simulator.stream.notices import stock_notice
from bridge.simulator.stream.playback import Played, Player
from bridge.simulator.stream.pump import Fed, RecordPump

__all__ = ["StreamServer"]

_LONGEST = 64 * 1024

log = structlog.get_logger()

_RECORDS_A_FRAME = 20
_SLOW_BYTES = 64 << 20
"""A client that leaves so much unread is cut off."""


class StreamServer:
    """Sessions, registrations and what is sent to them."""

    def __init__(
        self,
        catalog: Catalog,
        keys: Keys,
        source: Source,
        pump: RecordPump,
        settings: SimulatorSettings,
        *,
        player: Player | None,
        clock: Callable[[], datetime],
        name_of: Callable[[str], str],
        faults: Faults,
    ) -> None:
        self.tap: Callable[[str], None] | None = None
        """Sees every plain frame that goes out to somebody, before any fault; for tests."""
        self._catalog, self._keys, self._source = catalog, keys, source
        self._pump, self._settings, self._player = pump, settings, player
        self._clock, self._name_of = clock, name_of
        self._random = Random(f"stream {settings.seed}")  # noqa: S311 - opens only this simulator
        self._sessions: dict[ServerConnection, ClientSession] = {}
        self.injector = Injector(
            faults,
            revoke=lambda fault: keys.revoke_all(fault.code, fault.text, fault.status),
            forget=lambda fault: keys.forget_approvals(fault.code, fault.text),
            mislay=lambda fault: self.mislay(fault.tr_id, fault.key),
        )
        self._readers: dict[Fed, set[ServerConnection]] = {}
        self._encoders: dict[tuple[str, int], Encoder] = {}
        self.mutes = Mutes()
        """By the loop's time."""
        self.sent_records = 0

    # -- connections

    def check_path(
        self, connection: ServerConnection, request: Handshake
    ) -> HandshakeResponse | None:
        if self.injector.has("maintenance"):
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "maintenance\n")
        path = request.path.partition("?")[0]
        if path == "/" or path == "/tryitout" or path.startswith("/tryitout/"):
            return None
        return connection.respond(HTTPStatus.NOT_FOUND, "Not Found\n")

    async def handle(self, connection: ServerConnection) -> None:
        """Serve one connection until it ends."""
        session = ClientSession(connection, asyncio.get_running_loop().time())
        if isinstance(connection, ClientConnection):
            connection.alive = session.alive
        self._sessions[connection] = session
        self.injector.joined(connection)
        try:
            async for message in connection:
                text = message if isinstance(message, str) else message.decode("utf-8", "replace")
                slot = _asked(text)
                fault = self.injector.answer(slot[0]) if slot else None
                if slot and fault and fault.kind == "answer":
                    code = fault.code or "OPSP0007"
                    answer = reply(code, *slot, text=fault.text or code)
                elif (made := self._answer(session, text)) is not None:
                    answer = made
                else:
                    continue
                said = json.dumps(answer, ensure_ascii=False)
                for sent in self.injector.answers(connection, said, fault):
                    await connection.send(sent)
                if answer["body"]["msg_cd"] == "OPSP8996":
                    break
        except ConnectionClosed:
            pass
        finally:
            self.injector.left(connection, session.app_key if session.slots else "")
            del self._sessions[connection]
            for slot in list(session.slots):
                self._release(session, slot)

    def drop(self, app_key: str = "") -> int:
        """Cut all connections, or those of one app key, as a broken line would; return how many."""
        cut = [c for c, one in self._sessions.items() if app_key in ("", one.app_key)]
        for connection in cut:
            connection.transport.abort()
        return len(cut)

    def slots(self, app_key: str) -> list[Slot] | None:
        """Return what an app key is registered for; None: it has no session."""
        for session in self._sessions.values():
            if session.app_key == app_key:
                return list(session.slots)
        return None

    def tell(self, tr_ids: Iterable[str], symbol: str) -> None:
        """Let the readers of these channels know at once how a symbol stands."""
        for fed in self._readers:
            if fed[0] in tr_ids and fed[1] == symbol:
                self._pump.repeat(fed)

    def mislay(self, tr_id: str = "", key: str = "") -> None:
        """Forget registrations without a word."""
        for session in self._sessions.values():
            for slot in list(session.slots):
                if tr_id in ("", slot[0]) and key in ("", slot[1]):
                    self._release(session, slot)

    @property
    def sessions(self) -> int:
        return len(self._sessions)

    def subscribed(self, tr_id: str, key: str) -> bool:
        """Tell whether any session is registered for this."""
        return any((tr_id, key) in session.slots for session in self._sessions.values())

    # -- requests

    def _answer(self, session: ClientSession, text: str) -> dict[str, Any] | None:
        try:
            message = decode(text, _LONGEST)
        except JsonError:
            return reply("OPSP9999")
        header = message.get("header") if isinstance(message, dict) else None
        if not isinstance(header, dict):
            return reply("OPSP9998")
        if header.get("tr_id") == "PINGPONG":
            session.alive()
            return None
        body = message.get("body")
        if not isinstance(body, dict):
            return reply("OPSP9992")
        given = body.get("input")
        if not isinstance(given, dict):
            return reply("OPSP9991")
        tr_id, key = given.get("tr_id"), given.get("tr_key")
        if not isinstance(tr_id, str) or not isinstance(key, str):
            return reply("OPSP9990")
        if not header.get("custtype"):
            return reply("OPSP9997")
        return self._registration(session, header, tr_id, key)

    def _registration(
        self, session: ClientSession, header: dict[str, Any], tr_id: str, key: str
    ) -> dict[str, Any]:
        approval_key = str(header.get("approval_key", ""))
        approval = self._keys.approved(approval_key, self._clock())
        if approval is None:
            # KIS has been seen to echo the key here; a client must not log it.
            code, text = self._keys.forgotten(approval_key)
            return reply(code, tr_id, key, text=text or f"invalid approval : {approval_key}")
        if any(
            other.app_key == approval.app_key and other is not session
            for other in self._sessions.values()
        ):
            return reply("OPSP8996")
        if self.injector.locked(approval.app_key):
            return reply("OPSP8996")
        session.app_key = approval.app_key
        session.widths = widths_of(approval.client)
        slot = (tr_id, key)
        match header.get("tr_type"):
            case "1":
                code = self._subscribe(session, slot)
            case "2":
                code = "OPSP0001" if slot in session.slots else "OPSP0003"
                self._release(session, slot)
            case _:
                code = "OPSP8997"
        output = None
        encrypted = self._is_notice(tr_id)
        if code == "OPSP0000":
            session.keys[tr_id] = self._new_key()
            output = {"iv": session.keys[tr_id][1], "key": session.keys[tr_id][0]}
        log.debug("registration", channel=tr_id, code=code)
        return reply(code, tr_id, key, encrypted=encrypted, output=output)

    def _subscribe(self, session: ClientSession, slot: Slot) -> str:
        tr_id, key = slot
        channel = self.channel(tr_id)
        if channel is None:
            return "OPSP8991"
        if channel.encrypted and key != self._hts_id(session):
            return "OPSP0017"
        if slot in session.slots:
            return "OPSP0002"
        if len(session.slots) >= self.injector.slots(self._settings.slots):
            return "OPSP0008"
        player = self._player
        if channel.encrypted or (player is not None and player.covers(tr_id, key)):
            session.slots[slot] = None
            return "OPSP0000"
        encoder = self._encoder(channel, tr_id, session)
        fed = (tr_id, key, encoder.layout.width)
        if fed not in self._readers:
            try:
                feed = self._source.feed(channel, encoder, key)
            except ValueError:
                return "OPSP8992"
            self._pump.add(fed, feed, encoder)
        else:
            self._pump.repeat(fed)
        self._readers.setdefault(fed, set()).add(session.connection)
        session.slots[slot] = fed
        return "OPSP0000"

    def _release(self, session: ClientSession, slot: Slot) -> None:
        fed = session.slots.pop(slot, None)
        if fed is None:
            return
        readers = self._readers[fed]
        readers.discard(session.connection)
        if not readers:
            del self._readers[fed]
            self._pump.remove(fed)

    def channel(self, tr_id: str) -> Channel | None:
        """Return the channel that this environment offers under this id."""
        channel = self._catalog.channel(tr_id)
        if channel is None:
            return None
        real = self._settings.environment == "real"
        return channel if tr_id == (channel.tr_id if real else channel.tr_id_paper) else None

    def _is_notice(self, tr_id: str) -> bool:
        channel = self.channel(tr_id)
        return channel is not None and channel.encrypted

    def _muted(self, tr_id: str, key: str) -> bool:
        return self.mutes.covers(tr_id, key, asyncio.get_running_loop().time())

    def _hts_id(self, session: ClientSession) -> str:
        return self._keys.clients.of(session.app_key).hts_id

    def _encoder(self, channel: Channel, tr_id: str, session: ClientSession) -> Encoder:
        width = self._settings.widths.get(tr_id) or session.widths.get(tr_id, 0)
        made = self._encoders.get((tr_id, width))
        if made is None:
            made = self._encoders[tr_id, width] = Encoder(channel, width)
        return made

    def _new_key(self) -> tuple[str, str]:
        draw = self._random
        key = "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(32))
        return key, "".join(draw.choice("0123456789abcdef") for _ in range(16))

    # -- sending

    def send_market_data(self, elapsed: float, now: datetime) -> None:
        """Let ``elapsed`` seconds of market data out."""
        for fed, records in self._pump.turn(elapsed, now):
            if self.injector.deaf(*fed[:2]) or self._muted(*fed[:2]):
                continue
            for first in range(0, len(records), _RECORDS_A_FRAME):
                text = frame(fed[0], records[first : first + _RECORDS_A_FRAME])
                self._send(self._readers[fed], text)
            self.sent_records += len(records)
        player = self._player
        if player is not None and any(
            player.covers(tr_id, "" if self._is_notice(tr_id) else key)
            for session in self._sessions.values()
            for tr_id, key in session.slots
        ):
            for played in player.turn(elapsed):
                self._play(played)

    def send_notice(self, event: ExchangeEvent) -> None:
        """Tell the owner's sessions that have registered for it what happened to an order."""
        name = self._name_of(event.ticket.request.symbol)
        hts_id = self._keys.clients.owner(event.ticket.request.account).hts_id
        self.send_values("H0STCNI0", stock_notice(event, hts_id=hts_id, name=name), hts_id)

    def send_values(self, real_tr_id: str, values: Values, hts_id: str) -> None:
        """Send an execution notice to this customer's sessions that have registered for it."""
        channel = self._catalog.channel(real_tr_id)
        if channel is None:
            return
        tr_id = real_tr_id if self._settings.environment == "real" else channel.tr_id_paper
        slot = (tr_id, hts_id)
        if self._muted(*slot):
            return
        for session in self._sessions.values():
            if slot in session.slots:
                record = self._encoder(channel, tr_id, session).record(values)
                self._send([session.connection], sealed(tr_id, record, *session.keys[tr_id]))

    def send_raw(self, text: str) -> None:
        """Send any text to every session, for tests of what should never happen."""
        self._send(list(self._sessions), text)

    def _play(self, played: Played) -> None:
        for session in self._sessions.values():
            if played.notice and (played.tr_id, self._hts_id(session)) in session.slots:
                sealed_text = sealed(played.tr_id, played.body, *session.keys[played.tr_id])
                self._send([session.connection], sealed_text)
            elif (played.tr_id, played.key) in session.slots:
                self._send([session.connection], played.text)
            else:
                continue
            self.sent_records += played.count

    def _send(self, connections: Iterable[ServerConnection], text: str) -> None:
        # A connection that is being cut still has an entry until its handler has ended.
        connections = [one for one in connections if not one.transport.is_closing()]
        if text.startswith("0|"):
            if self.injector.has("mute"):
                return
            if connections and self.tap is not None:
                self.tap(text)
        self.injector.send(connections, text)
        for connection in connections:
            if connection.transport.get_write_buffer_size() > _SLOW_BYTES:
                log.warning("client too slow, cut off", unread=_SLOW_BYTES)
                connection.transport.abort()

    # -- keeping alive

    async def ping(self) -> None:
        """Send PINGPONG to every session, and close those that never answer."""
        loop = asyncio.get_running_loop()
        settings = self._settings
        while True:
            await asyncio.sleep(min(1.0, settings.ping_every_s / 2))
            now = loop.time()
            if self.injector.has("no_pingpong"):
                continue
            text = self._question()
            for connection, session in list(self._sessions.items()):
                waited = now - session.unanswered if session.unanswered is not None else 0.0
                if waited > settings.ping_patience_s:
                    log.info("session closed, PINGPONG unanswered", seconds=round(waited))
                    connection.transport.close()
                elif now - session.pinged >= settings.ping_every_s:
                    session.pinged = now
                    if session.unanswered is None:
                        session.unanswered = now
                    self._send([connection], text)

    def _question(self) -> str:
        moment = f"{self._clock():%Y%m%d%H%M%S}"
        return json.dumps({"header": {"tr_id": "PINGPONG", "datetime": moment}})

    async def go_wrong(self) -> None:
        """Let the planned faults happen, if there are any."""
        if self._settings.faults.faults:
            await self.injector.run(lambda one, text: self._send([one], text), self._question())


def _asked(text: str) -> Slot | None:
    """Return what a request wants to register or give back, None when it is none."""
    try:
        given = decode(text, _LONGEST)["body"]["input"]
        return str(given["tr_id"]), str(given["tr_key"])
    except (JsonError, KeyError, TypeError):
        return None
