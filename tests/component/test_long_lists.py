"""Lists of orders that take KIS long to tell: an account trades again when they are complete."""

from __future__ import annotations

from pathlib import Path

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.exchange.tickets import OrderRequest
from tests.component.gateway_fixture import PLACE, ack_topic
from tests.component.markets import EXPIRES, in_virtual_time, market
from tests.component.virtual_exchange import ACCOUNT, VirtualExchange


@in_virtual_time
async def test_a_list_of_many_pages_may_take_minutes(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    base = virtual.exchange.market("000660", virtual.loop.now()).listing.base
    for _ in range(700):
        virtual.exchange.place(
            OrderRequest(ACCOUNT, "000660", Side.BUY, 1, base - 5000), virtual.loop.now()
        )
    async with market(tmp_path, virtual, per_second=0.1) as m:
        price = virtual.exchange.market("005930", virtual.loop.now()).listing.base
        await m.send("place", PLACE | {"price": price, "expires_at": EXPIRES})
        ack = (await m.broker.wait(ack_topic(), deadline_s=1_000))[0]
        assert ack["status"] == "accepted"
        assert virtual.loop.time() > 60
        external = m.broker.on("kis/accounts/main/event/external")
        assert len(external) == 700
