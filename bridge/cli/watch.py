"""``kis-bridge watch``: what arrives over MQTT, live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bridge.cli.broker import TopicOptions
from bridge.cli.options import grouped
from bridge.cli.screen.picture import Picture
from bridge.cli.screen.views import plain as _printable
from bridge.config.kis import Environment
from bridge.errors import BrokerError, ConfigError
from bridge.mqtt.client import ControlClient, Message
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.runtime.bounded_json import JsonError, decode, decode_object
from bridge.runtime.clock import now_us, seoul_moment

__all__ = ["WatchTable", "json_line", "summary", "watch"]

_MOST_NAMES = 100_000
"""Of an object; a snapshot may have every topic."""

_REFRESH_S = 0.25
_NO_SCREEN = "for the screen with prices, book and orders: pip install 'kis-mqtt-bridge[demo]'"
_SHOWN = 6
"""Values of a payload that one row has room for."""
_KNOWN = ("symbol", "channel", "seq", "received_at", "time")
"""Not shown: in the topic already, or for programs."""


@grouped
def watch(
    broker: TopicOptions,
    topic_filter: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILTER]",
            help="MQTT topic filter: a table of these topics instead of the screen.",
            show_default="all of the bridge",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON line for each message. The default in a pipe."),
    ] = False,
    as_text: Annotated[
        bool, typer.Option("--plain", help="One line to read for each message.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Stop after this many seconds.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many messages.")] = None,
) -> None:
    """Show what arrives over MQTT: a screen, a table of topics, or a line for each message."""
    topics = broker.topics()
    wanted = f"{topics.base}/#" if topic_filter is None else topic_filter
    if not _is_filter(wanted):
        raise ConfigError(f"{wanted!r} is no topic filter: '+' and '#' stand for whole levels")
    endpoints = broker.endpoints()
    if as_json or as_text or not sys.stdout.isatty():
        show = _print_plain if as_text and not as_json else _print
        asyncio.run(_watch(endpoints, wanted, show, seconds, count))
        return
    if topic_filter is None and _screen(endpoints, topics, seconds, count):
        return
    board = WatchTable()
    with Live(get_renderable=board.table, refresh_per_second=1 / _REFRESH_S, console=Console()):
        about = f"{wanted.partition('/')[0]}/bridge/info", board.environment
        asyncio.run(_watch(endpoints, wanted, board.arrived, seconds, count, about))


def _screen(
    endpoints: Sequence[Endpoint], topics: Topics, seconds: float | None, count: int | None
) -> bool:
    """Run the screen until somebody leaves it; False: what it is drawn with is not installed."""
    try:
        from bridge.cli.screen.app import BridgeScreen
    except ModuleNotFoundError:
        print(_NO_SCREEN, file=sys.stderr)
        return False
    picture = Picture(topics.base)

    def arrived(message: Message) -> None:
        picture.take(message.topic, message.payload)

    def listen() -> Coroutine[Any, Any, None]:
        return _watch(endpoints, f"{topics.base}/#", arrived, seconds, count)

    failure = BridgeScreen(picture, listen, now_us).run()
    if failure is not None:
        raise failure
    return True


async def _watch(
    endpoints: Sequence[Endpoint],
    topic_filter: str,
    show: Callable[[Message], None],
    seconds: float | None,
    count: int | None,
    about: tuple[str, Callable[[Message], None]] | None = None,
) -> None:
    enough = asyncio.Event()
    left = count
    failure: BrokerError | BrokenPipeError | None = None

    async def arrived(message: Message) -> None:
        nonlocal left, failure
        if not enough.is_set():
            try:
                show(message)
            except BrokenPipeError as error:  # the reader has left, as `| head` does
                failure = error
                enough.set()
                return
            if left is not None:
                left -= 1
                if not left:
                    enough.set()

    client = ControlClient(endpoints, client_id=f"kis-watch-{secrets.token_hex(4)}", clean=True)
    client.subscribe(topic_filter, 0, arrived)
    if about is not None and _is_filter(about[0]) and "#" not in about[0]:
        topic, tell = about

        async def told(message: Message) -> None:
            tell(message)

        client.subscribe(topic, 0, told)  # what the filter has, too, goes to the first one
    async with asyncio.TaskGroup() as group:
        running = group.create_task(client.run())
        try:
            await client.wait_connected(fail_fast=True)
            async with asyncio.timeout(seconds):
                await enough.wait()
        except TimeoutError:
            pass  # --for
        except BrokerError as error:
            failure = error
        finally:
            running.cancel()
    if failure is not None:
        raise failure


def _print(message: Message) -> None:
    sys.stdout.write(json_line(message.topic, message.payload) + "\n")
    sys.stdout.flush()


def _print_plain(message: Message) -> None:
    at = seoul_moment(message.received_at)[11:]
    line = f"{at}  {message.topic}  {summary(message.payload)}"
    sys.stdout.write(_printable(line) + "\n")
    sys.stdout.flush()


def json_line(topic: str, payload: bytes) -> str:
    """Return ``{"topic":…,"payload":…}``; JSON is kept to the digit, anything else is a string."""
    text = payload.decode(errors="replace")
    try:
        decode(text, len(text), names=_MOST_NAMES)
    except JsonError:
        text = json.dumps(text, ensure_ascii=False)
    else:
        # Line ends can only stand between JSON's tokens.
        text = text.strip().replace("\r", " ").replace("\n", " ")
    return f'{{"topic":{json.dumps(topic, ensure_ascii=False)},"payload":{text}}}'


def summary(payload: bytes) -> str:
    """Return the main values of a payload in one short line."""
    try:
        content = decode(payload, len(payload), names=_MOST_NAMES, numbers_as_text=True)
    except JsonError:
        return payload[:80].decode(errors="replace")
    if not isinstance(content, dict):
        return str(content)[:80]
    return "  ".join(_values(content)[:_SHOWN])


def _values(content: dict[str, Any]) -> list[str]:
    found = []
    for key, value in content.items():
        match value:
            case None | "" | [] | {}:
                continue
            case [{"price": price, "quantity": quantity}, *_]:
                found.append(f"{key} {price}×{quantity}")
            case list() | dict():
                continue
            case _ if key not in _KNOWN:
                found.append(f"{key} {_time(value) if _is_time(key) else value}")
    return found


def _is_time(key: str) -> bool:
    return key in ("at", "since") or key.endswith(("_at", "_until"))


def _time(value: object) -> str:
    """Return a time as people read it: payloads have µs, or ISO 8601."""
    text = str(value)
    if re.fullmatch(r"\d{16}", text):
        return seoul_moment(int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return seoul_moment(int(moment.timestamp() * 1_000_000)) if moment.tzinfo else text


@dataclass(slots=True)
class _Row:
    count: int
    first: float
    received_at: int
    payload: bytes


class WatchTable:
    """The table: one row a topic, the latest values."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, height: int = 200) -> None:
        self._clock = clock
        self._height = height
        self._rows: dict[str, _Row] = {}
        self._environment = ""

    def environment(self, message: Message) -> None:
        """Take what a bridge says of itself: whose money its orders are about."""
        with contextlib.suppress(JsonError):
            said = decode_object(message.payload, len(message.payload)).get("environment")
            self._environment = str(said) if said in get_args(Environment) else ""

    def arrived(self, message: Message) -> None:
        """Take a message."""
        if message.topic.endswith("/bridge/info"):
            self.environment(message)
        row = self._rows.get(message.topic)
        if row is None:
            row = self._rows[message.topic] = _Row(0, self._clock(), 0, b"")
        row.count += 1
        row.received_at = message.received_at
        row.payload = message.payload

    def table(self) -> Table:
        """Return the table as it stands."""
        where = f"[{self._environment}] " if self._environment else ""
        title = where + (f"{len(self._rows)} topics" if self._rows else "waiting …")
        table = Table(expand=True, title=escape(title))
        table.add_column("topic", no_wrap=True)
        table.add_column("time (Seoul)", no_wrap=True)
        table.add_column("values", no_wrap=True, ratio=1, overflow="ellipsis")
        table.add_column("count", justify="right")
        table.add_column("a second", justify="right")
        now = self._clock()
        for topic in sorted(self._rows)[: self._height]:
            row = self._rows[topic]
            lived = max(now - row.first, 1.0)
            table.add_row(
                _plain(topic),
                seoul_moment(row.received_at)[11:],
                _plain(summary(row.payload)),
                str(row.count),
                f"{row.count / lived:.1f}",
            )
        return table


def _plain(text: str) -> Text:
    """Return text that is neither markup nor an order to the terminal."""
    return Text(_printable(text))


def _is_filter(text: str) -> bool:
    levels = text.split("/")
    return (
        bool(text)
        and "\0" not in text
        and all(level in ("+", "#") or not set(level) & {"+", "#"} for level in levels)
        and "#" not in levels[:-1]
    )
