"""Tries a broker as somebody would who has no business there: is he let in, and may he publish?"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import SecretStr

from bridge.mqtt.connection import Connection
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.options import Options, RefusedError
from bridge.mqtt.topics import Topics

__all__ = ["Stranger", "strangers"]

_ANSWER_S: Final = 1.0
"""What a broker may take to acknowledge, or to pass on what MQTT 3.1.1 has no refusal for."""
_PAYLOAD: Final = b"probe"
"""It is no JSON, so that no bridge that gets it does anything but refuse it."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody whom a broker lets in."""

    broker: str
    who: str
    writes: tuple[str, ...]
    """On which of the bridge's topics he may publish, as filters."""


@dataclass(slots=True)
class _Heard:
    """What came of probes: acknowledged (MQTT 5 says whether they were taken), and passed on."""

    acknowledged: dict[int, str] = field(default_factory=dict)
    topics: set[str] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def puback(self, number: int, refused: str) -> None:
        self.acknowledged[number] = refused
        self.news.set()

    def message(self, message: Message) -> None:
        message.ack()
        self.topics.add(message.topic)
        self.news.set()


async def strangers(endpoint: Endpoint, topics: Topics) -> list[Stranger]:
    """Return who is let in without credentials, or with made-up ones.

    What is published has the name of an account and of a client that nobody has.
    """
    bare = replace(endpoint, username="", password=SecretStr(""), cert_file=None, key_file=None)
    made_up = replace(bare, username=_name(), password=SecretStr(secrets.token_hex(16)))
    found = await asyncio.gather(
        _try(endpoint, bare, topics, "clients without a user name"),
        _try(endpoint, made_up, topics, "any user name with any password"),
    )
    return [stranger for stranger in found if stranger is not None]


def _name() -> str:
    return f"probe-{secrets.token_hex(6)}"


async def _try(own: Endpoint, endpoint: Endpoint, topics: Topics, who: str) -> Stranger | None:
    heard, name = _Heard(), _name()
    probes = {
        topics.command(name, name, "probe"): "orders/+/+/command/+",
        topics.request("probe", name): "bridge/request/#",
        topics.order_ack(name, name, "probe"): "orders/+/+/ack/+",
    }
    async with _connected(endpoint, heard) as stranger:
        if stranger is None:
            return None
        async with _connected(own, heard) as bridge:
            if bridge is not None:
                with contextlib.suppress(RefusedError):
                    await bridge.subscribe([(topic, 1) for topic in probes])
            taken = await _publish(stranger, heard, [*probes])
    return Stranger(str(endpoint), who, tuple(f"{topics.base}/{probes[one]}" for one in taken))


async def _publish(stranger: Connection, heard: _Heard, probes: Sequence[str]) -> list[str]:
    numbers = {stranger.publish(topic, _PAYLOAD, qos=1, retain=False): topic for topic in probes}

    def taken() -> list[str]:
        # Without MQTT 5 a broker acknowledges what it throws away.
        said = heard.acknowledged if stranger.v5 else {}
        yes = {numbers[number] for number, refused in said.items() if not refused}
        return [topic for topic in probes if topic in heard.topics or topic in yes]

    def known() -> bool:
        return len(taken()) == len(probes) or (
            stranger.v5 and len(heard.acknowledged) == len(probes)
        )

    stranger.lost.add_done_callback(lambda _: heard.news.set())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            while not (known() or stranger.lost.done()):
                heard.news.clear()
                await heard.news.wait()
    return taken()


@asynccontextmanager
async def _connected(endpoint: Endpoint, heard: _Heard) -> AsyncIterator[Connection | None]:
    """Give a connection, or None where the broker does not want it."""
    connection = await _open(endpoint, heard)
    try:
        yield connection
    finally:
        if connection is not None:
            await connection.close()


async def _open(endpoint: Endpoint, heard: _Heard) -> Connection | None:
    context: ssl.SSLContext | None = endpoint.ssl_context() if endpoint.tls else None
    options = Options(f"kis-bridge-{secrets.token_hex(8)}", None, True, 0, 100, 30)
    for version in (5, 4) if endpoint.version == 5 else (4,):
        connection = Connection(
            endpoint, version, options, context, on_message=heard.message, on_puback=heard.puback
        )
        try:
            await connection.open()
        except RefusedError as error:
            if not (error.version or error.unanswered):
                return None
        else:
            return connection
    return None
