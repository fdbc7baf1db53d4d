"""``kis-bridge order``: send a command over MQTT and wait for its ack; read the journal."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli import broker
from bridge.cli.broker import LOCAL, AsJson, Base, CaFile, Password, Url, User
from bridge.cli.orders import ConfigFile, JournalUrl, described, journal_url, orders
from bridge.errors import BrokerError, ConfigError, JournalError
from bridge.mqtt.client import ControlClient, Message
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.orders.journal.reader import read
from bridge.orders.model.command import CommandError
from bridge.orders.model.command_parser import parse
from bridge.orders.model.managed_order import restore

__all__ = ["app"]

app = typer.Typer(
    help="Place, modify, cancel and list orders.", no_args_is_help=True, rich_markup_mode=None
)

AccountName = Annotated[str, typer.Option("--account", help="Alias of the account.")]
Client = Annotated[str, typer.Option("--client", help="Client name; default: the MQTT user.")]
Wait = Annotated[
    float, typer.Option("--wait", min=0.1, max=86_400, help="Seconds the command is good for.")
]
Price = Annotated[str | None, typer.Option(help="Limit price.")]
ConditionPrice = Annotated[str | None, typer.Option(help="Trigger of a stop_limit.")]
OrderName = Annotated[str, typer.Argument(metavar="ID", help="The order's client_order_id.")]


@dataclass(frozen=True)
class _Sender:
    """Where commands go, and in whose name."""

    endpoints: Sequence[Endpoint]
    topics: Topics
    account: str
    client: str
    wait_s: float
    as_json: bool

    @classmethod
    def build(
        cls,
        where: tuple[str, str, str, Path | None],
        base: str,
        account: str,
        client: str,
        wait_s: float,
        as_json: bool,
    ) -> _Sender:
        endpoints, topics = broker.endpoints(*where), broker.topics(base)
        name = client or endpoints[0].username or "cli"
        return cls(endpoints, topics, account, name, wait_s, as_json)

    def send(self, verb: str, command: Mapping[str, Any]) -> None:
        """Send a command, show its ack, and leave with 1 unless it was accepted."""
        until = datetime.now(UTC) + timedelta(seconds=self.wait_s)
        content = {k: v for k, v in command.items() if v is not None}
        content["expires_at"] = until.isoformat()
        try:
            parse(verb, json.dumps(content).encode())
        except CommandError as error:
            if not error.client_order_id:  # there is no topic for such an ack
                raise ConfigError(str(error)) from None
        ack = asyncio.run(self._exchange(verb, content))
        if self.as_json:
            sys.stdout.write(json.dumps(ack, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(_line(ack) + "\n")
        if ack.get("status") != "accepted":
            raise typer.Exit(1)

    async def _exchange(self, verb: str, command: Mapping[str, Any]) -> dict[str, Any]:
        name = str(command["client_order_id"])
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        async def arrived(message: Message) -> None:
            message.ack()
            ack = json.loads(message.payload)
            mine = ack.get("verb", "place") == verb
            if (named := command.get("command_id")) is not None:  # else the id is new
                # What the bridge cannot read has no name either.
                unread = ack.get("reason") == "invalid_payload" and not ack.get("command_id")
                mine = ack.get("command_id") == named or (mine and unread)
            if mine and not answered.done():
                answered.set_result(ack)

        client = ControlClient(
            self.endpoints, client_id=f"kis-order-{secrets.token_hex(4)}", clean=True
        )
        try:
            topic = self.topics.command(self.account, self.client, verb)
            client.subscribe(self.topics.order_ack(self.account, self.client, name), 1, arrived)
        except ValueError as error:
            raise ConfigError(f"--account, --client or the id: {error}") from None
        failure: BrokerError | None = None
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(client.run())
            try:
                await client.wait_connected(fail_fast=True)
                await client.publish(topic, json.dumps(command).encode(), wait=True)
                async with asyncio.timeout(self.wait_s + 2):
                    await answered
            except TimeoutError:
                failure = BrokerError(
                    f"no ack within {self.wait_s:g} s: is the bridge running, and may "
                    f"{self.client!r} trade {self.account!r}? The command is no longer good."
                )
            except BrokerError as error:
                failure = error
            finally:
                running.cancel()
        if failure is not None:
            raise failure
        return answered.result()


@app.command()
def place(
    symbol: Annotated[str, typer.Argument(help="e.g. 005930, AAPL, A01603")],
    side: Annotated[str, typer.Argument(help="buy or sell")],
    quantity: Annotated[int, typer.Argument(min=1)],
    price: Price = None,
    order_type: Annotated[
        str | None, typer.Option("--type", help="Default: limit with a price, else market.")
    ] = None,
    condition_price: ConditionPrice = None,
    market: Annotated[
        str, typer.Option(help="domestic_stock, overseas_stock or domestic_derivative.")
    ] = "domestic_stock",
    venue: Annotated[
        str, typer.Option(help="krx, nxt, sor, krx_night; overseas nas, nys, ams, hks …")
    ] = "krx",
    client_order_id: Annotated[str | None, typer.Option("--id", help="client_order_id.")] = None,
    account: AccountName = "main",
    client: Client = "",
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Place an order; the bridge says which markets, venues and types it takes."""
    _Sender.build((url, user, password, ca_file), base, account, client, wait, as_json).send(
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
        },
    )


@app.command()
def modify(
    client_order_id: OrderName,
    price: Price = None,
    order_type: Annotated[str | None, typer.Option("--type", help="New order type.")] = None,
    condition_price: ConditionPrice = None,
    account: AccountName = "main",
    client: Client = "",
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Give the rest of an order another price or type."""
    _Sender.build((url, user, password, ca_file), base, account, client, wait, as_json).send(
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
def cancel(
    client_order_id: OrderName,
    quantity: Annotated[int | None, typer.Option(min=1, help="Default: the whole rest.")] = None,
    order_no: Annotated[
        str | None, typer.Option(help="Which number, after a part was modified elsewhere.")
    ] = None,
    account: AccountName = "main",
    client: Client = "",
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Cancel the rest of an order, or a part of it."""
    _Sender.build((url, user, password, ca_file), base, account, client, wait, as_json).send(
        "cancel",
        {
            "client_order_id": client_order_id,
            "command_id": f"cli-{secrets.token_hex(8)}",
            "quantity": quantity,
            "order_no": order_no,
        },
    )


@app.command("list")
def list_(
    config: ConfigFile = None,
    journal: JournalUrl = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All days, not only today (Korean date).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the journal's orders; `kis-bridge orders` can more."""
    orders(config=config, journal=journal, everything=everything, as_json=as_json)


@app.command("cancel-all")
def cancel_all(
    symbol: Annotated[str | None, typer.Option(help="Only orders for this symbol.")] = None,
    account: AccountName = "main",
    client: Client = "",
    url: Url = LOCAL,
    user: User = "",
    password: Password = "",
    ca_file: CaFile = None,
    base: Base = "kis",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Cancel every open order of this client on the account."""
    _Sender.build((url, user, password, ca_file), base, account, client, wait, as_json).send(
        "cancel_all", {"client_order_id": f"cli-{secrets.token_hex(8)}", "symbol": symbol}
    )


@app.command()
def show(
    client_order_id: OrderName,
    config: ConfigFile = None,
    journal: JournalUrl = "",
    as_json: AsJson = False,
) -> None:
    """Show what the journal knows about an order, step by step."""
    found = [
        record
        for record in read(journal_url(config, journal))
        if record.identity.client_order_id == client_order_id
    ]
    if not found:
        raise JournalError(f"the journal has no order {client_order_id!r}")
    for record in found:
        tracked = restore(record)
        head = described(tracked) if tracked.verb == "place" else tracked.command.canonical()
        if as_json:
            sys.stdout.write(head + "\n")
            continue
        sys.stdout.write(f"{tracked.verb} {head}\n")
        for step in record.steps:
            moment = datetime.fromtimestamp(step.at / 1_000_000, UTC).astimezone()
            sys.stdout.write(f"  {moment.isoformat()}  {step.event:<12} {step.dumps()}\n")


def _line(ack: Mapping[str, Any]) -> str:
    kis = ack.get("kis") or {}
    parts = (
        ack.get("client_order_id"),
        ack.get("status"),
        ack.get("reason"),
        ack.get("order_no") and f"order_no {ack['order_no']}",
        " ".join(filter(None, (kis.get("msg_cd"), kis.get("msg1")))),
        ack.get("message"),
    )
    return "  ".join(str(part) for part in parts if part)
