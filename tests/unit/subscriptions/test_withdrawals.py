"""Values that nobody wants are taken back when no record can put them there again."""

from __future__ import annotations

from bridge.feed.lane import Lane
from bridge.kis.decode import Route
from tests.unit.subscriptions.quality_world import World, topic_of, trade

SAMSUNG, HYNIX = trade("005930"), trade("000660")


def world() -> World:
    made = World()
    made.hold(SAMSUNG, HYNIX)
    made.feeds["app1"].connect()
    made.run(2, SAMSUNG, HYNIX)
    return made


def test_a_value_is_taken_back_only_when_kis_has_let_go() -> None:
    here = world()
    here.feeds["app1"].answers = False
    here.pool.release([SAMSUNG], "configuration")
    here.run(3, SAMSUNG)
    assert here.cleared == []
    here.feeds["app1"].answers = True
    here.run(10, HYNIX)
    assert here.cleared == [topic_of(SAMSUNG)]


def test_one_that_kis_goes_on_sending_is_taken_back_again() -> None:
    here = world()
    here.pool.release([SAMSUNG], "configuration")
    here.run(3)
    here.run(3, SAMSUNG)
    here.run(3)
    assert here.cleared == [topic_of(SAMSUNG)] * 4


def test_what_waits_for_a_slot_keeps_its_value() -> None:
    here = world()
    here.feeds["app1"].lose()
    here.run(60)
    assert here.cleared == []


def test_who_wants_it_again_in_time_keeps_it() -> None:
    here = world()
    here.feeds["app1"].answers = False
    here.pool.release([SAMSUNG], "configuration")
    here.run(1)
    here.hold(SAMSUNG)
    here.feeds["app1"].answers = True
    here.run(20, SAMSUNG)
    assert here.cleared == []


def test_what_another_run_has_written_is_for_the_publisher_to_take_back() -> None:
    here = world()
    here.board.end("kis/market/domestic_stock/krx/trade/000020")
    here.run(2)
    assert here.board.withdrawals.unwritten == ["kis/market/domestic_stock/krx/trade/000020"]
    assert here.cleared == []


class End:
    """A broker that takes everything, or is away."""

    ready = connected = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []

    def packet(
        self, topic: str, payload: bytes, qos: int, retain: bool, expire_s: int | None
    ) -> tuple[str, bytes, bool]:
        return topic, payload, retain

    def write(self, packets: list[tuple[str, bytes, bool]]) -> None:
        self.sent += packets


async def test_the_lane_takes_a_value_back_behind_all_that_it_has_written() -> None:
    here, lane, end = world(), Lane({}), End()
    route: Route = here.routes[topic_of(SAMSUNG)]
    lane.attach(end, lambda: [route])
    lane.put(route, b"{}")
    lane.clear(route)
    lane.flush()
    assert end.sent == [(route.topic, b"{}", True), (route.topic, b"", True)]
    assert route.last == b"", "and after a reconnection it is not written again"


async def test_the_lane_takes_it_back_when_the_broker_comes_back() -> None:
    here, lane, end = world(), Lane({}), End()
    route = here.routes[topic_of(SAMSUNG)]
    lane.attach(end, lambda: [route])
    end.ready = end.connected = False
    lane.on_lost()
    lane.put(route, b"{}")
    lane.clear(route)
    end.ready = end.connected = True
    lane.on_ready()
    assert end.sent == [(route.topic, b"", True)]
