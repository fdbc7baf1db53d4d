"""What the configuration subscribes."""

from __future__ import annotations

from bridge.catalog.compile import load
from bridge.config.models import Config
from bridge.subscriptions.configured import configured_feeds


def test_those_that_take_turns_come_first_so_that_a_slot_for_itself_counts() -> None:
    section = {"market": "domestic_stock", "venue": "krx", "kinds": ["trade"]}
    config = Config.model_validate(
        {
            "kis": {
                "environment": "simulator",
                "apps": [{"alias": "app1", "app_key": "P" * 36, "app_secret": "s" * 180}],
            },
            "market": {
                "turn_s": 30,
                "subscriptions": [
                    section | {"symbols": ["005930"]},
                    section | {"symbols": ["000660", "005930"], "rotate": True},
                    {"channel": "H0STASP0", "keys": ["000660"], "rotate": True},
                    {"channel": "H0STZZZ0", "keys": ["000660"], "rotate": True},
                ],
            },
        }
    )
    pins, found, problems = configured_feeds(config, load(), lambda app: ())
    assert pins == []
    assert list(found) == [True, False]
    keys = {rotate: [(one.channel, one.key) for one in wanted] for rotate, wanted in found.items()}
    assert keys[False] == [("H0STCNT0", "005930")]
    trades = [("H0STCNT0", "000660"), ("H0STCNT0", "005930")]
    assert keys[True] == [*trades, ("H0STASP0", "000660")]
    assert len(problems) == 1
