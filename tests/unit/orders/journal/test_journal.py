from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bridge.errors import JournalError
from bridge.orders.journal.journal import Journal
from bridge.orders.journal.reader import read
from bridge.orders.journal.tables import SCHEMA
from bridge.orders.journal.writer import WriterThread
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.records import Control, Identity, JournalStep, NewRecord, Origin

NEW = NewRecord(Identity("main", "alice", "a-1", ""), "place", "d" * 64, "{}", 100, 200)
SUBMIT = Step(Event.SUBMIT, 110)
ACCEPT = Step(Event.ACCEPT, 120, order_no="0000000007", kis={"msg1": "주문"})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/orders.db"


@pytest.fixture
async def journal(url: str) -> AsyncIterator[Journal]:
    journal = Journal(url)
    await journal.open()
    yield journal
    await journal.close()


def named(name: str, **fields: object) -> NewRecord:
    identity = Identity("main", "alice", name, "")
    return replace(NEW, identity=identity, **fields)  # type: ignore[arg-type]


async def test_what_is_admitted_is_there_after_a_restart(journal: Journal, url: str) -> None:
    record, new = await journal.admit(NEW)
    assert (new, record.steps) == (True, ())
    await journal.append(JournalStep(record.id, 1, SUBMIT, State.SUBMITTING))
    await journal.append(JournalStep(record.id, 2, ACCEPT, State.ACCEPTED))
    await journal.close()
    again = Journal(url)
    await again.open()
    found = await again.find(NEW.identity)
    assert found == replace(record, steps=(SUBMIT, ACCEPT))
    assert await again.admit(replace(NEW, digest="e" * 64)) == (found, False)
    assert await again.find(NEW.identity._replace(client="bob")) is None
    assert read(url) == [found]
    await again.close()


async def test_it_knows_who_has_ever_sent_a_command(journal: Journal) -> None:
    assert await journal.clients() == set()
    for client, name in (("alice", "a"), ("bob", "b"), ("alice", "c")):
        await journal.admit(replace(NEW, identity=Identity("main", client, name, "")))
    assert await journal.clients() == {"alice", "bob"}


async def test_a_line_written_twice_is_there_once(journal: Journal) -> None:
    record, _ = await journal.admit(NEW, (SUBMIT, State.SUBMITTING))
    line = JournalStep(record.id, 2, ACCEPT, State.ACCEPTED)
    await journal.append(line)
    await journal.append(line)
    await journal.append()
    found = await journal.find(NEW.identity)
    assert found is not None
    assert found.steps == (SUBMIT, ACCEPT)


async def test_the_same_name_at_once_is_one_record(journal: Journal) -> None:
    results = await asyncio.gather(*(journal.admit(NEW) for _ in range(50)))
    assert [new for _, new in results] == [True] + [False] * 49
    assert len({record.id for record, _ in results}) == 1


async def test_replay_gives_today_and_whatever_is_open(journal: Journal) -> None:
    lines = {
        "old-open": [(SUBMIT, State.SUBMITTING), (ACCEPT, State.ACCEPTED)],
        "old-filled": [(SUBMIT, State.SUBMITTING), (ACCEPT, State.FILLED)],
        "old-refused": [(Step(Event.REFUSE, 1), State.REFUSED)],
        "old-unknown": [(SUBMIT, State.SUBMITTING), (Step(Event.LOSE, 2), State.UNKNOWN)],
        "old-received": [],
    }
    for name, steps in lines.items():
        await journal.admit(named(name), *steps)
    changed = replace(NEW, verb="cancel", identity=Identity("main", "alice", "old-open", "c"))
    await journal.admit(changed, (SUBMIT, State.SUBMITTING), (ACCEPT, State.ACCEPTED))
    await journal.admit(named("new", received_at=500), (Step(Event.REFUSE, 1), State.REFUSED))
    names = [record.identity.client_order_id for record in await journal.replay(500)]
    assert names == ["old-open", "old-unknown", "old-received", "new"]


async def test_one_process_at_a_time(journal: Journal, url: str) -> None:
    other = Journal(url)
    with pytest.raises(JournalError, match="in use by another bridge"):
        await other.open()
    await journal.close()
    await other.open()
    await other.close()
    with pytest.raises(JournalError, match="closed"):
        await other.find(NEW.identity)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_the_file_is_the_owners_and_durable(journal: Journal, tmp_path: Path) -> None:
    await journal.admit(NEW)
    assert set(modes(tmp_path).values()) == {0o600}, modes(tmp_path)
    await journal.close()
    writer = WriterThread(f"sqlite:///{tmp_path}/orders.db")
    await writer.open()
    pragmas = await writer.run(
        lambda connection, _: [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous")
        ]
    )
    assert pragmas == ["wal", 2]
    await writer.close()


async def test_a_database_that_fails_raises_ours_and_works_again(journal: Journal) -> None:
    with pytest.raises(JournalError, match="FOREIGN KEY"):
        await journal.append(JournalStep(77, 1, SUBMIT, State.SUBMITTING))
    assert (await journal.admit(NEW))[1]


async def test_a_bug_is_raised_where_it_was_asked_for(url: str) -> None:
    writer = WriterThread(url)
    journal = Journal(url, writer)
    await journal.open()
    with pytest.raises(ZeroDivisionError):
        await writer.run(lambda connection, _: 1 / 0)
    waiting = asyncio.ensure_future(journal.find(NEW.identity))
    await asyncio.sleep(0)
    waiting.cancel()
    assert (await journal.admit(NEW))[1]
    await journal.close()


async def test_another_schema_is_refused(journal: Journal, url: str) -> None:
    await journal.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE schema_version SET version = 9"))
    engine.dispose()
    with pytest.raises(JournalError, match=f"has schema 9, this bridge reads {SCHEMA}"):
        await Journal(url).open()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("orders.db", "no SQLAlchemy URL"),
        ("sqlite://", "name a file"),
        ("nosuch://host/db", "nosuch"),
        ("sqlite:////proc/no/orders.db", "/proc/no"),
    ],
)
async def test_an_unusable_url_is_one_line(url: str, message: str) -> None:
    with pytest.raises(JournalError, match=message) as caught:
        await Journal(url).open()
    assert "\n" not in str(caught.value)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    file.write_text("something else, and long enough to be looked at" * 10)
    with pytest.raises(JournalError, match="not a database"):
        await Journal(f"sqlite:///{file}").open()
    with pytest.raises(JournalError, match="not a database"):
        read(f"sqlite:///{file}")
    with pytest.raises(JournalError, match="there is no journal"):
        read(f"sqlite:///{tmp_path}/other.db")


async def test_a_journal_of_the_first_schema_is_brought_up_to_date(url: str) -> None:
    journal = Journal(url)
    await journal.open()
    await journal.admit(NEW)
    await journal.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE controls"))
        connection.execute(text("UPDATE schema_version SET version = 1"))
    engine.dispose()
    later = Journal(url)
    await later.open()
    await later.control(Control(1, "main", "", "halted", "test"))
    assert (await later.controls())[0].mode == "halted"
    assert not (await later.admit(NEW))[1]
    await later.close()
    await Journal(url).open()


async def test_a_journal_of_the_second_schema_gets_the_origins_of_its_cancellations(
    url: str,
) -> None:
    journal = Journal(url)
    await journal.open()
    names = {
        "a": "",
        "b": "cancel:0123456789abcdef01234567",
        "c": "halt:1795000000000000",
        "d": "halt:1795000000000000:7",
        "e": "all:0123456789abcdef01234567:12",
    }
    for order, command in names.items():
        identity = NEW.identity._replace(client_order_id=order, command_id=command)
        await journal.admit(replace(NEW, identity=identity))
    await journal.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE commands DROP COLUMN origin"))
        connection.execute(text("DELETE FROM schema_version"))
        connection.execute(text("INSERT INTO schema_version VALUES (2)"))
    engine.dispose()
    with pytest.raises(
        JournalError, match=f"has schema 2, this version reads {SCHEMA}: run the bridge"
    ):
        read(url)
    for _ in range(2):  # the second time there is nothing to do
        await journal.open()
        await journal.close()
    halt, everything = Origin("halt", "1795000000000000"), "0123456789abcdef01234567"
    assert {record.identity.client_order_id: record.origin for record in read(url)} == {
        "a": Origin(),
        "b": Origin(),
        "c": halt,
        "d": halt,
        "e": Origin("cancel_all", everything),
    }


async def test_what_a_command_consists_of_is_written_with_it_or_not_at_all(
    journal: Journal,
) -> None:
    (parent, _) = await journal.admit(NEW)
    children = [
        replace(NEW, identity=NEW.identity._replace(client_order_id=name, command_id="all:1"))
        for name in ("b", "c")
    ]
    line = JournalStep(parent.id, 1, SUBMIT, State.SUBMITTING)
    written = await journal.expand(line, children)
    assert [record.identity.client_order_id for record in written] == ["b", "c"]
    assert await journal.expand(line, children) == written
    found = await journal.find(NEW.identity)
    assert found is not None
    assert found.steps == (SUBMIT,)
    with pytest.raises(JournalError):
        await journal.expand(JournalStep(99, 1, SUBMIT, State.SUBMITTING), children[:1])


async def test_what_a_halt_has_to_cancel_is_known_until_it_is_done(
    journal: Journal, url: str
) -> None:
    first = Control(1, "main", "", "halted", "", "ours")
    second = Control(2, "", "alice", "halted", "", "account")
    await journal.control(first)
    assert await journal.expand(second, [NEW]) != []
    await journal.control(Control(3, "", "", "halted", ""))
    assert [one.scope for one in await journal.controls()] == ["ours", "account", ""]
    await journal.fulfil(first)
    await journal.close()
    again = Journal(url)
    await again.open()
    assert [one.scope for one in await again.controls()] == ["", "account", ""]
    await again.close()
