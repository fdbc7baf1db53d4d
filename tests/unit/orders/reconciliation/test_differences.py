"""What is told to people of a list that differs, each thing once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.reconciliation.differences import Differences
from bridge.orders.reconciliation.proof import ProofWindow
from tests.unit.orders.commands import (
    DAY,
    MONDAY,
    SECOND,
    accept,
    fill,
    listed,
    managed,
    notice,
    place,
    submit,
)

PROOF = 30 * SECOND
STOCK = "domestic_stock"


class Press:
    """Differences between a journal and lists, and what is said of them."""

    def __init__(self, *commands: ManagedOrder) -> None:
        self.now = MONDAY + 60 * SECOND
        self.topics: list[str] = []
        self.payloads: list[dict[str, Any]] = []
        blotter = Blotter(Calendar(load().hours))
        for number, one in enumerate(commands, 1):
            one.id = number
            blotter.add(one)
        self.publisher = Publisher(self, Topics("kis"))
        self.differences = Differences(blotter, self.publisher, clock=lambda: self.now, proof=PROOF)

    async def publish(self, publication: Publication) -> None:
        self.topics.append(publication.topic)
        self.payloads.append(json.loads(publication.payload))

    async def said(self) -> list[dict[str, Any]]:
        """Return what was told since the last time."""
        running = asyncio.ensure_future(self.publisher.run())
        await self.publisher.drain()
        running.cancel()
        told, self.payloads = self.payloads, []
        return told

    async def listed(self) -> list[dict[str, Any]]:
        """Return the rows that were told since the last time, each with its event."""
        told = await self.said()
        rows = [one for one in told if one["kind"] == "listed"]
        events = [one for one in told if one["kind"] == "order_external"]
        assert [one["order_no"] for one in events] == [one["order_no"] for one in rows]
        return rows

    def compare(self, chains: dict[ManagedOrder, list[Any]], *, asked: int | None = None) -> None:
        window = ProofWindow(self.now if asked is None else asked, PROOF)
        self.differences.tell_differences("main", STOCK, chains, window)


def order(*steps: Step, **fields: Any) -> ManagedOrder:
    return managed(place(**fields), submit(), accept(), *steps)


class TestOurs:
    async def test_an_open_order_that_the_list_does_not_have_is_told_once(self) -> None:
        press = Press(order())
        press.compare({})
        press.compare({})
        (told,) = await press.said()
        assert (told["account"], told["client"], told["client_order_id"]) == (
            "main",
            "alice",
            "a-1",
        )
        assert told["message"] == "the exchange's list does not have it"
        assert press.topics == ["kis/bridge/event/order_difference"]

    async def test_fewer_fills_than_notices_told_are_told_for_each_count(self) -> None:
        ours = order(fill(4))
        press = Press(ours)
        press.compare({ours: [listed(filled=1)]})
        press.compare({ours: [listed(filled=1)]})
        press.compare({ours: [listed(filled=2)]})
        assert [told["message"] for told in await press.said()] == [
            "4 are filled, 1 in the exchange's list",
            "4 are filled, 2 in the exchange's list",
        ]

    async def test_fills_of_all_its_numbers_count(self) -> None:
        ours = order(fill(4))
        press = Press(ours)
        press.compare({ours: [listed(filled=1), listed("8", filled=3, action="modify")]})
        press.compare({ours: [listed(filled=5)]})  # more is made up for elsewhere
        assert await press.said() == []

    async def test_a_list_may_lag_behind_what_just_happened(self) -> None:
        press = Press(order())
        press.compare({}, asked=MONDAY + PROOF - 1)
        assert await press.said() == []
        press.compare({}, asked=MONDAY + PROOF)
        assert len(await press.said()) == 1

    @pytest.mark.parametrize(
        "one",
        [
            managed(place(), submit(), Step(Event.LOSE, MONDAY)),  # it has no number
            order(Step(Event.CANCEL_REST, MONDAY, 10)),  # nothing is missing of what is over
            managed(place(), submit(), accept(), account="other"),
            order(market="overseas_stock", venue="nas", symbol="AAPL"),
        ],
    )
    async def test_of_anything_else_nothing_is_told(self, one: ManagedOrder) -> None:
        press = Press(one)
        press.compare({})
        assert await press.said() == []


class TestUnknown:
    async def test_a_person_is_called_once(self) -> None:
        lost = managed(place(), submit(), Step(Event.LOSE, MONDAY))
        press = Press(lost)
        assert press.differences.open_end(lost)
        press.differences.tell_unknown(lost)
        press.differences.tell_unknown(lost)
        press.differences.tell_unknown(lost, [listed()])
        assert not press.differences.open_end(lost)
        (told,) = await press.said()
        assert told["kind"] == "order_unknown"

    async def test_with_the_rows_to_choose_from(self) -> None:
        lost = managed(place(), submit(), Step(Event.LOSE, MONDAY))
        press = Press(lost)
        press.differences.tell_unknown(lost, [listed("7"), listed("8")])
        (told,) = await press.said()
        assert (told["kind"], told["symbol"]) == ("order_ambiguous", "005930")
        assert [row["order_no"] for row in told["candidates"]] == ["7", "8"]


class TestStrangers:
    async def test_an_order_placed_elsewhere_is_told_again_when_more_of_it_fills(self) -> None:
        press = Press()
        for filled in (0, 0, 3, 3, 2, 10):
            press.differences.tell_strangers("main", [listed(filled=filled)])
        assert [told["filled_quantity"] for told in await press.listed()] == [0, 3, 10]

    async def test_what_notices_told_the_list_need_not_tell(self) -> None:
        press = Press()
        press.differences.elsewhere("main", notice("0000000007", kind="taken"))
        press.differences.tell_strangers("main", [listed()])
        press.differences.elsewhere("main", notice(quantity=3))
        press.differences.elsewhere("main", notice(quantity=4))
        press.differences.tell_strangers("main", [listed(filled=7)])
        assert await press.listed() == []
        press.differences.tell_strangers("main", [listed(filled=8)])
        press.differences.tell_strangers("other", [listed(filled=7)])
        assert len(await press.listed()) == 2

    async def test_while_a_command_of_that_symbol_has_no_answer_it_may_be_ours(self) -> None:
        press = Press(managed(place(), submit()))
        press.differences.tell_strangers("main", [listed(), listed("8", symbol="000660")])
        assert [told["order_no"] for told in await press.listed()] == ["8"]

    async def test_tomorrow_the_same_number_is_another_order(self) -> None:
        press = Press()
        press.differences.tell_strangers("main", [listed()])
        press.now += DAY
        press.differences.tell_strangers("main", [listed()])  # of a day that is over
        press.differences.tell_strangers("main", [listed(at=MONDAY + DAY)])
        assert [told["ordered_at"] for told in await press.listed()] == [MONDAY, MONDAY + DAY]
