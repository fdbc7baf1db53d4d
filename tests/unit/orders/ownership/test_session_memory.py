"""Whether the broker still has the bridge's session."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bridge.orders.ownership.session_memory import FILE, SessionMemory

AT = 1_800_000_000.0


class Told(list[Any]):
    def __call__(self, event: Any, about: str) -> None:
        self.append(event)


async def memory(folder: Path, told: Told, client_id: str = "x-5ecret") -> SessionMemory:
    made = SessionMemory(folder, client_id, "x", told, clock=lambda: AT)
    await made.load()
    return made


async def test_a_first_start_expects_no_session(tmp_path: Path) -> None:
    told = Told()
    await (await memory(tmp_path, told)).connected(False)
    assert told == []


async def test_a_session_that_was_there_and_is_gone_is_told_of(tmp_path: Path) -> None:
    told = Told()
    one = await memory(tmp_path, told)
    await one.connected(False)
    await one.connected(True)
    assert told == []
    await one.connected(False)
    (event,) = told
    assert (event["kind"], event["client_id"]) == ("session_taken_over", "x")
    assert "commands that were sent since 2027-01-15" in event["message"]


async def test_a_restart_remembers_it_and_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    told = Told()
    await (await memory(tmp_path, told)).connected(False)
    if os.name == "posix":
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert "5ecret" not in (tmp_path / FILE).read_text()
    await (await memory(tmp_path, told)).connected(False)
    assert len(told) == 1


async def test_another_client_id_has_a_session_of_its_own(tmp_path: Path) -> None:
    told = Told()
    await (await memory(tmp_path, told)).connected(False)
    await (await memory(tmp_path, told, "y-other")).connected(False)
    assert told == []


@pytest.mark.parametrize("text", ["", "[]", '{"session": 1}', "{" * 2000])
async def test_what_is_damaged_is_as_if_it_were_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    told = Told()
    await (await memory(tmp_path, told)).connected(False)
    assert told == []


async def test_a_folder_that_is_gone_costs_a_line_in_the_log(tmp_path: Path) -> None:
    one = await memory(tmp_path / "away", Told())
    await one.connected(False)
    assert not (tmp_path / "away").exists()
