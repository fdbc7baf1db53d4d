"""What the order line does while another bridge may send, and what it inherits from one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import connect

import pytest

from bridge.errors import BrokerError, NotOwnerError
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.ownership.claim import Lives
from bridge.orders.ownership.owner import Owner
from bridge.orders.risk.title import Title
from tests.brokers import Mosquitto
from tests.component.gateway_fixture import PLACE, Kis, Queued, ack_topic, bench, now

OTHER = "another bridge (elsewhere, since then)"


class Steady:
    now = 0

    def __call__(self) -> int:
        return self.now


def title() -> tuple[Title, Steady]:
    clock = Steady()
    found = Title(clock)
    found.grant(10)
    return found, clock


async def test_what_waits_for_its_turn_is_refused_when_the_bridge_stood_still(
    tmp_path: Path,
) -> None:
    turn, (ours, clock) = Queued(), title()
    async with bench(tmp_path, kis=Kis([turn]), title=ours) as b:
        placing = asyncio.ensure_future(b.place())
        await b.kis.called.wait()
        clock.now = 10
        turn.set()
        ack = await placing
        assert (ack["status"], ack["reason"]) == ("refused", "not_owner")
        assert "stood still" in ack["message"]
        assert b.kis.number == 0


async def test_what_waits_for_its_turn_is_refused_when_another_bridge_took_over(
    tmp_path: Path,
) -> None:
    turn, (ours, _) = Queued(), title()
    async with bench(tmp_path, kis=Kis([turn]), title=ours) as b:
        placing = asyncio.ensure_future(b.place())
        await b.kis.called.wait()
        ours.deny(OTHER)
        turn.set()
        ack = await placing
        assert (ack["status"], ack["reason"]) == ("refused", "not_owner")
        assert ack["message"] == f"{OTHER} sends for this account"


async def test_a_whole_order_is_cancelled_without_a_broker_but_not_besides_another_owner(
    tmp_path: Path,
) -> None:
    turns, (ours, clock) = [Queued(), Queued()], title()
    async with bench(tmp_path, kis=Kis([]), title=ours) as b:
        await b.place("a-1")
        await b.place("a-2")
        b.kis.script += turns
        b.kis.called.clear()
        cancelling = asyncio.ensure_future(b.ask("cancel", "a-1"))
        await b.kis.called.wait()
        clock.now = 10
        turns[0].set()
        assert (await cancelling)["status"] == "accepted"
        clock.now = 0
        b.kis.called.clear()
        cancelling = asyncio.ensure_future(b.ask("cancel", "a-2"))
        await b.kis.called.wait()
        ours.deny(OTHER)
        turns[1].set()
        assert (await cancelling)["reason"] == "not_owner"


async def test_a_command_that_comes_meanwhile_is_left_to_whoever_sends(tmp_path: Path) -> None:
    ours, clock = title()
    acked: list[bool] = []
    async with bench(tmp_path, title=ours) as b:
        clock.now = 10
        message = b.message("place", PLACE, ack=lambda: acked.append(True))
        taking = asyncio.ensure_future(b.gateway.command(message))
        ours.wake()
        assert await b.journal.clients() == frozenset()
        assert not taking.done()
        assert not acked, "the broker keeps it"
        ours.grant(20)
        await taking
        assert (await b.broker.wait(ack_topic("a-1")))[-1]["status"] == "accepted"
        assert acked


async def test_what_a_silent_bridge_may_have_sent_is_unknown_and_not_sent_again(
    tmp_path: Path,
) -> None:
    ours, clock = title()
    ours.inherit(now() - 60_000_000, 5)
    async with bench(tmp_path, title=ours) as b:
        await b.send("place", PLACE, again=True)
        ack = (await b.broker.wait(ack_topic("a-1")))[-1]
        assert ack["status"] == "unknown"
        assert "may have sent it" in ack["message"]
        assert not b.kis.calls
        # The same once more, and what only looks new.
        await b.send("place", PLACE, again=True)
        assert (await b.broker.wait(ack_topic("a-1"), 2))[-1]["status"] == "unknown"
        await b.send("place", PLACE | {"client_order_id": "a-2", "symbol": "000660"})
        assert (await b.broker.wait(ack_topic("a-2")))[-1]["status"] == "accepted"
        clock.now = 5  # by then the broker has delivered all that the other one had
        await b.send("place", PLACE | {"client_order_id": "a-3", "symbol": "035720"}, again=True)
        assert (await b.broker.wait(ack_topic("a-3")))[-1]["status"] == "accepted"


async def test_what_a_silent_bridge_may_have_sent_is_not_refused_as_expired(
    tmp_path: Path,
) -> None:
    ours, _ = title()
    ours.inherit(now() - 60_000_000, 5)
    async with bench(tmp_path, title=ours) as b:
        late = PLACE | {"expires_at": "2020-01-01T00:00:00+09:00"}
        await b.send("place", late, again=True)
        assert (await b.broker.wait(ack_topic("a-1")))[-1]["status"] == "unknown"


# the journal


async def test_who_was_taken_over_from_writes_no_submission_but_reads_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/orders.db"
    async with bench(tmp_path, journal=Journal(url)) as b:
        await b.journal.take("one", ["main"], {})
        assert (await b.place("a-1"))["status"] == "accepted"
        with connect(tmp_path / "orders.db") as database:
            database.execute("UPDATE claims SET owner = 'two', fence = fence + 1")
        await b.send("place", PLACE | {"client_order_id": "a-2"})
        async with asyncio.timeout(5):
            await b.journal.taken_over.wait()
        assert len(b.kis.calls) == 1
        with pytest.raises(NotOwnerError, match="another bridge has taken over"):
            await b.journal.beat()
        assert (await b.journal.claims(["main"]))["main"].fence == 2


# on a broker


@contextmanager
def broker(folder: Path) -> Iterator[Endpoint]:
    with Mosquitto.running(folder) as running:
        yield Endpoint.parse(running.url)


def owner(
    endpoint: Endpoint, journal: Journal, told: list[BridgeEvent], lives: Lives | None = None
) -> Owner:
    def tell(event: BridgeEvent, _: str) -> None:
        told.append(event)

    return Owner(
        journal,
        [endpoint],
        Topics(),
        ["main", "other"],
        lives or Lives(request_s=5),
        client_id="kis-bridge-kis",
        tell=tell,
    )


async def opened(folder: Path) -> Journal:
    journal = Journal(f"sqlite:///{folder}/orders.db")
    await journal.open()
    return journal


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_of_two_that_start_at_once_one_has_it_and_the_next_follows_its_farewell(
    tmp_path: Path,
) -> None:
    with broker(tmp_path) as endpoint:
        journals = [await opened(tmp_path / name) for name in ("one", "two")]
        told: list[BridgeEvent] = []
        owners = [owner(endpoint, journal, told) for journal in journals]
        tasks = [asyncio.ensure_future(each.run()) for each in owners]
        try:
            have = await asyncio.gather(*(each.decided(10) for each in owners))
            assert sorted(have) == [False, True]
            first, second = sorted(owners, key=lambda each: not each.title.held)
            assert {(e["kind"], e["owner"]) for e in told if e["kind"] == "owner_conflict"} == {
                ("owner_conflict", first.name)
            }
            await first.release()
            async with asyncio.timeout(5):
                await second.title.gained()
            assert not first.title.held
        finally:
            await ended(*tasks)
            for journal in journals:
                await journal.close()


async def test_an_owner_that_falls_silent_is_followed_by_one_that_inherits(tmp_path: Path) -> None:
    lives = Lives(request_s=-13.0, beat_s=0.1, valid_s=0.5)
    assert lives.silent_s == 2.5
    with broker(tmp_path) as endpoint:
        journals = [await opened(tmp_path / name) for name in ("one", "two")]
        told: list[BridgeEvent] = []
        first, second = (owner(endpoint, journal, told, lives) for journal in journals)
        one = asyncio.ensure_future(first.run())
        assert await first.decided(10)
        two = asyncio.ensure_future(second.run())
        try:
            assert not await second.decided(10)
            await ended(one)
            async with asyncio.timeout(10):
                await second.title.gained()
            since = second.title.inherited
            assert since is not None
            assert not first.title.held, "by time alone: nobody has told it"
            # What the broker delivers again it may deliver after a crash only.
            await ended(two)
            await journals[1].close()
            await journals[1].open()
            third = owner(endpoint, journals[1], told, lives)
            two = asyncio.ensure_future(third.run())
            assert await third.decided(10)
            assert third.title.inherited == since
        finally:
            await ended(one, two)
            for journal in journals:
                await journal.close()


async def test_a_restart_with_the_same_lock_has_it_at_once_and_inherits_nothing(
    tmp_path: Path,
) -> None:
    with broker(tmp_path) as endpoint:
        told: list[BridgeEvent] = []
        for _ in range(2):
            journal = await opened(tmp_path / "one")
            each = owner(endpoint, journal, told)
            running = asyncio.ensure_future(each.run())
            try:
                assert await each.decided(10)
                assert each.title.inherited is None
            finally:
                await ended(running)  # without a farewell
                await journal.close()
        assert told == []


async def test_an_owner_that_hears_of_a_later_one_ends_and_says_of_whom(tmp_path: Path) -> None:
    with broker(tmp_path) as endpoint:
        journals = [await opened(tmp_path / name) for name in ("one", "two")]
        told: list[BridgeEvent] = []
        first, second = (owner(endpoint, journal, told) for journal in journals)
        one = asyncio.ensure_future(first.run())
        assert await first.decided(10)
        two = asyncio.ensure_future(second.run())
        try:
            assert not await second.decided(10)
            for contest in second._contests.values():
                contest.rival = None
            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.timeout(15):
                    await one
            assert caught.group_contains(NotOwnerError, match="has taken over the orders")
            assert first.title.problem(harmless=True)
            assert told[-1]["kind"] == "owner_conflict"
        finally:
            await ended(one, two)
            for journal in journals:
                await journal.close()


async def test_without_the_right_to_claim_it_says_what_to_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.orders.ownership.owner._DECIDE_S", 1.0)
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite kis/orders/#\n")
    journal = await opened(tmp_path / "one")
    with Mosquitto.running(tmp_path, f"allow_anonymous true\nacl_file {acl}\n") as running:
        each = owner(Endpoint.parse(running.url), journal, [])
        task = asyncio.ensure_future(each.run())
        try:
            with pytest.raises(BrokerError, match="does not come back: let the"):
                await each.decided(10)
            assert not each.title.held
        finally:
            await ended(task)
            await journal.close()
