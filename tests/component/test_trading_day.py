"""A whole day on a turned clock: quiet hours raise no alarm, a mute session in busy ones does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from bridge.catalog.compile import load
from bridge.catalog.model import Catalog
from bridge.feed.lane import Lane
from bridge.kis.events import Lost, SessionEvent
from bridge.kis.session import Session
from bridge.kis.stream import Stream, StreamCounts
from bridge.mqtt.topics import Topics
from bridge.subscriptions.interest import CONFIGURATION
from bridge.subscriptions.reports import Reports
from bridge.subscriptions.request import ByChannel, resolve
from bridge.subscriptions.store import SubscriptionStore
from bridge.subscriptions.upkeep import Upkeep
from bridge.subscriptions.watchdog import BUSY_SILENCE_S, MUTE_S, QUIET_SILENCE_S

SEOUL = ZoneInfo("Asia/Seoul")
STEP_S, PING_S = 5, 15
CHANNELS = {
    "H0STCNT0": ["005930", "000660", "035420", "051910", "068270"],
    "H0STASP0": ["005930"],
    "H0NXCNT0": ["005930"],
    "H0UPCNT0": ["0001"],
    "H0MFCNT0": ["A01612"],
    "HDFSCNT0": ["DNASAAPL"],
}
PINGPONG = json.dumps({"header": {"tr_id": "PINGPONG", "datetime": "20261120090000"}})


def sends(channel: str, at: datetime) -> float:
    """Return after how many seconds such a channel sends the next record; 0: not at all.

    As the markets do it on an ordinary Friday; written down by hand, not from the bridge's table.
    """
    clock = at.hour + at.minute / 60
    match channel:
        case "H0STCNT0":  # opening auction without trades, ten quiet minutes of closing auction
            pause = 5 if 9 <= clock < 15.33 else 60 if 16 <= clock < 20 else 0
        case "H0STASP0":
            pause = 5 if 8.4 <= clock < 15.5 else 120 if 16 <= clock < 20 else 0
        case "H0NXCNT0":
            pause = 30 if 8 <= clock < 8.83 else 10 if 9.02 <= clock < 15.33 else 0
            pause = 90 if 15.7 <= clock < 20 else pause
        case "H0UPCNT0":
            pause = 10 if 9 <= clock < 15.5 else 0
        case "H0MFCNT0":
            pause = 600 if clock >= 18 or clock < 5 else 0
        case _:
            pause = 10 if clock >= 23.5 or clock < 6 else 1200 if clock >= 18 or clock < 9 else 0
    return pause


class Line:
    """A session between a KIS that can be made mute or dead, and the bridge's upkeep."""

    def __init__(self, catalog: Catalog, folder: Path, start: datetime) -> None:
        self.now = start.timestamp()
        self.session = Session(notices=frozenset(), spacing_s=0.0)
        self.counts = StreamCounts(connections=1)
        self.state = "connected"
        self.told: list[tuple[datetime, SessionEvent]] = []
        self.mute = self.dead = False
        lane = Lane({})
        self.upkeep = Upkeep(
            catalog,
            Topics(),
            {"app1": cast("Stream", self)},
            lane,
            cast("Reports", Silent()),
            SubscriptionStore(folder),
            paper=False,
            clock=lambda: self.now,
        )
        interests = [ByChannel(channel, key) for channel, keys in CHANNELS.items() for key in keys]
        self.upkeep.pool.hold(
            [resolve(catalog, interest, paper=False) for interest in interests], "user"
        )
        self.connect()

    # what the pool asks of a stream

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None:
        self._tell(self.session.subscribe(tr_id, key, self.now, priority))

    def unsubscribe(self, tr_id: str, key: str) -> None:
        self._tell(self.session.unsubscribe(tr_id, key, self.now))

    def allow(self, limit: int) -> None:
        self.session.allow(limit)

    def expect(self, silence_s: float, mute_s: float | None) -> None:
        self.session.expect(silence_s, mute_s, self.now)

    # the day

    def connect(self) -> None:
        self._tell(self.session.disconnected())
        self._tell(self.session.connected(self.now))
        self._answer()

    def until(self, end: datetime) -> list[tuple[datetime, Lost]]:
        """Let time pass; return the alarms, each followed by a new connection."""
        alarms = []
        while self.now < end.timestamp():
            self.now += STEP_S
            at = datetime.fromtimestamp(self.now, SEOUL)
            second = int(self.now)
            if not self.dead and second % PING_S == 0:
                self._hear(PINGPONG)
            for channel in () if self.dead or self.mute else CHANNELS:
                pause = sends(channel, at)
                if pause and second % pause == 0:
                    self.counts.frames += 1
                    self._hear(f"0|{channel}|001|x^1")
            self.upkeep.tick()
            self._tell(self.session.tick(self.now))
            self._answer()
            lost = [event for _, event in self.told if isinstance(event, Lost)]
            self.told.clear()
            if lost:
                alarms.append((at, lost[0]))
                self.connect()
        return alarms

    def _answer(self) -> None:
        while texts := [t for t in self.session.data_to_send() if t != PINGPONG]:
            for text in texts:
                names = json.loads(text)["body"]["input"]
                body = {"rt_cd": "0", "msg_cd": "OPSP0000", "msg1": "-"}
                self._hear(json.dumps({"header": names, "body": body}))

    def _hear(self, text: str) -> None:
        heard = self.session.receive(text, self.now)
        if isinstance(heard, list):
            self._tell(heard)

    def _tell(self, events: list[SessionEvent]) -> None:
        for event in events:
            self.told.append((datetime.fromtimestamp(self.now, SEOUL), event))
            if hasattr(self, "upkeep"):
                self.upkeep.happened("app1", event)


class Silent:
    """Reports that nobody reads."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.fixture
def line(catalog: Catalog, tmp_path: Path, request: Any) -> Line:
    return Line(catalog, tmp_path, seoul(request.param))


@pytest.mark.parametrize("line", ["2026-11-20 07:00"], indirect=True)
def test_a_day_and_the_quiet_weekend_after_it_raise_no_alarm(line: Line) -> None:
    assert line.until(seoul("2026-11-21 12:00")) == []
    assert len(line.upkeep.pool.live("app1")) == sum(map(len, CHANNELS.values()))


@pytest.mark.parametrize("line", ["2026-11-20 08:30"], indirect=True)
def test_a_mute_session_in_busy_hours_is_found_within_its_limit(line: Line) -> None:
    assert line.until(seoul("2026-11-20 10:30")) == []
    line.mute = True
    [(at, lost)] = line.until(seoul("2026-11-20 10:32"))
    assert lost == Lost("mute")
    assert at - seoul("2026-11-20 10:30") <= timedelta(seconds=MUTE_S + 3 * STEP_S)
    line.mute = False
    assert line.until(seoul("2026-11-20 11:30")) == []
    line.dead = True
    line.until(seoul("2026-11-20 11:30:10"))
    alarms = line.until(seoul("2026-11-20 11:31"))
    assert alarms[0][1] == Lost("silent")
    assert alarms[0][0] - seoul("2026-11-20 11:30") <= timedelta(
        seconds=BUSY_SILENCE_S + 3 * STEP_S
    )


@pytest.mark.parametrize("line", ["2026-11-20 15:00"], indirect=True)
def test_a_market_that_stays_quiet_is_not_asked_for_ever(line: Line) -> None:
    line.upkeep.calendar.known = {seoul("2026-11-20 00:00").date(): True}
    line.now = seoul("2026-11-20 09:30").timestamp()
    line.connect()
    line.mute = True
    alarms = line.until(seoul("2026-11-20 15:00"))
    assert 4 <= len(alarms) <= 16
    pauses = [(b - a).total_seconds() for (a, _), (b, _) in pairwise(alarms)]
    assert pauses == sorted(pauses)


@pytest.mark.parametrize("line", ["2026-11-21 01:00"], indirect=True)
def test_at_night_only_a_dead_connection_is_one(line: Line) -> None:
    line.mute = True
    line.upkeep.pool.release(
        [w for w in line.upkeep.pool.live("app1") if w.channel == "HDFSCNT0"], "user"
    )
    assert line.until(seoul("2026-11-21 03:00")) == []
    line.dead = True
    alarms = line.until(seoul("2026-11-21 03:03"))
    assert alarms[0][1] == Lost("silent")
    assert alarms[0][0] - seoul("2026-11-21 03:00") <= timedelta(
        seconds=QUIET_SILENCE_S + 3 * STEP_S
    )
    assert CONFIGURATION not in line.upkeep.pool.interests.holders(
        resolve(load(), ByChannel("H0MFCNT0", "A01612"), paper=False)
    )
