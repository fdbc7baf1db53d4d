"""What `halt` and `resume` say."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.cli.halts import after_halt, after_resume, listing, way_back

ALL = {"account": None, "client": None, "mode": "halted"}
ALICE = {"account": None, "client": "alice", "mode": "reduce_only"}
MAIN = {"account": "main", "client": "bob", "mode": "halted"}


@pytest.mark.parametrize(
    ("circle", "data", "text"),
    [
        (("", ""), {"mode": "halted"}, "all trading is halted"),
        (
            ("main", ""),
            {"mode": "halted", "cancelling": 3},
            "account main is halted; 3 open orders are being cancelled",
        ),
        (
            ("", "carol"),
            {"mode": "halted", "known": False},
            "client carol is halted; carol is not known yet: halted in advance",
        ),
    ],
)
def test_a_halt_says_what_holds(circle: tuple[str, str], data: dict[str, Any], text: str) -> None:
    assert after_halt(data, *circle, reduce_only=False) == text


def test_reduce_only_does_not_claim_to_weaken_a_full_halt() -> None:
    assert after_halt({"mode": "reduce_only"}, "", "alice", reduce_only=True) == (
        "client alice is reduce-only: only orders that make a position smaller are taken"
    )
    assert after_halt({"mode": "halted"}, "", "alice", reduce_only=True) == (
        "client alice is halted; a full halt held already and still holds"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"mode": None, "halts": [], "resumed": True}, "is taken back; everybody may trade"),
        ({"mode": None, "halts": [], "resumed": False}, "client alice was not halted; everybody"),
        (
            {"mode": "halted", "halts": [ALL], "resumed": True},
            "a wider one holds: all trading is halted (kis-bridge resume)",
        ),
        (
            {"mode": None, "halts": [MAIN], "resumed": True},
            "still client bob on account main is halted (kis-bridge resume --account main",
        ),
    ],
)
def test_a_resumption_says_what_still_holds(data: dict[str, Any], text: str) -> None:
    assert text in after_resume(data, "", "alice")


def test_halts_and_the_way_back() -> None:
    assert listing([ALL, ALICE]) == "all trading is halted, client alice is reduce-only"
    assert way_back([ALL, ALICE]) == "kis-bridge resume; kis-bridge resume --client alice"
