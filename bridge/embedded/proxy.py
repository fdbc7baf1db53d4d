"""The embedded broker's process: rumqttd, and in front of it one port for every MQTT version.

Run by `bridge.embedded.broker` as ``python -m bridge.embedded.proxy``. It reads its options as a
JSON line on standard input, answers with its ports or an error as a JSON line on standard output,
and ends when standard input closes: however the parent dies, no broker is left behind.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import iotcore
import websockets
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from bridge.embedded.v311 import ProtocolError, Translator

__all__ = ["main", "rumqttd_toml"]

_CHUNK = 64 * 1024
_INTRODUCTION_S = 10.0
"""How long a client may keep a connection without its CONNECT."""
_START_S = 10.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_ENDS = (OSError, ProtocolError, TimeoutError, websockets.ConnectionClosed)
"""How a connection may end."""


def rumqttd_toml(port: int, max_connections: int, max_payload: int) -> str:
    """Return rumqttd's configuration with one MQTT 5 listener on loopback.

    The log segments (size × count) bound the memory of each topic filter; a subscriber further
    behind than that loses the oldest messages.
    """
    return f"""\
id = 0
[router]
id = 0
max_connections = {max_connections}
max_outgoing_packet_count = 200
max_segment_size = 4194304
max_segment_count = 8
[v5.1]
name = "v5"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 0
    [v5.1.connections]
    connection_timeout_ms = 10000
    max_payload_size = {max_payload}
    max_inflight_count = 100
    dynamic_filters = true
"""


class _Proxy:
    """Passes bytes between clients and rumqttd."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port

    async def tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def received() -> AsyncIterator[bytes]:
            while data := await reader.read(_CHUNK):
                yield data

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        async def hang_up() -> None:
            writer.close()

        await self._join(received(), send, hang_up)

    async def websocket(self, connection: ServerConnection) -> None:
        async def received() -> AsyncIterator[bytes]:
            async for frame in connection:
                if isinstance(frame, str):
                    raise ProtocolError("a text frame")
                yield frame

        await self._join(received(), connection.send, connection.close)

    async def _join(
        self,
        received: AsyncIterator[bytes],
        send: Callable[[bytes], Awaitable[None]],
        hang_up: Callable[[], Awaitable[None]],
    ) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        except OSError:
            await hang_up()
            return
        translator = Translator()
        backend: socket.socket = writer.get_extra_info("socket")

        async def up() -> None:
            with suppress(*_ENDS):
                async with asyncio.timeout(_INTRODUCTION_S) as introduction:
                    async for data in received:
                        writer.write(translator.to_broker(data))
                        await writer.drain()
                        if translator.introduced:
                            introduction.reschedule(None)
            writer.close()

        async def down() -> None:
            with suppress(*_ENDS):
                while data := await reader.read(_CHUNK):
                    # rumqttd leaves Nagle's algorithm on: it holds its next small packet back
                    # until this one is acknowledged, which the system may put off for 40 ms.
                    if _QUICKACK is not None:
                        backend.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                    if translated := translator.to_client(data):
                        await send(translated)
            with suppress(*_ENDS):
                await hang_up()

        async with asyncio.TaskGroup() as group:
            group.create_task(up())
            group.create_task(down())


def _same_machine(connection: ServerConnection, request: Request) -> Response | None:
    """Refuse web pages from elsewhere: a browser would let any of them connect to loopback."""
    origin = request.headers.get("Origin")
    if origin is None or urlsplit(origin).hostname in ("127.0.0.1", "localhost", "::1"):
        return None
    return connection.respond(HTTPStatus.FORBIDDEN, "only pages served from this machine\n")


async def _serve(doors: dict[str, socket.socket], broker_port: int) -> None:
    front = _Proxy(broker_port)
    async with asyncio.timeout(_START_S):
        while True:
            try:
                _, probe = await asyncio.open_connection("127.0.0.1", broker_port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                probe.close()
                break
    async with (
        await asyncio.start_server(front.tcp, sock=doors["port"]),
        serve(
            front.websocket,
            sock=doors["ws_port"],
            subprotocols=[Subprotocol("mqtt")],
            process_request=_same_machine,
            compression=None,
            max_size=None,  # rumqttd has its own bound
            ping_interval=None,  # MQTT has its own keep-alive
        ),
    ):
        _say({name: door.getsockname()[1] for name, door in doors.items()})
        await asyncio.Event().wait()


def _say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


def _end_with_parent() -> None:
    # Standard input ends when the parent does, even if that is killed. Nothing has to be tidied up,
    # and rumqttd's threads would keep a polite exit waiting.
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which still needs us
    options = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("rumqttd", "iotcore", "websockets", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # Opened before rumqttd starts: a port that is taken is told at once, and clients that are early
    # wait in the backlog instead of being refused.
    doors: dict[str, socket.socket] = {}
    for name in ("port", "ws_port"):
        try:
            doors[name] = socket.create_server(("127.0.0.1", options[name]), backlog=128)
        except OSError as error:
            _say({"error": f"port {options[name]}: {(error.strerror or str(error)).lower()}"})
            return
    # rumqttd does not say which port it took, so that it has to be given one that is free.
    with socket.create_server(("127.0.0.1", 0)) as free:
        broker_port: int = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        config = Path(folder, "rumqttd.toml")
        config.write_text(
            rumqttd_toml(broker_port, options["max_connections"], options["max_payload"])
        )
        broker = iotcore.IotCoreBroker(config_path=str(config))
        broker.start()
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(doors, broker_port))
    else:
        uvloop.run(_serve(doors, broker_port))


if __name__ == "__main__":
    main()
