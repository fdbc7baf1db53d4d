"""What ``check`` tries over the network; each probe gives a row of its table."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from secrets import token_hex
from typing import Any, Final, Literal

import httpx

from bridge.catalog.model import Catalog
from bridge.config.kis import AccountConfig, AppConfig
from bridge.config.models import Config, MqttConfig
from bridge.errors import BridgeError, BrokerError
from bridge.kis.auth import Tokens
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Throttle
from bridge.mqtt.client import ControlClient, Message
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics

__all__ = ["Finding", "app", "bounded", "broker", "clock", "ok", "problem", "running"]

LIMIT_S: Final = 5.0
SLOW_MS: Final = 5.0
STALL_MS: Final = 25.0
"""A delayed TCP acknowledgement is 40 ms; Nagle's algorithm makes a message wait for it."""
MESSAGES: Final = 100
RETAINED_S: Final = 1.0
STALE_S: Final = 35.0
"""Health is published every 10 s."""
NODELAY: Final = "set_tcp_nodelay true in mosquitto.conf; or a nearer broker"
CLOCK_S: Final = 2.0
"""The Date header has whole seconds; orders expire by this clock."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the table."""

    what: str
    status: Literal["ok", "problem"]
    detail: str
    mend: str = ""


def ok(what: str, detail: str) -> Finding:
    return Finding(what, "ok", detail)


def problem(what: str, detail: str, mend: str = "") -> Finding:
    return Finding(what, "problem", detail, mend)


async def bounded(what: str, attempt: Awaitable[Finding]) -> Finding:
    """Turn a late answer, and any error of ours, into a row."""
    try:
        async with asyncio.timeout(LIMIT_S):
            return await attempt
    except TimeoutError:
        return problem(what, f"no answer within {LIMIT_S:g} s")
    except BridgeError as error:
        return problem(what, str(error))


async def broker(mqtt: MqttConfig, url: str) -> Finding:
    """Measure the way through the broker as readers of market data see it.

    Two connections, because Nagle's algorithm shows only towards a client that just listens.
    """
    if mqtt.embedded:
        return ok("broker", "embedded; it starts with the bridge")
    endpoint = _endpoint(mqtt, url)
    name = f"kis-bridge-check-{token_hex(4)}"
    writer = ControlClient([endpoint], client_id=f"{name}-w", clean=True, leave_s=0.5)
    reader = ControlClient([endpoint], client_id=f"{name}-r", clean=True, leave_s=0.5)
    topic = f"{Topics(mqtt.base_topic).base}/bridge/check/{name}"
    arrived: asyncio.Queue[float] = asyncio.Queue()

    async def take(message: Message) -> None:
        arrived.put_nowait(time.monotonic())
        message.ack()

    reader.subscribe(topic, 0, take)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()) for client in (writer, reader)]
        try:
            await writer.wait_connected(fail_fast=True)
            await reader.wait_connected(fail_fast=True)
            sent = []
            for _ in range(MESSAGES):
                sent.append(time.monotonic())
                await writer.publish(topic, bytes(100), qos=0, expiry_s=10)
                await asyncio.sleep(0.001)
            trips = [(await arrived.get() - at) * 1000 for at in sent]
        except BrokerError as error:
            return problem("broker", str(error), "check mqtt.url, mqtt.username and the broker")
        finally:
            for task in tasks:
                task.cancel()
    median, worst = statistics.median(trips), max(trips)
    detail = f"{url}: MQTT through it in {median:.1f} ms (median), {worst:.1f} ms (worst)"
    if median > SLOW_MS or worst - median > STALL_MS:
        return problem("broker", detail, NODELAY)
    return ok("broker", detail)


async def running(mqtt: MqttConfig, url: str) -> Finding:
    """Say how the bridge on this broker does, by the health that it has published."""
    if mqtt.embedded:
        return ok("bridge", "has a broker of its own; see its web page")
    topics = Topics(mqtt.base_topic)
    client = ControlClient(
        [_endpoint(mqtt, url)],
        client_id=f"kis-bridge-check-{token_hex(4)}",
        clean=True,
        leave_s=0.5,
    )
    said: dict[str, dict[str, Any]] = {}
    both = asyncio.Event()

    async def take(message: Message) -> None:
        message.ack()
        with contextlib.suppress(ValueError):
            said[message.topic] = json.loads(message.payload)
        if len(said) == len(wanted):
            both.set()

    wanted = (topics.state(), topics.health())
    for topic in wanted:
        client.subscribe(topic, 0, take)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.run())
        try:
            await client.wait_connected(fail_fast=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETAINED_S):
                    await both.wait()
        except BrokerError:
            return ok("bridge", "not looked for: no broker")
        finally:
            task.cancel()
    if said.get(topics.state(), {}).get("state") != "online" or topics.health() not in said:
        return ok("bridge", "none is running on this broker")
    return _health(said[topics.health()])


def _health(numbers: Mapping[str, Any]) -> Finding:
    sessions, subscriptions = numbers["sessions"], numbers["subscriptions"]
    publish, lag = numbers["publish"], numbers["lag_us"]
    away = [app for app, session in sessions.items() if session["state"] != "connected"]
    age = time.time() - numbers["at"] / 1e6
    detail = (
        f"{len(sessions) - len(away)} of {len(sessions)} sessions,"
        f" {subscriptions['live']} of {subscriptions['wanted']} subscriptions live;"
        f" {publish['published']} published, {publish['dropped']} dropped,"
        f" {publish['possibly_lost']} possibly lost, {numbers['decode_errors']} not decoded"
    )
    if lag["p99"] is not None:
        detail += f"; lag p99 {lag['p99'] / 1000:.1f} ms"
    if age > STALE_S:
        return problem("bridge", f"last heard of {age:.0f} s ago; {detail}", "look at its log")
    if away:
        return problem("bridge", f"{detail}; away: {', '.join(away)}", "look at its log")
    if subscriptions["waiting"]:
        more = f"{detail}; {subscriptions['waiting']} wait for a slot"
        return problem("bridge", more, "subscribe less, or add an app key")
    return ok("bridge", detail)


def _endpoint(mqtt: MqttConfig, url: str) -> Endpoint:
    return Endpoint.parse(
        url,
        username=mqtt.username or "",
        password=mqtt.password,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
    )


async def clock(http: httpx.AsyncClient, rest_url: str) -> Finding:
    """Compare this machine's clock with the Date header of KIS's server."""
    before = datetime.now(UTC)
    try:
        response = await http.get(rest_url, timeout=LIMIT_S)
    except httpx.HTTPError as error:
        return problem(
            "clock",
            f"cannot reach {rest_url} ({type(error).__name__})",
            "check the network, kis.environment and kis.rest_url",
        )
    now = before + (datetime.now(UTC) - before) / 2
    try:
        theirs = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return ok("clock", f"not compared: {rest_url} does not tell its time")
    # Their second has begun up to a second ago.
    ahead = (now - theirs).total_seconds() - 0.5
    if abs(ahead) > CLOCK_S:
        side = "ahead of" if ahead > 0 else "behind"
        return problem(
            "clock",
            f"{abs(ahead):.0f} s {side} KIS",
            "synchronise this machine's clock (NTP)",
        )
    return ok("clock", f"within {CLOCK_S:g} s of KIS")


async def app(
    config: Config, key: AppConfig, catalog: Catalog | None, http: httpx.AsyncClient
) -> list[Finding]:
    """Take a token, and ask for the balance of each account that uses this app key."""
    kis = config.kis
    tokens = Tokens(http, kis.rest_url, key.app_key, key.app_secret, kis.state_dir)
    rows = [await bounded(f"credentials {key.alias}", _token(tokens, key))]
    if catalog is None or rows[0].status == "problem":
        return rows
    client = RestClient(
        catalog,
        http,
        kis.rest_url,
        key.app_key,
        key.app_secret,
        tokens,
        Throttle(kis.rest_per_second),
        paper=kis.environment != "real",
    )
    mine = [account for account in kis.accounts if account.app == key.alias]
    return rows + [
        await bounded(f"account {account.alias}", _account(client, account)) for account in mine
    ]


async def _token(tokens: Tokens, key: AppConfig) -> Finding:
    await tokens.token(deadline=time.monotonic() + LIMIT_S)
    return ok(f"credentials {key.alias}", "KIS gave a token, or one is kept")


async def _account(client: RestClient, account: AccountConfig) -> Finding:
    """Ask for the stock balance: the cheapest call that shows the account belongs to the key."""
    what = f"account {account.alias}"
    if account.product_code in ("03", "08"):
        return ok(what, "not asked for: it is no stock account")
    reply = await client.call(
        "domestic_stock/inquire_balance",
        {
            "CANO": account.cano.get_secret_value(),
            "ACNT_PRDT_CD": account.product_code,
            "AFHR_FLPR_YN": "N",
            "INQR_DVSN": "02",
            "UNPR_DVSN": "01",
            "FUND_STTL_ICLD_YN": "N",
            "FNCG_AMT_AUTO_RDPT_YN": "N",
            "PRCS_DVSN": "01",
        },
        deadline=time.monotonic() + LIMIT_S,
    )
    if reply.ok:
        return ok(what, "KIS answers for it")
    return problem(
        what,
        f"KIS refuses: {reply.msg_cd} {reply.msg1.strip()}",
        "check its number, and that its app key was issued for it",
    )
