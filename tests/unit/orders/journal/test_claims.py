"""Claims as rows of the journal: whoever takes one over shuts the one before it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect

import pytest

from bridge.errors import JournalError, NotOwnerError
from bridge.orders.journal.database import lock_name
from bridge.orders.journal.journal import Journal
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.records import Identity, JournalStep, NewRecord

NEW = NewRecord(Identity("main", "alice", "a-1", ""), "place", "d" * 64, "{}", 1, 10)
SUBMITTED = (Step(Event.SUBMIT, 2), State.SUBMITTING)


@pytest.fixture
async def journals(tmp_path: Path) -> AsyncIterator[Sequence[Journal]]:
    """Two bridges on one journal: the lock file was deleted in between."""
    url = f"sqlite:///{tmp_path}/orders.db"
    first, second = Journal(url), Journal(url)
    await first.open()
    await first.take("one", ["main"], {})
    await first.admit(NEW, SUBMITTED)
    (tmp_path / "orders.db.lock").unlink()
    await second.open()
    yield first, second
    await second.close()
    await first.close()


async def test_whoever_was_taken_over_from_cannot_say_that_an_order_is_sent(
    journals: Sequence[Journal],
) -> None:
    first, second = journals
    assert await second.take("two", ["main"], await second.claims(["main"])) == 2
    other = replace(NEW, identity=NEW.identity._replace(client_order_id="a-2"))
    with pytest.raises(NotOwnerError, match="this one writes no order any more"):
        await first.admit(other, SUBMITTED)
    assert first.taken_over.is_set()
    assert await second.find(other.identity) is None, "nothing of that transaction is there"
    received, _ = await second.admit(other)
    with pytest.raises(NotOwnerError):
        await first.append(JournalStep(received.id, 1, *SUBMITTED))
    with pytest.raises(NotOwnerError):
        await first.expand(JournalStep(received.id, 1, *SUBMITTED), [])
    with pytest.raises(NotOwnerError):
        await first.beat()
    found = await second.find(other.identity)
    assert found is not None
    assert found.steps == ()


async def test_to_send_is_no_sign_of_life_and_leaves_the_claim_as_it_is(
    journals: Sequence[Journal], tmp_path: Path
) -> None:
    first, _ = journals
    before = await first.claims(["main"])
    again, new = await first.admit(NEW, SUBMITTED)
    assert (again.steps[0].event, new) == (Event.SUBMIT, False), "it is there and ours"
    more, new = await first.admit(
        replace(NEW, identity=NEW.identity._replace(client_order_id="a-3")), SUBMITTED
    )
    assert new
    assert more.id == again.id + 1, "what is not new takes no number"
    assert await first.claims(["main"]) == before
    await first.beat()
    assert await first.claims(["main"]) != before


async def test_whoever_lost_a_part_of_what_it_claimed_sends_nothing(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/orders.db")
    await journal.open()
    try:
        await journal.take("one", ["main", "other"], {})
        await journal.admit(NEW, SUBMITTED)
        with closing(connect(tmp_path / "orders.db")) as database, database:
            database.execute("UPDATE claims SET owner = 'two' WHERE scope = 'other'")
        other = replace(NEW, identity=NEW.identity._replace(client_order_id="a-2"))
        with pytest.raises(NotOwnerError):
            await journal.admit(other, SUBMITTED)
        assert await journal.find(other.identity) is None
    finally:
        await journal.close()


async def test_the_row_alone_shuts_it_out_whoever_counts_the_commits(
    journals: Sequence[Journal], tmp_path: Path
) -> None:
    first, _ = journals
    with closing(connect(tmp_path / "orders.db")) as database, database:
        database.execute("UPDATE claims SET owner = 'two', fence = fence + 1")
    other = replace(NEW, identity=NEW.identity._replace(client_order_id="a-2"))
    with pytest.raises(NotOwnerError):
        await first.admit(other, SUBMITTED)
    assert await first.find(other.identity) is None
    await first.admit(other)  # that it was received is nothing that is sent


async def test_a_claim_that_changed_meanwhile_is_not_taken(journals: Sequence[Journal]) -> None:
    _, second = journals
    known = await second.claims(["main"])
    assert await second.take("two", ["main"], known) == 2
    with pytest.raises(NotOwnerError, match="claimed main"):
        await second.take("three", ["main"], known)
    with pytest.raises(JournalError):
        await second.take("three", ["main"], {})
    assert (await second.claims(["main"]))["main"].owner == "two"


async def test_all_accounts_are_taken_or_none(journals: Sequence[Journal]) -> None:
    _, second = journals
    known = await second.claims(["main", "other"])
    await second.take("two", ["main"], known)
    with pytest.raises(NotOwnerError):
        await second.take("three", ["other", "main"], known)
    assert set(await second.claims(["main", "other"])) == {"main"}


async def test_a_beat_shows_and_a_farewell_leaves_the_fence(journals: Sequence[Journal]) -> None:
    first, second = journals
    before = (await first.glance(["main"]))["main"]
    await first.beat()
    after = (await second.glance(["main"]))["main"]
    assert after.beaten_at > before.beaten_at
    await first.release()
    left = (await first.claims(["main"]))["main"]
    assert (left.owner, left.fence) == ("", before.fence)


async def test_without_a_claim_nothing_is_asked(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/orders.db")
    await journal.open()
    await journal.admit(NEW, SUBMITTED)
    await journal.close()


async def test_a_lock_has_its_name_for_as_long_as_its_file(tmp_path: Path) -> None:
    url, lock = f"sqlite:///{tmp_path}/orders.db", tmp_path / "orders.db.lock"
    names = []
    for _ in range(2):
        journal = Journal(url)
        await journal.open()
        names.append(journal.lock_name())
        await journal.close()
    assert names[0] == names[1] != ""
    lock.rename(tmp_path / "kept")
    assert lock_name(url) == "", "nothing proves anything"
    lock.write_bytes((tmp_path / "kept").read_bytes())
    assert lock_name(url) not in ("", names[0]), "a copy is another lock"


def test_the_lock_of_a_server_is_the_connection_s() -> None:
    assert lock_name("postgresql://db/orders").endswith(" server")
