"""Answers of KIS get lost; what it sends is the answer then."""

from __future__ import annotations

from bridge.kis.events import SubscriptionState
from bridge.subscriptions.quality import Quality
from bridge.subscriptions.request import Wanted
from tests.unit.subscriptions.quality_world import World, trade

SAMSUNG, THIN = trade("005930"), trade("000020")


def unanswered(*wanted: Wanted) -> World:
    world = World()
    world.hold(*wanted)
    world.feeds["app1"].answers = False
    world.feeds["app1"].connect()
    return world


def test_a_subscription_that_delivers_is_live_without_its_acknowledgement() -> None:
    world = unanswered(SAMSUNG, THIN)
    world.run(3, SAMSUNG)
    assert world.quality(SAMSUNG) is Quality.LIVE
    assert world.pool.live("app1") == [SAMSUNG]
    assert world.quality(THIN) is Quality.STALE


def test_then_its_silence_is_noticed_as_that_of_any_other() -> None:
    world = unanswered(SAMSUNG)
    world.run(600, SAMSUNG)
    world.run(11)
    assert world.quality(SAMSUNG) is Quality.STALE


def test_one_that_trades_only_after_kis_was_given_up_is_asked_for_and_live() -> None:
    world = unanswered(THIN)
    world.run(20)
    assert world.pool.standing(THIN).refusal == "timeout"
    assert world.quality(THIN) is Quality.STALE, "nobody refused it"
    world.run(4, THIN)
    assert world.quality(THIN) is Quality.LIVE


def test_what_came_before_the_request_proves_nothing() -> None:
    world = unanswered(SAMSUNG)
    world.record(SAMSUNG)
    world.run(1)
    feed = world.feeds["app1"]
    feed.lose()
    world.record(SAMSUNG)  # it was under way
    feed.connect()
    world.run(3)
    assert world.quality(SAMSUNG) is Quality.STALE
    assert list(feed.session.states().values()) == [SubscriptionState.REQUESTED]


def test_while_another_session_may_send_it_too_nothing_is_proved() -> None:
    world = World(apps=("app1", "app2"))
    world.hold(SAMSUNG)
    first, second = world.feeds.values()
    first.answers = second.answers = False
    first.connect()
    second.connect()
    second.subscribe(SAMSUNG.tr_id, SAMSUNG.key)  # it is to leave there, and has not yet
    world.run(4, SAMSUNG)
    assert world.quality(SAMSUNG) is Quality.STALE
    second.lose()
    second.unsubscribe(SAMSUNG.tr_id, SAMSUNG.key)
    world.run(3, SAMSUNG)
    assert world.quality(SAMSUNG) is Quality.LIVE
