"""What ``check`` says about the bridge that runs, by what it has published."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.cli.findings import Finding
from bridge.cli.running_bridge import Said, Verdict, judge, take_note

NOW = 1_800_000_000.0


def numbers(**changes: Any) -> dict[str, Any]:
    return {
        "at": int((NOW - 3) * 1e6),
        "sessions": {"app1": {"state": "connected"}, "app2": {"state": "connected"}},
        "subscriptions": {"wanted": 42, "live": 42, "waiting": 0, "refused": 0},
        "publish": {"published": 9, "dropped": 1, "possibly_lost": 2},
        "decode_errors": 3,
        "lag_us": {"p99": 1234},
        "halted": False,
        "halts": [],
    } | changes


def verdict(started_s_ago: float = 3600.0, **changes: Any) -> Verdict:
    started = datetime.fromtimestamp(NOW - started_s_ago, UTC).isoformat()
    return judge(Said({"state": "online"}, {"started_at": started}, numbers(**changes)), NOW)


def bridge(found: Verdict) -> Finding:
    assert found.rows[0].what == "bridge"
    return found.rows[0]


def test_a_bridge_that_does_well() -> None:
    found = verdict()
    assert found.final
    assert bridge(found).status == "ok"
    assert bridge(found).detail == (
        "2 of 2 sessions, 42 of 42 subscriptions live; 9 published, 1 dropped, 2 possibly lost,"
        " 3 not decoded; lag p99 1.2 ms"
    )
    assert found.rows[1] == Finding("trading", "ok", "nobody is halted")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sessions": {"app1": {"state": "waiting"}}}, "away: app1"),
        ({"subscriptions": {"wanted": 9, "live": 7, "waiting": 2}}, "2 wait for a slot"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], words: str) -> None:
    found = verdict(**changes)
    assert found.final
    assert bridge(found).status == "problem"
    assert words in bridge(found).detail
    assert bridge(found).mend


def test_whoever_is_halted_is_a_problem_with_the_way_back() -> None:
    halts = [
        {"account": None, "client": None, "mode": "reduce_only"},
        {"account": "main", "client": "alice", "mode": "halted"},
    ]
    trading = verdict(halted=True, halts=halts).rows[1]
    assert trading == Finding(
        "trading",
        "problem",
        "all trading is reduce-only, client alice on account main is halted",
        "kis-bridge resume; kis-bridge resume --account main --client alice",
    )


def test_health_from_before_the_start_is_not_believed() -> None:
    old = {"at": int((NOW - 20) * 1e6), "sessions": {"app1": {"state": "stopped"}}}
    found = verdict(started_s_ago=2, **old)
    assert not found.final
    assert "started 2 s ago and has not published its health since" in bridge(found).detail


def test_a_bridge_that_is_still_connecting_gets_a_moment() -> None:
    lost = {"at": int(NOW * 1e6), "sessions": {"app1": {"state": "connecting"}}}
    assert not verdict(started_s_ago=2, **lost).final
    assert verdict(started_s_ago=60, **lost).final


def test_health_that_no_longer_comes_is_waited_for_and_then_told() -> None:
    found = verdict(at=int((NOW - 90) * 1e6))
    assert not found.final
    assert bridge(found).detail.startswith("last heard of 90 s ago")


@pytest.mark.parametrize("state", [None, {}, {"state": "offline"}])
def test_no_bridge_is_no_problem(state: dict[str, Any] | None) -> None:
    found = judge(Said(state, None, numbers()), NOW)
    assert found.final
    assert found.rows == [Finding("bridge", "ok", "none is running on this broker")]


def test_a_journal_that_takes_no_orders_is_a_problem() -> None:
    assert verdict(journal={"state": "sound", "reason": None}).rows == verdict().rows
    full = verdict(journal={"state": "failing", "reason": "the disk is full"}).rows[-1]
    assert (full.what, full.status) == ("journal", "problem")
    assert full.detail == "the disk is full; new orders are refused"


def test_who_sends_for_an_account_is_said() -> None:
    said = Said({"state": "online"}, {}, numbers())
    claim = {"owner": "a1", "host": "attic", "since": 1_800_000_000_000_000, "at": 1, "fence": 3}
    take_note(said, "kis/bridge/owner/main", json.dumps(claim).encode())
    take_note(said, "kis/bridge/owner/other", json.dumps(claim | {"owner": None}).encode())
    (row,) = [row for row in judge(said, NOW).rows if row.what == "orders"]
    assert (row.status, row.detail) == (
        "ok",
        "main: sent by attic, since 2027-01-15 17:00:00.000",
    )


def test_a_bridge_beside_the_one_that_sends_is_a_problem() -> None:
    said = Said({"state": "online"}, {})
    reason = "another bridge (attic, since then) sends for this account"
    for mine in (False, True):  # the health of both, in turns
        owner = {"mine": mine, "reason": None if mine else reason}
        take_note(said, "health", json.dumps(numbers(owner=owner)).encode())
    row = judge(said, NOW).rows[-1]
    assert (row.what, row.status) == ("orders", "problem")
    assert reason in row.detail
