"""A journal that lacks orders is taken into use by a person, after the exchange was asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.kis.replies import KisUnknownError
from bridge.orders.journal.identity import Mark
from bridge.orders.journal.journal import Journal
from tests.component.gateway_fixture import PLACE, Kis, bench, row

BETTER = Mark("another", 99)


class Doubtful(Journal):
    """A journal of which the broker knows a better one."""

    async def open(self) -> None:
        await super().open()
        await self.compare(BETTER, "the broker")


def doubtful(folder: Path) -> Journal:
    return Doubtful(f"sqlite:///{folder}/orders.db")


async def test_only_a_journal_that_lacks_orders_is_adopted(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        with pytest.raises(RequestError, match="nothing is missing") as caught:
            await b.gateway.adopt()
        assert caught.value.code == "not_replaced"
        assert (await b.place())["status"] == "accepted"
        os.unlink(tmp_path / "orders.db")  # noqa: PTH108 - at once
        assert (await b.place("a-2"))["reason"] == "journal_unavailable"
        with pytest.raises(RequestError, match="restart it and adopt then") as caught:
            await b.gateway.adopt()
        assert caught.value.code == "restart_needed"
        assert (await b.ask("cancel"))["status"] == "accepted"


async def test_orders_go_on_when_the_lists_were_read_after_the_request(tmp_path: Path) -> None:
    journal = doubtful(tmp_path)
    async with bench(tmp_path, journal=journal) as b:
        assert (await b.place())["reason"] == "journal_unavailable"
        assert b.gateway.journal()["state"] == "replaced"
        asked = len(b.kis.asked)
        b.kis.listed = [row("77")]
        mark = await b.gateway.adopt()
        assert len(b.kis.asked) > asked
        external = await b.broker.wait("kis/bridge/event/order_external")
        assert external[0]["order_no"].endswith("77")
        assert mark.generation > BETTER.generation
        assert b.gateway.journal() == {"state": "sound", "reason": None}
        assert (await b.place("a-2"))["status"] == "accepted"
        # What was refused stays refused: nobody may wonder whether it was sent after all.
        assert (await b.place())["duplicate"] is True
        assert len(b.kis.calls) == 1


async def test_it_is_not_adopted_while_the_exchange_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.orders.routing.adoption._LISTS_S", 0.2)
    kis = Kis()
    kis.listed = KisUnknownError("not now")
    async with bench(tmp_path, kis=kis, journal=doubtful(tmp_path)) as b:
        with pytest.raises(RequestError, match="not now") as caught:
            await b.gateway.adopt()
        assert caught.value.code == "lists_not_read"
        assert b.gateway.journal()["state"] == "replaced"


async def test_what_an_older_copy_has_as_received_is_not_sent(tmp_path: Path) -> None:
    full = Journal(f"sqlite:///{tmp_path}/orders.db")
    await full.open()
    async with bench(tmp_path / "elsewhere") as b:
        managed, _ = b.gateway._parts.line.intake.read(b.message("place", PLACE)) or (None, None)
        assert managed is not None
        record = managed.record()
    await full.admit(record)
    await full.close()
    async with bench(tmp_path, journal=doubtful(tmp_path)) as b:
        ack = (await b.broker.wait("kis/orders/main/alice/ack/a-1"))[0]
        assert (ack["status"], ack["reason"]) == ("refused", "journal_unavailable")
        assert not b.kis.calls
