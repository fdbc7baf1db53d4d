"""How much each client may send."""

from __future__ import annotations

import pytest

from bridge.mqtt.packets import Ruling, Skipped
from bridge.mqtt.rate_limiter import ANSWERS, OTHERS, Arrivals, RateLimiter, Rates
from bridge.mqtt.token_buckets import Rate, TokenBuckets
from bridge.mqtt.topics import Topics

TOPICS = Topics("home/kis")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(self, requests: Rates | None = None, commands: Rates | None = None) -> None:
        self.clock, self.arrivals = Clock(), Arrivals()
        self.limiter = RateLimiter(
            TOPICS, self.arrivals, requests=requests, commands=commands, clock=self.clock
        )

    def taken(self, topic: str, count: int) -> int:
        """Send so many at once; return how many are taken."""
        said = [self.limiter.judge(topic.encode()) for _ in range(count)]
        return said.count(Ruling.TAKE)


TEN = Rates(Rate(10, 20))


def test_a_bucket_gives_a_burst_and_then_a_rate() -> None:
    buckets = TokenBuckets(Rate(10, 20))
    assert sum(buckets.take(b"a", 0) for _ in range(100)) == 20
    assert sum(buckets.take(b"a", 1) for _ in range(100)) == 10
    assert sum(buckets.take(b"a", 1000) for _ in range(100)) == 20


def test_a_steady_sender_within_the_rate_is_never_refused() -> None:
    buckets = TokenBuckets(Rate(10, 2))
    assert all(buckets.take(b"a", second / 10.0) for second in range(1000))


def test_the_number_of_buckets_is_bounded_and_names_beyond_it_share_one() -> None:
    buckets = TokenBuckets(Rate(1, 5), {b"alice": Rate(1, 5)}, most=100)
    assert sum(buckets.take(b"%d" % name, 0) for name in range(10_000)) == 100 + 5
    assert len(buckets) <= 102
    assert sum(buckets.take(b"alice", 0) for _ in range(10)) == 5, "who is named has its own"
    assert len(buckets) <= 102
    assert buckets.take(b"new", 100), "full buckets are forgotten"
    assert len(buckets) < 102


def test_each_client_has_a_rate_of_its_own() -> None:
    world = World(commands=Rates(Rate(10, 20), {"carol": Rate(10, 50)}))
    assert world.taken(TOPICS.command("main", "bob", "place"), 100) == 20
    assert world.taken(TOPICS.command("other", "bob", "modify"), 100) == 0
    assert world.taken(TOPICS.command("main", "alice", "place"), 100) == 20
    assert world.taken(TOPICS.command("main", "carol", "place"), 100) == 50


def test_a_client_that_floods_can_still_cancel_and_halt() -> None:
    world = World(TEN, TEN)
    assert world.taken(TOPICS.command("main", "bob", "place"), 100) == 20
    assert world.taken(TOPICS.command("main", "bob", "cancel"), 15) == 15
    assert world.taken(TOPICS.command("main", "bob", "cancel_all"), 5) == 5
    assert world.taken(TOPICS.request("query", "bob"), 100) == 20
    assert world.taken(TOPICS.request("halt", "bob"), 5) == 5


def test_all_who_have_no_name_are_one_client() -> None:
    world = World(TEN, TEN)
    assert world.taken(TOPICS.request("query"), 15) == 15
    assert world.taken(TOPICS.request("channels"), 15) == 5
    assert world.taken("home/kis/bridge/request/", 5) == 0
    assert world.taken("home/kis/bridge/request/query/" + "x" * 600, 5) == 0
    assert world.taken("home/kis/orders/a/b", 100) == 20
    assert world.taken("home/kis/orders/a/b/c/d/e/f", 10) == 0


def test_an_odd_name_is_known_by_its_encoded_level() -> None:
    world = World(requests=Rates(Rate(10, 20), {"a b/c": Rate(10, 30)}))
    assert world.taken(TOPICS.request("query", "a b/c"), 100) == 30


def test_what_is_no_request_and_no_command_is_never_too_many() -> None:
    world = World(TEN, TEN)
    assert world.taken("home/kis/bridge/journal/real", 1000) == 1000
    assert World().taken(TOPICS.request("query"), 1000) == 1000


def test_refusals_are_answered_a_few_times_a_second_and_all_are_counted() -> None:
    world = World(TEN, TEN)
    topic = TOPICS.command("main", "bob", "place").encode()
    said = [world.limiter.judge(topic) for _ in range(1020)]
    assert said.count(Ruling.ANSWER) == ANSWERS.burst
    assert said.count(Ruling.SKIP) == 1000 - ANSWERS.burst
    assert world.arrivals.refused == {("commands", "bob"): 1000}
    assert world.arrivals.unanswered == {("commands", "bob"): 1000 - ANSWERS.burst}
    world.clock.now += 1
    assert [world.limiter.judge(topic) for _ in range(100)].count(Ruling.ANSWER) == ANSWERS.per_s


def test_the_names_that_are_counted_are_bounded() -> None:
    arrivals = Arrivals()
    for name in range(3000):
        arrivals.count("requests", b"%d" % name, answered=False)
    assert len(arrivals.refused) <= 1001
    assert arrivals.refused["requests", OTHERS] == 2000


@pytest.mark.parametrize(
    "topic", [b"", b"/", b"home/kis/orders/", b"\xff", b"home/kis/orders/\xff/\xff/\xff/x"]
)
def test_any_topic_has_a_verdict(topic: bytes) -> None:
    assert World(TEN, TEN).limiter.judge(topic) is Ruling.TAKE


def test_commands_that_come_over_another_connection_are_skipped_and_not_counted() -> None:
    arrivals = Arrivals()
    limiter = RateLimiter(TOPICS, arrivals, commands=TEN, elsewhere=["alice", "a b"])
    for name in ("alice", "a b"):
        assert limiter.judge(TOPICS.command("main", name, "place").encode()) is Ruling.SKIP
    assert limiter.judge(TOPICS.command("main", "bob", "place").encode()) is Ruling.TAKE
    assert not arrivals.refused


def test_what_could_not_be_decoded_is_counted_by_reason() -> None:
    world = World()
    world.limiter.skipped(Skipped(b"t", 1, 10, "too large"))
    world.limiter.skipped(Skipped(b"t", 1, 11, "too large"))
    assert world.arrivals.dropped == {"too large": 2}
    assert world.arrivals.latest == Skipped(b"t", 1, 11, "too large")
