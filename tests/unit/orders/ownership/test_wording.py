"""Claims as payloads, and as people read them."""

from __future__ import annotations

import json

import pytest

from bridge.orders.ownership.claim import Claim
from bridge.orders.ownership.wording import conflict, dumps, loads, named

CLAIM = Claim("a1", "attic", 1_800_000_000_000_000, 1_800_000_000_000_001, 3)


@pytest.mark.parametrize("claim", [CLAIM, Claim("", "attic", 1, 2, 3)])
def test_what_is_told_is_what_is_heard(claim: Claim) -> None:
    assert loads(dumps(claim)) == claim


def test_a_claim_that_was_given_up_has_no_owner() -> None:
    assert json.loads(dumps(Claim("", "attic", 1, 2, 3)))["owner"] is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"owner":"a","host":"b","since":1,"at":2}',
        b'{"owner":"a","host":"b","since":1,"at":2,"fence":"3"}',
        b'{"owner":"a","host":"b","since":1,"at":2.5,"fence":3}',
        b'{"owner":1,"host":"b","since":1,"at":2,"fence":3}',
        b'{"owner":"a","host":null,"since":1,"at":2,"fence":true}',
        # What has no date, and what no database takes, would end whoever believes it.
        b'{"owner":"a","host":"b","since":1000000000000000000,"at":2,"fence":3}',
        b'{"owner":"a","host":"b","since":-1,"at":2,"fence":3}',
        b'{"owner":"a","host":"b","since":1,"at":1000000000000000000,"fence":3}',
        b'{"owner":"a","host":"b","since":1,"at":2,"fence":9223372036854775807}',
        b'{"owner":"a","host":"b\\n[error] all is lost","since":1,"at":2,"fence":3}',
        b'{"owner":"a","host":"' + b"b" * 256 + b'","since":1,"at":2,"fence":3}',
    ],
)
def test_what_is_no_claim_is_none(payload: bytes) -> None:
    assert loads(payload) is None


def test_another_bridge_is_named_as_far_as_it_is_known() -> None:
    assert named(CLAIM) == "another bridge (attic, since 2027-01-15 17:00:00.000)"
    assert named(Claim("a1", "", 0, 2, 3)) == "another bridge"
    assert named(None) == "another bridge"


def test_the_event_says_who_sends_and_until_when_this_one_does_not() -> None:
    told = conflict("main", CLAIM, 55)
    assert (told["account"], told["owner"], told["host"]) == ("main", "a1", "attic")
    assert told["message"].endswith("sends no orders until that one was silent for 55 s")
    unknown = conflict("main", None, 55)
    assert (unknown["owner"], unknown["host"], unknown["since"]) == (None, None, None)
