"""Every topic of the contract: where it is, who writes it, and which payload it carries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from bridge.catalog.model import Catalog
from bridge.catalog.schemas import DIALECT, Schema, record, snapshot
from bridge.config.candles import INTERVALS
from bridge.config.kis import Environment
from bridge.documents.events import EVENTS, SUMMARIES
from bridge.documents.generated import of_model
from bridge.documents.reports import REPORTS
from bridge.documents.responses import REFUSED, response
from bridge.documents.words import described
from bridge.orders.model.command import MODELS
from bridge.requests.table import REQUESTS

__all__ = ["Topic", "payloads", "topics"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A family of topics with one kind of payload, or one of several."""

    name: str
    """Identifier, unique among the families."""
    address: str
    """Under the base topic ``kis``; ``{names}`` stand for levels."""
    summary: str
    payloads: tuple[str, ...]
    """Names of the schemas, one of which a message fulfils."""
    from_client: bool = False
    retained: bool = False
    qos: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What stands for a level, explained."""
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """All the levels there are, where that is known."""
    reply: str = ""
    """Name of the family where the answer comes."""

    def matches(self, topic: str) -> bool:
        """Tell whether a real topic (under ``kis``) belongs here."""
        return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", self.address), topic) is not None


_ORDER = {
    "account": "Alias of the account from the configuration",
    "client": "Who sends the commands: the MQTT user",
    "client_order_id": "The client's name for the order",
}


def topics(catalog: Catalog) -> list[Topic]:
    """Return all families, market data first."""
    return [
        *(*_market(catalog), _candles(catalog), *_snapshots(catalog)),
        *(*_bridge(), *_orders()),
    ]


def payloads(catalog: Catalog) -> dict[str, Schema]:
    """Return every schema by name, e.g. ``market/H0STCNT0``; complete documents."""
    found: dict[str, Schema] = {
        f"market/{channel.tr_id}": {
            "title": f"{channel.tr_id}: {channel.english}",
            "description": channel.korean,
        }
        | record(channel, catalog)
        for channel in catalog.channels.values()
        if not channel.encrypted
    }
    told: dict[str, set[str]] = {}
    for row in catalog.snapshots:
        told.setdefault(row.api, set()).update(row.outputs)
    for name, outputs in told.items():
        found[_snapshot(name)] = snapshot(catalog.apis[name], outputs, catalog)
    found |= REPORTS
    found |= {f"event/{kind}": schema for kind, schema in EVENTS.items()}
    found |= {f"response/{kind.verb}": response(kind.verb) for kind in REQUESTS}
    found["response/unknown"] = REFUSED
    for kind in REQUESTS:
        schema = of_model(kind.model)
        transaction = {"type": ["string", "integer"]}
        schema["properties"] = {**schema.get("properties", {}), "transaction": transaction}
        schema["description"] = kind.summary
        found[f"request/{kind.verb}"] = schema
    found |= {f"command/{verb}": of_model(model) for verb, model in MODELS.items()}
    for name in found:
        if name.startswith(("request/", "command/")):
            found[name] = described(name, found[name])
    return {
        name: {"$schema": DIALECT, "$id": f"{name}.json", **schema}
        for name, schema in found.items()
    }


def _market(catalog: Catalog) -> Iterator[Topic]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    venues: dict[tuple[str, str, str], list[str]] = {}
    for channel in catalog.channels.values():
        if not channel.encrypted:
            place = (channel.market, channel.venue or "{venue}", channel.kind)
            groups.setdefault(place, []).append(channel.tr_id)
            venues.setdefault(place, []).extend(venue.venue for venue in channel.venues)
    for (market, venue, kind), tr_ids in sorted(groups.items()):
        named = venue if venue != "{venue}" else "any"
        choices = sorted(set(venues[market, venue, kind]))
        parameters = {"symbol": "Symbol; what a topic cannot hold is percent-encoded"}
        yield Topic(
            name=f"{market}_{named}_{kind}",
            address=f"kis/market/{market}/{venue}/{kind}/{{symbol}}",
            summary="; ".join(catalog.channels[tr_id].english for tr_id in tr_ids),
            payloads=tuple(f"market/{tr_id}" for tr_id in tr_ids),
            retained=True,
            qos=0,
            parameters=parameters | ({"venue": "Exchange"} if choices else {}),
            choices={"venue": choices} if choices else {},
        )


def _candles(catalog: Catalog) -> Topic:
    trades = [one for one in catalog.channels.values() if one.kind == "trade"]
    venues = {one.venue for one in trades} | {v.venue for one in trades for v in one.venues}
    return Topic(
        name="candle",
        address="kis/market/{market}/{venue}/candle_{interval}/{symbol}",
        summary="Candles of trades: the open one once a second, each closed one once",
        payloads=("candle",),
        retained=True,
        qos=0,
        parameters={
            "market": "Market of the trades",
            "venue": "Exchange",
            "interval": "Length of the candles",
            "symbol": "Symbol; what a topic cannot hold is percent-encoded",
        },
        choices={
            "market": sorted({one.market for one in trades}),
            "venue": sorted(venues - {""}),
            "interval": tuple(INTERVALS),
        },
    )


def _snapshots(catalog: Catalog) -> Iterator[Topic]:
    calls: dict[tuple[str, str], dict[str, None]] = {}
    venues: dict[str, set[str]] = {}
    for row in catalog.snapshots:
        for channel in (catalog.channels[tr_id] for tr_id in row.channels):
            place = (channel.market, channel.venue or "{venue}")
            calls.setdefault(place, {})[_snapshot(row.api)] = None
            venues.setdefault(channel.market, set()).update(one.venue for one in channel.venues)
    for (market, venue), names in sorted(calls.items()):
        named = venue if venue != "{venue}" else "any"
        choices = sorted(venues[market]) if named == "any" else []
        parameters = {"symbol": "Symbol; what a topic cannot hold is percent-encoded"}
        yield Topic(
            name=f"{market}_{named}_snapshot",
            address=f"kis/market/{market}/{venue}/snapshot/{{symbol}}",
            summary="Price over REST while no session brings it",
            payloads=tuple(names),
            retained=True,
            qos=0,
            parameters=parameters | ({"venue": "Exchange"} if choices else {}),
            choices={"venue": choices} if choices else {},
        )


def _snapshot(api: str) -> str:
    return f"snapshot/{api.replace('/', '.')}"


def _bridge() -> Iterator[Topic]:
    def of(name: str, address: str, summary: str, payload: str = "", **more: Any) -> Topic:
        return Topic(name, f"kis/{address}", summary, (payload or f"bridge/{name}",), **more)

    yield of(
        "state", "bridge/state", "Whether the bridge is there; also its last will", retained=True
    )
    yield of("info", "bridge/info", "Version, environment, workbook, limits", retained=True)
    yield of("health", "bridge/health", "Counters and lags, every 10 s", retained=True)
    yield of(
        *("overview", "bridge/overview", "The newest values in one message, once a second"),
        retained=True,
        qos=0,
    )
    yield of(
        *("journal", "bridge/journal/{environment}", "Which order journal was used last"),
        retained=True,
        parameters={"environment": "Environment of the journal"},
        choices={"environment": get_args(Environment)},
    )
    app = {"app": "Alias of the app from the configuration"}
    yield of(
        *("session", "bridge/sessions/{app}", "Slots of a KIS session and who holds them"),
        retained=True,
        parameters=app,
    )
    yield of(
        *("owner", "bridge/owner/{account}", "Which bridge sends orders for an account, every 2 s"),
        retained=True,
        parameters={"account": _ORDER["account"]},
    )
    for kind, text in SUMMARIES.items():
        yield of(f"event_{kind}", f"bridge/event/{kind}", text, f"event/{kind}")
    yield from _requests()
    yield of(
        *("symbols", "symbols/{market}", "Symbols and names of a market", "symbols"),
        retained=True,
        parameters={"market": "Id of a symbol master, e.g. kospi"},
    )
    yield of(
        *("quality", "quality/{market}/{venue}/{kind}/{symbol}"),
        *("How good the newest value of a topic under market is, on change", "quality"),
        retained=True,
        parameters={
            "market": "As in the topic of the value",
            "venue": "Venue",
            "kind": "Kind",
            "symbol": "Symbol",
        },
    )


def _requests() -> Iterator[Topic]:
    client = {"client": "Who asks: the MQTT user, by the broker's ACL"}
    for request in REQUESTS:
        verb = request.verb
        for end, level, whose, parameters in (
            ("", "", "", {}),
            ("_named", "/{client}", ", under a client's name", client),
        ):
            yield Topic(
                name=f"request_{verb}{end}",
                address=f"kis/bridge/request/{verb}{level}",
                summary=request.summary + whose,
                payloads=(f"request/{verb}", "signed"),
                from_client=True,
                parameters=parameters,
                reply=f"response_{verb}{end}",
            )
            yield Topic(
                name=f"response_{verb}{end}",
                address=f"kis/bridge/response/{verb}{level}",
                summary=f"The answer to {verb}{whose}",
                payloads=(f"response/{verb}",),
                parameters=parameters,
            )
    said = {"verb": "What was asked; unknown where it is no verb at all"}
    for end, level, parameters in (("", "", {}), ("_named", "/{client}", client)):
        yield Topic(
            name=f"response_unknown{end}",
            address=f"kis/bridge/response/{{verb}}{level}",
            summary="The answer to a request of a verb that there is not",
            payloads=("response/unknown",),
            parameters=said | parameters,
        )


def _orders() -> Iterator[Topic]:
    prefix, scope = "kis/orders/{account}/{client}", {k: _ORDER[k] for k in ("account", "client")}
    for verb, model in MODELS.items():
        yield Topic(
            name=f"command_{verb}",
            address=f"{prefix}/command/{verb}",
            summary=(model.__doc__ or verb).strip().split("\n")[0],
            payloads=(f"command/{verb}", "signed"),
            from_client=True,
            parameters=scope,
            reply="order_ack",
        )
    for name, summary, retained in (
        ("ack", "The one answer to a command", False),
        ("event", "A later step of an order", False),
        ("state", "The whole order, until its trading day ends", True),
    ):
        yield Topic(
            name=f"order_{name}",
            address=f"{prefix}/{name}/{{client_order_id}}",
            summary=summary,
            payloads=(f"order/{name}",),
            retained=retained,
            parameters=_ORDER,
        )
    account = {"account": _ORDER["account"]}
    for name, summary in (
        ("balance", "Cash and worth of an account"),
        ("positions", "What an account holds"),
        ("orders", "Orders of an account"),
    ):
        yield Topic(
            name=f"account_{name}",
            address=f"kis/accounts/{{account}}/{name}",
            summary=summary,
            payloads=(f"account/{name}",),
            retained=True,
            parameters=account,
        )
    yield Topic(
        name="account_external",
        address="kis/accounts/{account}/event/external",
        summary="Orders and fills placed outside the bridge",
        payloads=("account/external",),
        parameters=account,
    )
