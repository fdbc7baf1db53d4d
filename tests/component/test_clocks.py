"""Clocks that are wrong or jump, and commands of unknown age, on a real journal file."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.kis.clock import KisClock
from bridge.kis.replies import KisUnknownError, Reply
from bridge.orders.gateway import Rules
from bridge.orders.risk.limits import Limits
from bridge.runtime.clock import now_us
from tests.component.gateway_fixture import (
    PLACE,
    Bench,
    Kis,
    ack_topic,
    bench,
    event_topic,
    row,
    state_topic,
)

SECOND = 1_000_000
DAY_S = 86_400
LOST = KisUnknownError("timed out")
RULES = Rules(
    paper=False,
    pause_s=0.001,
    grace_s=0.05,
    unknown_s=0.005,
    proof_s=0.3,
    settle_s=0.001,
    reconcile_s=0.01,
)
ROUNDS = 10


@dataclass
class Machine:
    """A machine whose wall clock is ``askew`` seconds from the right time, which is KIS's."""

    askew: float = 0.0
    clock: KisClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = KisClock(self.wall, lambda: time.monotonic_ns() // 1_000)

    def wall(self) -> int:
        return now_us() + int(self.askew * SECOND)

    @property
    def terms(self) -> dict[str, Any]:
        return {"clock": self.clock.now, "clock_problem": self.clock.problem, "rules": RULES}


@dataclass
class Dated(Kis):
    """Tells its time with each list."""

    machine: Machine = field(default_factory=Machine)
    silent: bool = False
    """It tells none."""
    mended: bool = False
    """Somebody sets the machine's clock right while KIS answers for the list of orders, the first
    time that it tells anything."""

    async def pages(self, api: str, *args: Any, **more: Any) -> AsyncIterator[Reply]:
        sent = self.machine.clock.steady()
        async for reply in super().pages(api, *args, **more):
            if self.mended and api.endswith("inquire_daily_ccld"):
                self.machine.askew, self.mended = 0, False
            date = format_datetime(datetime.now(UTC), usegmt=True)
            self.machine.clock.heard({} if self.silent or self.mended else {"date": date}, sent)
            yield reply


async def rounds(b: Bench, count: int = ROUNDS) -> None:
    """Wait until the list was asked for so often again, and settled but for the last time."""
    before = len(b.kis.asked)
    await b.kis.until(lambda kis: len(kis.asked) > before + count)


def in_seconds(seconds: float, at: float | None = None) -> str:
    now = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return (now + timedelta(seconds=seconds)).isoformat()


# a wall clock that jumps


@pytest.mark.parametrize("back", [True, False], ids=["and back", "for good"])
@pytest.mark.parametrize("days", [1, -1])
async def test_a_jump_of_a_day_ends_no_order_and_a_cancel_reaches_it(
    tmp_path: Path, days: int, *, back: bool
) -> None:
    machine = Machine()
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await b.place()
        kis.listed = [row("1")]
        machine.askew = days * DAY_S
        await rounds(b)
        if back:
            machine.askew = 0
            await rounds(b)
        assert b.gateway.states() == {"accepted": 1}
        assert b.broker.on(state_topic())[-1] != {}
        assert (await b.ask("cancel"))["status"] == "accepted"
        assert kis.calls[-1][2]["ORGN_ODNO"] == "0000000001"


async def test_after_a_jump_of_a_day_and_back_cancel_all_reaches_the_order(tmp_path: Path) -> None:
    machine = Machine()
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await b.place()
        kis.listed = [row("1")]
        for machine.askew in (DAY_S, 0):
            await rounds(b)
        ack = await b.ask("cancel_all", "everything")
        assert (ack["status"], len(kis.calls)) == ("accepted", 2)
        assert kis.calls[-1][2]["ORGN_ODNO"] == "0000000001"


async def test_after_a_jump_of_a_day_and_back_a_halt_reaches_the_order(tmp_path: Path) -> None:
    machine = Machine()
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await b.place()
        kis.listed = [row("1")]
        for machine.askew in (DAY_S, 0):
            await rounds(b)
        assert (await b.gateway.halt("halted", cancel_all=True)).cancelling == 1
        await kis.until(lambda kis: len(kis.calls) == 2)
        assert kis.calls[-1][2]["ORGN_ODNO"] == "0000000001"


async def test_a_day_ends_when_it_is_over_at_kis(tmp_path: Path) -> None:
    # The journal's orders are of yesterday, by a clock that was right then.
    yesterday = now_us() - DAY_S * SECOND
    async with bench(tmp_path, rules=RULES, clock=lambda: yesterday) as b:
        await b.place()
    machine = Machine()
    async with bench(tmp_path, kis=Dated(machine=machine), **machine.terms) as b:
        assert (await b.broker.wait(event_topic()))[-1]["state"] == "expired"


# clocks that differ


@pytest.mark.parametrize("askew_s", [900, -900])
async def test_while_the_clocks_are_minutes_apart_nothing_is_proved_by_time(
    tmp_path: Path, askew_s: int
) -> None:
    machine = Machine()
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await rounds(b, 1)
        kis.script.append(LOST)
        assert (await b.place())["status"] == "unknown"
        placed = row("77")
        machine.askew = askew_s
        until = time.monotonic() + 4 * RULES.proof_s
        while time.monotonic() < until:
            await rounds(b, 2)
        assert b.gateway.states() == {"unknown": 1}
        # It was only late in the list, and is found there by KIS's time.
        kis.listed = [placed]
        accepted = (await b.broker.wait(event_topic()))[0]
        assert (accepted["state"], accepted["order_no"]) == ("accepted", "0000000077")


async def test_when_the_clocks_agree_again_an_absence_is_proved(tmp_path: Path) -> None:
    machine = Machine()
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await rounds(b, 1)
        machine.askew = 900
        kis.script.append(LOST)
        assert (await b.place())["reason"] == "clock"
        machine.askew = 0
        assert (await b.place("a-2"))["status"] == "unknown"
        assert (await b.broker.wait(event_topic("a-2")))[0]["state"] == "not_placed"


@pytest.mark.parametrize("askew_s", [900, -900, 3_000, -3_000])
async def test_while_the_clocks_are_minutes_apart_orders_are_refused_and_cancels_go(
    tmp_path: Path, askew_s: int
) -> None:
    machine = Machine()
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await b.place()
        kis.listed = [row("1")]
        machine.askew = askew_s
        for ack in (await b.place("a-2"), await b.ask("modify", price=72000)):
            assert (ack["status"], ack["reason"]) == ("refused", "clock")
            assert "synchronise it (NTP)" in ack["message"]
        assert len(kis.calls) == 1
        assert (await b.ask("cancel"))["status"] == "accepted"
        machine.askew = 0
        # A refusal is final under its name, also when the clock is right again.
        assert (await b.place("a-2"))["reason"] == "clock"
        assert (await b.place("a-3"))["status"] == "accepted"


async def test_with_a_slow_clock_at_the_start_an_expired_command_is_not_executed(
    tmp_path: Path,
) -> None:
    machine = Machine(askew=-3_000)
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        # Good for another 40 minutes by this machine's clock, over for ten by KIS's.
        assert (await b.place(expires_at=in_seconds(-600)))["reason"] == "expired"
        assert not kis.calls


async def test_what_was_refused_as_expired_is_not_sent_when_the_clock_is_right_again(
    tmp_path: Path,
) -> None:
    """A broker that missed the PUBACK delivers it again."""
    machine = Machine(askew=DAY_S)
    kis = Dated(machine=machine, silent=True)
    late = PLACE | {"expires_at": in_seconds(3_600)}
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await b.send("place", late)
        assert (await b.broker.wait(ack_topic()))[0]["reason"] == "expired"
        machine.askew, kis.silent = 0, False
        await rounds(b, 2)
        await b.send("place", late, again=True)
        assert (await b.broker.wait(ack_topic(), 2))[-1]["reason"] == "expired"
        assert not kis.calls
        await b.send("place", PLACE | {"expires_at": in_seconds(7_200)})  # meant anew
        assert (await b.broker.wait(ack_topic(), 3))[-1]["status"] == "accepted"


async def test_a_clock_of_tomorrow_that_is_set_right_while_kis_answers_ends_no_order(
    tmp_path: Path,
) -> None:
    machine = Machine()
    async with bench(tmp_path, kis=Dated(machine=machine), **machine.terms) as b:
        await b.place()
    machine = Machine(askew=DAY_S)
    kis = Dated(machine=machine, mended=True)
    kis.listed = [row("1")]
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        await rounds(b, 3)
        assert b.gateway.states() == {"accepted": 1}
        assert b.broker.on(state_topic())[-1]["state"] == "accepted"


async def test_with_a_clock_of_tomorrow_at_the_start_the_limit_of_today_holds(
    tmp_path: Path,
) -> None:
    machine = Machine()
    limited = {"rules": replace(RULES, limits=Limits(daily_notional=Decimal(1_000_000)))}
    async with bench(tmp_path, kis=Dated(machine=machine), **machine.terms | limited) as b:
        assert (await b.place())["status"] == "accepted"
    later = Machine(askew=DAY_S)
    kis = Dated(machine=later, silent=True)
    kis.listed = LOST  # and so nothing is sent
    async with bench(tmp_path, kis=kis, **later.terms | limited) as b:
        await b.send("place", PLACE | {"client_order_id": "a-2", "symbol": "000660"})
        await rounds(b, 2)
        later.askew, kis.silent = 0, False
        kis.listed = [row("1")]
        assert (await b.broker.wait(ack_topic("a-2")))[0]["reason"] == "risk_daily"


async def test_a_few_seconds_apart_are_no_reason_to_stop(tmp_path: Path) -> None:
    machine = Machine(askew=6)
    kis = Dated(machine=machine)
    async with bench(tmp_path, kis=kis, **machine.terms) as b:
        assert (await b.place())["status"] == "accepted"
        # But deadlines are by KIS's clock: ours says that this one has passed.
        assert (await b.place("a-2", expires_at=in_seconds(4)))["status"] == "accepted"


# commands of unknown age


async def test_a_command_of_unknown_age_is_refused_for_good(tmp_path: Path) -> None:
    undated = {name: value for name, value in PLACE.items() if name != "expires_at"}
    async with bench(tmp_path, rules=RULES) as b:
        await b.send("place", undated, expiry_s=60, fresh=False)
        ack = (await b.broker.wait(ack_topic()))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "expired")
        assert "of unknown age" in ack["message"]
        assert len(b.acked) == 1
        # A broker that did not see the PUBACK delivers it again, with what is left of its expiry.
        await b.send("place", undated, expiry_s=60)
        again = (await b.broker.wait(ack_topic(), 2))[1]
        assert (again["reason"], again["duplicate"]) == ("expired", True)
    async with bench(tmp_path, kis=b.kis, rules=RULES) as b:
        await b.send("place", undated, expiry_s=60)
        assert (await b.broker.wait(ack_topic()))[-1]["reason"] == "expired"
        assert not b.kis.calls


async def test_every_verb_of_unknown_age_is_refused_without_expires_at(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as b:
        await b.place()
        for verb, name in (("modify", "a-1"), ("cancel", "a-1"), ("cancel_all", "all")):
            content = {"client_order_id": name} | ({"price": 72000} if verb == "modify" else {})
            topic = ack_topic(name)
            acks = len(b.broker.on(topic))
            await b.send(verb, content, expiry_s=60, fresh=False)
            ack = (await b.broker.wait(topic, acks + 1))[-1]
            assert (ack["status"], ack["reason"]) == ("refused", "expired"), verb
        assert len(b.kis.calls) == 1
        assert (await b.ask("cancel"))["status"] == "accepted"


async def test_a_command_of_unknown_age_with_expires_at_is_judged_by_it(tmp_path: Path) -> None:
    async with bench(tmp_path, rules=RULES) as b:
        late = PLACE | {"client_order_id": "late", "expires_at": in_seconds(-1)}
        await b.send("place", PLACE, expiry_s=60, fresh=False)
        await b.send("place", late, expiry_s=60, fresh=False)
        assert (await b.broker.wait(ack_topic()))[0]["status"] == "accepted"
        assert (await b.broker.wait(ack_topic("late")))[0]["reason"] == "expired"


async def test_an_answered_command_that_comes_again_of_unknown_age_has_its_answer(
    tmp_path: Path,
) -> None:
    undated = {name: value for name, value in PLACE.items() if name != "expires_at"}
    async with bench(tmp_path, rules=RULES) as b:
        await b.send("place", undated, expiry_s=60)
        await b.broker.wait(ack_topic())
        await b.send("place", undated, expiry_s=60, fresh=False)
        again = (await b.broker.wait(ack_topic(), 2))[1]
        assert (again["status"], again["duplicate"]) == ("accepted", True)
        assert len(b.kis.calls) == 1
