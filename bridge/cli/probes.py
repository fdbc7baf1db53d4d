"""What ``check`` tries over the network; each probe gives a row of its table."""

from __future__ import annotations

import asyncio
import statistics
import time
from secrets import token_hex
from typing import Final

import httpx

from bridge.catalog.model import Catalog
from bridge.cli.broker import endpoint_of
from bridge.cli.findings import LIMIT_S, Finding, bounded, ok, problem
from bridge.config.kis import AccountConfig, AppConfig
from bridge.config.models import Config, MqttConfig
from bridge.embedded import broker as embedded
from bridge.errors import BrokerError
from bridge.kis.auth import Tokens
from bridge.kis.clock import FAR_US, SKEW_US, KisClock
from bridge.kis.replies import Reply
from bridge.kis.rest import RestClient, ask_time
from bridge.kis.throttle import Throttle
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Message, Publication
from bridge.mqtt.topics import Topics

__all__ = ["app", "balance", "broker", "clock", "rest_client"]

SLOW_MS: Final = 5.0
STALL_MS: Final = 25.0
"""A delayed TCP acknowledgement is 40 ms; Nagle's algorithm makes a message wait for it."""
MESSAGES: Final = 100
NODELAY: Final = "set_tcp_nodelay true in mosquitto.conf; or a nearer broker"


async def broker(mqtt: MqttConfig, url: str) -> Finding:
    """Measure the way through the broker as readers of market data see it.

    Two connections, because Nagle's algorithm shows only towards a client that just listens.
    """
    if mqtt.embedded:
        if not embedded.installed():
            return problem("broker", embedded.MISSING, embedded.MEND)
        return ok("broker", "embedded; it starts with the bridge")
    endpoint = endpoint_of(mqtt, url)
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
                await writer.publish(Publication(topic, bytes(100), qos=0, expiry_s=10))
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


async def clock(http: httpx.AsyncClient, rest_url: str) -> Finding:
    """Compare this machine's clock with the Date header of KIS's server."""
    there = KisClock()
    try:
        await ask_time(http, rest_url, there, LIMIT_S)
    except httpx.HTTPError as error:
        return problem(
            "clock",
            f"cannot reach {rest_url} ({type(error).__name__})",
            "check the network, kis.environment and kis.rest_url",
        )
    offset = there.offset
    if offset is None:
        return ok("clock", f"not compared: {rest_url} does not tell its time")
    if there.difference > SKEW_US:
        side = "behind" if offset > 0 else "ahead of"
        stops = "; no new orders are sent" if there.difference > FAR_US else ""
        return problem(
            "clock",
            f"{abs(offset) / 1e6:.0f} s {side} KIS{stops}",
            "synchronise this machine's clock (NTP)",
        )
    return ok("clock", f"within {SKEW_US / 1e6:g} s of KIS")


async def app(
    config: Config, key: AppConfig, catalog: Catalog | None, http: httpx.AsyncClient
) -> list[Finding]:
    """Take a token, and ask for the balance of each account that uses this app key."""
    kis = config.kis
    tokens = Tokens(http, kis.rest_url, key.app_key, key.app_secret, kis.state_dir)
    rows = [await bounded(f"credentials {key.alias}", _token(tokens, key))]
    if catalog is None or rows[0].status == "problem":
        return rows
    client = rest_client(config, key, catalog, http, tokens)
    mine = [account for account in kis.accounts if account.app == key.alias]
    return rows + [
        await bounded(f"account {account.alias}", _account(client, account)) for account in mine
    ]


async def _token(tokens: Tokens, key: AppConfig) -> Finding:
    await tokens.token(deadline=time.monotonic() + LIMIT_S)
    return ok(f"credentials {key.alias}", "KIS gave a token, or one is kept")


def rest_client(
    config: Config, key: AppConfig, catalog: Catalog, http: httpx.AsyncClient, tokens: Tokens
) -> RestClient:
    """Return a client that makes single calls with one app key."""
    kis = config.kis
    return RestClient(
        catalog,
        http,
        kis.rest_url,
        key.app_key,
        key.app_secret,
        tokens,
        Throttle(kis.rest_per_second),
        paper=kis.paper,
    )


async def balance(client: RestClient, account: AccountConfig) -> Reply | None:
    """Ask for the stock balance: the cheapest call that shows the account belongs to the key.

    None: it is no stock account.
    """
    if account.product_code in ("03", "08"):
        return None
    return await client.call(
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


async def _account(client: RestClient, account: AccountConfig) -> Finding:
    what, reply = f"account {account.alias}", await balance(client, account)
    if reply is None:
        return ok(what, "not asked for: it is no stock account")
    if reply.ok:
        return ok(what, "KIS answers for it")
    return problem(
        what,
        f"KIS refuses: {reply.msg_cd} {reply.msg1.strip()}",
        "check its number, and that its app key was issued for it",
    )
