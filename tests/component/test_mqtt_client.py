"""The control connection against real brokers."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from bridge.errors import BrokerError, RequestError
from bridge.mqtt.client import ControlClient, Message, Will
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from bridge.mqtt.rate_limiter import Arrivals, RateLimiter
from bridge.mqtt.topics import Topics
from bridge.requests.server import RequestServer, request
from bridge.runtime.backoff import Backoff
from bridge.runtime.pulse import Pulse
from tests.brokers import Mosquitto, embedded, free_port, mosquitto_program

DEADLINE_S = 10.0
FAST = Backoff(0.02, 0.1)

Broker: TypeAlias = Callable[[], Endpoint]


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with embedded() as small, Mosquitto.running(tmp_path_factory.mktemp("broker")) as big:
        yield {
            "mosquitto": big.url,
            "mosquitto ws": big.ws_url,
            "embedded": small.url,
            "embedded ws": small.ws_url,
        }


@pytest.fixture(params=["mosquitto 5", "mosquitto 4", "embedded 5", "embedded 4"])
def endpoint(request: pytest.FixtureRequest, urls: dict[str, str]) -> Endpoint:
    name, version = request.param.split()
    return Endpoint.parse(urls[name], version=5 if version == "5" else 4)


@pytest.fixture
def topics(request: pytest.FixtureRequest) -> Topics:
    """A base topic of the test's own: the brokers are shared."""
    return Topics("".join(c for c in request.node.name if c.isalnum()))


class Inbox:
    def __init__(self, *, acks: bool = True) -> None:
        self._acks = acks
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, message: Message) -> None:
        self._messages.put_nowait(message)
        if self._acks:
            message.ack()

    async def get(self) -> Message:
        async with asyncio.timeout(DEADLINE_S):
            return await self._messages.get()

    @property
    def empty(self) -> bool:
        return self._messages.empty()


@asynccontextmanager
async def running(client: ControlClient) -> AsyncIterator[ControlClient]:
    async with asyncio.TaskGroup() as group:
        group.create_task(client.run())
        async with asyncio.timeout(DEADLINE_S):
            await client.wait_connected(fail_fast=True)
        yield client
        async with asyncio.timeout(DEADLINE_S):
            await client.close()


def client_of(endpoint: Endpoint, name: str, **options: Any) -> ControlClient:
    return ControlClient([endpoint], client_id=name, backoff=FAST, **options)


def listener(endpoint: Endpoint, topic_filter: str, inbox: Inbox) -> ControlClient:
    client = client_of(endpoint, f"listener-{topic_filter.split('/')[0]}", clean=True)
    client.subscribe(topic_filter, 1, inbox)
    return client


def drop(client: ControlClient) -> None:
    """Cut the network connection as a dying machine would."""
    assert client._connection is not None
    client._connection.abort()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  seen from outside, as a user would
            await asyncio.sleep(0)


async def test_birth_will_and_farewell(endpoint: Endpoint, topics: Topics) -> None:
    inbox = Inbox()
    will = Will(topics.state(), b"offline", birth=b"online")
    async with running(listener(endpoint, topics.state(), inbox)):
        bridge = client_of(endpoint, topics.base, will=will)
        async with running(bridge):
            assert (await inbox.get()).payload == b"online"
            drop(bridge)
            assert (await inbox.get()).payload == b"offline"
            assert (await inbox.get()).payload == b"online"
            assert bridge.connects == 2
        assert (await inbox.get()).payload == b"offline"
    late = Inbox()
    async with running(listener(endpoint, topics.state(), late)):
        message = await late.get()
        assert (message.payload, message.retain) == (b"offline", True)


async def test_retained_values_come_at_once_and_can_be_removed(
    endpoint: Endpoint, topics: Topics
) -> None:
    async with running(client_of(endpoint, topics.base)) as writer:
        for value in (b"1", b"2", b"3"):
            await writer.publish(Publication(topics.health(), value, retain=True), wait=True)
        first = Inbox()
        async with running(listener(endpoint, f"{topics.base}/#", first)):
            message = await first.get()
            assert (message.topic, message.payload, message.retain) == (
                topics.health(),
                b"3",
                True,
            )
        await writer.publish(Publication(topics.health(), b"", retain=True), wait=True)
        second = Inbox()
        async with running(listener(endpoint, f"{topics.base}/#", second)):
            await writer.publish(Publication(topics.info(), b"live"), wait=True)
            assert (await second.get()).payload == b"live"


async def test_what_is_not_acknowledged_comes_again(endpoint: Endpoint, topics: Topics) -> None:
    arrived: asyncio.Queue[Message] = asyncio.Queue()

    async def keep(message: Message) -> None:
        arrived.put_nowait(message)

    reader = client_of(endpoint, topics.base)
    reader.subscribe(topics.command_filter(), 1, keep)
    place = topics.command("main", "alice", "place")
    async with asyncio.timeout(DEADLINE_S), running(reader):
        await reader.publish(Publication(place, b"first"))
        await reader.publish(Publication(place, b"second"))
        (await arrived.get()).ack()
        assert (await arrived.get()).payload == b"second"
        await reader.publish(Publication(topics.info(), b""), wait=True)  # behind the PUBACK
        drop(reader)
        again = await arrived.get()
        assert again.payload == b"second"
        again.ack()
        again.ack()
        await reader.publish(Publication(place, b"third"), wait=True)
        assert (await arrived.get()).payload == b"third"
        drop(reader)
        assert (await arrived.get()).payload == b"third"
        assert arrived.empty()


async def test_commands_wait_for_a_bridge_that_is_away(endpoint: Endpoint, topics: Topics) -> None:
    place = topics.command("main", "alice", "place")
    inbox = Inbox()
    async with running(client_of(endpoint, f"{topics.base}-w")) as writer:
        for expected in (b"one", b"two"):
            bridge = client_of(endpoint, topics.base)
            bridge.subscribe(topics.command_filter(), 1, inbox)
            async with running(bridge):
                if expected == b"one":
                    await writer.publish(Publication(place, expected))
                assert (await inbox.get()).payload == expected
            await writer.publish(Publication(place, b"two"), wait=True)


async def test_pubacks_leave_in_the_order_of_arrival(endpoint: Endpoint, topics: Topics) -> None:
    kept: list[Message] = []
    done = asyncio.Event()

    async def keep(message: Message) -> None:
        kept.append(message)
        if message.payload == b"last":
            for each in reversed(kept):
                each.ack()
            done.set()

    reader = client_of(endpoint, topics.base)
    reader.subscribe(topics.command_filter(), 1, keep, ordered_by=lambda m: m.topic)
    async with running(client_of(endpoint, f"{topics.base}-w")) as writer, running(reader):
        for number in range(5):
            await writer.publish(Publication(topics.command("a", "b", str(number)), b"x"))
        await writer.publish(Publication(topics.command("a", "b", "5"), b"last"))
        async with asyncio.timeout(DEADLINE_S):
            await done.wait()
        await writer.publish(Publication(topics.command("a", "b", "6"), b"alive"), wait=True)
        await until(lambda: kept[-1].payload == b"alive")
        assert reader.connects == 1


async def test_two_thousand_publishes_keep_their_order(endpoint: Endpoint, topics: Topics) -> None:
    inbox = Inbox()
    client = client_of(endpoint, topics.base, clean=True, queue_limit=500)
    client.subscribe(f"{topics.base}/n", 1, inbox)
    async with running(client):
        for number in range(2000):
            await client.publish(Publication(f"{topics.base}/n", str(number).encode()))
        got = [int((await inbox.get()).payload) for _ in range(2000)]
        assert got == list(range(2000))
        await until(lambda: client.backlog == 0)


async def test_properties_and_their_absence(endpoint: Endpoint, topics: Topics) -> None:
    inbox = Inbox()
    client = client_of(endpoint, topics.base, clean=True)
    client.subscribe(f"{topics.base}/x", 1, inbox)
    async with running(client):
        await client.publish(
            Publication(
                f"{topics.base}/x",
                "한".encode(),
                expiry_s=60,
                correlation=b"\xff\x00",
                response_topic="r/1",
            )
        )
        message = await inbox.get()
    assert message.payload.decode() == "한"
    if endpoint.version == 5:
        assert (message.response_topic, message.correlation) == ("r/1", b"\xff\x00")
        assert message.expiry_s is not None
        assert 0 < message.expiry_s <= 60
    else:
        assert (message.response_topic, message.correlation, message.expiry_s) == ("", b"", None)


async def test_a_request_and_its_answer(endpoint: Endpoint, topics: Topics) -> None:
    async def channels(content: dict[str, Any], message: Message) -> Any:
        if content:
            raise RequestError("no", "not today")
        return {"n": 1, "of": "삼성"}

    bridge = client_of(endpoint, topics.base)
    requests = RequestServer(bridge, topics)
    requests.register("channels", channels)
    async with running(bridge):
        assert await request([endpoint], "channels", {}, topics=topics) == {"n": 1, "of": "삼성"}
        with pytest.raises(RequestError, match="not today") as caught:
            await request([endpoint], "channels", {"a": 1}, topics=topics)
        assert caught.value.code == "no"
    with pytest.raises(BrokerError, match="is a bridge running on 127"):
        await request([endpoint], "channels", {}, topics=topics, deadline_s=0.3)


async def test_a_slow_handler_holds_up_its_own_lane_only(
    endpoint: Endpoint, topics: Topics
) -> None:
    slow, fast = asyncio.Event(), Inbox()

    async def handle(message: Message) -> None:
        if message.topic.endswith("slow"):
            await slow.wait()
        await fast(message)

    client = client_of(endpoint, topics.base, clean=True)
    client.subscribe(f"{topics.base}/+", 1, handle, ordered_by=lambda m: m.topic)
    async with running(client):
        await client.publish(Publication(f"{topics.base}/slow", b"1"))
        await client.publish(Publication(f"{topics.base}/fast", b"2"))
        assert (await fast.get()).payload == b"2"
        slow.set()
        assert (await fast.get()).payload == b"1"


@pytest.mark.parametrize("name", ["mosquitto ws", "embedded ws"])
async def test_websockets(urls: dict[str, str], name: str, topics: Topics) -> None:
    inbox = Inbox()
    client = client_of(Endpoint.parse(urls[name]), topics.base, clean=True)
    client.subscribe(f"{topics.base}/#", 1, inbox)
    async with running(client):
        assert client.version == "5"
        for size in (1, 200, 5_000):
            await client.publish(Publication(f"{topics.base}/x", b"x" * size))
            assert len((await inbox.get()).payload) == size


@pytest.mark.parametrize("version", [5, 4])
async def test_a_broker_that_restarts(mosquitto: Mosquitto, version: Literal[5, 4]) -> None:
    inbox = Inbox()
    client = client_of(Endpoint.parse(mosquitto.url, version=version), "restart")
    client.subscribe("kis/#", 1, inbox)
    async with running(client):
        await client.publish(Publication("kis/1", b"before"))
        assert (await inbox.get()).payload == b"before"
        await client.publish(Publication("other", b""), wait=True)  # behind the PUBACK
        mosquitto.stop()
        await until(lambda: not client.connected)
        await client.publish(Publication("kis/1", b"meanwhile"))
        await client.publish(Publication("kis/1", b"lost", qos=0))
        assert client.dropped == 1
        with pytest.raises(BrokerError, match=f"127.0.0.1:{mosquitto.port}: connection refused"):
            await client.wait_connected(fail_fast=True)
        expired = asyncio.ensure_future(
            client.publish(Publication("kis/1", b"old", expiry_s=0), wait=True)
        )
        mosquitto.start()
        assert (await inbox.get()).payload == b"meanwhile"
        with pytest.raises(BrokerError, match="kis/1: expired"):
            await expired
        assert client.connects == 2


async def test_the_next_endpoint_is_tried(urls: dict[str, str], topics: Topics) -> None:
    nobody = Endpoint.parse(f"mqtt://127.0.0.1:{free_port()}")
    client = ControlClient(
        [nobody, Endpoint.parse(urls["mosquitto"])], client_id=topics.base, clean=True
    )
    async with running(client):
        assert client.connected


async def refusal(endpoint: Endpoint, **options: Any) -> str:
    client = client_of(endpoint, "refused", clean=True, **options)
    client.subscribe("kis/#", 1, Inbox())
    with pytest.raises(ExceptionGroup) as caught:
        async with running(client):
            pytest.fail("connected")
    (error,) = caught.value.exceptions
    assert isinstance(error, BrokerError)
    assert "\n" not in str(error)
    return str(error)


async def test_an_unreachable_broker_is_one_line() -> None:
    port = free_port()
    says = await refusal(Endpoint.parse(f"mqtt://127.0.0.1:{port}"))
    assert says == f"MQTT broker 127.0.0.1:{port}: connection refused"
    assert "no such host" in await refusal(Endpoint.parse("mqtt://broker.invalid"))


async def test_waiting_has_an_end() -> None:
    port = free_port()
    client = client_of(Endpoint.parse(f"mqtt://127.0.0.1:{port}"), "waiting")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.run())
        with pytest.raises(BrokerError, match=r"connection refused$"):
            await client.wait_connected(deadline_s=0.1)
        task.cancel()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_what_is_not_mqtt() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        says = await refusal(Endpoint.parse(f"mqtt://127.0.0.1:{port}"))
        assert says.endswith("closed the connection unanswered")
        says = await refusal(Endpoint.parse(f"mqtts://127.0.0.1:{port}"))
        assert f"127.0.0.1:{port}: TLS: " in says
        says = await refusal(Endpoint.parse(f"ws://127.0.0.1:{port}"))
        assert "no MQTT over WebSocket there" in says
    gc.collect()  # paho leaves a socket of a failed handshake to the garbage collector


async def test_a_broker_that_only_knows_3_1_1() -> None:
    """As brokers of that time answer MQTT 5: return code 1, in their own form."""
    levels = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.read(1000)
        levels.append(hello[8])
        writer.write(b"\x20\x02\x00\x01" if hello[8] == 5 else b"\x20\x02\x00\x00")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = client_of(Endpoint.parse(f"mqtt://127.0.0.1:{port}"), "old", clean=True)
        async with running(client):
            assert client.version == "3.1.1"
            drop(client)
            await until(lambda: client.connects == 2)
        assert levels == [5, 4, 4]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto with one user, who may read and write below ``kis/`` only."""
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    mosquitto_program()
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "bridge", "secret"],
        check=True,
        capture_output=True,
    )
    acl.write_text("user bridge\ntopic readwrite kis/#\n")
    extra = (
        f"allow_anonymous false\npassword_file {passwords}\nacl_file {acl}\n"
        "per_listener_settings false\n"
    )
    with Mosquitto.running(tmp_path, extra) as broker:
        yield broker


@pytest.mark.parametrize("version", [5, 4])
async def test_users_and_permissions(guarded: Mosquitto, version: Literal[5, 4]) -> None:
    def endpoint(credentials: str) -> Endpoint:
        return Endpoint.parse(f"mqtt://{credentials}127.0.0.1:{guarded.port}", version=version)

    assert "not authorised" in await refusal(endpoint(""))
    assert "not authorised" in await refusal(endpoint("bridge:wrong@"))
    inbox = Inbox()
    client = client_of(endpoint("bridge:secret@"), "bridge", clean=True)
    client.subscribe("kis/#", 1, inbox)
    async with running(client):
        if version == 5:
            with pytest.raises(BrokerError, match="elsewhere: not authorised"):
                await client.publish(Publication("elsewhere", b"x"), wait=True)
        await client.publish(Publication("kis/x", b"x"))
        assert (await inbox.get()).payload == b"x"


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[Mosquitto, Path]]:
    """A Mosquitto with a certificate for 127.0.0.1, and that certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt-get install openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-days", "1"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=test"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    port = free_port()
    listener = (
        f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n"
    )
    with Mosquitto.running(tmp_path, listener) as broker:
        broker.port = port
        yield broker, certificate


async def test_tls(encrypted: tuple[Mosquitto, Path]) -> None:
    broker, certificate = encrypted
    url = f"mqtts://127.0.0.1:{broker.port}"
    inbox = Inbox()
    client = client_of(Endpoint.parse(url, ca_file=certificate), "tls", clean=True)
    client.subscribe("kis/#", 1, inbox)
    async with running(client):
        for number in range(500):
            await client.publish(Publication("kis/n", str(number).encode() + b" " * 2000))
        got = [int((await inbox.get()).payload) for _ in range(500)]
        assert got == list(range(500))


async def test_a_certificate_that_nobody_vouches_for(encrypted: tuple[Mosquitto, Path]) -> None:
    says = await refusal(Endpoint.parse(f"mqtts://127.0.0.1:{encrypted[0].port}"))
    assert "TLS: self" in says
    gc.collect()  # a socket left open would be found now


async def test_a_bug_in_a_handler_ends_run_and_says_offline(
    urls: dict[str, str], topics: Topics
) -> None:
    endpoint = Endpoint.parse(urls["mosquitto"])

    async def bug(message: Message) -> None:
        raise KeyError(message.topic)

    async def provoke() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.run())
            await client.wait_connected()
            await client.publish(Publication(f"{topics.base}/x", b""))

    states = Inbox()
    client = client_of(endpoint, topics.base, will=Will(topics.state(), b"offline", b"online"))
    client.subscribe(f"{topics.base}/x", 1, bug)
    async with running(listener(endpoint, topics.state(), states)):
        with pytest.raises(ExceptionGroup) as caught:
            await provoke()
        assert caught.group_contains(KeyError, depth=2)
        assert (await states.get()).payload == b"online"
        assert (await states.get()).payload == b"offline"


async def test_cancelling_leaves_in_good_order(urls: dict[str, str], topics: Topics) -> None:
    endpoint = Endpoint.parse(urls["mosquitto"])
    inbox = Inbox()
    async with running(listener(endpoint, f"{topics.base}/#", inbox)):
        async with asyncio.TaskGroup() as group:
            client = client_of(endpoint, topics.base, will=Will(topics.state(), b"offline"))
            task = group.create_task(client.run())
            await client.wait_connected()
            for number in range(300):
                await client.publish(Publication(f"{topics.base}/n", str(number).encode()))
            task.cancel()
        payloads = [(await inbox.get()).payload for _ in range(301)]
        assert payloads == [*(str(n).encode() for n in range(300)), b"offline"]


async def test_a_message_for_nobody_does_not_block(urls: dict[str, str], topics: Topics) -> None:
    """A kept session may hold subscriptions that the program no longer has."""
    endpoint = Endpoint.parse(urls["mosquitto"])
    async with running(client_of(endpoint, f"{topics.base}-w")) as writer:
        before = client_of(endpoint, topics.base)
        before.subscribe(f"{topics.base}/old", 1, Inbox())
        async with running(before):
            pass
        inbox = Inbox()
        after = client_of(endpoint, topics.base)
        after.subscribe(f"{topics.base}/new", 1, inbox)
        await writer.publish(Publication(f"{topics.base}/old", b"x"), wait=True)
        async with running(after):
            await writer.publish(Publication(f"{topics.base}/new", b"y"))
            assert (await inbox.get()).payload == b"y"


async def test_small_messages_leave_at_once(urls: dict[str, str], topics: Topics) -> None:
    client = client_of(Endpoint.parse(urls["mosquitto ws"]), topics.base, clean=True)
    async with running(client):
        assert client._connection is not None
        sock = client._connection._paho.socket()
        assert sock is not None
        plain = socket.socket(fileno=sock.fileno())
        try:
            assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            plain.detach()


async def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        ControlClient([], client_id="x")
    client = client_of(Endpoint.parse("mqtt://127.0.0.1:1"), "x")
    with pytest.raises(ValueError, match="QoS"):
        await client.publish(Publication("a", b"", qos=2))
    with pytest.raises(ValueError, match="not a topic"):
        await client.publish(Publication("a/#", b""))


async def test_after_the_end(urls: dict[str, str], topics: Topics) -> None:
    client = client_of(Endpoint.parse(urls["mosquitto"]), topics.base, clean=True)
    async with running(client):
        with pytest.raises(RuntimeError, match="before run"):
            client.subscribe("a", 1, Inbox())
    with pytest.raises(BrokerError, match="has left"):
        await client.publish(Publication("a", b""), wait=True)
    assert client.backlog == 0


async def test_a_refused_subscription_is_said() -> None:
    """Mosquitto 2.0 grants any filter and delivers nothing, so a small broker refuses here."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")
        packet_id = (await reader.read(1000))[2:4]
        writer.write(b"\x90\x04" + packet_id + b"\x00\x87")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        says = await refusal(Endpoint.parse(f"mqtt://127.0.0.1:{port}"))
    assert says == f"MQTT broker 127.0.0.1:{port}: subscription to kis/#: not authorised"


async def test_a_session_that_another_client_takes_over_is_told_of() -> None:
    """Not every broker says so: Mosquitto 2.0.11 only hangs up."""
    told = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")
        if not told.is_set():
            writer.write(b"\xe0\x01\x8e")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = client_of(Endpoint.parse(f"mqtt://127.0.0.1:{port}"), "old", clean=True)
        client.on_taken_over(told.set)
        async with running(client):
            async with asyncio.timeout(DEADLINE_S):
                await told.wait()
            await until(lambda: client.connects == 2)


async def test_a_guest_leaves_session_and_state_to_the_owner(
    endpoint: Endpoint, topics: Topics
) -> None:
    watching, commands = Inbox(), Inbox()
    watch = listener(endpoint, f"{topics.base}/#", watching)
    will = Will(topics.state(), b"offline", birth=b"online")
    client = client_of(endpoint, f"{topics.base}-one", will=will)
    client.subscribe(topics.command_filter(), 1, commands)
    await client.stand_by(f"{topics.base}-guest")
    async with running(watch), running(client):
        assert client.guest
        await client.publish(Publication(topics.event("gap"), b"{}"), wait=True)
        assert (await watching.get()).topic == topics.event("gap"), "no word of its state"
        command = topics.command("main", "alice", "place")
        await watch.publish(Publication(command, b"1"), wait=True)
        assert (await watching.get()).topic == command
        await client.come_forward()
        await until(lambda: client.connects == 2 and client.connected)
        assert not client.guest
        assert (await watching.get()).payload == b"online"
        await watch.publish(Publication(command, b"2"), wait=True)
        assert (await commands.get()).payload == b"2"
        await watching.get()
        await client.stand_by(f"{topics.base}-guest")
        await until(lambda: client.connects == 3 and client.connected)
        await watch.publish(Publication(command, b"3"), wait=True)
        await watching.get()
    assert commands.empty, "the broker keeps it for the owner"


async def test_a_reconnect_waits_for_its_gate(endpoint: Endpoint, topics: Topics) -> None:
    gate = asyncio.Event()

    async def opened() -> None:
        waiting.set()
        await gate.wait()

    waiting = asyncio.Event()
    client = client_of(endpoint, topics.base, clean=True)
    client.wait_for(opened)
    async with running(client):
        drop(client)
        async with asyncio.timeout(DEADLINE_S):
            await waiting.wait()
        assert client.connects == 1
        gate.set()
        await until(lambda: client.connects == 2)


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


async def _published_by_a_stranger(endpoint: Endpoint, topic: str, properties: bytes) -> None:
    """Publish with QoS 1 and these MQTT 5 properties, as a client that checks nothing does."""
    variable = _field(topic.encode()) + b"\0\7" + bytes((len(properties),)) + properties + b"{}"
    connect = _field(b"MQTT") + b"\5\2\0\x3c\0" + _field(b"stranger")
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    async with asyncio.timeout(DEADLINE_S):
        for head, body in ((0x10, connect), (0x32, variable)):
            writer.write(bytes((head, len(body))) + body)
            first = await reader.readexactly(2)
            await reader.readexactly(first[1])
        assert first[0] == 0x40, "the broker took it"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
@pytest.mark.parametrize("identifier", [0x03, 0x08, 0x26], ids=["type", "response", "user"])
async def test_properties_that_paho_cannot_read_cost_one_message(
    broker: str, identifier: int, urls: dict[str, str], topics: Topics
) -> None:
    endpoint = Endpoint.parse(urls[broker])
    inbox = Inbox()
    bridge = client_of(endpoint, topics.base)
    bridge.subscribe(f"{topics.base}/#", 1, inbox)
    async with running(bridge):
        mark = _field("\ufeffjson".encode())  # a byte order mark: MQTT allows it
        properties = bytes((identifier,)) + mark + (_field(b"") if identifier == 0x26 else b"")
        await _published_by_a_stranger(endpoint, f"{topics.base}/a", properties)
        await _published_by_a_stranger(endpoint, f"{topics.base}/b", b"")
        assert (await inbox.get()).topic == f"{topics.base}/b"
        drop(bridge)
        await until(lambda: bridge.connects == 2)
        await _published_by_a_stranger(endpoint, f"{topics.base}/c", b"")
        while (await inbox.get()).topic != f"{topics.base}/c":
            pass  # b again, when its PUBACK was not on its way yet


async def test_a_request_topic_too_long_to_answer_on(urls: dict[str, str]) -> None:
    endpoint = Endpoint.parse(urls["mosquitto"])
    topics = Topics("long")
    bridge = client_of(endpoint, "long")
    requests = RequestServer(bridge, topics)

    async def echo(content: dict[str, Any], _: Message) -> object:
        return content

    requests.register("echo", echo)
    async with running(bridge), running(client_of(endpoint, "asker", clean=True)) as asker:
        prefix = f"{topics.base}/bridge/request/"
        for verb in ("a" * (65_535 - len(prefix)), " " * 40_000):
            await asker.publish(Publication(f"{prefix}{verb}", b"{}"), wait=True)
        assert await request([endpoint], "echo", {"a": 1}, topics=topics) == {"a": 1}


async def test_what_is_larger_than_the_broker_takes_is_dropped(tmp_path: Path) -> None:
    small = "allow_anonymous true\nmax_packet_size 2000\n"
    with Mosquitto.running(tmp_path, small) as broker:
        async with running(client_of(Endpoint.parse(broker.url), "large")) as client:
            with pytest.raises(BrokerError, match="the broker takes"):
                await client.publish(Publication("a", bytes(5000)), wait=True)
            await client.publish(Publication("a", bytes(5000), qos=0))
            await client.publish(Publication("a", b"small"), wait=True)
            assert (client.connects, client.backlog) == (1, 0)


async def test_after_a_stop_nothing_is_fresh_until_the_broker_has_answered(
    endpoint: Endpoint, topics: Topics
) -> None:
    now = 0
    inbox, topic = Inbox(), f"{topics.base}/x"
    client = client_of(endpoint, f"still-{topics.base}", clean=True, pulse=Pulse([lambda: now]))
    client.subscribe(topic, 1, inbox)
    async with (
        running(client) as reader,
        running(client_of(endpoint, f"writer-{topics.base}", clean=True)) as writer,
    ):
        assert reader.connected

        async def fresh() -> bool:
            await writer.publish(Publication(topic, b"x"))
            return (await inbox.get()).fresh

        assert await fresh()
        for _ in range(3):
            now += 60_000_000
            assert not await fresh()
            async with asyncio.timeout(DEADLINE_S):
                while not await fresh():
                    pass
            assert await fresh()


async def test_what_lay_in_the_socket_during_a_stop_is_not_fresh(
    endpoint: Endpoint, topics: Topics
) -> None:
    now = 0
    inbox, topic = Inbox(), f"{topics.base}/x"
    client = client_of(endpoint, f"still-{topics.base}", clean=True, pulse=Pulse([lambda: now]))
    client.subscribe(topic, 1, inbox)
    writer = client_of(endpoint, f"writer-{topics.base}", clean=True)
    async with running(client), running(writer):
        assert client._connection is not None
        sock = client._connection._paho.socket()
        assert sock is not None
        asyncio.get_running_loop().remove_reader(sock.fileno())
        for number in range(15):
            await writer.publish(Publication(topic, str(number).encode()), wait=True)
        now += 60_000_000
        asyncio.get_running_loop().add_reader(sock.fileno(), client._connection._readable)
        messages = [await inbox.get() for _ in range(15)]
        assert [int(m.payload) for m in messages] == list(range(15))
        assert not any(m.fresh for m in messages)


async def test_a_new_connection_begins_fresh(endpoint: Endpoint, topics: Topics) -> None:
    now = 0
    inbox, topic = Inbox(), f"{topics.base}/x"
    client = client_of(endpoint, f"still-{topics.base}", pulse=Pulse([lambda: now]))
    client.subscribe(topic, 1, inbox)
    writer = client_of(endpoint, f"writer-{topics.base}", clean=True)
    async with running(client), running(writer):
        now += 60_000_000
        drop(client)
        await until(lambda: client.connects == 2)
        await writer.publish(Publication(topic, b"x"))
        assert (await inbox.get()).fresh


async def test_giants_are_read_past_and_acknowledged_without_the_brokers_help(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """MQTT 3.1.1 knows no maximum packet size."""
    resource = pytest.importorskip("resource")
    giant = tmp_path / "giant"
    with giant.open("wb") as file:
        file.truncate(100_000_000)
    arrivals = Arrivals()
    limiter = RateLimiter(Topics(), arrivals)
    inbox = Inbox()
    endpoint = Endpoint.parse(mosquitto.url, version=4)
    client = client_of(endpoint, "bounded", packets=limiter)
    client.subscribe("giants", 1, inbox)
    async with running(client), lag() as lags:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(2):
            publisher = await asyncio.create_subprocess_exec(
                *(shutil.which("mosquitto_pub") or "mosquitto_pub", "-p", str(mosquitto.port)),
                *("-q", "1", "-t", "giants", "-f", str(giant)),
            )
            assert await publisher.wait() == 0
        await client.publish(Publication("giants", b"small"))
        assert (await inbox.get()).payload == b"small"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert arrivals.dropped == {"too large": 2}
    assert grown < 20_000, "kilobytes"
    assert max(lags) < 1, "the loop goes on meanwhile"
    again = client_of(endpoint, "bounded", packets=limiter)
    again.subscribe("giants", 1, inbox)
    async with running(again):
        await again.publish(Publication("giants", b"last"))
        assert (await inbox.get()).payload == b"last"
    assert arrivals.dropped == {"too large": 2}, "they do not come again"


@asynccontextmanager
async def lag() -> AsyncIterator[list[float]]:
    """Measure how late the event loop is, every few milliseconds."""
    lags = [0.0]
    loop = asyncio.get_running_loop()

    async def measure() -> None:
        while True:
            due = loop.time() + 0.005
            await asyncio.sleep(0.005)
            lags.append(loop.time() - due)

    async with asyncio.TaskGroup() as group:
        measuring = group.create_task(measure())
        try:
            yield lags
        finally:
            measuring.cancel()
