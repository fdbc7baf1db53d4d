"""What ``check`` says about the bridge that runs, by its health."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bridge.cli.probes import _health


def numbers(**changes: Any) -> dict[str, Any]:
    return {
        "at": int(time.time() * 1e6),
        "sessions": {"app1": {"state": "connected"}, "app2": {"state": "connected"}},
        "subscriptions": {"wanted": 42, "live": 42, "waiting": 0, "refused": 0},
        "publish": {"published": 9, "dropped": 1, "possibly_lost": 2},
        "decode_errors": 3,
        "lag_us": {"p99": 1234},
    } | changes


def test_a_bridge_that_does_well() -> None:
    found = _health(numbers())
    assert found.status == "ok"
    assert found.detail == (
        "2 of 2 sessions, 42 of 42 subscriptions live; 9 published, 1 dropped, 2 possibly lost,"
        " 3 not decoded; lag p99 1.2 ms"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"at": 1}, "last heard of"),
        ({"sessions": {"app1": {"state": "waiting"}}}, "away: app1"),
        ({"subscriptions": {"wanted": 9, "live": 7, "waiting": 2}}, "2 wait for a slot"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], words: str) -> None:
    found = _health(numbers(**changes))
    assert found.status == "problem"
    assert words in found.detail
    assert found.mend
