"""``bridge/overview``: the newest values in one small message, for displays that follow no ticks.

It costs nothing a record: once a second it looks at what the pump holds of each topic anyway.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, NamedTuple, Protocol

from pydantic import Field
from typing_extensions import TypedDict

from bridge.config.models import Config
from bridge.kis.decode import Route
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Publication
from bridge.mqtt.shapes import Count, Microseconds, Number
from bridge.mqtt.topics import Topics, decode_level
from bridge.runtime.clock import now_us
from bridge.subscriptions.quality import Graded, Quality

__all__ = ["Overview", "OverviewReport"]

_TURN_S = 1.0
_SLICE = 500
"""Topics that are looked at before others have their turn."""
LONGEST = 60_000
"""Bytes: brokers and small devices often take no more than 64 kB."""
_KINDS = frozenset({"trade", "index"})
"""What has the price of a symbol."""
_VALUES = re.compile(rb'"(price|change|change_rate|received_at|polled_at)":(-?[0-9.]+)')


class SymbolOverview(TypedDict):
    """The newest value of a symbol; null where none has come yet, or KIS sent none."""

    price: Number | None
    change: Number | None
    change_rate: Number | None
    at: Annotated[int | None, Field(description="When it arrived, or REST told it, µs")]
    quality: Quality


class OverviewReport(TypedDict):
    """What a display shows; published on change, at most once a second."""

    at: Microseconds
    environment: Literal["simulator", "paper", "real"]
    halted: bool
    quality: Annotated[dict[str, Count], Field(description="How many topics have which quality")]
    left_out: Annotated[Count, Field(description="Symbols that are not in this message")]
    symbols: Annotated[
        dict[str, SymbolOverview], Field(description="By market/venue/symbol, as in topics")
    ]


class _Board(Protocol):
    def items(self) -> Iterable[tuple[str, Graded]]: ...


class _Entry(NamedTuple):
    """A symbol as it was told last."""

    last: bytes
    quality: Quality
    text: str


class Overview:
    """``route`` gives where the records of a topic go, ``board`` how good each is.

    ``polled(market, venue, symbol)`` gives where the values go that REST told.
    """

    def __init__(
        self,
        control: ControlClient,
        topics: Topics,
        config: Config,
        route: Callable[[str], Route | None],
        board: _Board,
        polled: Callable[[str, str, str], Route | None] = lambda market, venue, symbol: None,
    ) -> None:
        self._control, self._topics = control, topics
        self._route, self._board, self._polled = route, board, polled
        self._environment = config.kis.environment
        self._most = config.overview.symbols
        self._entries: dict[str, _Entry | None] = {}
        """By topic of market data; None: it has no price."""
        self._told = ""
        control.on_connected(self._greet)

    async def run(self, halted: Callable[[], bool]) -> None:
        """Publish what has changed, once a second, until cancelled."""
        while True:
            # A guest's word would stand against that of the bridge that owns the account.
            if self._control.connected and not self._control.guest:
                told = await self._tell(halted=halted())
                if told != self._told:
                    self._told = told
                    payload = f'{{"at":{now_us()},{told}}}'.encode()
                    # QoS 0: what the broker does not take at once is old a second later.
                    await self._control.publish(
                        Publication(self._topics.overview(), payload, qos=0, retain=True)
                    )
            await asyncio.sleep(_TURN_S)

    async def _greet(self) -> None:
        """Tell it again: a broker that starts anew has none of what was retained."""
        self._told = ""

    async def _tell(self, *, halted: bool) -> str:
        """Return the message without its braces and its time."""
        counts: Counter[str] = Counter()
        entries: dict[str, _Entry | None] = {}
        parts: list[str] = []
        size = left_out = 0
        for number, (topic, graded) in enumerate(self._board.items(), 1):
            counts[graded.quality.value] += 1
            entry = entries[topic] = self._entry(topic, graded.quality)
            if entry is not None:
                if len(parts) < self._most and size + len(entry.text) < LONGEST - 2_000:
                    parts.append(entry.text)
                    size += len(entry.text) + 1
                else:
                    left_out += 1
            if not number % _SLICE:
                await asyncio.sleep(0)
        self._entries = entries
        return (
            f'"environment":"{self._environment}","halted":{"true" if halted else "false"},'
            f'"quality":{json.dumps(counts, separators=(",", ":"))},"left_out":{left_out},'
            f'"symbols":{{{",".join(parts)}}}'
        )

    def _entry(self, topic: str, quality: Quality) -> _Entry | None:
        known = self._entries.get(topic, ())
        if known is None:
            return None
        market, venue, kind, symbol = topic.split("/")[-4:]
        if kind not in _KINDS:
            return None
        route = self._route(topic)
        if quality is Quality.BACKUP:
            route = self._polled(market, venue, decode_level(symbol)) or route
        last = b"" if route is None else route.last
        if known and known.quality is quality and known.last is last:
            return known
        values = dict(reversed(_VALUES.findall(last)))
        values.setdefault(b"received_at", values.get(b"polled_at", b"null"))
        price, change, rate, at = (
            values.get(name, b"null").decode()
            for name in (b"price", b"change", b"change_rate", b"received_at")
        )
        # A symbol may hold letters that take an escape; ASCII keeps bytes and letters the same.
        name = json.dumps(f"{market}/{venue}/{symbol}")
        return _Entry(
            last,
            quality,
            f'{name}:{{"price":{price},"change":{change},"change_rate":{rate},"at":{at},'
            f'"quality":"{quality.value}"}}',
        )
