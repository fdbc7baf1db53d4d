"""Requests of clients that sign, and what a restart knows of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from bridge.errors import JournalError, RequestError
from bridge.mqtt.message import Message
from bridge.mqtt.signatures import Seal, seal
from bridge.requests.signed import SignedRequests

KEY = SecretStr("k" * 32)
UNTIL, AT = "2026-11-22T09:00:05+09:00", 1_795_305_605_000_000


@dataclass
class PlayedJournal:
    """Keeps nonces, unless its disk is full."""

    kept: list[tuple[str, Seal]] = field(default_factory=list)
    full: bool = False

    async def nonces(self, since: int, *new: tuple[str, Seal]) -> list[tuple[str, Seal]]:
        if self.full:
            raise JournalError("disk full")
        self.kept += new
        return self.kept


def signed(journal: PlayedJournal) -> SignedRequests:
    return SignedRequests({"ops": KEY}, journal, lambda: AT - 10_000_000)


def message(payload: bytes, verb: str, client: str = "ops") -> Message:
    topic = f"kis/bridge/request/{verb}/{client}"
    return Message(topic, payload, 1, False, "", b"", None, 0, lambda: None)


def sealed(verb: str, payload: bytes = b"{}", nonce: str = "n" * 16) -> Message:
    topic = f"kis/bridge/request/{verb}/ops"
    return message(seal(KEY, topic, payload, nonce=nonce, expires_at=UNTIL), verb)


async def refusal(requests: SignedRequests, verb: str, of: Message) -> tuple[str, str]:
    with pytest.raises(RequestError) as caught:
        await requests.open("ops", verb, of)
    return caught.value.code, str(caught.value)


async def test_who_has_a_key_signs_and_nobody_else() -> None:
    requests = signed(PlayedJournal())
    assert await requests.open("bob", "halt", message(b"{}", "halt", "bob")) == b"{}"
    assert await requests.open("ops", "resume", sealed("resume")) == b"{}"
    assert (await refusal(requests, "halt", message(b"{}", "halt")))[0] == "bad_signature"
    other = message(sealed("halt").payload, "resume")
    assert (await refusal(requests, "resume", other))[0] == "bad_signature"


async def test_what_takes_back_a_halt_is_taken_once_also_after_a_restart() -> None:
    journal = PlayedJournal()
    requests, resume = signed(journal), sealed("resume")
    await requests.open("ops", "resume", resume)
    assert await refusal(requests, "resume", resume) == ("bad_signature", "it came already")
    assert await refusal(signed(journal), "resume", resume) == ("bad_signature", "it came already")


async def test_a_halt_may_come_twice_and_waits_for_no_disk() -> None:
    requests = signed(PlayedJournal(full=True))
    for _ in range(2):  # on both connections
        assert await requests.open("ops", "halt", sealed("halt", b'{"reason":"x"}'))
    assert (await refusal(requests, "resume", sealed("resume")))[0] == "not_written"


async def test_what_has_expired_is_not_served() -> None:
    late = SignedRequests({"ops": KEY}, PlayedJournal(), lambda: AT + 1)
    for verb in ("resume", "halt", "channels"):
        assert await refusal(late, verb, sealed(verb, nonce=verb * 4)) == (
            "bad_signature",
            "it has expired",
        )
