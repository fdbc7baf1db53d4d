"""Says on MQTT what became of commands and orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from bridge.errors import BrokerError
from bridge.kis.orders import Notice
from bridge.mqtt import payloads
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.orders import answers
from bridge.orders.book import Tracked, day_end
from bridge.orders.lifecycle import Step

__all__ = ["Announcer", "Publisher"]

log = structlog.get_logger()

_INVALID = "invalid"
"""Topic level of the ack of a payload whose ``client_order_id`` cannot be read."""
_SEOUL = ZoneInfo("Asia/Seoul")


class Publisher(Protocol):
    """The part of the MQTT client that orders need."""

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry_s: int | None = None,
        correlation: bytes = b"",
    ) -> None: ...


class Announcer:
    """Publishes; what cannot be published is logged, the journal knows it."""

    def __init__(
        self, publisher: Publisher, topics: Topics, response_prefixes: Sequence[str] = ()
    ) -> None:
        self._publisher = publisher
        self._prefixes = response_prefixes
        self._topics = topics

    async def acknowledge(
        self, tracked: Tracked, message: Message | None = None, *, duplicate: bool = False
    ) -> None:
        """Publish the first answer of a command."""
        account, client, client_order_id, _ = tracked.identity
        payload = answers.ack(tracked, duplicate=duplicate)
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
        payload = answers.refusal(name[0], verb, name[1], answer, message.received_at)
        await self._ack(account, client, name[0] or _INVALID, payload, message)

    async def event(self, order: Tracked, payload: bytes) -> None:
        """Publish a later step of an order, as :func:`bridge.orders.answers.event` wrote it."""
        account, client, client_order_id, _ = order.identity
        await self._publish(self._topics.order_event(account, client, client_order_id), payload)

    async def state(self, order: Tracked, now: int) -> None:
        """Publish the whole order, retained until the Korean day ends."""
        account, client, client_order_id, _ = order.identity
        await self._publish(
            self._topics.order_state(account, client, client_order_id),
            answers.state(order),
            retain=True,
            expiry_s=max(1, (day_end(now) - now) // 1_000_000),
        )

    async def clear_state(self, order: Tracked) -> None:
        account, client, client_order_id, _ = order.identity
        topic = self._topics.order_state(account, client, client_order_id)
        await self._publish(topic, b"", retain=True)

    async def unknown(self, tracked: Tracked, now: int) -> None:
        """Tell everybody that nobody knows what became of a command."""
        account, client, client_order_id, _ = tracked.identity
        payload = payloads.event(
            "order_unknown",
            datetime.fromtimestamp(now / 1_000_000, _SEOUL),
            account=account,
            client=client,
            client_order_id=client_order_id,
            verb=tracked.verb,
        )
        await self._publish(self._topics.event("order_unknown"), payload)

    async def external(self, alias: str, notice: Notice, at: int) -> None:
        """Publish a notice of an order that was placed elsewhere."""
        await self._publish(self._topics.external(alias), answers.external(notice, at))
        payload = payloads.event(
            "order_external",
            datetime.fromtimestamp(at / 1_000_000, _SEOUL),
            account=alias,
            order_no=notice.order_no,
            symbol=notice.symbol,
            what=notice.kind,
        )
        await self._publish(self._topics.event("order_external"), payload)

    async def _ack(
        self, account: str, client: str, level: str, payload: bytes, message: Message | None
    ) -> None:
        await self._publish(self._topics.order_ack(account, client, level), payload)
        if message is None or not message.response_topic:
            return
        if self._topics.allows_response(message.response_topic, (client, *self._prefixes)):
            await self._publish(message.response_topic, payload, correlation=message.correlation)
        else:
            log.info("response topic not allowed", client=client, topic=message.response_topic)

    async def _publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        correlation: bytes = b"",
    ) -> None:
        try:
            await self._publisher.publish(
                topic,
                payload,
                qos=1,
                retain=retain,
                expiry_s=expiry_s,
                correlation=correlation,
            )
        except BrokerError as error:
            log.warning("not published", topic=topic, cause=str(error))
