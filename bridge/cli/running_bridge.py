"""What ``check`` says about the bridge that runs: by what it has published of itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Any, Final

from bridge.cli import halts
from bridge.cli.broker import endpoint_of
from bridge.cli.findings import LIMIT_S, Finding, ok, problem
from bridge.config.models import MqttConfig
from bridge.errors import BrokerError
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.runtime.bounded_json import JsonError, decode_object
from bridge.runtime.clock import seoul_moment

__all__ = ["Said", "Verdict", "judge", "running", "take_note"]

RETAINED_S: Final = 1.0
"""What is retained comes at once; nothing for so long means that there is nothing."""
STALE_S: Final = 35.0
"""Health is published every 10 s."""
STARTING_S: Final = 15.0
"""So long after its start a bridge may still be busy to connect and subscribe."""


@dataclass(slots=True)
class Said:
    """The newest of what a bridge has published; None: nothing yet."""

    state: Mapping[str, Any] | None = None
    info: Mapping[str, Any] | None = None
    health: Mapping[str, Any] | None = None
    guest: Mapping[str, Any] | None = None
    """Health of a bridge that sends no orders, because another one does."""
    owners: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Who sends for which account, by topic."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Rows of the table."""

    rows: list[Finding]
    final: bool
    """Whether waiting for the next health would be of no use."""


async def running(mqtt: MqttConfig, url: str) -> list[Finding]:
    """Say how the bridge on this broker does, and whether it takes orders; within five seconds."""
    if mqtt.embedded:
        return [ok("bridge", "has a broker of its own; see its web page")]
    topics = Topics(mqtt.base_topic)
    client = ControlClient(
        [endpoint_of(mqtt, url)],
        client_id=f"kis-bridge-check-{token_hex(4)}",
        clean=True,
        leave_s=0.5,
    )
    said, news = Said(), asyncio.Event()
    members = {topics.state(): "state", topics.info(): "info", topics.health(): "health"}

    async def take(message: Message) -> None:
        message.ack()
        with contextlib.suppress(JsonError):
            take_note(said, members.get(message.topic, message.topic), message.payload)
        news.set()

    for topic in (*members, topics.owner_filter()):
        client.subscribe(topic, 0, take)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.run())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LIMIT_S):
                    await client.wait_connected(fail_fast=True)
                    await _wait(said, news)
        except BrokerError:
            return [ok("bridge", "not looked for: no broker")]
        finally:
            task.cancel()
    return judge(said, time.time()).rows


def take_note(said: Said, what: str, payload: bytes) -> None:
    """Take note of a message: of a member of ``said``, or else of who sends for an account.

    Raises JsonError when it cannot be read.
    """
    content = decode_object(payload, len(payload), names=10_000)
    if what not in ("state", "info", "health"):
        said.owners[what] = content
        return
    setattr(said, what, content)
    # Two bridges that share a base topic publish their health in turns.
    if what == "health" and not content.get("owner", {}).get("mine", True):
        said.guest = content


async def _wait(said: Said, news: asyncio.Event) -> None:
    """Return when there is nothing more to wait for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RETAINED_S):
            while said.state is None or said.info is None or said.health is None:
                await news.wait()
                news.clear()
    while not judge(said, time.time()).final:
        await news.wait()
        news.clear()


def judge(said: Said, now: float) -> Verdict:
    """Return what the bridge's words mean at this time, in seconds since the epoch.

    What is retained may be the last word of a bridge that has ended, or of one that was only
    starting: then a newer one is worth waiting for.
    """
    if said.state is None or said.state.get("state") != "online":
        return Verdict([ok("bridge", "none is running on this broker")], final=True)
    started = _started(said.info)
    age = f"started {max(now - started, 0):.0f} s ago" if started else "is online"
    if said.health is None or said.health["at"] / 1e6 < started:
        return Verdict(
            [
                problem(
                    "bridge",
                    f"{age} and has not published its health since",
                    "check again in ten seconds, then look at its log",
                )
            ],
            final=False,
        )
    rows = [_health(said.health, now), _trading(said.health), *_journal(said.health)]
    rows += _orders(said)
    settled = rows[0].status == "ok" or now - started > STARTING_S
    stale = now - said.health["at"] / 1e6 > STALE_S
    return Verdict(rows, final=settled and not stale)


def _started(info: Mapping[str, Any] | None) -> float:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return datetime.fromisoformat((info or {})["started_at"]).timestamp()
    return 0.0


def _health(numbers: Mapping[str, Any], now: float) -> Finding:
    sessions, subscriptions = numbers["sessions"], numbers["subscriptions"]
    publish, lag = numbers["publish"], numbers["lag_us"]
    away = [app for app, session in sessions.items() if session["state"] != "connected"]
    age = now - numbers["at"] / 1e6
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


def _trading(numbers: Mapping[str, Any]) -> Finding:
    if not numbers["halted"]:
        return ok("trading", "nobody is halted")
    named = numbers.get("halts")
    if not named:  # an older bridge does not say who
        return problem("trading", "somebody is halted", "kis-bridge resume")
    return problem("trading", halts.listing(named), halts.way_back(named))


def _orders(said: Said) -> list[Finding]:
    rows = [
        ok("orders", f"{topic.rsplit('/')[-1]}: sent by {claim['host']}, since {since}")
        for topic, claim in sorted(said.owners.items())
        if claim.get("owner") and (since := seoul_moment(claim["since"]))
    ]
    if said.guest is not None:
        mend = "stop one of the two bridges, or let it stand by"
        rows.append(
            problem("orders", f"one bridge sends none: {said.guest['owner']['reason']}", mend)
        )
    return rows


def _journal(numbers: Mapping[str, Any]) -> list[Finding]:
    journal = numbers.get("journal")  # an older bridge does not say
    if not journal or journal["state"] == "sound":
        return []
    mend = "make room on its disk" if journal["state"] == "failing" else "see docs/orders.md"
    return [problem("journal", f"{journal['reason']}; new orders are refused", mend)]
