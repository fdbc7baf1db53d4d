"""Limits count an order when it leaves, however long it waited."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from bridge.kis.replies import KisNotSentError
from bridge.orders.gateway import Rules
from bridge.orders.risk.limits import Limits
from tests.component.gateway_fixture import PLACE, Kis, ack_topic, bench

RULES: dict[str, Any] = {"paper": False, "pause_s": 0.001, "grace_s": 0.05}
MIDNIGHT = 1_799_938_800_000_000  # 2027-01-15 in Seoul


class Away(Kis):
    """Cannot be reached at first."""

    away = True
    tries = 0

    async def call(self, *args: Any, **more: Any) -> Any:
        if self.away:
            self.tries += 1
            self.moved.set()
            raise KisNotSentError("cannot connect")
        return await super().call(*args, **more)


async def test_orders_a_minute_are_those_that_leave_in_it(tmp_path: Path) -> None:
    now, kis = MIDNIGHT + 36_000_000_000, Away()
    rules = Rules(**RULES, limits=Limits(per_minute=1))
    async with bench(tmp_path, kis=kis, rules=rules, clock=lambda: now) as b:
        await b.send("place", PLACE)
        await kis.until(lambda _: kis.tries > 2)
        now += 61_000_000
        kis.away = False
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"
        assert (await b.place("b", symbol="000660"))["reason"] == "risk_rate"
        now += 60_000_000
        assert (await b.place("c", symbol="000660"))["status"] == "accepted"


async def test_an_order_that_waited_has_no_older_right_to_the_limits(tmp_path: Path) -> None:
    now, kis = MIDNIGHT + 36_000_000_000, Away()
    rules = Rules(**RULES, limits=Limits(per_minute=1))
    async with bench(tmp_path, kis=kis, rules=rules, clock=lambda: now) as b:
        await b.send("place", PLACE)
        await kis.until(lambda _: kis.tries > 2)
        now += 61_000_000
        tries = kis.tries
        await kis.until(lambda _: kis.tries > tries + 2)
        await b.send("place", PLACE | {"client_order_id": "b"}, client="bob")
        ack = (await b.broker.wait(ack_topic("b", "bob")))[0]
        assert ack["reason"] == "risk_rate"  # it was counted again meanwhile
        kis.away = False
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"


async def test_a_days_sum_is_of_the_day_on_which_orders_leave(tmp_path: Path) -> None:
    now, kis = MIDNIGHT - 1_000_000, Away()
    rules = Rules(**RULES, limits=Limits(daily_notional=Decimal(1_000_000)))
    async with bench(tmp_path, kis=kis, rules=rules, clock=lambda: now) as b:
        await b.send("place", PLACE)
        await kis.until(lambda _: kis.tries > 2)
        now = MIDNIGHT + 9 * 3_600_000_000
        kis.away = False
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"
        assert (await b.place("b", symbol="000660"))["reason"] == "risk_daily"
    async with bench(tmp_path, kis=kis, rules=rules, clock=lambda: now) as b:
        assert (await b.place("c", symbol="000660"))["reason"] == "risk_daily"


async def test_cancellations_take_no_room_after_a_restart(tmp_path: Path) -> None:
    rules = Rules(**RULES, limits=Limits(per_minute=1))
    async with bench(tmp_path, rules=rules) as b:
        await b.send("cancel_all", {"client_order_id": "all", "expires_at": PLACE["expires_at"]})
        await b.broker.wait(ack_topic("all"))
    async with bench(tmp_path, rules=rules) as b:
        assert (await b.place())["status"] == "accepted"


async def test_an_order_does_not_stand_in_its_own_way_at_midnight(tmp_path: Path) -> None:
    now, kis = MIDNIGHT - 1_000_000, Away()
    rules = Rules(**RULES, limits=Limits(per_minute=1))
    async with bench(tmp_path, kis=kis, rules=rules, clock=lambda: now) as b:
        await b.send("place", PLACE)
        await kis.until(lambda _: kis.tries > 2)
        now += 2_000_000
        tries = kis.tries
        await kis.until(lambda _: kis.tries > tries + 2)
        kis.away = False
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"
