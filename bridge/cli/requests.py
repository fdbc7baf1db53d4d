"""``kis-bridge subscribe``, ``unsubscribe``, ``query``, ``halt``, ``resume``: requests to a bridge.

Each sends one request over MQTT, waits for its answer and shows it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from bridge.cli import broker
from bridge.cli.broker import LOCAL, AsJson, Base, CaFile, Password, Url, User
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.payloads import encode
from bridge.requests.server import request

__all__ = ["halt", "query", "resume", "subscribe", "unsubscribe"]

What = Annotated[
    list[str],
    typer.Argument(
        metavar="MARKET/VENUE/KIND SYMBOL...",
        help="As in the topics: domestic_stock/krx/trade 005930 000660; with --channel keys alone.",
    ),
]
Channel = Annotated[str, typer.Option(help="KIS's TR id instead of MARKET/VENUE/KIND.")]
Holder = Annotated[
    str, typer.Option("--client", help="In whose name; default: the MQTT user, else cli.")
]
Reason = Annotated[str, typer.Option(help="Why; it goes into the event.")]
Wait = Annotated[float, typer.Option("--wait", min=0.1, help="Seconds to wait for the answer.")]
OneAccount = Annotated[str, typer.Option("--account", help="Only this account; default: all.")]
OneClient = Annotated[str, typer.Option("--client", help="Only this client; default: all.")]


def subscribe(
    what: What,
    channel: Channel = "",
    priority: Annotated[int, typer.Option(min=0, max=9, help="The smaller gets a slot first.")] = 0,
    client: Holder = "",
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Ask a running bridge for symbols; they stay until unsubscribed in the same name."""
    endpoints = broker.endpoints(url, user, password, ca_file)
    content = {
        "subscriptions": _subscriptions(what, channel),
        "priority": priority,
        "client": client or endpoints[0].username or "cli",
    }
    data = _ask("subscribe", content, endpoints, base, wait, client)
    _show(data, as_json, f"{data['subscribed']} subscribed")


def unsubscribe(
    what: What,
    channel: Channel = "",
    client: Holder = "",
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Let go of symbols; what the configuration or another client wants stays."""
    endpoints = broker.endpoints(url, user, password, ca_file)
    content = {
        "subscriptions": _subscriptions(what, channel),
        "client": client or endpoints[0].username or "cli",
    }
    data = _ask("unsubscribe", content, endpoints, base, wait, client)
    _show(data, as_json, f"{data['ended']} ended")


def query(
    api: Annotated[str, typer.Argument(help="Name in the workbook, e.g. inquire_price.")],
    params: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="e.g. symbol=005930")
    ] = None,
    account: Annotated[str, typer.Option(help="Alias of the account it is about.")] = "",
    variant: Annotated[str, typer.Option(help="Where the workbook has several.")] = "",
    pages: Annotated[int, typer.Option(min=1, max=20, help="Pages to follow.")] = 1,
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Make a read-only REST call of KIS through the bridge; names are the workbook's."""
    content: dict[str, Any] = {"api": api, "params": _params(params or []), "pages": pages}
    content |= {k: v for k, v in (("account", account), ("variant", variant)) if v}
    data = _ask("query", content, broker.endpoints(url, user, password, ca_file), base, wait)
    _show(data, as_json, "\n".join(_lines(data)))


def halt(
    reason: Reason = "",
    account: OneAccount = "",
    client: OneClient = "",
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Orders that make a position smaller still go.")
    ] = False,
    cancel_all: Annotated[
        bool, typer.Option("--cancel-all", help="Cancel what is open, too.")
    ] = False,
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Refuse new orders from now on; cancellations still go out."""
    endpoints = broker.endpoints(url, user, password, ca_file)
    content: dict[str, Any] = {"reason": reason} | _circle(account, client)
    if reduce_only:
        content["mode"] = "reduce_only"
    if cancel_all:
        content["cancel_all"] = True
    data = _ask("halt", content, endpoints, base, wait)
    _show(data, as_json, "orders halted")


def resume(
    reason: Reason = "",
    account: OneAccount = "",
    client: OneClient = "",
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Take orders again."""
    endpoints = broker.endpoints(url, user, password, ca_file)
    content = {"reason": reason} | _circle(account, client)
    data = _ask("resume", content, endpoints, base, wait)
    _show(data, as_json, "orders resumed")


def _circle(account: str, client: str) -> dict[str, str]:
    return {name: text for name, text in (("account", account), ("client", client)) if text}


def _ask(
    verb: str,
    content: Mapping[str, Any],
    endpoints: Sequence[Endpoint],
    base: str,
    wait: float,
    client: str = "",
) -> Any:
    topics = broker.topics(base)
    return asyncio.run(
        request(endpoints, verb, content, topics=topics, client=client, deadline_s=wait)
    )


def _show(data: object, as_json: bool, text: str) -> None:
    sys.stdout.write(f"{encode(data).decode() if as_json else text}\n")


def _subscriptions(what: list[str], channel: str) -> list[dict[str, str]]:
    if channel:
        return [{"channel": channel, "key": key} for key in what]
    levels, symbols = what[0].split("/"), what[1:]
    if len(levels) != 3 or not all(levels):
        raise typer.BadParameter(f"{what[0]!r} is not MARKET/VENUE/KIND, and there is no --channel")
    if not symbols:
        raise typer.BadParameter(f"name the symbols after {what[0]}")
    market, venue, kind = levels
    return [
        {"market": market, "venue": venue, "kind": kind, "symbol": symbol} for symbol in symbols
    ]


def _params(words: list[str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{word!r} is not NAME=VALUE")
        if name in params:
            raise typer.BadParameter(f"{name} is given twice")
        params[name] = value
    return params


def _lines(data: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield an answer for people: a line a value, lists one record after another."""
    width = max(map(len, data), default=0)
    for name, value in data.items():
        records = value if isinstance(value, list) else [value]
        if records and all(isinstance(record, Mapping) for record in records):
            for number, record in enumerate(records, 1):
                label = f" {number}/{len(records)}" if isinstance(value, list) else ""
                yield f"{indent}{name}{label}"
                yield from _lines(record, f"{indent}  ")
        else:
            yield f"{indent}{name:<{width}}  {'' if value in (None, []) else value}".rstrip()
