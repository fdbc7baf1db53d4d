"""One order command sent over MQTT, and the ack that answers it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from bridge.errors import BrokerError, ConfigError
from bridge.mqtt.client import ControlClient, Message
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from bridge.mqtt.signatures import seal_now
from bridge.mqtt.strict_json import encode
from bridge.mqtt.topics import Topics
from bridge.runtime.bounded_json import JsonError, decode_object

__all__ = ["exchange"]

_LONGEST_ACK = 64 * 1024


async def exchange(
    endpoints: Sequence[Endpoint],
    topics: Topics,
    sender: tuple[str, str],
    verb: str,
    command: Mapping[str, Any],
    *,
    wait_s: float,
    key: SecretStr | None = None,
) -> dict[str, Any]:
    """Send a command and return its ack.

    ``sender`` is the account and the client in whose name it goes, ``key`` what it is signed with.
    Raises :class:`BrokerError`:
    no broker, or no ack in time; :class:`ConfigError`: a name that fits into no topic.
    """
    account, name = sender
    client_order_id = str(command["client_order_id"])
    answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def arrived(message: Message) -> None:
        message.ack()
        try:
            ack = decode_object(message.payload, _LONGEST_ACK)
        except JsonError:
            return  # no ack of a bridge
        mine = ack.get("verb", "place") == verb
        if message.topic == unnamed:  # whoever signs wrongly is answered under no name
            mine = mine and ack.get("reason") == "bad_signature"
        elif (named := command.get("command_id")) is not None:  # else the id is new
            # What the bridge cannot read has no name either.
            unread = ack.get("reason") == "invalid_payload" and not ack.get("command_id")
            mine = ack.get("command_id") == named or (mine and unread)
        if mine and not answered.done():
            answered.set_result(ack)

    client = ControlClient(endpoints, client_id=f"kis-order-{secrets.token_hex(4)}", clean=True)
    try:
        topic = topics.command(account, name, verb)
        unnamed = topics.order_ack(account, name, "invalid")
        for level in (client_order_id, "invalid"):
            client.subscribe(topics.order_ack(account, name, level), 1, arrived)
    except ValueError as error:
        raise ConfigError(f"--account, --client or the id: {error}") from None
    payload = encode(command)
    if key is not None:
        payload = seal_now(key, topic, payload, good_for_s=wait_s)
    failure: BrokerError | None = None
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(client.run())
        try:
            await client.wait_connected(fail_fast=True)
            await client.publish(Publication(topic, payload), wait=True)
            async with asyncio.timeout(wait_s + 2):
                await answered
        except TimeoutError:
            failure = BrokerError(
                f"no ack within {wait_s:g} s: is the bridge running, and may {name!r} trade "
                f"{account!r}? The command is no longer good."
            )
        except BrokerError as error:
            failure = error
        finally:
            running.cancel()
    if failure is not None:
        raise failure
    return answered.result()
