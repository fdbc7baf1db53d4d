"""The embedded broker: what the contract needs of a broker, with other people's clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import websockets
from websockets.asyncio.client import connect

from bridge.embedded.broker import EmbeddedBroker
from bridge.errors import BrokerError
from bridge.mqtt.client import ControlClient, Message
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from tests.brokers import embedded, mosquitto_program

DEADLINE_S = 10.0


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with embedded() as running:
        yield running


def client_program(name: str) -> str:
    mosquitto_program()
    found = shutil.which(name)
    if found is None:
        pytest.skip("needs Mosquitto's clients: apt-get install mosquitto-clients")
    return found


def publish(broker: EmbeddedBroker, *args: str) -> None:
    subprocess.run(
        [client_program("mosquitto_pub"), "-p", str(broker.port), *args],
        check=True,
        timeout=DEADLINE_S,
    )


def read_one(broker: EmbeddedBroker, *args: str) -> str:
    return subprocess.run(
        [client_program("mosquitto_sub"), "-p", str(broker.port), "-C", "1", "-W", "5", *args],
        check=True,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    ).stdout.strip()


@pytest.mark.parametrize("version", ["mqttv5", "mqttv311", "mqttv31"])
@pytest.mark.parametrize("writer", ["mqttv5", "mqttv311", "mqttv31"])
def test_every_version_on_one_port(broker: EmbeddedBroker, writer: str, version: str) -> None:
    topic = f"versions/{writer}/{version}"
    publish(broker, "-V", writer, "-t", topic, "-m", "값", "-q", "1", "-r")
    assert read_one(broker, "-V", version, "-t", f"{topic}/#", "-v", "-q", "1") == f"{topic} 값"


def test_properties_do_not_hurt_older_clients(broker: EmbeddedBroker) -> None:
    """rumqttd's own 3.1.1 listener dies of them."""
    expiry = ("-D", "publish", "message-expiry-interval", "60")
    publish(broker, "-V", "mqttv5", "-t", "old/1", "-m", "x", "-r", *expiry)
    for _ in range(2):
        assert read_one(broker, "-V", "mqttv311", "-t", "old/1") == "x"
    assert read_one(broker, "-V", "mqttv5", "-t", "old/1", "-F", "%p %E") in ("x 60", "x 59")


def test_no_keep_alive_is_a_keep_alive(broker: EmbeddedBroker) -> None:
    hello = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03zzz"
    with socket.create_connection((broker.host, broker.port), DEADLINE_S) as client:
        client.sendall(hello)
        assert client.recv(4) == b"\x20\x02\x00\x00"
        client.sendall(b"\xc0\x00")
        assert client.recv(2) == b"\xd0\x00"


def test_what_is_not_mqtt_is_cut_off(broker: EmbeddedBroker) -> None:
    with socket.create_connection((broker.host, broker.port), DEADLINE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(10) == b""


async def test_a_retained_value_expires(broker: EmbeddedBroker) -> None:
    endpoint = Endpoint.parse(broker.url)
    arrived: asyncio.Queue[Message] = asyncio.Queue()

    async def take(message: Message) -> None:
        arrived.put_nowait(message)
        message.ack()

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        writer = ControlClient([endpoint], client_id="w", clean=True)
        group.create_task(writer.run())
        await writer.publish(
            Publication("expiry/short", b"old", retain=True, expiry_s=1), wait=True
        )
        await writer.publish(
            Publication("expiry/long", b"new", retain=True, expiry_s=60), wait=True
        )
        await asyncio.sleep(1.1)  # MQTT counts whole seconds, and a past moment has no event
        reader = ControlClient([endpoint], client_id="r", clean=True)
        reader.subscribe("expiry/+", 1, take)
        group.create_task(reader.run())
        await reader.wait_connected()
        await writer.publish(Publication("expiry/last", b"end"))
        got = [(await arrived.get()).payload for _ in range(2)]
        assert got == [b"new", b"end"]
        await writer.close()
        await reader.close()


async def test_web_pages_of_this_machine_only(broker: EmbeddedBroker) -> None:
    async with connect(
        broker.ws_url,
        subprotocols=[websockets.Subprotocol("mqtt")],
        origin=websockets.Origin("http://localhost:8780"),
    ) as page:
        assert page.subprotocol == "mqtt"
    for stranger in ("https://example.com", "null", "http://127.0.0.1.example.com"):
        with pytest.raises(websockets.InvalidStatus):
            await connect(broker.ws_url, origin=websockets.Origin(stranger))


def test_a_taken_port_is_one_line(broker: EmbeddedBroker) -> None:
    for ports in ({"port": broker.port}, {"ws_port": broker.port}):
        taken = EmbeddedBroker(**ports)
        with pytest.raises(BrokerError, match=f"port {broker.port}: address already in use"):
            taken.start()
        assert taken.pid is None


def test_it_frees_its_ports() -> None:
    with EmbeddedBroker() as first:
        first.start()  # twice does no harm
        port, ws_port = first.port, first.ws_port
    first.stop()
    with EmbeddedBroker(port, ws_port) as second:
        assert (second.port, second.ws_port) == (port, ws_port)


def closed(port: int) -> bool:
    """Wait until nobody listens there any more."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), DEADLINE_S).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            continue  # in the middle of it
    return False


def test_no_broker_outlives_its_program() -> None:
    program = (
        "import json, sys; from bridge.embedded.broker import EmbeddedBroker\n"
        "with EmbeddedBroker() as b:\n"
        "    print(json.dumps([b.pid, b.port]), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid, port = json.loads(parent.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
            parent.send_signal(signal.SIGKILL)
            client.settimeout(DEADLINE_S)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""  # its end closes the connection
    assert pid != os.getpid()
    assert closed(port)
