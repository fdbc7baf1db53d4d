"""The numbers of health in Prometheus's words."""

from __future__ import annotations

from typing import Any

from bridge.dashboard.metrics import Metrics

NUMBERS: dict[str, Any] = {
    "sessions": {
        "app1": {
            "state": "connected",
            "slots_used": 21,
            "slots_limit": 41,
            "live": 20,
            "frames": 5,
            "records": 7,
            "last_frame_age_s": 0.5,
            "last_message_age_s": None,
            "reconnects": 2,
            "invalid_utf8": 1,
        },
        "app2": {
            "state": "waiting",
            **dict.fromkeys(("slots_used", "slots_limit", "live", "frames", "records"), 0),
            **dict.fromkeys(("last_frame_age_s", "last_message_age_s")),
            **dict.fromkeys(("reconnects", "invalid_utf8"), 0),
        },
    },
    "subscriptions": {"wanted": 3, "live": 2},
    "rotation": {"subscriptions": 500, "slots": 82, "turn_s": 60.0, "within_s": 441},
    "quality": {"live": 2, "stale": 1},
    "arrivals": {
        "rate_limited": {"requests": 5, "commands": 6},
        "unanswered": 9,
        "by_client": {"bob": 11},
        "dropped": {"too large": 2},
    },
    "refused": {"commands": {"not_permitted": 12}, "requests": {"bad_signature": 13}},
    "frames_dropped": 4,
    "by_channel": {"decode_errors": {"H0STCNT0": 6}, "schema_drift": {}},
    "publish": {
        "published": 10_000_000,
        "backlog": 1,
        "backlog_bytes": 2,
        "dropped": 3,
        "too_large": 8,
        "conflated": 4,
        "possibly_lost": 5,
        "control_backlog": 6,
        "events_dropped": 7,
    },
    "lag_us": {"p50": 400, "p99": 1500, "max": None, "waiting": 2_500_000},
    "loop_lag_s": 0.125,
    "clients": [
        {"client": "bob", "subscriptions": 1000, "slots": 20, "refused": 3},
        {"client": None, "subscriptions": 2, "slots": 1, "refused": 0},
    ],
    "rest": {"calls": 1, "throttled": 2, "errors": 3},
    "orders": {"filled": 2},
    "halted": True,
}


def test_every_number_is_there() -> None:
    lines = Metrics(lambda: NUMBERS).render().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    for name, value in {
        'session_up{app="app1"}': 1,
        'session_up{app="app2"}': 0,
        'session_slots_used{app="app1"}': 21,
        'session_last_frame_age_seconds{app="app1"}': 0.5,
        'session_reconnects_total{app="app1"}': 2,
        'subscriptions{state="live"}': 2,
        "rotating_subscriptions": 500,
        "rotating_within_seconds": 441,
        "frames_dropped_total": 4,
        'quarantined_records_total{channel="H0STCNT0"}': 6,
        'rate_limited_total{client="bob"}': 11,
        "rate_limited_unanswered_total": 9,
        'messages_dropped_total{reason="too large"}': 2,
        'commands_refused_total{reason="not_permitted"}': 12,
        'requests_refused_total{reason="bad_signature"}': 13,
        "published_total": 1e7,
        "possibly_lost_total": 5,
        "events_dropped_total": 7,
        'lag_seconds{quantile="p99"}': 0.0015,
        "waiting_seconds": 2.5,
        "loop_lag_seconds": 0.125,
        'client_subscriptions{client="bob"}': 1000,
        'client_slots{client=""}': 1,
        'client_over_quota_total{client="bob"}': 3,
        "rest_throttled_total": 2,
        'orders{state="filled"}': 2,
        "halted": 1,
    }.items():
        assert float(values[f"kis_bridge_{name}"]) == value, name
    assert 'kis_bridge_session_last_message_age_seconds{app="app1"}' not in values
    assert 'kis_bridge_lag_seconds{quantile="max"}' not in values
    assert "# TYPE kis_bridge_published_total counter" in lines
    without = Metrics(lambda: NUMBERS | {"rotation": {"slots": 0, "within_s": None}}).render()
    assert b"rotating_slots" in without
    assert b"rotating_within" not in without
    without = Metrics(lambda: {k: v for k, v in NUMBERS.items() if k != "rotation"}).render()
    assert b"rotating" not in without
    assert "# TYPE kis_bridge_backlog_bytes gauge" in lines
