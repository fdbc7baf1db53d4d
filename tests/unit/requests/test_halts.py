"""Whom a halt may name, and what its answer says."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from bridge.errors import JournalError, RequestError
from bridge.mqtt.payloads import HaltRow
from bridge.orders.risk.halts import Halts, Mode
from bridge.requests.halts import HaltAnswers


class Gate:
    """An order gateway whose journal has had commands of bob."""

    def __init__(self, sound: bool = True) -> None:
        self.said = Halts()
        self._sound = sound

    @property
    def halted(self) -> bool:
        return bool(self.said)

    def halts(self) -> list[HaltRow]:
        return self.said.listing()

    def mode(self, account: str, client: str) -> Mode:
        return self.said.of(account, client)[0]

    async def clients(self) -> Collection[str]:
        if not self._sound:
            raise JournalError("the disk is full")
        return {"bob"}


def answers(gate: Gate | None = None, clients: Collection[str] = ("alice",)) -> HaltAnswers:
    return HaltAnswers(gate or Gate(), ["main", "isa"], clients, "paper")


def test_an_account_that_is_not_configured_is_refused() -> None:
    answers().account("main")
    answers().account("")
    with pytest.raises(RequestError, match=r"no account 'mian' \(one of main, isa\)") as caught:
        answers().account("mian")
    assert caught.value.code == "unknown_account"
    with pytest.raises(RequestError, match="the configuration has no accounts"):
        HaltAnswers(Gate(), [], [], "paper").account("main")


@pytest.mark.parametrize("name", ["alice", "bob", ""])
async def test_whoever_is_configured_or_has_traded_can_be_halted(name: str) -> None:
    assert await answers().client(name, force=False)


async def test_a_client_that_nobody_knows_is_refused_unless_forced() -> None:
    with pytest.raises(RequestError, match=r"no client 'nosuch'.*known: alice, bob") as caught:
        await answers().client("nosuch", force=False)
    assert caught.value.code == "unknown_client"
    assert "nobody was halted" in str(caught.value)
    with pytest.raises(RequestError, match="did you mean 'alice'"):
        await answers().client("alise", force=False)
    with pytest.raises(RequestError, match="known: nobody yet"):
        await HaltAnswers(QuietGate(), [], [], "paper").client("x", force=False)
    assert not await answers().client("nosuch", force=True)


class QuietGate(Gate):
    async def clients(self) -> Collection[str]:
        return ()


async def test_a_client_that_was_halted_in_advance_is_known() -> None:
    gate = Gate()
    gate.said.say("", "carol", "halted")
    assert await answers(gate).client("carol", force=False)


async def test_a_journal_that_cannot_be_read_keeps_nobody_from_halting() -> None:
    assert await answers(Gate(sound=False)).client("nosuch", force=False)


def test_the_answer_says_what_holds_also_by_a_wider_halt() -> None:
    gate = Gate()
    gate.said.say("", "alice", "reduce_only")
    assert answers(gate).standing("", "alice") == {
        "halted": True,
        "environment": "paper",
        "account": None,
        "client": "alice",
        "mode": "reduce_only",
        "halts": [{"account": None, "client": "alice", "mode": "reduce_only"}],
    }
    assert answers(gate).is_halted("", "alice")
    assert not answers(gate).is_halted("", "")
    gate.said.say("", "", "halted")
    assert answers(gate).standing("", "alice")["mode"] == "halted"
    assert answers(gate).standing("main", "bob")["mode"] == "halted"
    gate.said.say("", "", "")
    assert answers(gate).standing("main", "bob")["mode"] is None
