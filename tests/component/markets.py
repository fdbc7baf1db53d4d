"""A gateway and an exchange of all markets in one virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge.kis.markets import told_of_fills
from bridge.mqtt.topics import Topics
from bridge.orders.gateway import Gateway, Rules, TradingAccount
from tests.component.gateway_fixture import Bench, Broker, Kis
from tests.component.virtual_exchange import (
    ACCOUNT,
    CATALOG,
    FUTURES,
    OVERSEAS,
    InlineJournal,
    VirtualExchange,
    VirtualLoop,
)

__all__ = ["EXPIRES", "Market", "in_virtual_time", "market"]

EXPIRES = "2026-11-24T12:00:00+09:00"


class Market(Bench):
    """Commands for two accounts, and the notices that come of them."""

    virtual: VirtualExchange

    async def order(self, verb: str, name: str, account: str = "main", **fields: object) -> Any:
        content = {"client_order_id": name, "expires_at": EXPIRES} | fields
        topic = f"kis/orders/{account}/alice/ack/{name}"
        acks = len(self.broker.on(topic))
        await self.send(verb, content, account=account)
        return (await self.broker.wait(topic, acks + 1))[-1]

    def tell(self) -> None:
        for market, values in self.virtual.told():
            self.gateway.notice(values, self.clock(), market)
        while self.virtual.notices:
            self.gateway.notice(self.virtual.notices.popleft(), self.clock())

    async def until(self, name: str, state: str, account: str = "main") -> Any:
        """Return the event with which an order comes to a state."""
        count = 1
        while (event := await self.event(name, count, account))["state"] != state:
            count += 1
        return event

    async def event(self, name: str, count: int, account: str = "main") -> Any:
        topic = f"kis/orders/{account}/alice/event/{name}"
        return (await self.broker.wait(topic, count))[-1]


def in_virtual_time(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[[Path], None]:
    @wraps(test)
    def run(tmp_path: Path) -> None:
        loop = VirtualLoop()
        try:
            loop.run_until_complete(test(tmp_path, VirtualExchange(loop)))
        finally:
            loop.close()

    del run.__wrapped__  # pytest would ask for its arguments
    return run


@asynccontextmanager
async def market(
    path: Path,
    virtual: VirtualExchange,
    *,
    per_second: float = 100,
    contracts: bool = False,
    markets: Sequence[str] = ("domestic_stock", "overseas_stock"),
    **rules: Any,
) -> AsyncIterator[Market]:
    journal = InlineJournal(f"sqlite:///{path}/orders.db")
    await journal.open()
    rest, broker = virtual.rest(per_second), Broker()

    def listened(market: str) -> tuple[int, int] | None:
        return (0, virtual.loop.micros()) if told_of_fills(market) else None

    overseas = TradingAccount(SecretStr(OVERSEAS), rest, listened)
    gateway = Gateway(
        catalog=CATALOG,
        journal=journal,
        sink=broker,
        topics=Topics("kis"),
        accounts={
            **({"contracts": overseas} if contracts else {}),
            "main": TradingAccount(SecretStr(ACCOUNT), rest, listened),
            "futures": TradingAccount(SecretStr(FUTURES), rest, listened),
        },
        rules=Rules(paper=False, markets=markets, proof_s=3.0, **rules),
        clock=virtual.loop.micros,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gateway.run())
            await gateway.ready()
            bench = Market(gateway, Kis(), broker, journal, virtual.loop.micros)
            bench.virtual = virtual
            yield bench
            await gateway.stop()
    finally:
        await journal.close()
