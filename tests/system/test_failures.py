"""What goes wrong gets one clear line, or an event, and nothing else is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import openpyxl
import pytest

import bridge.app
from bridge.app import Bridge
from bridge.catalog.compile import load as load_catalog
from bridge.config.load import load as load_config
from bridge.errors import BrokerError
from bridge.mqtt.endpoint import Endpoint
from tests.brokers import Mosquitto, free_port
from tests.component.fakes import stream_peer
from tests.system.programs import (
    KIS_BRIDGE,
    Ear,
    Program,
    World,
    ask,
    bridge_toml,
    publish,
    simulator,
)

TRADE = "kis/market/domestic_stock/krx/trade/005930"
SPEC = Path(__file__).parents[2] / "spec" / "kis.xlsx"
RUN = [*KIS_BRIDGE, "run", "--json", "--config"]
NOBODY = {
    "rest": "http://127.0.0.1:9",
    "ws": "ws://127.0.0.1:9",
    "app_key": "P" * 36,
    "app_secret": "s" * 180,
    "hts_id": "somebody",
    "account": "12345678-01",
}


def run(config: Path, *options: str) -> tuple[int, str, list[str]]:
    done = ask("run", "--config", str(config), *options)
    return done.returncode, done.stdout, done.stderr.splitlines()


# before it starts


def test_a_wrong_key(tmp_path: Path) -> None:
    config = bridge_toml(tmp_path, NOBODY, "mqtt://127.0.0.1:1", "[dashbord]\n")
    code, out, err = run(config)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith(f"kis-bridge: {config}: dashbord: unknown key")
    assert "did you mean 'dashboard'?" in err[0]


def test_a_missing_secret(tmp_path: Path) -> None:
    config = bridge_toml(tmp_path, NOBODY, "mqtt://127.0.0.1:1")
    text = config.read_text().replace(f'"{NOBODY["app_key"]}"', '{ env = "NOT_SET_ANYWHERE" }')
    config.write_text(text)
    code, out, err = run(config)
    assert (code, out, len(err)) == (2, "", 1)
    assert "kis.apps[0].app_key" in err[0]
    assert "NOT_SET_ANYWHERE is not set" in err[0]


def test_a_file_that_others_can_read(tmp_path: Path) -> None:
    config = bridge_toml(tmp_path, NOBODY, "mqtt://127.0.0.1:1")
    config.chmod(0o644)
    code, out, err = run(config)
    assert (code, out, len(err)) == (2, "", 1)
    assert NOBODY["app_secret"] not in err[0]


def test_a_broken_workbook_cell(tmp_path: Path) -> None:
    config = bridge_toml(tmp_path, NOBODY, "mqtt://127.0.0.1:1")
    broken = tmp_path / "broken.xlsx"
    shutil.copy(SPEC, broken)
    book = openpyxl.load_workbook(broken)
    sheet = book["fields"]
    cell = next(cell for cell in sheet[20] if cell.value in ("int", "code", "decimal", "time"))
    cell.value = "NUM"
    book.save(broken)
    code, out, err = run(config, "--spec", str(broken))
    assert (code, out, len(err)) == (2, "", 1)
    assert f"fields!{cell.coordinate}" in err[0]
    assert "'NUM'" in err[0]


async def test_a_broker_that_never_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge.app, "_BROKER_S", 0.2)
    url = f"mqtt://127.0.0.1:{free_port()}"
    config = load_config(bridge_toml(tmp_path, NOBODY, url), {})
    config.kis.state_dir.mkdir()
    with pytest.raises(ExceptionGroup) as caught:
        await Bridge(config, load_catalog(), [Endpoint.parse(url)]).run(asyncio.Event())
    reason = f"^MQTT broker {url.removeprefix('mqtt://')}: connection refused$"
    assert caught.group_contains(BrokerError, match=reason)


def test_stopped_while_it_waits_for_a_broker(tmp_path: Path) -> None:
    config = bridge_toml(tmp_path, NOBODY, f"mqtt://127.0.0.1:{free_port()}")
    with Program(*RUN, str(config)) as waiting:
        waiting.wait("a warning", lambda: [x for x in waiting.err if "not connected" in x])
        began = time.monotonic()
        assert waiting.stop() == 0
        assert time.monotonic() - began < 5


def test_a_broker_that_comes_late(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    with simulator() as (_, kis):
        config = bridge_toml(tmp_path, kis, broker.url)
        with Program(*RUN, str(config)) as late:
            [said] = late.wait("a warning", lambda: [x for x in late.err if "not connected" in x])
            assert json.loads(said)["reason"] == "connection refused"
            broker.start()
            try:
                late.line()
                with Ear(broker.port, TRADE) as ear:
                    ear.until(TRADE)
            finally:
                assert late.stop() == 0
                broker.stop()


# while it runs


def test_kis_goes_away_and_comes_back(tmp_path: Path) -> None:
    with Mosquitto.running(tmp_path) as broker, Ear(broker.port) as ear:
        with simulator() as (_, kis):
            config = bridge_toml(tmp_path, kis, broker.url)
            run = Program(*RUN, str(config))
            ear.until(TRADE)
        try:
            before = len(ear.heard)
            lost = ear.until("kis/bridge/event/session_lost").payload
            assert lost["app"] == "app1"
            ports = [str(urlsplit(kis[name]).port) for name in ("rest", "ws")]
            # The new one knows neither token nor approval key.
            with simulator("--rest-port", ports[0], "--ws-port", ports[1]):
                ear.until("kis/bridge/event/session_restored", after=before)
                now = len(ear.heard)
                ear.until(TRADE, after=now)
                assert run.process.poll() is None
                assert run.stop() == 0
        finally:
            run.__exit__()


def test_the_broker_restarts(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        world.ear.until(TRADE)
        world.broker.stop()
        both = {"broker lost", "lane lost"}
        world.bridge.wait(
            "both lost", lambda: both <= {json.loads(line)["event"] for line in world.bridge.err}
        )
        world.broker.start()
        with Ear(world.broker.port) as after:
            after.until("kis/bridge/state", lambda state: state["state"] == "online")
            first = after.until(TRADE)
            after.until(TRADE, lambda record: record["seq"] > first.payload["seq"])
            gap = after.until("kis/bridge/event/gap").payload
            assert gap["lost"] == sum(gap["topics"].values()) > 0
            # The subscriber of before finds its way back, too.
            world.ear.until(TRADE, lambda record: record["seq"] > first.payload["seq"])
        assert world.bridge.process.poll() is None
        world.broker.stop()
        began = time.monotonic()
        assert world.bridge.stop() == 0
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("transport", ["ws", "tcp 3.1.1"])
def test_brokers_that_the_joined_lane_cannot_speak_to(tmp_path: Path, transport: str) -> None:
    """Market data goes message by message then, over WebSocket or MQTT 3.1.1."""
    with (
        Mosquitto.running(tmp_path) as broker,
        simulator() as (_, kis),
        only_3_1_1(broker.port) as port,
    ):
        url = broker.ws_url if transport == "ws" else f"mqtt://127.0.0.1:{port}"
        config = bridge_toml(tmp_path, kis, url)
        with Ear(broker.port) as ear, Program(*RUN, str(config)) as run:
            first = ear.until(TRADE)
            assert first.payload["symbol"] == "005930"
            expires = "message-expiry-interval" in first.properties
            assert expires == (transport == "ws")
            before = len(ear.heard)
            content = {
                "client_order_id": "w-1",
                "expires_at": "2999-01-01T00:00:00+09:00",
                "market": "domestic_stock",
                "venue": "krx",
                "symbol": "005930",
                "side": "sell",
                "order_type": "market",
                "quantity": 1,
            }
            topic = "kis/orders/main/alice/command/place"
            publish(broker.port, topic, content, version="311")
            ack = ear.until("kis/orders/main/alice/ack/w-1", after=before).payload
            assert ack["status"] == "accepted", ack
            assert run.stop() == 0
            ear.until("kis/bridge/state", lambda s: s["state"] == "offline")


@contextmanager
def only_3_1_1(port: int) -> Iterator[int]:
    """Stand before a broker and refuse MQTT 5 as brokers of the time before it do."""

    class Door(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            hello = self.request.recv(1024)
            if hello[hello.index(b"MQTT") + 4] != 4:
                self.request.sendall(b"\x20\x02\x00\x01")
                return
            with socket.create_connection(("127.0.0.1", port)) as far:
                far.sendall(hello)
                back = threading.Thread(target=_carry, args=(far, self.request), daemon=True)
                back.start()
                _carry(self.request, far)
                back.join()

    class Doors(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Doors(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _carry(near: socket.socket, far: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := near.recv(65_536):
            far.sendall(data)
        far.shutdown(socket.SHUT_RDWR)


def trade(symbol: str, width: int = 46, price: str = "71900") -> str:
    values = [symbol, "093000", price, "2", "100", "0.14", *["1"] * 40]
    return f"0|H0STCNT0|001|{'^'.join(values[:width])}"


async def test_malformed_frames(tmp_path: Path) -> None:
    forged = "0|H0STCNI0|001|" + "^".join(["x"] * 26)
    with Mosquitto.running(tmp_path) as broker, simulator() as (_, kis):
        async with stream_peer() as peer:
            kis["ws"] = peer.url.removesuffix("/tryitout")
            config = bridge_toml(tmp_path, kis, broker.url)
            with Ear(broker.port) as ear, await asyncio.to_thread(_start, config) as run:
                async with asyncio.timeout(20):
                    for _ in range(5):
                        await peer.request()
                bad: list[str | bytes] = [
                    "garbage",
                    "",
                    "{",
                    "0|H0STCNT0|001|",
                    "0|H0STCNT0|000|a^b",
                    "0|H0STCNT0|003|a^b",
                    "0|H0XXXXX0|001|a^b",
                    "1|H0STCNT0|001|bm90IGVuY3J5cHRlZA==",
                    forged,
                    trade("005930", width=20),
                    trade("005930", price="12x4"),
                    b"0|H0STCNT0|001|\xff\xfe^\x80",
                ]
                for number, frame in enumerate(bad):
                    await peer.send(frame)
                    await peer.send(trade("005930", price=str(70_000 + number)))
                last = 70_000 + len(bad) - 1
                await asyncio.to_thread(ear.until, TRADE, lambda r: r["price"] == last)
                prices = [m.payload["price"] for m in ear.heard if m.topic == TRADE]
                assert prices == list(range(70_000, last + 1))  # nothing else is lost
                quarantined = await asyncio.to_thread(
                    ear.until,
                    "kis/bridge/event/quarantined",
                    lambda event: event["channel"] == "H0STCNT0",
                )
                assert quarantined.payload["reason"]
                assert len(peer.connections) == 1
                await asyncio.to_thread(run.stop, signal.SIGTERM)
                assert run.process.returncode == 0
                assert not [line for line in run.err if '"level": "error"' in line]


def _start(config: Path) -> Program:
    run = Program(*RUN, str(config))
    run.line()
    return run


def test_a_capture_is_played_again(tmp_path: Path) -> None:
    """With a record among them that does not decode."""
    frames = Path(__file__).parents[1] / "data" / "frames.jsonl"
    symbols = {
        raw.split("|")[3].split("^")[0]
        for raw in (json.loads(line).get("raw", "") for line in frames.read_text().splitlines())
        if raw.startswith("0|H0STCNT0|")
    }
    symbol = min(symbols)
    capture = tmp_path / "capture.jsonl"
    capture.write_text(f"{frames.read_text()}\n{trade(symbol, width=12)}\n")
    more = f"""
[[market.subscriptions]]
market = "domestic_stock"
venue = "krx"
kinds = ["trade"]
symbols = ["{symbol}"]
"""
    with World.running(tmp_path, more, "--play", str(capture), "--rate", "500") as world:
        world.ear.until(f"kis/market/domestic_stock/krx/trade/{symbol}")
        event = world.ear.until("kis/bridge/event/quarantined").payload
        assert event["channel"] == "H0STCNT0"
        now = len(world.ear.heard)
        world.ear.until(f"kis/market/domestic_stock/krx/trade/{symbol}", after=now)


def test_a_capture_that_is_none(tmp_path: Path) -> None:
    capture = tmp_path / "capture.txt"
    capture.write_text("0|H0STCNT0|001|005930^1\ngarbage\n")
    done = ask("simulate", "--json", "--rest-port", "0", "--ws-port", "0", "--play", str(capture))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"{capture}:2" in done.stderr
