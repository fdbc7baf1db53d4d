from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from bridge.errors import JournalError
from bridge.orders.journal.identity import Binding
from bridge.orders.journal.journal import Journal
from bridge.orders.model.records import Identity, NewRecord

NEW = NewRecord(Identity("main", "alice", "a-1", ""), "place", "d" * 64, "{}", 100, 200)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/orders.db"


def binding(environment: str = "paper", **numbers: str) -> Binding:
    given = numbers or {"main": "12345678-01"}
    return Binding(environment, {alias: SecretStr(number) for alias, number in given.items()})


async def used(url: str, bound: Binding | None, *new: NewRecord) -> None:
    """Use a journal for a while."""
    journal = Journal(url, binding=bound)
    await journal.open()
    for one in new:
        await journal.admit(one)
    await journal.close()


async def test_a_journal_belongs_to_the_environment_of_its_orders(url: str) -> None:
    await used(url, binding("paper"), NEW)
    await used(url, binding("paper"))
    with pytest.raises(JournalError) as caught:
        await used(url, binding("real"))
    said = str(caught.value)
    assert "orders of the environment 'paper'" in said
    assert "configured for 'real'" in said
    assert "kis.state_dir" in said
    assert "\n" not in said
    await used(url, binding("paper"))


async def test_a_journal_without_orders_goes_to_another_environment(url: str) -> None:
    await used(url, binding("simulator"))
    await used(url, binding("paper"), NEW)
    with pytest.raises(JournalError, match="'simulator'"):
        await used(url, binding("simulator"))


async def test_an_alias_means_the_account_of_its_orders(url: str) -> None:
    await used(url, binding(main="12345678-01"), NEW)
    await used(url, binding(main="1234567801"))
    with pytest.raises(JournalError, match="another account under the alias 'main'"):
        await used(url, binding(main="12345678-02"))
    await used(url, binding(other="12345678-02", main="12345678-01"))
    await used(url, binding(other="12345678-02"))


async def test_an_alias_without_orders_may_get_another_number(url: str) -> None:
    await used(url, binding(main="12345678-01", typo="11111111-01"), NEW)
    await used(url, binding(main="12345678-01", typo="11111112-01"))


def test_the_number_of_an_account_is_nowhere_in_the_journal(url: str, tmp_path: Path) -> None:
    asyncio.run(used(url, binding(main="12345678-01"), NEW))
    for file in tmp_path.iterdir():
        assert b"12345678" not in file.read_bytes()


async def test_two_journals_have_two_names_and_salts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        await used(f"sqlite:///{tmp_path}/{name}/orders.db", binding(), NEW)
    (first, second) = (rows(tmp_path / name) for name in ("a", "b"))
    assert first["journal"][0][1] != second["journal"][0][1]
    assert first["journal_accounts"][0][1] != second["journal_accounts"][0][1], "of the same number"


@pytest.mark.parametrize("version", [2, 3])
async def test_an_older_journal_gets_an_identity_and_belongs_to_who_opens_it(
    url: str, version: int
) -> None:
    await used(url, None, NEW)
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in ("journal", "journal_accounts"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("DELETE FROM schema_version"))
        connection.execute(text(f"INSERT INTO schema_version VALUES ({version})"))  # noqa: S608
    engine.dispose()
    await used(url, binding("paper"))
    with pytest.raises(JournalError, match="'paper'"):
        await used(url, binding("real"))


def rows(folder: Path) -> Mapping[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(folder / "orders.db")
    try:
        return {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
            for table in ("journal", "journal_accounts")
        }
    finally:
        connection.close()
