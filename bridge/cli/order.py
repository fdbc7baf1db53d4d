"""``kis-bridge order``: send a command over MQTT and wait for its ack; read the journal."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from bridge.cli.broker import AsJson, BridgeOptions
from bridge.cli.command_exchange import exchange
from bridge.cli.journal import JournalOptions
from bridge.cli.options import grouped
from bridge.errors import ConfigError
from bridge.mqtt.strict_json import encode
from bridge.orders.model.command import CommandError
from bridge.orders.model.command_parser import parse
from bridge.runtime.clock import SEOUL

__all__ = ["app"]

app = typer.Typer(
    help="Place, modify, cancel and show orders.", no_args_is_help=True, rich_markup_mode=None
)

Price = Annotated[str | None, typer.Option(help="Limit price.")]
ConditionPrice = Annotated[str | None, typer.Option(help="Trigger price of a stop_limit order.")]
OrderName = Annotated[str, typer.Argument(metavar="ID", help="The order's client_order_id.")]


@dataclass(frozen=True, slots=True)
class SenderOptions(BridgeOptions):
    """Where commands go, and in whose name."""

    account: Annotated[str, typer.Option("--account", help="Alias of the account.")] = "main"
    client: Annotated[
        str,
        typer.Option("--client", help="Client name.", show_default="the MQTT user, else cli"),
    ] = ""
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0.1,
            max=86_400,
            help="Seconds for which the command is good; its answer is waited for as long.",
        ),
    ] = 10.0

    def send(self, verb: str, command: Mapping[str, Any]) -> None:
        """Send a command, show its ack, and leave with 1 unless it was accepted."""
        endpoints, topics = self.endpoints(), self.topics()
        until = datetime.now(SEOUL) + timedelta(seconds=self.wait)
        content = {k: v for k, v in command.items() if v is not None}
        content["expires_at"] = until.isoformat()
        try:
            parse(verb, encode(content))
        except CommandError as error:
            if not error.client_order_id:  # there is no topic for such an ack
                raise ConfigError(str(error)) from None
        sender = self.account, self.client or endpoints[0].username or "cli"
        work = exchange(
            endpoints, topics, sender, verb, content, wait_s=self.wait, key=self.signing_key()
        )
        ack = asyncio.run(work)
        line = json.dumps(ack, ensure_ascii=False) if self.as_json else _line(ack)
        sys.stdout.write(f"{line}\n")
        if ack.get("status") != "accepted":
            raise typer.Exit(1)


@app.command()
@grouped
def place(
    sender: SenderOptions,
    symbol: Annotated[str, typer.Argument(help="Symbol, e.g. 005930, AAPL or A01603.")],
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    quantity: Annotated[int, typer.Argument(min=1, help="How many.")],
    price: Price = None,
    order_type: Annotated[
        str | None,
        typer.Option("--type", help="Order type.", show_default="limit with a price, else market"),
    ] = None,
    condition_price: ConditionPrice = None,
    market: Annotated[
        str,
        typer.Option(
            help="domestic_stock, domestic_bond, domestic_derivative, overseas_stock or "
            "overseas_derivative."
        ),
    ] = "domestic_stock",
    venue: Annotated[
        str, typer.Option(help="krx, nxt, sor or krx_night; overseas nas, nys, ams, hks …")
    ] = "krx",
    reserved: Annotated[
        bool, typer.Option("--reserved", help="For the next opening of the exchange.")
    ] = False,
    credit_type: Annotated[
        str | None, typer.Option(help="In a credit order, e.g. own_margin_loan_new.")
    ] = None,
    loan_date: Annotated[
        str | None, typer.Option(help="Of the loan, YYYYMMDD; today's for a new one.")
    ] = None,
    client_order_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="The order's client_order_id. Nothing is ordered twice under one id.",
            show_default="a new one",
        ),
    ] = None,
) -> None:
    """Place an order and wait for the bridge's answer.

    An answer that refuses a market, venue or type names those that are taken.
    """
    sender.send(
        "place",
        {
            "client_order_id": client_order_id or f"cli-{secrets.token_hex(8)}",
            "market": market,
            "venue": venue,
            "symbol": symbol,
            "side": side,
            "order_type": order_type or ("market" if price is None else "limit"),
            "quantity": quantity,
            "price": price,
            "condition_price": condition_price,
            "reserved": reserved or None,
            "credit_type": credit_type,
            "loan_date": loan_date,
        },
    )


@app.command()
@grouped
def modify(
    sender: SenderOptions,
    client_order_id: OrderName,
    price: Price = None,
    order_type: Annotated[str | None, typer.Option("--type", help="New order type.")] = None,
    condition_price: ConditionPrice = None,
) -> None:
    """Change the price or the type of what is left of an order."""
    sender.send(
        "modify",
        {
            "client_order_id": client_order_id,
            "command_id": f"cli-{secrets.token_hex(8)}",
            "price": price,
            "order_type": order_type,
            "condition_price": condition_price,
        },
    )


@app.command()
@grouped
def cancel(
    sender: SenderOptions,
    client_order_id: OrderName,
    quantity: Annotated[
        int | None,
        typer.Option(min=1, help="How many to cancel.", show_default="all that is left"),
    ] = None,
    order_no: Annotated[
        str | None,
        typer.Option(
            help="KIS's number of the part to cancel. Needed only where a part of the order was"
            " modified elsewhere and so has a number of its own."
        ),
    ] = None,
) -> None:
    """Cancel what is left of an order, or a part of it."""
    sender.send(
        "cancel",
        {
            "client_order_id": client_order_id,
            "command_id": f"cli-{secrets.token_hex(8)}",
            "quantity": quantity,
            "order_no": order_no,
        },
    )


@app.command("list")
@grouped
def list_(
    where: JournalOptions,
    everything: Annotated[
        bool, typer.Option("--all", help="Orders of all days, not only of today in Korea.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List today's orders. `kis-bridge orders` has more ways to choose and show them."""
    from bridge.cli.orders import orders  # the journal's database is slow to import

    orders(where=where, everything=everything, as_json=as_json)


@app.command("cancel-all")
@grouped
def cancel_all(
    sender: SenderOptions,
    symbol: Annotated[str | None, typer.Option(help="Only orders for this symbol.")] = None,
) -> None:
    """Cancel every open order of this client on the account."""
    sender.send("cancel_all", {"client_order_id": f"cli-{secrets.token_hex(8)}", "symbol": symbol})


@app.command()
@grouped
def show(
    where: JournalOptions,
    client_order_id: OrderName,
    as_json: AsJson = False,
) -> None:
    """Show what the journal has of an order, step by step."""
    from bridge.cli.order_show import written  # the journal's database is slow to import

    sys.stdout.writelines(
        f"{line}\n" for line in written(where.url(), client_order_id, as_json=as_json)
    )


def _line(ack: Mapping[str, Any]) -> str:
    kis = ack.get("kis") or {}
    parts = (
        ack.get("environment") and f"[{ack['environment']}]",
        ack.get("client_order_id"),
        ack.get("status"),
        ack.get("reason"),
        ack.get("order_no") and f"order_no {ack['order_no']}",
        " ".join(filter(None, (kis.get("msg_cd"), kis.get("msg1")))),
        ack.get("message"),
    )
    return "  ".join(str(part) for part in parts if part)
