"""Requests to a bridge: ``subscribe``, ``unsubscribe``, ``query``, ``halt``, ``resume``, …

Each sends one request over MQTT, waits for its answer and shows it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bridge.cli import halts
from bridge.cli.broker import BridgeOptions
from bridge.cli.options import grouped
from bridge.cli.output import lines
from bridge.mqtt.event_payloads import HaltScope
from bridge.mqtt.strict_json import encode
from bridge.mqtt.topics import RequestVerb
from bridge.requests.server import request

__all__ = [
    "halt",
    "named_values",
    "query",
    "resolve",
    "resume",
    "subscribe",
    "unsubscribe",
    "wanted",
]

What = Annotated[
    list[str],
    typer.Argument(
        metavar="MARKET/VENUE/KIND SYMBOL...",
        help="Written as in the topics: domestic_stock/krx/trade 005930 000660."
        " With --channel the keys alone.",
    ),
]
Channel = Annotated[
    str, typer.Option(help="TR id of a channel of KIS, instead of MARKET/VENUE/KIND.")
]
Holder = Annotated[
    str,
    typer.Option(
        "--client",
        help="In whose name the symbols are held.",
        show_default="the MQTT user, else cli",
    ),
]
Reason = Annotated[str, typer.Option(help="Why. It is written down and published with the event.")]
OneAccount = Annotated[
    str, typer.Option("--account", help="Only this account.", show_default="all accounts")
]
OneClient = Annotated[
    str, typer.Option("--client", help="Only this client.", show_default="all clients")
]


@grouped
def subscribe(
    bridge: BridgeOptions,
    what: What,
    channel: Channel = "",
    priority: Annotated[
        int, typer.Option(min=0, max=9, help="When slots are short, a smaller number goes first.")
    ] = 0,
    client: Holder = "",
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Let them take turns on the slots that nothing else needs."),
    ] = False,
) -> None:
    """Ask a running bridge for symbols. They stay until unsubscribed in the same name."""
    content = {"subscriptions": wanted(what, channel), "priority": priority}
    content |= {"rotate": True} if rotate else {}
    data = _ask(bridge, "subscribe", content | _holder(bridge, client), client)
    text = f"{data['subscribed']} subscribed"
    if data.get("waiting"):
        text += f", {data['waiting']} of them wait for a slot"
    if data.get("within_s"):
        text += f", each of them has a slot within {data['within_s']} s"
    _show(bridge, data, text)


@grouped
def unsubscribe(
    bridge: BridgeOptions, what: What, channel: Channel = "", client: Holder = ""
) -> None:
    """Give up symbols. What the configuration or another client asked for stays."""
    content = {"subscriptions": wanted(what, channel)} | _holder(bridge, client)
    data = _ask(bridge, "unsubscribe", content, client)
    _show(bridge, data, f"{data['ended']} ended")


@grouped
def query(
    bridge: BridgeOptions,
    api: Annotated[str, typer.Argument(help="Its name in the workbook, e.g. inquire_price.")],
    params: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...", help="Its parameters by their names there: symbol=005930."
        ),
    ] = None,
    account: Annotated[str, typer.Option(help="Alias of the account it is about.")] = "",
    variant: Annotated[
        str, typer.Option(help="Which variant, where the workbook has several of the call.")
    ] = "",
    pages: Annotated[int, typer.Option(min=1, max=20, help="Most pages to fetch.")] = 1,
) -> None:
    """Make a read-only REST call of KIS through the bridge.

    `kis-bridge spec show NAME` lists the parameters of a call and the values of its answer.
    """
    content: dict[str, Any] = {"api": api, "params": named_values(params or []), "pages": pages}
    content |= {k: v for k, v in (("account", account), ("variant", variant)) if v}
    data = _ask(bridge, "query", content)
    _show(bridge, data, "\n".join(lines(data)))


@grouped
def halt(
    bridge: BridgeOptions,
    reason: Reason = "",
    account: OneAccount = "",
    client: OneClient = "",
    reduce_only: Annotated[
        bool,
        typer.Option("--reduce-only", help="Still take orders that make a position smaller."),
    ] = False,
    cancel_all: Annotated[
        bool, typer.Option("--cancel-all", help="Also cancel the open orders.")
    ] = False,
    scope: Annotated[
        HaltScope,
        typer.Option(
            help="What is cancelled: ours, or whatever the account has open, also what was placed"
            " by hand. Account cancels without --cancel-all, too.",
        ),
    ] = "ours",
    force: Annotated[
        bool, typer.Option("--force", help="Also halt a client that the bridge does not know yet.")
    ] = False,
) -> None:
    """Refuse new orders from now on, also after a restart. Cancellations still go out."""
    content: dict[str, Any] = {"reason": reason} | _named(account, client)
    if reduce_only:
        content["mode"] = "reduce_only"
    if cancel_all or scope == "account":
        content["cancel_all"] = True
    if scope == "account":
        content["scope"] = scope
    if force:
        content["force"] = True
    data = _ask(bridge, "halt", content)
    _show(bridge, data, halts.after_halt(data, account, client, reduce_only=reduce_only))


@grouped
def resume(
    bridge: BridgeOptions, reason: Reason = "", account: OneAccount = "", client: OneClient = ""
) -> None:
    """Take back a halt. One that was of an account or a client needs the same options."""
    data = _ask(bridge, "resume", {"reason": reason} | _named(account, client))
    _show(bridge, data, halts.after_resume(data, account, client))


@grouped
def resolve(
    bridge: BridgeOptions,
    client_order_id: Annotated[str, typer.Argument(help="The client's name for the order.")],
    account: Annotated[str, typer.Option(help="Alias of the account.")],
    client: Annotated[str, typer.Option(help="Who sent the command.")],
    order_no: Annotated[str, typer.Option(help="KIS has it, under this number.")] = "",
    not_placed: Annotated[bool, typer.Option("--not-placed", help="KIS does not have it.")] = False,
    command_id: Annotated[
        str, typer.Option(help="Id of a modification or cancellation, as in its ack.")
    ] = "",
) -> None:
    """Settle a command whose outcome is unknown. Look it up at KIS first: it is believed."""
    if bool(order_no) is not_placed:
        raise typer.BadParameter("say what became of it: --order-no NUMBER or --not-placed")
    content = {
        "account": account,
        "client": client,
        "client_order_id": client_order_id,
        "outcome": "not_placed" if not_placed else "placed",
    }
    content |= {"order_no": order_no} if order_no else {}
    content |= {"command_id": command_id} if command_id else {}
    data = _ask(bridge, "resolve", content)
    _show(bridge, data, f"{client_order_id} is {data['state']}")


def _named(account: str, client: str) -> dict[str, str]:
    return {name: text for name, text in (("account", account), ("client", client)) if text}


def _holder(bridge: BridgeOptions, client: str) -> dict[str, str]:
    return {"client": client or bridge.endpoints()[0].username or "cli"}


def _ask(
    bridge: BridgeOptions, verb: RequestVerb, content: Mapping[str, Any], client: str = ""
) -> Any:
    endpoints, topics = bridge.endpoints(), bridge.topics()
    return asyncio.run(
        request(
            *(endpoints, verb, content),
            topics=topics,
            client=client,
            deadline_s=bridge.wait,
            key=bridge.signing_key(),
        )
    )


def _show(bridge: BridgeOptions, data: object, text: str) -> None:
    sys.stdout.write(f"{encode(data).decode() if bridge.as_json else text}\n")


def wanted(what: list[str], channel: str) -> list[dict[str, str]]:
    """Return the subscriptions that words of the command line mean; raises ``BadParameter``."""
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


def named_values(words: list[str]) -> dict[str, str]:
    """Return ``NAME=VALUE`` words by name; raises ``BadParameter``."""
    params: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{word!r} is not NAME=VALUE")
        if name in params:
            raise typer.BadParameter(f"{name} is given twice")
        params[name] = value
    return params
