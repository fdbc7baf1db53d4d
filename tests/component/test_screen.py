"""``kis-bridge watch`` on a terminal: the screen on a real broker, the command on a real tty."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from bridge.cli.screen.app import BridgeScreen
from bridge.cli.screen.picture import Picture
from bridge.embedded.broker import EmbeddedBroker
from bridge.errors import BridgeError, BrokerError
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message, Publication
from bridge.runtime.clock import now_us

DEADLINE_S = 20.0
BASE = "watched"
TRADE = "watched/market/domestic_stock/krx/trade"
QUOTE = "watched/market/domestic_stock/krx/quote"


def text(app: BridgeScreen) -> str:
    """Return what is on the screen."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def until(app: BridgeScreen, pilot: Pilot[Any], seen: Callable[[str], bool]) -> str:
    """Return the screen as soon as it shows something; it is drawn four times a second."""
    async with asyncio.timeout(DEADLINE_S):
        while not seen(shown := text(app)):
            await pilot.pause(0.05)
    return shown


class Writer:
    """Publishes what a bridge would."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def say(self, topic: str, content: dict[str, Any]) -> None:
        await self._client.publish(
            Publication(topic, json.dumps(content).encode(), retain=True), wait=True
        )

    async def symbols(self) -> None:
        for symbol, price, rate in (("005930", 71_900, -0.5), ("000660", 178_000, 2.5)):
            said = {"symbol": symbol, "price": price, "change": 100, "change_rate": rate}
            await self.say(f"{TRADE}/{symbol}", said | {"received_at": now_us()})
            book = {"asks": [{"price": price + 100, "quantity": 7}], "bids": []}
            await self.say(f"{QUOTE}/{symbol}", book | {"received_at": now_us()})


@asynccontextmanager
async def client(broker: EmbeddedBroker, name: str) -> AsyncIterator[ControlClient]:
    one = ControlClient([Endpoint.parse(broker.url)], client_id=name, clean=True)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(one.run())
        try:
            await one.wait_connected(fail_fast=True)
            yield one
        finally:
            await one.close()
            running.cancel()


@pytest.fixture
async def writer(embedded_broker: EmbeddedBroker) -> AsyncIterator[Writer]:
    async with client(embedded_broker, "writer") as one:
        yield Writer(one)


def listening(broker: EmbeddedBroker, picture: Picture) -> Callable[[], Coroutine[Any, Any, None]]:
    async def listen() -> None:
        async def arrived(message: Message) -> None:
            picture.take(message.topic, message.payload)

        one = ControlClient([Endpoint.parse(broker.url)], client_id="screen", clean=True)
        one.subscribe("watched/#", 0, arrived)
        await one.run()

    return listen


@pytest.fixture
async def screen(
    embedded_broker: EmbeddedBroker, writer: Writer
) -> AsyncIterator[tuple[BridgeScreen, Pilot[Any]]]:
    await writer.symbols()
    picture = Picture(BASE)
    app = BridgeScreen(picture, listening(embedded_broker, picture), now_us)
    async with app.run_test(size=(80, 24)) as pilot:
        yield app, pilot


async def test_at_eighty_columns_prices_book_orders_and_health_can_be_read(
    screen: tuple[BridgeScreen, Pilot[Any]], writer: Writer
) -> None:
    app, pilot = screen
    await writer.say("watched/bridge/state", {"state": "online"})
    await writer.say("watched/bridge/info", {"environment": "simulator"})
    await writer.say(
        "watched/orders/main/alice/state/a-1",
        {"symbol": "005930", "side": "buy", "order_type": "market", "state": "filled",
         "quantity": 10, "filled_quantity": 10, "average_price": 71_950, "at": now_us()},
    )  # fmt: skip
    shown = await until(app, pilot, lambda now: "71,950" in now and "online" in now)
    assert "SIMULATOR" in shown
    for part in ("71,900", "178,000", "+2.5", "quality", "age", "10/10", "filled"):
        assert part in shown, shown
    assert "178,100" in shown, "the book of the first symbol"
    assert all(len(line) <= 80 for line in shown.splitlines())


async def test_the_cursor_chooses_whose_book_is_shown(
    screen: tuple[BridgeScreen, Pilot[Any]],
) -> None:
    app, pilot = screen
    await until(app, pilot, lambda now: "178,100" in now)
    await pilot.press("down")
    shown = await until(app, pilot, lambda now: "72,000" in now)
    assert "178,100" not in shown
    await pilot.press("k")
    await until(app, pilot, lambda now: "178,100" in now)


async def test_new_prices_replace_the_old_ones_and_keep_the_cursor(
    screen: tuple[BridgeScreen, Pilot[Any]], writer: Writer
) -> None:
    app, pilot = screen
    await until(app, pilot, lambda now: "178,000" in now)
    await pilot.press("down")
    await writer.say(f"{TRADE}/005930", {"symbol": "005930", "price": 72_345})
    await writer.say(f"{TRADE}/000100", {"symbol": "000100", "price": 1})
    await until(app, pilot, lambda now: "72,345" in now and "000100" in now)
    chosen = app.chosen()
    assert chosen is not None
    assert chosen.symbol == "005930"


async def test_a_filter_leaves_what_matches_and_escape_brings_the_rest_back(
    screen: tuple[BridgeScreen, Pilot[Any]],
) -> None:
    app, pilot = screen
    await until(app, pilot, lambda now: "005930" in now and "000660" in now)
    await pilot.press("slash", "5", "9", "enter")
    await until(app, pilot, lambda now: "005930" in now and "000660" not in now)
    await pilot.press("escape")
    await until(app, pilot, lambda now: "000660" in now)


async def test_it_can_be_sorted(screen: tuple[BridgeScreen, Pilot[Any]]) -> None:
    app, pilot = screen
    await until(app, pilot, lambda now: "005930" in now and "000660" in now)
    first = []
    for _ in range(4):
        chosen = [place.symbol for place in app._shown]
        first.append(chosen[0])
        await pilot.press("s")
    assert first[:2] == ["000660", "000660"]
    assert [place.symbol for place in app._shown] == ["000660", "005930"], "and round again"


async def test_what_ends_the_listening_ends_the_screen_and_is_told() -> None:
    async def fail() -> None:
        raise BrokerError("the broker refused the password")

    app = BridgeScreen(Picture(BASE), fail, now_us)
    async with asyncio.timeout(DEADLINE_S):
        assert isinstance(await app.run_async(headless=True), BridgeError)


async def test_every_letter_of_the_screen_is_drawn_in_small_windows_too(
    embedded_broker: EmbeddedBroker, writer: Writer
) -> None:
    await writer.symbols()
    for size in ((20, 5), (40, 12), (200, 60)):
        picture = Picture(BASE)
        app = BridgeScreen(picture, listening(embedded_broker, picture), now_us)
        async with app.run_test(size=size) as pilot:
            await until(app, pilot, lambda now: bool(now.strip()))
            assert app.query_one("#head", Static)


async def test_the_command_on_a_terminal(embedded_broker: EmbeddedBroker, writer: Writer) -> None:
    await writer.symbols()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from bridge.cli import main; main()"),
        *("watch", "--url", embedded_broker.url, "--base", BASE),
        stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    written = bytearray()
    arrived = asyncio.Event()

    def read() -> None:
        try:
            written.extend(os.read(ours, 65_536))
        except OSError:
            asyncio.get_running_loop().remove_reader(ours)
        arrived.set()

    asyncio.get_running_loop().add_reader(ours, read)
    async with asyncio.timeout(DEADLINE_S):
        while b"71,900" not in written or b"178,100" not in written:
            await arrived.wait()
            arrived.clear()
        os.write(ours, b"q")
        assert await process.wait() == 0
    asyncio.get_running_loop().remove_reader(ours)
    os.close(ours)
    assert re.search(rb"\x1b\[\?1049l", written), "the terminal is as it was before"
