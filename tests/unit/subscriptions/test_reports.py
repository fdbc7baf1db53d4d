"""What happens on sessions and in the pump, as events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.catalog.model import Catalog
from bridge.kis.decode import Drift, Quarantined
from bridge.kis.session import Dropped, Lost, SlotRefused, Subscribed, Unsubscribed
from bridge.mqtt.events import Events
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.subscriptions.gaps import Gap
from bridge.subscriptions.reports import Reports, notice_ids
from bridge.subscriptions.request import Wanted


class Told:
    """Publishes into a list."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.events = Events(self, Topics())

    async def publish(self, publication: Publication) -> None:
        topic, payload, qos = publication.topic, publication.payload, publication.qos
        assert qos == 1
        self.said.append((topic.removeprefix("kis/bridge/event/"), json.loads(payload)))

    async def all(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what was told, without kind and time."""
        running = asyncio.ensure_future(self.events.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        for kind, payload in self.said:
            assert payload.pop("kind") == kind
            assert payload.pop("at").endswith("+09:00")
        return self.said


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reports(catalog: Catalog, told: Told) -> Reports:
    return Reports(catalog, told.events)


async def test_a_session_that_is_lost_and_back(reports: Reports, told: Told) -> None:
    reports.session("app1", Subscribed("H0STCNT0", "A"))  # at start: nothing to tell
    reports.session("app1", Lost("OPSP8996", 20.04))
    reports.session("app1", Unsubscribed("H0STCNT0", "B"))
    reports.session("app2", Subscribed("H0STCNT0", "A"))
    reports.session("app1", Subscribed("H0STCNT0", "A"))
    reports.session("app1", Subscribed("H0STCNT0", "C"))
    assert await told.all() == [
        (
            "session_lost",
            {
                "app": "app1",
                "code": "OPSP8996",
                "reason": "the app key is in use by another session",
                "retry_s": 20.0,
            },
        ),
        ("session_restored", {"app": "app1"}),
    ]
    assert reports.changed == {"app1", "app2"}


async def test_a_refused_slot(reports: Reports, told: Told) -> None:
    reports.session("app1", SlotRefused("H0STCNT0", "005930", "OPSP0008", 40))
    reports.session("app1", SlotRefused("H0STCNI9", "my-login", "OPSP0017", None))
    assert await told.all() == [
        (
            "slot_refused",
            {
                "app": "app1",
                "channel": "H0STCNT0",
                "key": "005930",
                "code": "OPSP0008",
                "reason": "no slot is free",
                "limit": 40,
            },
        ),
        (
            "slot_refused",
            {
                "app": "app1",
                "channel": "H0STCNI9",
                "key": None,
                "code": "OPSP0017",
                "reason": "the HTS id is wrong",
                "limit": None,
            },
        ),
    ]
    assert "my-login" not in str(told.said)


async def test_what_did_not_decode(reports: Reports, told: Told) -> None:
    reports.problem(Quarantined("H0STCNT0", "price: 'x' is no number", "005930^x"))
    reports.problem(Drift("H0STCNT0", 48, (47, 46), "surplus in extra"))
    reports.session("app1", Dropped("no key yet", "H0STCNI9"))
    assert await told.all() == [
        (
            "quarantined",
            {
                "channel": "H0STCNT0",
                "reason": "price: 'x' is no number",
                "raw": "005930^x",
                "records": 1,
            },
        ),
        (
            "schema_drift",
            {
                "channel": "H0STCNT0",
                "width": 48,
                "known": [47, 46],
                "treatment": "surplus in extra",
            },
        ),
        ("quarantined", {"channel": "H0STCNI9", "reason": "no key yet", "raw": None}),
    ]


async def test_losses_are_told_in_parts(reports: Reports, told: Told) -> None:
    reports.losses({f"t/{number:03}": 2 for number in range(150)}, "slow")
    said = await told.all()
    assert [(kind, event["lost"], len(event["topics"])) for kind, event in said] == [
        ("gap", 200, 100),
        ("gap", 100, 50),
    ]
    assert said[0][1]["reason"] == "slow"
    assert said[0][1]["certain"] is True


async def test_gaps_are_told_by_topic_with_their_times(reports: Reports, told: Told) -> None:
    one, two = (Wanted("H0STCNT0", key, "H0STCNT0") for key in ("005930", "000660"))
    reports.gaps([(Gap(one, "silent", 1, 3), "t/1"), (Gap(two, "mute", 2, 3), "t/2")])
    assert [event for _, event in await told.all()] == [
        {
            "reason": reason,
            "subscriptions": [
                {"topic": topic, "channel": "H0STCNT0", "key": key, "from": since, "to": 3}
            ],
        }
        for reason, topic, key, since in (
            ("mute", "t/2", "000660", 2),
            ("silent", "t/1", "005930", 1),
        )
    ]


async def test_who_waits_for_a_slot_is_told(reports: Reports, told: Told) -> None:
    reports.waiting([Wanted("H0STCNT0", f"{n:06d}", "H0STCNT0") for n in range(150)])
    said = await told.all()
    assert [(e["code"], len(e["subscriptions"])) for _, e in said] == [
        ("waiting", 100),
        ("waiting", 50),
    ]


async def test_a_long_record_is_told_in_part(reports: Reports, told: Told) -> None:
    reports.problem(Quarantined("H0STCNT0", "too long", "x" * 10_000))
    [(_, event)] = await told.all()
    assert event["raw"] == "x" * 4096
    assert event["raw_length"] == 10_000


def test_notices_are_known_by_both_names(catalog: Catalog) -> None:
    assert {"H0STCNI0", "H0STCNI9"} <= notice_ids(catalog)
    assert "H0STCNT0" not in notice_ids(catalog)
    assert "" not in notice_ids(catalog)


async def test_a_faulty_line_gets_an_event_a_second(
    catalog: Catalog, reports: Reports, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0], raising=False)
    channels = [*catalog.channels, *(f"H0X{number:05}" for number in range(1_000))]
    for _ in range(3):
        for channel in channels:
            reports.problem(Quarantined(channel, "no number", "1^x"))
            reports.problem(Drift(channel, 7, (5, 6), "quarantined"))
            reports.session("app1", Dropped("no key yet", channel))
        told.events.settle()
        now[0] += 1.0
    told.events.settle()
    said = await told.all()
    # Once for each channel that there is, once for all others, and then one a second.
    for kind, sources in (("quarantined", 2), ("schema_drift", 1)):
        payloads = [payload for name, payload in said if name == kind]
        assert len(payloads) <= sources * (len(catalog.channels) + 1 + 4)
        told_of = sum(1 + payload.get("suppressed", 0) for payload in payloads)
        assert told_of == 3 * sources * len(channels)
    assert told.events.remembered <= 3 * (len(catalog.channels) + 2)
