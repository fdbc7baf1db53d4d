"""The extension between the pump and the lane: what it publishes, and what the line does for it."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.config.models import CandlesConfig
from bridge.documents.reports import REPORTS
from bridge.extensions.candles import extension
from bridge.extensions.candles.extension import Candles
from bridge.extensions.context import ExtensionContext
from bridge.feed.lane import KindPolicy, Lane
from bridge.feed.policies import REVISED
from bridge.feed.pump import Pump
from bridge.kis.frames import DataFrame
from bridge.mqtt.events import Events
from bridge.mqtt.topics import Topics
from bridge.subscriptions.request import Wanted

CATALOG = load()
LAYOUT = CATALOG.channels["H0STCNT0"].layouts[0]
SEOUL = timezone(timedelta(hours=9))
NINE = int(datetime(2026, 11, 25, 9, 0, tzinfo=SEOUL).timestamp())
SAMSUNG, HYNIX = (Wanted("H0STCNT0", symbol, "H0STCNT0") for symbol in ("005930", "000660"))
AMERICAN = Wanted("HDFSCNT0", "DNASAAPL", "HDFSCNT0")
MINUTE = "kis/market/domestic_stock/krx/candle_1m/005930"
TRADE = "kis/market/domestic_stock/krx/trade/005930"
CHECK = jsonschema.Draft202012Validator(REPORTS["candle"])


class Broker:
    """Takes whatever the lane writes."""

    ready = connected = True

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any], bool]] = []

    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> Any:
        return topic, json.loads(payload, parse_float=Decimal), retain

    def write(self, packets: list[Any]) -> None:
        self.got += packets


class World:
    """``skew_s`` is how far KIS's clock is ahead of this machine's."""

    def __init__(self, *entries: dict[str, Any]) -> None:
        self.skew_s = 0.0
        self.now = float(NINE - 60)
        self.live: list[Wanted] = [SAMSUNG]
        self.told: list[Any] = []
        self.broker = Broker()
        self.lane = Lane({REVISED: KindPolicy(retain=False)})
        self.lane.attach(self.broker)
        self.pump = Pump(CATALOG, Topics(), self.lane, self.told.append)
        self.events = Events(cast("Any", None), Topics())
        self.calendar = Calendar(CATALOG.hours)
        config = SimpleNamespace(
            candles=tuple(map(CandlesConfig.model_validate, entries)),
            kis=SimpleNamespace(environment="paper", paper=True),
        )
        self.candles = Candles(
            ExtensionContext(
                config=cast("Any", config),
                catalog=CATALOG,
                calendar=self.calendar,
                clock=lambda: int((self.now + self.skew_s) * 1e6),
                pump=self.pump,
                lane=self.lane,
                events=self.events,
                live=lambda: self.live,
                rests={},
            )
        )

    def trade(self, second: int, price: str, symbol: str = "005930", quantity: str = "1") -> None:
        """Let a trade arrive half a second after it was made."""
        self.now = max(self.now, second + 0.5 - self.skew_s)
        local = datetime.fromtimestamp(second, SEOUL)
        values = {
            "symbol": symbol,
            "time": f"{local:%H%M%S}",
            "price": price,
            "quantity": quantity,
            "business_date": f"{local:%Y%m%d}",
            "change_sign": "2",
            "time_class": "0",
            "market_class": "2",
            "market_phase": "20",
        }
        body = "^".join(values.get(field.path, "1") for field in LAYOUT.fields)
        self.pump.frame(DataFrame("H0STCNT0", False, 1, body), int(self.now * 1e6))

    async def at(self, second: float) -> list[tuple[str, dict[str, Any], bool]]:
        """Let that time come; return what was published of candles."""
        self.now = second
        await self.candles.turn()
        self.lane.flush()
        found = [one for one in self.broker.got if "/candle_" in one[0]]
        self.broker.got.clear()
        for _, payload, _ in found:
            numbers = {k: float(v) if isinstance(v, Decimal) else v for k, v in payload.items()}
            CHECK.validate(numbers)
        return found


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World({"intervals": ["1m"]})
    monkeypatch.setattr(extension, "now_us", lambda: int(made.now * 1e6))
    await made.at(NINE - 60)
    return made


async def test_it_listens_and_takes_its_turns_until_it_is_cancelled(world: World) -> None:
    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            world.candles.start(tasks)

    world.trade(NINE + 1, "100")
    running = asyncio.ensure_future(run())
    for _ in range(4):
        await asyncio.sleep(0)
    world.lane.flush()
    assert world.broker.got[-1][0] == MINUTE
    assert world.events._listeners == [world.candles._heard]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_trades_become_candles_on_their_own_topic(world: World) -> None:
    world.trade(NINE + 1, "71900", quantity="10")
    world.trade(NINE + 30, "72000.5", quantity="3")
    [(topic, payload, retained)] = await world.at(NINE + 31)
    assert topic == MINUTE
    assert retained
    assert payload == {
        "symbol": "005930",
        "start": "2026-11-25T09:00:00+09:00",
        "open": 71900,
        "high": Decimal("72000.5"),
        "low": 71900,
        "close": Decimal("72000.5"),
        "volume": 13,
        "value": Decimal("935001.5"),
        "trades": 2,
        "closed": False,
        "complete": True,
    }
    assert await world.at(NINE + 32) == []
    [(_, payload, _)] = await world.at(NINE + 62)
    assert (payload["closed"], payload["complete"]) == (True, True)


async def test_a_correction_does_not_replace_the_newer_candle_that_is_retained(
    world: World,
) -> None:
    world.trade(NINE + 1, "100")
    world.trade(NINE + 61, "101")
    assert [kept for *_, kept in await world.at(NINE + 62)] == [True, True]
    world.now = NINE + 63
    world.trade(NINE + 59, "90")
    [(topic, payload, retained)] = await world.at(NINE + 64)
    assert (topic, payload["close"], payload["closed"], retained) == (MINUTE, 90, True, False)


async def test_kis_clock_decides_and_not_that_of_this_machine(world: World) -> None:
    world.skew_s = 300.0
    world.now = NINE - 299
    await world.at(NINE - 299)
    world.trade(NINE + 3, "100")
    world.now = NINE - 296
    [(_, payload, _)] = await world.at(NINE - 238)
    assert payload["closed"]
    assert payload["complete"]


async def test_a_broker_that_starts_anew_is_told_the_newest_candle_but_a_page_sees_only_records(
    world: World,
) -> None:
    world.trade(NINE + 1, "100")
    await world.at(NINE + 2)
    assert [route.topic for route in world.pump.routes()] == [TRADE]
    assert [route.topic for route in world.pump.retained()] == [TRADE, MINUTE]


async def test_the_line_does_nothing_for_a_symbol_without_candles(world: World) -> None:
    world.trade(NINE + 1, "100", "000660")
    assert await world.at(NINE + 2) == []
    other = world.pump.destination(*HYNIX[:2], "000660")
    mine = world.pump.destination(*SAMSUNG[:2], "005930")
    assert other is not None
    assert mine is not None
    assert other.tap is None
    assert mine.tap is not None
    await world.candles.stop()
    assert mine.tap is None


async def test_the_first_record_of_a_symbol_is_taken(world: World) -> None:
    world.live.append(HYNIX)
    await world.at(NINE - 30)
    world.trade(NINE + 1, "100", "000660")
    [(topic, payload, _)] = await world.at(NINE + 2)
    assert topic.endswith("/000660")
    assert payload["complete"]


async def test_what_is_not_live_at_the_end_of_a_candle_makes_it_incomplete(world: World) -> None:
    world.trade(NINE + 1, "100")
    await world.at(NINE + 2)
    world.live.clear()
    await world.at(NINE + 10)
    world.live.append(SAMSUNG)
    await world.at(NINE + 20)
    world.trade(NINE + 61, "100")
    found = await world.at(NINE + 62)
    assert [one["complete"] for _, one, _ in found] == [False, True]


async def test_a_gap_that_is_told_is_in_the_candles(world: World) -> None:
    world.trade(NINE + 1, "100")
    await world.at(NINE + 62)
    gap: Any = {
        "kind": "gap",
        "reason": "mute",
        "subscriptions": [
            {
                "topic": "t",
                "channel": "H0STCNT0",
                "key": "005930",
                "from": (NINE + 10) * 1_000_000,
                "to": (NINE + 65) * 1_000_000,
            }
        ],
    }
    world.candles._heard(gap)
    [(_, payload, _)] = await world.at(NINE + 70)
    assert (payload["closed"], payload["complete"]) == (True, False)


@pytest.mark.parametrize(
    ("channel", "raw", "complete"),
    [
        ("H0STCNT0", "^".join(["005930", *["x"] * 46]), False),
        ("H0STCNT0", "^".join(["000660", *["x"] * 46]), True),
        ("H0STCNT0", "^".join(["??????", *["x"] * 46]), False),
        ("H0STCNT0", "a^b^c", False),
        ("H0STCNT0", None, False),
        ("HDFSCNT0", "a^b^c", True),
        ("H0STASP0", "a^b^c", True),
        ("garbage", None, False),
    ],
)
async def test_a_record_that_was_not_decoded_harms_the_candles_that_it_may_belong_to(
    world: World, channel: str, raw: str | None, complete: bool
) -> None:
    world.live.append(HYNIX)
    await world.at(NINE - 30)
    world.trade(NINE + 1, "100")
    event: Any = {"kind": "quarantined", "channel": channel, "reason": "odd", "raw": raw}
    world.candles._heard(event)
    [(_, payload, _)] = await world.at(NINE + 62)
    assert payload["complete"] is complete


async def test_a_flood_of_what_is_not_decoded_is_one_hole_in_the_candles(world: World) -> None:
    world.trade(NINE + 1, "100")
    await world.at(NINE + 2)
    [symbol] = world.candles._symbols.values()
    before = len(symbol.series._holes)
    event: Any = {"kind": "quarantined", "channel": "garbage", "reason": "odd", "raw": None}
    for number in range(3_000):
        world.now = NINE + 2 + number / 3_000
        world.candles._heard(event)
    assert len(world.candles._doubts) == 1
    [(_, payload, _)] = await world.at(NINE + 3)
    assert not payload["complete"]
    assert len(symbol.series._holes) == before + 1
    assert await world.at(NINE + 4) == []


async def test_a_trade_without_a_price_makes_the_candle_incomplete(world: World) -> None:
    world.trade(NINE + 1, "100")
    world.trade(NINE + 2, "")
    [(_, payload, _)] = await world.at(NINE + 62)
    assert (payload["trades"], payload["complete"]) == (1, False)


async def test_more_seconds_than_can_wait_are_told_as_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extension, "_MOST_SECONDS", 3)
    world.live.append(HYNIX)
    await world.at(NINE - 30)
    for number in range(5):
        world.trade(NINE + 1 + number, "100", "000660")
    [(_, payload, _)] = await world.at(NINE + 62)
    assert (payload["trades"], payload["complete"]) == (3, False)


async def test_a_route_that_was_forgotten_is_tapped_again_and_the_gap_is_told(
    world: World,
) -> None:
    world.trade(NINE + 1, "100")
    await world.at(NINE + 2)
    world.pump._routes.clear()
    for decoder in world.pump._decoders.values():
        decoder.forget()
    await world.at(NINE + 3)
    world.trade(NINE + 4, "100")
    [(_, payload, _)] = await world.at(NINE + 62)
    assert (payload["trades"], payload["complete"]) == (2, False)


async def test_what_nobody_wants_any_more_is_let_go_when_its_candles_are_over(
    world: World,
) -> None:
    world.trade(NINE + 1, "100")
    await world.at(NINE + 2)
    world.live.clear()
    await world.at(NINE + 62)
    assert world.candles._symbols
    await world.at(NINE + 4_000)
    await world.at(NINE + 4_001)
    assert not world.candles._symbols
    assert world.candles._count == 0
    assert [route.topic for route in world.pump.retained()] == [TRADE]


async def test_entries_choose_symbols_and_their_intervals_are_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(
        {"market": "domestic_stock", "symbols": ["005930"], "intervals": ["1m", "5m"]},
        {"venue": "krx", "intervals": ["1m", "1s"]},
        {"venue": "nxt", "intervals": ["1h"]},
    )
    monkeypatch.setattr(extension, "now_us", lambda: int(world.now * 1e6))
    world.live.append(HYNIX)
    await world.at(NINE - 60)
    world.trade(NINE + 1, "100")
    world.trade(NINE + 1, "100", "000660")
    topics = sorted(topic.split("krx/")[1] for topic, *_ in await world.at(NINE + 2))
    assert topics == [
        *("candle_1m/000660", "candle_1m/005930", "candle_1s/000660"),
        *("candle_1s/005930", "candle_5m/005930"),
    ]


async def test_more_candles_than_there_may_be_are_refused_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extension, "MOST_CANDLES", 1)
    world = World({"intervals": ["1m"]})
    heard: list[Any] = []
    world.events.listen(heard.append)
    world.live += [HYNIX, Wanted("H0STCNT0", "035420", "H0STCNT0")]
    await world.at(NINE - 60)
    await world.at(NINE - 59)
    assert len(world.candles._symbols) == 1
    assert [one["kind"] for one in heard] == ["config_warning"]


async def test_days_that_kis_tells_of_are_taken_up(world: World) -> None:
    world.trade(NINE + 1, "100")
    await world.at(NINE + 2)
    [table] = world.candles._tables.values()
    assert not table.days.is_quiet(NINE, NINE + 1)
    world.calendar.known = {date(2026, 11, 25): False}
    await world.at(NINE + 3)
    assert table.days.is_quiet(NINE, NINE + 1)


async def test_many_symbols_are_served_in_slices_between_which_others_have_their_turn(
    world: World,
) -> None:
    world.live = [Wanted("H0STCNT0", f"{n:06}", "H0STCNT0") for n in range(450)]
    await world.at(NINE - 60)
    for wanted in world.live:
        world.trade(NINE + 1, "100", wanted.key)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    assert len(await world.at(NINE + 2)) == 450
    task.cancel()
    assert turns == 8, "four times in counting, and four times in publishing"


async def test_charts_are_asked_for_only_where_there_are_some_and_they_are_wanted() -> None:
    for mend, live, there in ((True, SAMSUNG, 1), (False, SAMSUNG, 0), (True, AMERICAN, 0)):
        world = World({"intervals": ["1m"], "mend": mend})
        world.live = [live]
        await world.at(NINE - 60)
        assert len(world.candles._symbols) == 1
        assert len(world.candles._torn()) == there, "in paper trading KIS has no American chart"
