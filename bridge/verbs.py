"""What ``bridge/request/{verb}`` does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from bridge import query
from bridge.catalog.model import Catalog
from bridge.errors import RequestError
from bridge.feed.demand import ByChannel, ByTopic, Wanted, Wish, resolve
from bridge.feed.pool import Pool
from bridge.feed.pump import Pump
from bridge.kis.replies import KisError
from bridge.kis.rest import RestClient
from bridge.mqtt.events import Events
from bridge.mqtt.message import Message
from bridge.mqtt.requests import Requests
from bridge.orders.gateway import Gateway

__all__ = ["Verbs"]

_MOST = 500
"""Subscriptions of one request."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Item(_Strict):
    market: str = ""
    venue: str = ""
    kind: str = ""
    symbol: str = ""
    channel: str = ""
    key: str = ""

    @model_validator(mode="after")
    def _one_form(self) -> _Item:
        if self.model_fields_set not in ({"market", "venue", "kind", "symbol"}, {"channel", "key"}):
            raise ValueError("give market, venue, kind and symbol; or channel and key")
        return self


class _Subscribe(_Strict):
    subscriptions: tuple[_Item, ...] = Field(min_length=1, max_length=_MOST)
    priority: int = Field(default=0, ge=0, le=9)
    client: str = Field(default="requests", min_length=1, max_length=64)


class _Unsubscribe(_Strict):
    subscriptions: tuple[_Item, ...] = Field(min_length=1, max_length=_MOST)
    client: str = Field(default="requests", min_length=1, max_length=64)


class _Snapshot(_Strict):
    topics: tuple[str, ...] = ()


class _Query(_Strict):
    api: str
    account: str | None = None
    params: dict[str, str | int] = {}
    pages: int = Field(default=1, ge=1, le=20)


class _Halt(_Strict):
    reason: str = Field(default="", max_length=200)


class _Nothing(_Strict):
    pass


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
        paper: bool,
    ) -> None:
        self._catalog = catalog
        self._pool = pool
        self._pump = pump
        self._gateway = gateway
        self._events = events
        self._rests = rests
        self._accounts = accounts
        self._paper = paper

    def register(self, requests: Requests) -> None:
        """Offer every verb."""
        requests.register("subscribe", self.subscribe)
        requests.register("unsubscribe", self.unsubscribe)
        requests.register("subscriptions", self.subscriptions)
        requests.register("channels", self.channels)
        requests.register("snapshot", self.snapshot)
        requests.register("query", self.query)
        requests.register("halt", self.halt)
        requests.register("resume", self.resume)

    async def subscribe(self, payload: dict[str, Any], _: Message) -> object:
        """Want subscriptions until they are unsubscribed under the same ``client``."""
        asked = _Subscribe.model_validate(payload)
        wanted = [self._wanted(item) for item in asked.subscriptions]  # all of them or none
        for one in wanted:
            self._pool.hold(one, asked.client, asked.priority)
        return {"subscribed": len(wanted)}

    async def unsubscribe(self, payload: dict[str, Any], _: Message) -> object:
        """Drop the wishes of ``client``; others' and the configuration's stay."""
        asked = _Unsubscribe.model_validate(payload)
        wanted = [self._wanted(item) for item in asked.subscriptions]
        return {"ended": sum(self._pool.release(one, asked.client) for one in wanted)}

    async def subscriptions(self, payload: dict[str, Any], _: Message) -> object:
        """List what is subscribed where."""
        _Nothing.model_validate(payload)
        return self._pool.subscriptions()

    async def channels(self, payload: dict[str, Any], _: Message) -> object:
        """List the channels that can be subscribed in this environment."""
        _Nothing.model_validate(payload)
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

    async def snapshot(self, payload: dict[str, Any], _: Message) -> object:
        """Return the newest record of each topic, or of the topics asked for."""
        asked = _Snapshot.model_validate(payload)
        routes = [
            route
            for route in self._pump.routes()
            if route.last and (not asked.topics or route.topic in asked.topics)
        ]
        return {route.topic: json.loads(route.last, parse_float=Decimal) for route in routes}

    async def query(self, payload: dict[str, Any], _: Message) -> object:
        """Make a read-only KIS call; answer in the workbook's English names."""
        asked = _Query.model_validate(payload)
        api = self._catalog.api(asked.api)
        number, app = SecretStr(""), next(iter(self._rests))
        if asked.account is not None:
            if asked.account not in self._accounts:
                known = ", ".join(self._accounts) or "none"
                raise RequestError("unknown_account", f"no account {asked.account!r} ({known})")
            number, app = self._accounts[asked.account]
        if api is None:
            raise RequestError("unknown_api", f"no call {asked.api!r} in the workbook")
        params = query.prepare(api, self._catalog, asked.params, number)
        answers = []
        try:
            pages = self._rests[app].pages(api.name, params, limit=asked.pages)
            async for reply in pages:
                if not reply.ok:
                    raise RequestError("kis_refused", f"{reply.msg_cd} {reply.msg1}".strip())
                answers.append(query.shape(api, reply.body))
        except KisError as error:
            raise RequestError("kis_error", str(error)) from error
        return query.join(answers) | {"pages": len(answers)}

    async def halt(self, payload: dict[str, Any], _: Message) -> object:
        """Refuse new orders; cancellations still go out."""
        asked = _Halt.model_validate(payload)
        self._gateway.halted = True
        self._events.tell("halted", reason=asked.reason)
        return {"halted": True}

    async def resume(self, payload: dict[str, Any], _: Message) -> object:
        """Take orders again."""
        asked = _Halt.model_validate(payload)
        self._gateway.halted = False
        self._events.tell("resumed", reason=asked.reason)
        return {"halted": False}

    def _wanted(self, item: _Item) -> Wanted:
        wish: Wish = ByTopic(item.market, item.venue, item.kind, item.symbol)
        if item.channel:
            wish = ByChannel(item.channel, item.key)
        return resolve(self._catalog, wish, paper=self._paper)
