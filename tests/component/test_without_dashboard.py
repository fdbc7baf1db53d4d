"""The bridge whose dashboard was taken away."""

from __future__ import annotations

import sys
from functools import partial
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

from bridge.kis import auth
from bridge.kis.session import Session
from bridge.simulator.server import Simulator
from bridge.simulator.settings import SimulatorSettings
from tests.brokers import Mosquitto
from tests.component.feed_world import running, until
from tests.component.test_market_families import CATALOG, configuration


class Gone(MetaPathFinder):
    """Has no dashboard to import; notes who asked for it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname.startswith("bridge.dashboard"):
            self.asked.append(fullname)
            raise ImportError(f"{fullname} was taken away")


async def test_the_bridge_runs_without_its_dashboard(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("bridge.dashboard")]:
        monkeypatch.delitem(sys.modules, name)
    gone = Gone()
    monkeypatch.setattr(sys, "meta_path", [gone, *sys.meta_path])
    monkeypatch.setattr(auth.ApprovalKeys, "interval_s", 0.05)
    monkeypatch.setattr("bridge.subscriptions.app_keys.Session", partial(Session, spacing_s=0.004))
    settings = SimulatorSettings(environment="real", any_key=True, rest_per_second=0)
    wanted = [{"channel": "H0STCNT0", "keys": ["005930"]}]
    async with Simulator(CATALOG, settings) as sim:
        config = configuration(sim, mosquitto, tmp_path, wanted)
        async with running(config, mosquitto.url) as one:
            live = lambda: one.pool.numbers()["live"] == 1  # noqa: E731
            await until(live, 10, "the symbol is subscribed")
            assert one.dashboard_url is None
    assert gone.asked == []
