"""What no session brings is asked for over REST: soon, rarely enough, and never before an order."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from bridge.calendar.hours import Calendar
from bridge.config.backup import BackupConfig
from bridge.config.models import Config
from bridge.documents.topics import payloads
from bridge.feed.lane import Lane
from bridge.feed.policies import policies
from bridge.kis import snapshots
from bridge.kis.rest import RestClient
from bridge.kis.throttle import Priority
from bridge.mqtt.backup_events import BackupEvent
from bridge.mqtt.client import ControlClient
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Message
from bridge.mqtt.strict_json import encode
from bridge.mqtt.topics import Topics
from bridge.simulator.exchange.warrants import warrants_on
from bridge.simulator.rest.answers import Answer
from bridge.simulator.server import Simulator, SimulatorSettings
from bridge.subscriptions.backup import Backup
from bridge.subscriptions.request import ByTopic, Wanted, resolve
from tests.brokers import Mosquitto
from tests.component.feed_world import configuration, hurry, running, until
from tests.component.markets import in_virtual_time
from tests.component.virtual_exchange import ACCOUNT, CATALOG, VirtualExchange
from tests.unit.subscriptions.quality_world import World, quote, topic_of, trade

PRICE = "/uapi/domestic-stock/v1/quotations/inquire-price"
BOOK = "/uapi/domestic-stock/v1/quotations/inquire-asking-price-exp-ccn"


def config(environment: str = "real", **backup: Any) -> Config:
    app = {"alias": "app1", "app_key": "key", "app_secret": "secret"}
    kis = {"environment": environment, "apps": [app]}
    return Config.model_validate({"kis": kis, "backup": {"enabled": True} | backup})


def snapshot(symbol: str) -> str:
    return f"kis/market/domestic_stock/krx/snapshot/{symbol}"


class Writer:
    """A broker that takes everything, or is away."""

    def __init__(self) -> None:
        self.ready = self.connected = True
        self.said: list[tuple[str, bytes, bool, int | None]] = []

    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> Any:
        return topic, payload, retain, expire_s

    def write(self, packets: list[Any]) -> None:
        self.said += packets


class Polling:
    """A backup in virtual time: a real pool and lane, real REST clients at the exchange."""

    def __init__(self, virtual: VirtualExchange, config: Config, *, slots: int = 41) -> None:
        self.virtual, self.loop = virtual, virtual.loop
        self.world = World("2026-11-23 10:00", slots=slots)
        self.writer, self.events = Writer(), list[BackupEvent]()
        self.lane = Lane(policies(config, CATALOG))
        self.lane.attach(self.writer)
        self.calls: list[tuple[float, str, str]] = []
        """When which path was called for which symbol."""
        self.answer: Callable[[str, str], Answer | None] = lambda path, symbol: None
        self._process, virtual.process = virtual.process, self.process  # type: ignore[method-assign]
        self.backup = Backup(
            *(CATALOG, Topics(), self.world.pool, self.lane, Calendar(CATALOG.hours), config),
            self.events.append,
            monotonic=self.loop.time,
            clock=lambda: self.world.micros,
        )

    def process(self, path: str, tr_id: str, params: Any, cont: str, by: str) -> Answer:
        symbol = params.get("FID_INPUT_ISCD", "")
        if symbol:
            self.calls.append((self.loop.time(), path, symbol))
        made = self.answer(path, symbol)
        return made or self._process(path, tr_id, params, cont, by)

    async def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            await asyncio.sleep(1)
            self.world.pass_time(1)
            for feed in self.world.feeds.values():
                if feed.state == "connected":
                    feed.say()
            self.world.sweep()
            self.lane.flush()

    def connect(self) -> None:
        for feed in self.world.feeds.values():
            feed.connect()
        self.world.sweep()

    def published(self, topic: str) -> list[Any]:
        return [
            json.loads(said[1]) if said[1] else None
            for said in self.writer.said
            if said[0] == topic
        ]

    def told(self) -> list[tuple[str, str, int]]:
        return [(one["state"], one["reason"], len(one["topics"])) for one in self.events]


@asynccontextmanager
async def polling(
    virtual: VirtualExchange,
    *wanted: Wanted,
    rests: dict[str, RestClient] | None = None,
    per_second: float = 18,
    connected: bool = True,
    slots: int = 41,
    **backup: Any,
) -> AsyncIterator[Polling]:
    one = Polling(virtual, config(**backup), slots=slots)
    one.world.hold(*wanted)
    if connected:
        one.connect()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(
            one.backup.run(rests or {"app1": virtual.rest(per_second=per_second)})
        )
        yield one
        running.cancel()


@in_virtual_time
async def test_a_lost_session_is_stood_in_for_soon_and_until_it_is_back(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with polling(virtual, trade("005930"), quote("000660")) as one:
        await one.pass_time(30)
        assert one.calls == []
        one.world.feeds["app1"].lose()
        lost = one.loop.time()
        await one.pass_time(15)
        assert {symbol for _, _, symbol in one.calls} == {"005930", "000660"}
        assert all(lost + 10 <= at <= lost + 15 for at, _, _ in one.calls[:2])
        first = one.published(snapshot("005930"))[0]
        assert first["source"] == "rest"
        assert (first["symbol"], first["api"]) == ("005930", "domestic_stock/inquire_price")
        assert isinstance(first["price"], int)
        assert first["polled_at"] <= one.world.micros
        assert not {"seq", "received_at", "channel"} & first.keys()
        book = one.published(snapshot("000660"))[0]
        assert len(book["asks"]) == len(book["bids"]) == 10
        schemas = payloads(CATALOG)
        for value in (first, book):
            schema = schemas[f"snapshot/{value['api'].replace('/', '.')}"]
            Draft202012Validator(schema).validate(value)
        topic, _, retain, expire_s = one.writer.said[0]
        assert (topic.split("/")[4], retain, expire_s) == ("snapshot", True, 3600)
        assert one.backup.polled_at(trade("005930"))
        assert not one.backup.polled_at(quote("005930"))
        assert one.told() == [("started", "", 2)]

        one.connect()
        await one.pass_time(2)
        calls = len(one.calls)
        await one.pass_time(120)
        assert len(one.calls) == calls
        assert one.told()[1:] == [("ended", "its session brings it again", 2)]
        assert one.published(snapshot("005930"))[-1] is None
        assert one.backup.polled_at(trade("005930")) is None


@in_virtual_time
async def test_what_has_no_slot_is_polled_within_the_budget(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    symbols = [f"{number:06d}" for number in range(1, 61)]
    async with polling(virtual, *map(trade, symbols), per_second=4) as one:
        await one.pass_time(131)
        assert one.world.pool.waiting() == 19
        polled = {symbol for _, _, symbol in one.calls}
        live = {wanted.key for wanted in one.world.pool.all_live()}
        assert polled == set(symbols) - live
        at = [at for at, _, _ in one.calls]
        # One call a second is a quarter of four: each of the 19 has a turn every 19 s.
        assert max(sum(start <= one < start + 10 for one in at) for start in at) <= 11
        counts = Counter(symbol for _, _, symbol in one.calls)
        assert set(counts.values()) <= {6, 7}
        for symbol in polled:
            assert one.backup.polled_at(trade(symbol))


@in_virtual_time
async def test_what_shares_slots_by_turns_is_polled_only_when_its_turns_do_not_come(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with polling(virtual, trade("005930")) as one:
        one.world.pool.hold([trade(f"{n:06d}") for n in range(1, 61)], "alice", rotate=True)
        await one.pass_time(120)
        assert one.calls == []
        one.world.feeds["app1"].lose()
        await one.pass_time(60)
        assert len({symbol for _, _, symbol in one.calls}) == 61


@in_virtual_time
async def test_several_kinds_of_a_symbol_share_one_call(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    wanted = [trade("005930"), quote("005930")]
    async with polling(virtual, *wanted, connected=False) as one:
        await one.pass_time(20)
        assert {path for _, path, _ in one.calls} == {BOOK}
        assert all(map(one.backup.polled_at, wanted))
        newest = one.published(snapshot("005930"))[-1]
        assert {"price", "asks", "bids", "expected_price"} <= newest.keys()


@in_virtual_time
async def test_an_order_goes_before_every_poll(tmp_path: Path, virtual: VirtualExchange) -> None:
    symbols = [f"{number:06d}" for number in range(1, 201)]
    for per_second, most_s in ((1.0, 1.05), (18.0, 0.05)):
        rest = virtual.rest(per_second)
        async with polling(
            virtual, *map(trade, symbols), rests={"app1": rest}, connected=False, share=0.5
        ) as one:
            await one.pass_time(30)
            assert len(one.calls) > 5
            waits = []
            for number in range(20):
                await asyncio.sleep(2.0 + number * 0.137)
                asked = one.loop.time()
                order = {
                    **dict(zip(("CANO", "ACNT_PRDT_CD"), ACCOUNT.split("-"), strict=True)),
                    "PDNO": "005930",
                    "ORD_DVSN": "01",
                    "ORD_QTY": "1",
                    "ORD_UNPR": "0",
                    "EXCG_ID_DVSN_CD": "KRX",
                    "SLL_TYPE": "",
                    "CNDT_PRIC": "",
                }
                call = rest.call(
                    "domestic_stock/order_cash", order, variant="buy", priority=Priority.ORDER
                )
                assert (await call).ok
                waits.append(one.loop.time() - asked)
            # The time of one call at most where there is one call a second, else none.
            assert max(waits) <= most_s


@in_virtual_time
async def test_while_the_broker_is_away_one_value_a_topic_waits(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with polling(virtual, trade("005930"), trade("000660"), connected=False) as one:
        one.writer.connected = one.writer.ready = False
        one.lane.on_lost()
        await one.pass_time(100)
        assert len(one.calls) > 20
        assert len(one.lane.backlog) == 2
        assert one.lane.backlog.dropped == 0
        one.writer.connected = one.writer.ready = True
        one.lane.on_ready()
        assert len(one.published(snapshot("005930"))) == 1


@in_virtual_time
async def test_a_closed_market_is_not_polled_and_keeps_its_last_price(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with polling(virtual, trade("005930"), connected=False) as one:
        one.world.now -= 3 * 3_600  # seven in the morning
        await one.pass_time(60)
        assert one.calls == []
        one.world.now += 3 * 3_600
        await one.pass_time(20)
        assert one.calls
        one.world.now += 12 * 3_600
        await one.pass_time(2)
        calls = len(one.calls)
        await one.pass_time(60)
        assert len(one.calls) == calls
        assert one.told() == [("started", "", 1), ("ended", "its market is closed", 1)]
        assert one.published(snapshot("005930"))[-1] is not None


@in_virtual_time
async def test_a_symbol_that_kis_does_not_know_ends_with_one_event(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with polling(virtual, trade("999999"), trade("005930"), connected=False) as one:
        blank = {"output": {"stck_prpr": "0", "rprs_mrkt_kor_name": ""}}
        one.answer = lambda _, symbol: (
            Answer("0", "MCA00000", "ok", blank) if symbol == "999999" else None
        )
        await one.pass_time(300)
        counts = Counter(symbol for _, _, symbol in one.calls)
        assert counts["999999"] == 3
        assert counts["005930"] > 20
        reason = "domestic_stock/inquire_price knows nothing of it"
        assert one.told() == [("started", "", 2), ("given_up", reason, 1)]
        assert one.published(snapshot("999999")) == []


@in_virtual_time
async def test_an_app_key_whose_calls_come_to_nothing_rests_and_another_goes_on(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    tried: list[float] = []

    class Dead(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            tried.append(virtual.loop.time())
            raise httpx.ConnectError("no way")

    dead = virtual.rest(18)
    dead._http = httpx.AsyncClient(transport=Dead())
    rests = {"app1": dead, "app2": virtual.rest(18)}
    symbols = [f"{number:06d}" for number in range(1, 31)]
    async with polling(virtual, *map(trade, symbols), rests=rests, connected=False) as one:
        await one.pass_time(120)
        assert 2 <= len(tried) <= 6
        assert {symbol for _, _, symbol in one.calls} == set(symbols)
        assert one.told() == [("started", "", 30)]


@in_virtual_time
async def test_a_call_that_kis_refuses_is_told_once_and_rests(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    async with polling(virtual, trade("005930"), trade("000660"), connected=False) as one:
        one.answer = lambda path, symbol: Answer(
            "1", "EGW02006", "모의투자 TR 이 아닙니다.", http=500
        )
        await one.pass_time(300)
        assert 2 <= len(one.calls) <= 4
        assert [state for state, _, _ in one.told()] == ["started", "refused"]
        one.answer = lambda path, symbol: None
        await one.pass_time(1_200)
        assert one.published(snapshot("005930"))


@in_virtual_time
async def test_what_paper_trading_does_not_offer_is_not_called(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    index = resolve(CATALOG, ByTopic("domestic_index", "krx", "index", "0001"), paper=False)
    one = Polling(virtual, config("paper"))
    one.world.hold(index)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(one.backup.run({"app1": virtual.rest(1)}))
        await one.pass_time(60)
        assert one.calls == []
        assert one.told() == [("given_up", "no call of the workbook answers for it", 1)]
        running.cancel()


@in_virtual_time
async def test_it_is_off_unless_said(tmp_path: Path, virtual: VirtualExchange) -> None:
    one = Polling(virtual, config(enabled=False))
    one.world.hold(trade("005930"))
    await one.backup.run({"app1": virtual.rest(18)})
    assert one.backup.polled_at(trade("005930")) is None
    assert topic_of(trade("005930")) not in {said[0] for said in one.writer.said}


@in_virtual_time
async def test_every_call_of_the_sheet_is_answered_with_a_price_of_its_schema(
    tmp_path: Path, virtual: VirtualExchange
) -> None:
    rest, schemas = virtual.rest(), payloads(CATALOG)
    symbols = {"domestic_index": "0001", "overseas_stock": "AAPL", "domestic_derivative": "101W09"}
    symbols |= {"domestic_bond": "KR6095572D81", "overseas_derivative": "ESZ26"}
    symbols["domestic_elw"] = next(warrants_on(virtual.loop.now().date())).symbol
    for row in CATALOG.snapshots:
        channel = CATALOG.channels[row.channels[0]]
        venue = channel.venue or channel.venues[0].venue
        symbol = symbols.get(channel.market, "005930")
        reply = await rest.call(row.api, snapshots.params(CATALOG, row, venue, symbol))
        found = snapshots.values(CATALOG.apis[row.api], row, reply.body)
        assert found.get("price") or found["asks"]
        said = {"symbol": symbol, "source": "rest", "polled_at": 1, "api": row.api}
        schema = schemas[f"snapshot/{row.api.replace('/', '.')}"]
        Draft202012Validator(schema).validate(json.loads(encode(found | said)))
        if row.api in ("domestic_futureoption/inquire_price", "overseas_stock/price"):
            continue  # the simulator lists whatever is asked for
        unknown = await rest.call(row.api, snapshots.params(CATALOG, row, venue, "?!"))
        assert not unknown.ok or not snapshots.values(CATALOG.apis[row.api], row, unknown.body)


@pytest.mark.timeout(60)
async def test_readers_see_a_lost_session_stood_in_for_and_its_return(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    heard: dict[str, list[Any]] = {}

    async def hear(message: Message) -> None:
        message.ack()
        told = json.loads(message.payload) if message.payload else None
        heard.setdefault(message.topic, []).append(told)

    def newest(topic: str) -> Any:
        return heard.get(topic, [{}])[-1]

    overview = "kis/bridge/overview"
    ear = ControlClient([Endpoint.parse(mosquitto.url)], client_id="reader", clean=True)
    for topic in ("kis/market/#", "kis/quality/#", "kis/bridge/event/#", overview):
        ear.subscribe(topic, 1, hear)
    symbols = [f"{number:06d}" for number in range(1, 23)]
    made = SimulatorSettings(rest_per_second=40)
    async with Simulator(CATALOG, made) as sim, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(ear.run())
        await ear.wait_connected()
        config = configuration(sim, mosquitto.url, tmp_path, symbols).model_copy(
            update={"backup": BackupConfig(enabled=True, after_s=1, share=0.5)}
        )
        async with running(config, mosquitto.url) as bridge:
            # 44 subscriptions and an execution notice want 41 slots.
            await until(lambda: bridge.pool.waiting() == 4, 10, "all slots are used")
            late = [one for one in bridge.pool.interests.all() if bridge.pool.is_waiting(one)]
            await until(
                lambda: all(snapshot(one.key) in heard for one in late), 10, "they are polled"
            )
            await until(
                lambda: (
                    {newest(topic_of(one).replace("market", "quality"))["quality"] for one in late}
                    == {"backup"}
                ),
                5,
                "their quality says so",
            )
            there = next(one.key for one in bridge.pool.all_live() if one not in late)
            first = f"kis/quality/domestic_stock/krx/trade/{there}"
            await until(lambda: newest(first).get("quality") == "live", 10, "it is live")

            sim.stream.injector.lock(sim.app_key, 3_600)
            sim.drop_connections()
            await until(lambda: newest(first).get("quality") == "backup", 10, "it is polled")
            assert newest(first)["source"] == "rest"
            shown = f"domestic_stock/krx/{there}"
            await until(
                lambda: (
                    newest(overview)["symbols"][shown]["at"] >= newest(snapshot(there))["polled_at"]
                ),
                5,
                "the overview shows its price",
            )
            assert newest(snapshot(there))["source"] == "rest"

            sim.stream.injector.lock(sim.app_key, 0)
            await until(lambda: newest(first).get("quality") == "live", 15, "it is live again")
            await until(lambda: newest(snapshot(there)) is None, 5, "the price is taken back")
            events = heard["kis/bridge/event/backup"]
            assert {one["state"] for one in events} == {"started", "ended"}
            assert any(one["reason"] == "its session brings it again" for one in events)
        reading.cancel()
