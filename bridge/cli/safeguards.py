"""What is tried before real money is at stake, and said where it is not."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx
import structlog

from bridge.catalog.model import Catalog
from bridge.cli.broker import endpoint_of
from bridge.cli.findings import LIMIT_S, Finding, ok, problem
from bridge.cli.probes import balance, rest_client
from bridge.config.models import Config
from bridge.errors import BrokerError, ConfigError
from bridge.kis.answers import OTHER_SERVER
from bridge.kis.auth import Tokens
from bridge.kis.clock import SKEW_US, KisClock
from bridge.kis.replies import KisError, KisRefusedError
from bridge.kis.rest import ask_time, open_http
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.event_payloads import ConfigWarningEvent
from bridge.mqtt.strangers import Stranger, strangers
from bridge.mqtt.topics import Topics

__all__ = ["safe_with_real_money", "strangers_let_in", "watch_for_strangers"]

log = structlog.get_logger()

_BROKER_S: Final = 30.0
"""What the broker may take to be there at start."""
_MEND: Final = "allow_anonymous false, and a user and an ACL for each client: mosquitto/README.md"


async def safe_with_real_money(
    config: Config, catalog: Catalog, endpoints: Sequence[Endpoint]
) -> None:
    """Return when nothing speaks against it.

    A broker that is not there, or a KIS that does not answer, keeps orders from going out anyway.
    Raises :class:`ConfigError` that names the mend, and :class:`BrokerError`.
    """
    async with open_http() as http:
        for problems in await asyncio.gather(
            _strangers(config, endpoints), _clock(config, http), _keys(config, catalog, http)
        ):
            for said in problems:
                raise ConfigError(f"{said} (kis.environment = 'real')")


def watch_for_strangers(
    config: Config, control: ControlClient, tell: Callable[[ConfigWarningEvent], None]
) -> None:
    """Have the broker tried after each connect, and say so when it lets strangers do harm."""

    async def look() -> None:
        for stranger in await _all(config, control.endpoints):
            if stranger.writes or config.real_money:
                tell({"kind": "config_warning", "message": f"{_said(stranger)}: {_MEND}"})

    if _matters(config) and not config.mqtt.embedded:
        control.on_connected(look)


async def strangers_let_in(config: Config) -> Finding:
    """Say whether the brokers of a configuration let in who has no business there."""
    what, mqtt = "strangers", config.mqtt
    if not _matters(config):
        return ok(what, "not looked for: nothing is at stake")
    if mqtt.embedded:
        return ok(what, "whoever is on this machine reaches the embedded broker")
    found = await _all(config, [endpoint_of(mqtt, url) for url in mqtt.url])
    for stranger in found:
        if stranger.writes or config.real_money:
            return problem(what, _said(stranger), _MEND)
    return ok(what, f"{_said(found[0])}" if found else "are not let in by the broker")


def _matters(config: Config) -> bool:
    return bool(config.kis.accounts) and config.kis.environment != "simulator"


async def _all(config: Config, endpoints: Sequence[Endpoint]) -> list[Stranger]:
    topics = Topics(config.mqtt.base_topic)
    each = await asyncio.gather(*(strangers(endpoint, topics) for endpoint in endpoints))
    return [stranger for found in each for stranger in found]


def _said(stranger: Stranger) -> str:
    may = " and ".join(stranger.writes) or "none of the bridge's topics"
    return f"the broker {stranger.broker} lets in {stranger.who}, who may publish on {may}"


async def _strangers(config: Config, endpoints: Sequence[Endpoint]) -> list[str]:
    # Nobody is let in by a broker that is not there yet.
    client = ControlClient(
        endpoints, client_id=f"kis-bridge-{secrets.token_hex(8)}", clean=True, leave_s=0.5
    )
    failure: BrokerError | None = None
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(client.run())
        try:
            await client.wait_connected(deadline_s=_BROKER_S)
        except BrokerError as error:
            failure = error
        finally:
            running.cancel()
    if failure is not None:
        raise failure
    return [f"{_said(one)}: set {_MEND}" for one in await _all(config, endpoints)]


async def _clock(config: Config, http: httpx.AsyncClient) -> list[str]:
    there = KisClock()
    try:
        await ask_time(http, config.kis.rest_url, there, LIMIT_S)
    except httpx.HTTPError:
        return []
    if there.offset is None or there.difference <= SKEW_US:
        return []
    side = "behind" if there.offset > 0 else "ahead of"
    apart = f"{abs(there.offset) / 1e6:.0f} s {side} KIS's"
    return [f"this machine's clock is {apart}: synchronise it (NTP), then start again"]


async def _keys(config: Config, catalog: Catalog, http: httpx.AsyncClient) -> list[str]:
    """Say which app keys are not for this server; paper and real trading have their own."""
    kis = config.kis
    problems = []
    for key in kis.apps:
        tokens = Tokens(http, kis.rest_url, key.app_key, key.app_secret, kis.state_dir)
        client = rest_client(config, key, catalog, http, tokens)
        mine = [account for account in kis.accounts if account.app == key.alias]
        token = False
        try:
            await tokens.token(deadline=time.monotonic() + LIMIT_S)
            token = True
            for account in mine[:1]:
                await balance(client, account)
        except KisError as error:
            refused = isinstance(error, KisRefusedError)
            if refused and (not token or error.msg_cd in OTHER_SERVER):
                problems.append(f"app key {key.alias}: {error}")
                continue
            log.warning("app key not tried", app=key.alias, cause=str(error))
    return problems
