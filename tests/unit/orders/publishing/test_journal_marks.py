"""What anybody may publish where the broker remembers a journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.publishing.journal_marks import JournalMarks

Take = Callable[[Message], Awaitable[None]]


class Control:
    def subscribe(self, topic: str, qos: int, take: Take) -> None:
        self.topic, self.take = topic, take

    async def hear(self, payload: bytes) -> None:
        fields = (1, True, "", b"", None, 1, lambda: None)
        await self.take(Message(self.topic, payload, *fields))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"7",
        b"{}",
        b"[" * 100_000,
        b'{"journal":"a","generation":1e999}',
        b'{"journal":"a","generation":4611686018427387904}',
        b'{"journal":"a","generation":-1}',
        b'{"journal":"a","generation":true}',
        b'{"journal":"a","generation":"7"}',
        b'{"journal":["a"],"generation":7}',
        b'{"journal":"' + b"a" * 33 + b'","generation":7}',
    ],
)
async def test_what_is_no_mark_stops_nothing(tmp_path: Path, payload: bytes) -> None:
    journal, control = Journal(f"sqlite:///{tmp_path}/orders.db"), Control()
    await journal.open()
    JournalMarks(journal, cast("Any", control), Topics("kis"), "simulator")
    await control.hear(payload)
    assert journal.standing.reason == ""
    await control.hear(b'{"journal":"another","generation":7}')
    assert "another journal" in journal.standing.reason
    await journal.close()


async def test_a_flood_of_marks_is_not_remembered(tmp_path: Path) -> None:
    journal, control = Journal(f"sqlite:///{tmp_path}/orders.db"), Control()
    await journal.open()
    JournalMarks(journal, cast("Any", control), Topics("kis"), "simulator")
    for number in range(300):
        await control.hear(b'{"journal":"a%d","generation":7}' % number)
    await journal.adopt()
    assert journal.standing.reason == ""
    await control.hear(b'{"journal":"a5","generation":9}')  # that one was given up
    assert journal.standing.reason == ""
    await journal.close()
