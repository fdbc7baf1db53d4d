"""What the feed remembers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from structlog.testing import capture_logs

from bridge.subscriptions.store import SubscriptionStore


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    store = SubscriptionStore(tmp_path / "state")
    assert store.limits() == {}
    assert store.trading_days() == {}
    assert store.read("nothing") == ""
    store.save_limits({"app1": 20})
    store.save_trading_days({date(2026, 11, 20): True, date(2026, 11, 21): False})
    again = SubscriptionStore(tmp_path / "state")
    assert again.limits() == {"app1": 20}
    assert again.trading_days() == {date(2026, 11, 20): True, date(2026, 11, 21): False}
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [
        "limits.json",
        "trading-days.json",
    ], "nothing half-written is left"


def test_what_is_damaged_is_ignored_and_said(tmp_path: Path) -> None:
    store = SubscriptionStore(tmp_path)
    for name, text in (("limits.json", "{"), ("trading-days.json", '{"x": true}')):
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes").write_bytes(b"\xff")
    with capture_logs() as logs:
        assert store.limits() == {}
        assert store.trading_days() == {}
        assert store.read("bytes") == ""
    assert len(logs) == 3
    (tmp_path / "limits.json").write_text('{"app1": "x", "app2": true, "app3": 0, "app4": 7}')
    assert store.limits() == {"app4": 7}


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with capture_logs() as logs:
        SubscriptionStore(tmp_path / "file").save_limits({"app1": 1})
    assert logs[0]["event"] == "not written down"
