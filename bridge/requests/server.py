"""Requests over MQTT: ``bridge/request/{verb}`` in, one answer out; and the client's side of it."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter, defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias
from weakref import WeakValueDictionary

import structlog
from pydantic import SecretStr, ValidationError

from bridge.errors import BridgeError, BrokerError, RequestError
from bridge.mqtt import payloads
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.explained import explain
from bridge.mqtt.message import Handler, Message, Publication
from bridge.mqtt.signatures import seal_now
from bridge.mqtt.strict_json import JsonError, decode_object, encode
from bridge.mqtt.topics import RequestVerb, Topics
from bridge.requests.twins import Twins
from bridge.runtime.suggestions import nearest

__all__ = ["RequestHandler", "RequestServer", "explain", "request"]

log = structlog.get_logger()

RequestHandler: TypeAlias = Callable[[dict[str, Any], Message], Awaitable[Any]]
"""Gets the request without its ``transaction``; returns what goes into ``data``."""

Unseal: TypeAlias = Callable[[str, str, Message], Awaitable[bytes]]

_URGENT: Final[tuple[RequestVerb, ...]] = ("halt", "resume")
_LONGEST_TRANSACTION = 256
_MOST_WAITING = 16
"""Requests of one verb that may be under way. They are acknowledged already, so that the broker
bounds nothing any more."""
_LONGEST_ANSWER = 64 << 20
_MOST_TOPICS = 100_000
"""Names in an answer: a snapshot may have every topic."""


class _Client(Protocol):
    """The part of `ControlClient` that is used here."""

    def subscribe(
        self,
        topic_filter: str,
        qos: int,
        handler: Handler,
        *,
        ordered_by: Callable[[Message], str] | None = None,
    ) -> None: ...

    async def publish(self, publication: Publication) -> None: ...


class _Urgent(_Client, Protocol):
    """A connection that carries nothing but what is urgent."""

    @property
    def connected(self) -> bool: ...


class RequestServer:
    """Routes requests to the handlers of their verbs; create and register before the client runs.

    Requests of one verb are served one after another, different verbs side by side: a slow
    ``query`` does not hold up a ``halt``. PUBACK comes before the answer, since everything that
    arrives later, orders too, waits for it; who gets no answer asks again.

    Halts, and their ends because of the order, have a connection of their own as well: on the other
    one the broker delivers nothing while it waits for PUBACKs of commands. They also come there,
    and are served from there only when the connection of their own is away.
    """

    def __init__(
        self,
        client: _Client,
        topics: Topics,
        response_prefixes: Iterable[str] = (),
        permit: Callable[[str, str], None] = lambda client, verb: None,
        urgent: _Urgent | None = None,
        unseal: Unseal | None = None,
    ) -> None:
        """Subscribe.

        :param response_prefixes: where clients may want their MQTT 5 answers, besides their own
            topics.
        :param permit: gets the client's name, blank if the topic has none, and the verb; raises
            `RequestError` to refuse.
        :param urgent: the connection of halts and of their ends.
        :param unseal: returns the payload of a request, by client and verb; raises `RequestError`
            for one that is not signed and has to be.
        """
        self._unseal = unseal or _as_it_came
        self.refused: Counter[str] = Counter()
        """Requests that were refused, by code."""
        self._client = client
        self._permit = permit
        self._topics = topics
        self._prefixes = tuple(response_prefixes)
        self._handlers: dict[str, RequestHandler] = {}
        self._keys: dict[str, Collection[str]] = {}
        self._waiting: Counter[str] = Counter()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._one_at_a_time = asyncio.Lock()
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._urgent = urgent
        self._twins = Twins()
        # A group for each message, so that none waits for another here; the turns are by verb.
        numbers = itertools.count()

        def each(_: Message) -> str:
            return str(next(numbers))

        client.subscribe(topics.request_filter(), 1, self._serve, ordered_by=each)
        if urgent is not None:
            for verb in _URGENT:
                which = topics.request_filter(verb)
                urgent.subscribe(which, 1, self._serve_urgent, ordered_by=each)

    def register(self, verb: str, handler: RequestHandler, keys: Collection[str] = ()) -> None:
        """Serve ``verb`` with ``handler``, which may raise `RequestError` or `ValidationError`.

        ``keys`` are those of the payload; a refusal names the one that an unknown key is like.
        """
        if verb in self._handlers:
            raise ValueError(f"two handlers for {verb!r}")
        self._handlers[verb] = handler
        self._keys[verb] = keys

    async def _serve(self, message: Message) -> None:
        # At once: PUBACKs leave in the order of arrival, and that of a later order must not wait
        # until a slow query is answered.
        message.ack()
        urgent = self._urgent is not None and self._urgent.connected and self._is_urgent(message)
        if not (urgent and await self._twins.served(message)):
            await self._reply(message, self._client)

    async def _serve_urgent(self, message: Message) -> None:
        message.ack()
        assert self._urgent is not None  # noqa: S101
        self._twins.came(message)
        await self._reply(message, self._urgent)

    def _is_urgent(self, message: Message) -> bool:
        try:
            return self._topics.parse_request(message.topic)[0] in _URGENT
        except ValueError:
            return False

    async def _reply(self, message: Message, client: _Client) -> None:
        if not (message.retain and not message.payload):  # else somebody cleaning up
            topic, payload = await self._answer(message)
            await client.publish(
                Publication(topic, payload, qos=1, correlation=message.correlation)
            )

    async def _answer(self, message: Message) -> tuple[str, bytes]:
        """Return where the answer goes and what it says."""
        transaction: str | int | None = None
        verb = client = ""
        topic = self._topics.response("unknown")
        try:
            verb, client, topic = self._parse(message.topic)
            if verb not in _URGENT:
                await self._pause(client)
            content = _object(await self._unseal(client, verb, message))
            transaction = _transaction(content.pop("transaction", None))
            if message.response_topic:
                if not self._topics.allows_response(message.response_topic, self._prefixes, client):
                    raise RequestError(
                        "invalid_response_topic",
                        f"response topic {message.response_topic[:200]!r} is not this client's: "
                        f"{topic}/… is, others need mqtt.response_prefixes",
                    )
                topic = message.response_topic
            if message.surplus:
                raise RequestError("rate_limited", "too many requests of this client: slow down")
            if message.retain:
                raise RequestError("retained_request", "a request must not be retained")
            handler = self._handler(verb)
            self._permit(client, verb)
            async with self._turn(verb):
                return topic, payloads.ok(await handler(content, message), transaction)
        except RequestError as error:
            code, text = error.code, str(error)
        except ValidationError as error:
            code, text = "invalid_request", explain(error, self._keys.get(verb, ()), most=3)
        except BridgeError as error:
            code, text = "failed", str(error)
        except Exception:  # what is wrong with one request must not end the others, or orders
            code, text = "internal", "a bug of the bridge, written to its log"
            log.exception("bug in a request", topic=message.topic)
        log.info("request refused", client=client, verb=verb[:64], code=code, reason=text)
        self.refused[code] += 1
        return topic, payloads.error(code, text, transaction)

    async def _pause(self, client: str) -> None:
        """Let market data and orders pass: what many requests cost together is paid bit by bit.

        The clients take turns, so that nobody's request waits for all those of another one.
        """
        async with self._queues.setdefault(client, asyncio.Lock()), self._one_at_a_time:
            await asyncio.sleep(0)

    @asynccontextmanager
    async def _turn(self, verb: str) -> AsyncIterator[None]:
        """Wait for the requests of this verb that came before; not for too many."""
        if verb == "halt":  # none waits for another one's disk; the order is kept where they hold
            yield
            return
        if self._waiting[verb] >= _MOST_WAITING:
            raise RequestError("busy", f"{_MOST_WAITING} requests wait already: ask again later")
        self._waiting[verb] += 1
        try:
            async with self._locks[verb]:
                yield
        finally:
            self._waiting[verb] -= 1

    def _parse(self, topic: str) -> tuple[str, str, str]:
        """Return verb, client and where the answer goes, which may be too long for a topic."""
        try:
            verb, client = self._topics.parse_request(topic)
            return verb, client, self._topics.response(verb, *filter(None, [client]))
        except ValueError as error:
            raise RequestError("unknown_request", str(error)) from None

    def _handler(self, verb: str) -> RequestHandler:
        handler = self._handlers.get(verb)
        if handler is None:
            near = nearest(verb, self._handlers)
            hint = f"did you mean {near!r}?" if near else f"one of {', '.join(self._handlers)}"
            raise RequestError("unknown_request", f"no request {verb[:64]!r}: {hint}")
        return handler


async def _as_it_came(_client: str, _verb: str, message: Message) -> bytes:
    return message.payload


def _object(payload: bytes) -> dict[str, Any]:
    try:
        return decode_object(payload, payloads.MAX_REQUEST)
    except JsonError as error:
        if error.too_large:
            raise RequestError("too_large", str(error)) from None
        raise RequestError("invalid_request", str(error)) from None


def _transaction(value: object) -> str | int | None:
    match value:
        case None | int() if not isinstance(value, bool):
            return value
        case str() if len(value) <= _LONGEST_TRANSACTION:
            return value
    raise RequestError(
        "invalid_request", f"transaction: an integer or a text of at most {_LONGEST_TRANSACTION}"
    )


async def request(
    endpoints: Sequence[Endpoint],
    verb: str,
    content: Mapping[str, object],
    *,
    topics: Topics,
    client: str = "",
    deadline_s: float = 10.0,
    key: SecretStr | None = None,
) -> Any:
    """Send one request to a bridge and return the ``data`` of its answer.

    It is sent under the name of ``client``, by default the MQTT user's, which the broker's ACL
    vouches for; without either under no name. With ``key`` it is signed. Numbers with a point come
    as `Decimal`.

    :raises RequestError: the bridge refused it.
    :raises BrokerError: no broker, or no answer in time.
    """
    token = secrets.token_hex(8)
    name = client or endpoints[0].username or ""
    shared = topics.response(verb, *filter(None, [name]))
    own = f"{shared}/{token}"
    answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def received(message: Message) -> None:
        message.ack()
        try:
            content = decode_object(message.payload, _LONGEST_ANSWER, names=_MOST_TOPICS)
        except JsonError:
            return  # somebody else's, on the shared topic
        mine = message.correlation == token.encode() or content.get("transaction") == token
        if mine and not answer.done():
            answer.set_result(content)

    connection = ControlClient(endpoints, client_id=f"kis-bridge-{token}", clean=True)
    connection.subscribe(own, 1, received)
    connection.subscribe(shared, 1, received)  # MQTT 3.1.1 names no response topic
    failure: BrokerError | None = None
    said: dict[str, Any] = {}
    async with asyncio.TaskGroup() as group:
        running = group.create_task(connection.run())
        try:
            async with asyncio.timeout(deadline_s):
                await connection.wait_connected(fail_fast=True)
                topic = topics.request(verb, name)
                payload = encode({**content, "transaction": token})
                if key is not None:
                    payload = seal_now(key, topic, payload, good_for_s=deadline_s)
                await connection.publish(
                    Publication(
                        topic,
                        payload,
                        expiry_s=deadline_s,
                        correlation=token.encode(),
                        response_topic=own,
                    ),
                    wait=True,
                )
                said = await answer
        except TimeoutError:
            failure = BrokerError(
                f"no answer to {verb!r} within {deadline_s:g} s: is a bridge running on "
                f"{', '.join(map(str, endpoints))} with base topic {topics.base!r}?"
            )
        except BrokerError as error:
            failure = error
        finally:
            running.cancel()
    if failure is not None:
        raise failure
    if said.get("status") != "ok":
        raise RequestError(str(said.get("code", "error")), str(said.get("message", "refused")))
    return said.get("data")
