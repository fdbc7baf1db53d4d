"""What ``bridge/request/{verb}`` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Any, Literal, cast

from pydantic import SecretStr

from bridge.catalog.model import Catalog
from bridge.config.kis import Environment
from bridge.errors import JournalError, RequestError
from bridge.feed.pump import Pump
from bridge.kis import query
from bridge.kis.params import prepare, variant
from bridge.kis.replies import KisError
from bridge.kis.rest import RestClient
from bridge.mqtt.event_payloads import HaltScope
from bridge.mqtt.events import Events
from bridge.mqtt.message import Message
from bridge.mqtt.payloads import Page
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway
from bridge.orders.model.records import Identity
from bridge.orders.risk.halts import HaltOutcome
from bridge.requests import answers
from bridge.requests.halts import HaltAnswers
from bridge.requests.models import (
    EmptyRequest,
    HaltRequest,
    QueryRequest,
    ResolveRequest,
    ResumeRequest,
    SnapshotRequest,
    SubscribeRequest,
    SubscriptionItem,
    SubscriptionsRequest,
    UnsubscribeRequest,
)
from bridge.requests.newest import newest
from bridge.requests.permissions import Permissions
from bridge.requests.server import RequestServer
from bridge.requests.symbols import SymbolRequests
from bridge.requests.table import REQUESTS
from bridge.runtime.suggestions import nearest
from bridge.subscriptions.interest import BRIDGE
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import (
    ByChannel,
    ByTopic,
    SubscriptionRequest,
    Wanted,
    resolve_all,
)

__all__ = ["Verbs"]

_QUERY_S = 30.0
"""How long a query may wait for its turn, all pages together."""


class Verbs:
    """The requests that the bridge serves."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        pool: Pool,
        pump: Pump,
        gateway: Gateway,
        events: Events,
        rests: Mapping[str, RestClient],
        accounts: Mapping[str, tuple[SecretStr, str]],
        environment: Environment,
        paper: bool,
        topics: Topics,
        permissions: Permissions,
        symbols: SymbolRequests,
        broker_takes: Callable[[], int] = lambda: 1 << 28,
    ) -> None:
        """Prepare; ``broker_takes()`` are the bytes of the largest packet that it takes."""
        self._catalog = catalog
        self._pool = pool
        self._pump = pump
        self._gateway = gateway
        self._events = events
        self._rests = rests
        self._accounts = accounts
        self._paper = paper
        self._topics = topics
        self._permissions = permissions
        self._symbols = symbols
        self._broker_takes = broker_takes
        self._answers = HaltAnswers(gateway, accounts, permissions.clients(), environment)

    def register(self, requests: RequestServer) -> None:
        """Offer every verb."""
        for kind in REQUESTS:
            requests.register(kind.verb, getattr(self, kind.verb), kind.keys())

    async def subscribe(self, payload: dict[str, Any], message: Message) -> answers.SubscribeAnswer:
        """Want subscriptions until the lease ends or ``client`` unsubscribes them."""
        asked = SubscribeRequest.model_validate(self._named(payload, message))
        wanted = self._wanted(asked.subscriptions)  # all of them or none
        client = self._topics.parse_request(message.topic)[1]
        lease_s, rotate = asked.lease_s, asked.rotate
        self._pool.hold(wanted, asked.client, asked.priority, lease_s, client, rotate=rotate)
        # Compiled now, so that the first record need not wait for it.
        for tr_id in {one.tr_id for one in wanted}:
            self._pump.prepare(tr_id)
        waiting = sum(map(self._pool.is_waiting, set(wanted)))
        answer: answers.SubscribeAnswer = {"subscribed": len(wanted), "waiting": waiting}
        if rotate:
            turns = [turn for one in set(wanted) if (turn := self._pool.next_turn(one)) is not None]
            answer["rotating"] = len(turns)
            answer["within_s"] = None if waiting else ceil(max(turns, default=0.0))
        return answer

    async def unsubscribe(
        self, payload: dict[str, Any], message: Message
    ) -> answers.UnsubscribeAnswer:
        """Drop the subscriptions of ``client``; others' and the configuration's stay."""
        asked = UnsubscribeRequest.model_validate(self._named(payload, message))
        wanted = self._wanted(asked.subscriptions)
        client = self._topics.parse_request(message.topic)[1]
        return {"ended": self._pool.release(wanted, asked.client, client)}

    async def subscriptions(
        self, payload: dict[str, Any], _: Message
    ) -> answers.SubscriptionsAnswer:
        """List what is subscribed where."""
        return self._pool.subscriptions(SubscriptionsRequest.model_validate(payload).skip)

    async def channels(self, payload: dict[str, Any], _: Message) -> answers.ChannelsAnswer:
        """List the channels that can be subscribed in this environment."""
        EmptyRequest.model_validate(payload)
        return [
            {
                "channel": channel.tr_id,
                "market": channel.market,
                "venues": [venue.venue for venue in channel.venues] or [channel.venue],
                "kind": channel.kind,
                "description": channel.english,
                "korean": channel.korean,
            }
            for channel in self._catalog.channels.values()
            if not channel.encrypted and (channel.tr_id_paper or not self._paper)
        ]

    async def snapshot(self, payload: dict[str, Any], _: Message) -> Page[answers.SnapshotAnswer]:
        """Return the newest record of each topic, or of the topics asked for."""
        asked = SnapshotRequest.model_validate(payload)
        return newest(self._pump, asked, self._broker_takes())

    async def query(self, payload: dict[str, Any], message: Message) -> answers.QueryAnswer:
        """Make a read-only KIS call; answer in the workbook's English names."""
        asked = QueryRequest.model_validate(payload)
        api = self._catalog.api(asked.api)
        number, app = SecretStr(""), next(iter(self._rests))
        if asked.account is not None:
            if asked.account not in self._accounts:
                known = ", ".join(self._accounts) or "the configuration has no accounts"
                raise RequestError("unknown_account", f"no account {asked.account!r} ({known})")
            number, app = self._accounts[asked.account]
        if api is None:
            names = [name for one in self._catalog.apis.values() for name in (one.name, one.id)]
            near = nearest(asked.api, names)
            hint = f" (did you mean {near}?)" if near else ""
            raise RequestError("unknown_api", f"no call {asked.api!r} in the workbook{hint}")
        client = self._topics.parse_request(message.topic)[1]
        self._permissions.query(client, api.name, asked.account or "")
        params = prepare(api, self._catalog, asked.params, number)
        pages: list[dict[str, Any]] = []
        more = False
        try:
            async for reply in self._rests[app].pages(
                api.name,
                params,
                variant=variant(api, asked.variant),
                deadline=asyncio.get_running_loop().time() + _QUERY_S,
                limit=asked.pages,
            ):
                if not reply.ok:
                    raise RequestError("kis_refused", f"{reply.msg_cd} {reply.msg1}".strip())
                pages.append(query.shape(api, reply.body, number))
                more = reply.more
        except KisError as error:
            raise RequestError("kis_error", str(error)) from error
        # The other members are the blocks of KIS's answer, which only the workbook can name.
        return cast("answers.QueryAnswer", query.join(pages) | {"pages": len(pages), "more": more})

    async def symbols(self, payload: dict[str, Any], message: Message) -> answers.SymbolsAnswer:
        """Find symbols, or look some up, in the masters that are stored."""
        return await self._symbols.serve(payload, message)

    async def halt(self, payload: dict[str, Any], message: Message) -> answers.HaltAnswer:
        """Refuse new orders, of everybody, an account or a client; cancellations still go out."""
        asked = HaltRequest.model_validate(payload)
        self._answers.account(asked.account)
        known = await self._answers.client(asked.client, force=asked.force)
        outcome = await self._control(
            asked, message, mode=asked.mode, cancel_all=asked.cancel_all, scope=asked.scope
        )
        standing = self._answers.standing(asked.account, asked.client)
        return {
            **standing,
            "halted": True,
            "known": known,
            "cancelling": outcome.cancelling,
            "written": outcome.written,
        }

    async def resume(self, payload: dict[str, Any], message: Message) -> answers.ResumeAnswer:
        """Take back a halt of the same account and client."""
        asked = ResumeRequest.model_validate(payload)
        self._answers.account(asked.account)
        resumed = self._answers.is_halted(asked.account, asked.client)
        await self._control(asked, message, mode="")
        return {**self._answers.standing(asked.account, asked.client), "resumed": resumed}

    async def _control(
        self,
        asked: HaltRequest | ResumeRequest,
        message: Message,
        *,
        mode: Literal["", "halted", "reduce_only"],
        cancel_all: bool = False,
        scope: HaltScope = "ours",
    ) -> HaltOutcome:
        try:
            return await self._gateway.halt(
                mode,
                account=asked.account,
                client=asked.client,
                reason=asked.reason,
                cancel_all=cancel_all,
                scope=scope,
                asked_at=message.received_at,
            )
        except JournalError as error:
            raise RequestError("not_written", str(error)) from error

    async def resolve(self, payload: dict[str, Any], _: Message) -> answers.ResolveAnswer:
        """Settle a command whose outcome stayed unknown, as a person has found out."""
        asked = ResolveRequest.model_validate(payload)
        identity = Identity(asked.account, asked.client, asked.client_order_id, asked.command_id)
        settled = await self._gateway.resolve(identity, order_no=asked.order_no, by="request")
        return {
            "client_order_id": asked.client_order_id,
            "state": settled.progress.state,
            "order_no": asked.order_no or None,
        }

    async def adopt(self, payload: dict[str, Any], _: Message) -> answers.AdoptAnswer:
        """Take orders again with a journal that lacks some."""
        EmptyRequest.model_validate(payload)
        try:
            mark = await self._gateway.adopt()
        except JournalError as error:
            raise RequestError("not_written", str(error)) from error
        return {"journal": mark.journal, "generation": mark.generation}

    def _named(self, payload: dict[str, Any], message: Message) -> dict[str, Any]:
        """Return a request with the ``client`` in whose name it is; raises `RequestError`."""
        client = self._topics.parse_request(message.topic)[1]
        asked = payload.get("client", client)
        if isinstance(asked, str):  # else the model refuses it
            self._permissions.holder(client, asked)
            if asked in BRIDGE:
                raise RequestError("invalid_request", f"client {asked!r} is the bridge's own")
        return payload | ({"client": asked} if client else {})

    def _wanted(self, items: Iterable[SubscriptionItem]) -> list[Wanted]:
        interests: list[SubscriptionRequest] = [
            ByChannel(item.channel, item.key)
            if item.channel
            else ByTopic(item.market, item.venue, item.kind, item.symbol)
            for item in items
        ]
        return resolve_all(self._catalog, interests, paper=self._paper)
