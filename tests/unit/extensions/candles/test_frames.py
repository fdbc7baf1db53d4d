"""Candles of any frames, through the real decoder, equal those that a simple program makes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config.candles import INTERVALS, Interval
from bridge.extensions.candles import extension
from bridge.kis.frames import DataFrame
from tests.unit.extensions.candles.test_extension import LAYOUT, NINE, SEOUL, World
from tests.unit.extensions.candles.test_series import Sold, simple_candles

SHOWN: tuple[Interval, ...] = ("1s", "1m", "5m")


@dataclass(frozen=True)
class Record:
    """A trade as KIS writes it; ``ago`` is how many seconds before its arrival it was made."""

    ago: int
    price: str
    quantity: str
    time_class: str = "0"

    def text(self, second: int) -> str:
        local = datetime.fromtimestamp(second, SEOUL)
        values = {
            "symbol": "005930",
            "time": f"{local:%H%M%S}",
            "business_date": f"{local:%Y%m%d}",
            "price": self.price,
            "quantity": self.quantity,
            "change_sign": "2",
            "time_class": self.time_class,
            "market_class": "2",
            "market_phase": "20",
        }
        return "^".join(values.get(field.path, "1") for field in LAYOUT.fields)


@dataclass(frozen=True)
class Gap:
    """A gap that is told when it has ended; seconds before then."""

    length: int
    ended: int


PRICES = st.one_of(
    st.integers(1, 999_999).map(str),
    st.sampled_from(["71900", "71900", "00071900", "+71950", "71900.50", "0.0001"]),
    st.integers(10**62, 10**64 - 1).map(str),
    st.integers(1, 10**40).map(lambda digits: f"{digits}.{digits}"),
)
QUANTITIES = st.one_of(
    st.integers(1, 500).map(str),
    st.sampled_from(["0", "000", "1", "0000000007", "+3"]),
    st.integers(10**60, 10**64 - 1).map(str),
)
RECORDS = st.builds(
    Record,
    st.one_of(st.integers(0, 1), st.integers(0, 3), st.integers(0, 100)),
    PRICES,
    QUANTITIES,
    st.sampled_from(["0", "0", "0", "0", "C"]),
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.one_of(
            st.lists(RECORDS, min_size=1, max_size=5),
            st.builds(Gap, st.integers(1, 30), st.integers(0, 20)),
        ),
    ),
    max_size=12,
)


@settings(max_examples=15)
@given(STEPS)
def test_candles_of_any_frames_equal_those_of_a_simple_program(
    steps: list[tuple[int, list[Record] | Gap]],
) -> None:
    world = World({"intervals": list(SHOWN), "mend": False})
    sold: list[Sold] = []
    gaps: list[tuple[int, int]] = []
    shown: dict[tuple[str, str], dict[str, Any]] = {}

    async def turn(second: int) -> None:
        for topic, payload, _ in await world.at(second):
            shown[topic.split("candle_")[1].split("/")[0], payload["start"]] = payload

    async def run() -> None:
        second = NINE + 300
        await turn(NINE)  # it was there all the time
        for pause, step in steps:
            for _ in range(pause):
                second += 1
                await turn(second)
            if isinstance(step, Gap):
                gap = second - step.ended - step.length, second - step.ended
                gaps.append(gap)
                world.candles._heard(told(*gap))
                continue
            records = [one.text(second - one.ago) for one in step]
            world.pump.frame(
                DataFrame("H0STCNT0", False, len(step), "^".join(records)), second * 1_000_000
            )
            sold.extend(
                Sold(second - one.ago, Decimal(one.price), Decimal(one.quantity))
                for one in step
                if one.time_class == "0" and Decimal(one.quantity)
            )
        for later in (1, 2, 30, 700):
            await turn(second + later)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extension, "now_us", lambda: int(world.now * 1e6))
        asyncio.run(run())
    assert not world.told, "every record was decoded"
    for interval in SHOWN:
        seconds = INTERVALS[interval]
        expected = simple_candles(sold, seconds)
        got = {start: payload for (name, start), payload in shown.items() if name == interval}
        assert len(got) == len(expected)
        for start, figures in expected.items():
            payload = got[datetime.fromtimestamp(start, SEOUL).isoformat()]
            names = ("open", "high", "low", "close", "volume", "value", "trades")
            assert [payload[name] for name in names] == list(figures)
            assert payload["closed"]
            whole = not any(since < start + seconds and start < until for since, until in gaps)
            assert payload["complete"] is whole


def told(since: int, until: int) -> Any:
    row = {"channel": "H0STCNT0", "key": "005930", "topic": "t"}
    row |= {"from": since * 1_000_000, "to": until * 1_000_000}  # type: ignore[dict-item]
    return {"kind": "gap", "reason": "mute", "subscriptions": [row]}
