from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from bridge.mqtt import payloads


def test_states() -> None:
    assert json.loads(payloads.ONLINE) == {"state": "online"}
    assert json.loads(payloads.OFFLINE) == {"state": "offline"}


def test_answers_echo_the_transaction() -> None:
    assert json.loads(payloads.ok([1], "t-1")) == {
        "status": "ok",
        "data": [1],
        "transaction": "t-1",
    }
    assert json.loads(payloads.ok(None)) == {"status": "ok", "data": None}
    assert json.loads(payloads.error("busy", "later", 0)) == {
        "status": "error",
        "code": "busy",
        "message": "later",
        "transaction": 0,
    }


def test_an_event() -> None:
    at = datetime(2026, 2, 23, 4, 15, tzinfo=UTC)
    told: Any = {"kind": "gap", "channel": "H0STCNT0"}
    assert json.loads(payloads.event(told, at)) == {
        "kind": "gap",
        "at": "2026-02-23T13:15:00+09:00",
        "channel": "H0STCNT0",
    }


def test_info() -> None:
    info = payloads.Info(
        version="0.1.0",
        environment="simulator",
        started_at=datetime(2026, 2, 23, tzinfo=UTC),
        workbook=payloads.WorkbookInfo(version="1", digest="ab"),
        accounts=("main",),
        limits={"slots": 41},
        access={"trading": "named", "requests": "everybody"},
    )
    assert json.loads(info.encode()) == {
        "version": "0.1.0",
        "environment": "simulator",
        "started_at": "2026-02-23T09:00:00+09:00",
        "workbook": {"version": "1", "digest": "ab"},
        "accounts": ["main"],
        "access": {"trading": "named", "requests": "everybody"},
        "limits": {"slots": 41},
    }
