"""Says on MQTT what became of commands and orders."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import structlog

from bridge.errors import BrokerError
from bridge.kis.executions import ExecutionNotice
from bridge.kis.listing import ListedOrder
from bridge.mqtt import payloads as bridge_payloads
from bridge.mqtt.event_payloads import (
    BridgeEvent,
    HaltCancelledEvent,
    HaltDoneEvent,
    HaltedEvent,
    OrderAmbiguousEvent,
    OrderDifferenceEvent,
    OrderUnknownEvent,
    PositionDifferenceEvent,
    ResumedEvent,
)
from bridge.mqtt.message import Message, Publication, Sink
from bridge.mqtt.topics import Topics
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import TradingEnvironment
from bridge.orders.publishing import payloads
from bridge.runtime.clock import seoul_day_end, seoul_time

__all__ = ["Publisher", "Saying", "Sink"]

log = structlog.get_logger()

Saying: TypeAlias = Callable[[], Awaitable[None]]
"""Publishes something when it is called."""

_INVALID = "invalid"
"""Topic level of the ack of a payload whose ``client_order_id`` cannot be read."""
_SHOWN = 200
_CANDIDATES = 20
"""Rows in one event."""
_DAY_S = 86_400
"""A state outlives its Korean day: orders of some markets do too, and the bridge clears it."""


class Publisher:
    """Publishes in the order of :meth:`post`; what cannot be published is logged.

    No command waits for the broker. The journal knows what was to be said, and a restart says it
    again.
    """

    def __init__(
        self,
        sink: Sink,
        topics: Topics,
        response_prefixes: Sequence[str] = (),
        environment: TradingEnvironment = "",
    ) -> None:
        self._environment = environment
        self._sink = sink
        self._prefixes = response_prefixes
        self._topics = topics
        self._waiting: asyncio.Queue[Saying] = asyncio.Queue()
        self.refused: Counter[str] = Counter()
        """Commands that were refused, by reason."""

    def post(self, *sayings: Saying) -> None:
        """Have something said, after everything that was posted before."""
        for saying in sayings:
            self._waiting.put_nowait(saying)

    async def run(self) -> None:
        """Say what is posted, until cancelled."""
        while True:
            saying = await self._waiting.get()
            try:
                await saying()
            finally:
                self._waiting.task_done()

    async def drain(self) -> None:
        """Return when everything posted so far is said."""
        await self._waiting.join()

    async def acknowledge(
        self, managed: ManagedOrder, message: Message | None = None, *, duplicate: bool = False
    ) -> None:
        """Publish the first answer of a command."""
        account, client, client_order_id, _ = managed.identity
        answer = managed.progress.answer
        if answer is not None and answer.event is Event.REFUSE and not duplicate:
            self.refused[answer.reason] += 1
        payload = payloads.ack(managed, duplicate=duplicate, environment=self._environment)
        await self._ack(account, client, client_order_id, payload, message)

    async def refuse(
        self,
        account: str,
        client: str,
        verb: str,
        name: tuple[str, str],
        answer: Step,
        message: Message,
    ) -> None:
        """Publish the ack of a command that is not in the journal, by its two ids."""
        self.refused[answer.reason] += 1
        payload = payloads.refusal(
            *(name[0], verb, name[1], answer, message.received_at), environment=self._environment
        )
        # What names no order is no word on any, so that it may come behind those that are.
        level, later = name[0] or _INVALID, not name[0]
        await self._ack(account, client, level, payload, message, later=later)

    async def event(self, order: ManagedOrder, payload: bytes) -> None:
        """Publish a later step of an order, as :func:`payloads.event` wrote it."""
        account, client, client_order_id, _ = order.identity
        await self._publish(self._topics.order_event(account, client, client_order_id), payload)

    async def state(self, order: ManagedOrder, payload: bytes, now: int) -> None:
        """Publish the whole order, as :func:`payloads.state` wrote it, retained."""
        account, client, client_order_id, _ = order.identity
        await self._publish(
            self._topics.order_state(account, client, client_order_id),
            payload,
            retain=True,
            expiry_s=max(1, (seoul_day_end(now) - now) // 1_000_000 + _DAY_S),
        )

    async def clear_state(self, order: ManagedOrder) -> None:
        account, client, client_order_id, _ = order.identity
        topic = self._topics.order_state(account, client, client_order_id)
        await self._publish(topic, b"", retain=True)

    async def unknown(self, managed: ManagedOrder, now: int, why: str = "") -> None:
        """Tell everybody that nobody knows what became of a command."""
        account, client, client_order_id, command_id = managed.identity
        event: OrderUnknownEvent = {
            "kind": "order_unknown",
            "account": account,
            "client": client,
            "client_order_id": client_order_id,
            "verb": managed.verb,
        }
        if command_id:
            event["command_id"] = command_id
        if why:
            event["message"] = why
        await self._event(event, now)

    async def ambiguous(self, managed: ManagedOrder, rows: Sequence[ListedOrder], now: int) -> None:
        """Tell which rows of the exchange's list may be a command, for a person to choose."""
        account, client, client_order_id, command_id = managed.identity
        event: OrderAmbiguousEvent = {
            "kind": "order_ambiguous",
            "account": account,
            "client": client,
            "client_order_id": client_order_id,
            "verb": managed.verb,
            "symbol": next((row.symbol for row in rows if row.symbol), ""),
            "candidates": [payloads.candidate(row) for row in rows[:_CANDIDATES]],
        }
        if command_id:
            event["command_id"] = command_id
        log.warning("order ambiguous", identity=managed.identity, verb=managed.verb)
        await self._event(event, now)

    async def external(self, alias: str, notice: ExecutionNotice, at: int) -> None:
        """Publish a notice of an order that was placed elsewhere."""
        await self._publish(self._topics.external(alias), payloads.external(notice, at))
        await self._event(
            {
                "kind": "order_external",
                "account": alias,
                "order_no": notice.order_no,
                "symbol": notice.symbol,
                "what": notice.kind,
            },
            at,
        )

    async def external_row(self, alias: str, row: ListedOrder, at: int) -> None:
        """Publish what the exchange's list has of an order that was placed elsewhere."""
        await self._publish(self._topics.external(alias), payloads.external_row(row, at))
        await self._event(
            {
                "kind": "order_external",
                "account": alias,
                "order_no": row.order_no,
                "symbol": row.symbol,
                "what": "listed",
            },
            at,
        )

    async def difference(
        self, event: OrderDifferenceEvent | PositionDifferenceEvent, at: int
    ) -> None:
        """Tell that the exchange has it otherwise than the journal."""
        log.warning("differs from the exchange", **event)
        await self._event(event, at)

    async def halted(
        self, event: HaltedEvent | HaltCancelledEvent | HaltDoneEvent | ResumedEvent, at: int
    ) -> None:
        """Tell who may trade no more, or again."""
        await self._event(event, at)

    async def account(self, alias: str, what: str, payload: bytes) -> None:
        """Publish what an account holds, retained."""
        await self._publish(self._topics.account(alias, what), payload, retain=True)

    async def _event(self, event: BridgeEvent, at: int) -> None:
        payload = bridge_payloads.event(event, seoul_time(at))
        await self._publish(self._topics.event(event["kind"]), payload)

    async def _ack(
        self,
        account: str,
        client: str,
        level: str,
        payload: bytes,
        message: Message | None,
        *,
        later: bool = False,
    ) -> None:
        wanted = message.response_topic if message is not None else ""
        allowed = not wanted or self._topics.allows_response(wanted, self._prefixes, client)
        if not allowed:
            log.info("response topic not allowed", client=client, topic=wanted[:_SHOWN])
            text = (
                f"not answered on {wanted[:_SHOWN]!r} too: a response topic is "
                f"{self._topics.response('VERB', client)}/…, {client}/…, or under "
                "mqtt.response_prefixes"
            )
            payload = payloads.add_message(payload, text)
        topic = self._topics.order_ack(account, client, level)
        await self._publish(topic, payload, later=later)
        if allowed and wanted and message is not None:
            await self._publish(wanted, payload, correlation=message.correlation, later=later)

    async def _publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        correlation: bytes = b"",
        later: bool = False,
    ) -> None:
        said = Publication(
            *(topic, payload, 1, retain, expiry_s), correlation=correlation, later=later
        )
        try:
            await self._sink.publish(said)
        except BrokerError as error:
            log.warning("not published", topic=topic, cause=str(error))
