"""The payload of ``bridge/health``."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.catalog.compile import load
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.kis.clock import KisClock
from bridge.kis.rest import CallCounts
from bridge.kis.session import Session
from bridge.kis.stream import Stream, StreamCounts
from bridge.mqtt.payloads import HaltRow, JournalReport, OwnerReport
from bridge.mqtt.strict_json import encode
from bridge.mqtt.topics import Topics
from bridge.runtime.clock import steady_us
from bridge.status.clocks import Clocks
from bridge.status.health import SessionHealth, percentile, snapshot
from bridge.status.payloads import ArrivalNumbers
from bridge.subscriptions.interest import NAMELESS
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import Wanted


@dataclass
class FakeStream:
    counts: StreamCounts = field(default_factory=StreamCounts)
    session: Session = field(default_factory=lambda: Session(notices=frozenset(), slots=40))
    state: str = "connected"


@dataclass
class Gate:
    halted: bool = False

    def states(self) -> dict[str, int]:
        return {"filled": 2}

    def refused(self) -> dict[str, int]:
        return {"not_permitted": 3} if self.halted else {}

    def halts(self) -> list[HaltRow]:
        return [{"account": None, "client": "bob", "mode": "halted"}] if self.halted else []

    def journal(self) -> JournalReport:
        return {"state": "failing", "reason": "the disk is full"}

    def owner(self) -> OwnerReport:
        return {"mine": False, "reason": "another bridge sends for this account"}


NOTHING_REFUSED: ArrivalNumbers = {
    "rate_limited": {"requests": 0, "commands": 0},
    "unanswered": 0,
    "by_client": {},
    "dropped": {},
}


def session(calls: CallCounts, stream: FakeStream | None = None) -> SessionHealth:
    return SessionHealth(cast("Stream", stream or FakeStream()), calls, records=7)


def test_everything_is_in_it() -> None:
    lane = Lane({})
    pump = Pump(load(), Topics(), lane, lambda _: None)
    pump.counters.quarantined = Counter({"H0STCNT0": 2, "H0STASP0": 1})
    pump.counters.drifted["H0STCNT0"] = 1
    for age in (300, 100, 200):
        lane.ages.add(age, 1, steady_us())
    lane.published = 9
    stream = FakeStream(StreamCounts(frames=5, connections=3))
    stream.counts.last_frame_at = time.time_ns() // 1000 - 2_000_000
    first = CallCounts(calls=3, throttled=1)
    pool, clocks = Pool({}), Clocks(cast("KisClock", SimpleNamespace(offset=-1_260_000)))
    for holder, key in (("alice", "A"), ("alice", "B"), (NAMELESS, "B")):
        pool.interests.hold(Wanted("T", key, "T"), holder)
    pool.restored()
    numbers = snapshot(
        environment="paper",
        sessions={
            "a": session(first, stream),
            "b": session(CallCounts(calls=4, not_sent=1, unknown=1)),
        },
        pump=pump,
        lane=lane,
        gateway=Gate(halted=True),
        pool=pool,
        quality={"live": 2},
        arrivals=NOTHING_REFUSED,
        requests_refused={"bad_signature": 1},
        frames_dropped=8,
        control_backlog=4,
        events_dropped=6,
        clocks=clocks,
    )
    said = json.loads(encode(numbers))
    assert abs(said.pop("at") / 1e6 - time.time()) < 5
    assert 2.0 <= said["sessions"]["a"].pop("last_frame_age_s") < 5
    assert 2.0 <= said["sessions"]["a"].pop("last_message_age_s") < 5
    assert said["sessions"]["b"]["last_frame_age_s"] is None
    assert said["sessions"]["a"] == {
        "state": "connected",
        "slots_used": 0,
        "slots_limit": 40,
        "live": 0,
        "frames": 5,
        "records": 7,
        "reconnects": 2,
        "invalid_utf8": 0,
    }
    del said["sessions"]
    assert said == {
        "environment": "paper",
        "subscriptions": {"wanted": 2, "live": 0, "waiting": 2, "refused": 0},
        "clients": [
            {"client": "alice", "subscriptions": 2, "slots": 0, "refused": 0},
            {"client": None, "subscriptions": 1, "slots": 0, "refused": 0},
        ],
        "quality": {"live": 2},
        "arrivals": NOTHING_REFUSED,
        "refused": {"commands": {"not_permitted": 3}, "requests": {"bad_signature": 1}},
        "frames_dropped": 8,
        "decode_errors": 3,
        "schema_drift": 1,
        "by_channel": {
            "decode_errors": {"H0STCNT0": 2, "H0STASP0": 1},
            "schema_drift": {"H0STCNT0": 1},
        },
        "publish": {
            "published": 9,
            "backlog": 0,
            "backlog_bytes": 0,
            "dropped": 0,
            "too_large": 0,
            "conflated": 0,
            "possibly_lost": 0,
            "control_backlog": 4,
            "events_dropped": 6,
        },
        "loop_lag_s": 0.0,
        "lag_us": {"p50": 215, "p99": 300, "max": 300, "waiting": None},
        "rest": {"calls": 7, "throttled": 1, "errors": 2},
        "clock_offset_s": -1.3,
        "orders": {"filled": 2},
        "halted": True,
        "halts": [{"account": None, "client": "bob", "mode": "halted"}],
        "journal": {"state": "failing", "reason": "the disk is full"},
        "owner": {"mine": False, "reason": "another bridge sends for this account"},
    }


def test_a_bridge_that_has_done_nothing_yet() -> None:
    lane = Lane({})
    numbers = snapshot(
        environment="paper",
        sessions={},
        pump=Pump(load(), Topics(), lane, lambda _: None),
        lane=lane,
        gateway=Gate(),
        pool=Pool({}),
        quality={"live": 2},
        arrivals=NOTHING_REFUSED,
        requests_refused={},
        frames_dropped=0,
        control_backlog=0,
        events_dropped=0,
        clocks=Clocks(),
    )
    assert numbers["lag_us"] == {"p50": None, "p99": None, "max": None, "waiting": None}
    assert numbers["rest"] == {"calls": 0, "throttled": 0, "errors": 0}


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([4], 0.99, 4), ([1, 2], 0.5, 2), (list(range(100)), 0.99, 99)],
)
def test_percentile(values: list[int], share: float, expected: int | None) -> None:
    assert percentile(values, share) == expected


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert percentile(ordered, 1.0) == ordered[-1]
