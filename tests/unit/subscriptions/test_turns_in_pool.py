"""Turns on real sessions: who needs a slot has one first, and the others share what is left."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.errors import RequestError
from bridge.subscriptions.interest import CONFIGURATION, ORDERS, Interests, dumps
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.quality import Quality
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rotation import HANDOVER_S
from tests.unit.subscriptions import quality_world
from tests.unit.subscriptions.test_pool import Feed, Play, wanted


def symbols(count: int, first: int = 0) -> list[Wanted]:
    return [wanted(f"R{number:03d}") for number in range(first, first + count)]


def rotate(play: Play, count: int, client: str = CONFIGURATION, first: int = 0) -> None:
    play.pool.hold(symbols(count, first), client, rotate=True)
    play.serve()


def pass_by(play: Play, seconds: int) -> None:
    for _ in range(seconds):
        play.wait(1)


def test_more_symbols_than_slots_are_all_live_in_their_turn() -> None:
    play = Play(Feed(slots=4), Feed(slots=4))
    play.connect()
    play.hold("A", "B")
    rotate(play, 20)
    within = play.pool.rotation.within()
    assert within == (20 // 6 + 1) * 63
    seen: Counter[str] = Counter()
    for _ in range(2 * int(within)):
        play.wait(1)
        seen.update(play.live)
    assert set(seen) == {"A", "B", *(one.key for one in symbols(20))}
    assert min(seen.values()) >= 60
    assert seen["A"] == seen["B"] == 2 * within
    # Nobody is told of gaps or of waiting: the quality says how it is.
    assert play.pool.gaps.take() == []
    assert play.pool.crowded_out == set()
    assert play.pool.numbers() == {"wanted": 22, "live": 8, "waiting": 0, "refused": 0}
    asked = [key for feed in play.feeds.values() for _, key in feed.asked if key in "AB"]
    assert asked == ["A", "B"]


def test_an_open_order_takes_a_slot_at_once_and_keeps_it() -> None:
    play = Play(Feed(slots=2))
    play.connect()
    rotate(play, 6)
    play.wait(30)
    play.pool.replace(ORDERS, {wanted("O")}, -1)
    play.serve()
    assert "O" in play.live
    for _ in range(600):
        play.wait(1)
        assert "O" in play.live
    [turn] = play.live - {"O"}
    first, other = symbols(2) if turn != "R000" else symbols(2)[::-1]
    play.pool.replace(ORDERS, {wanted("O"), first}, -1)
    play.serve()
    assert play.live == {"O", first.key}
    assert not play.pool.rotating(first)
    assert play.pool.rotation.within() is None
    assert play.pool.next_turn(other) is None
    assert play.pool.is_waiting(other)
    assert play.pool.crowded_out == {wanted(turn)} - {first}, "there is no turn to come"
    play.pool.replace(ORDERS, set(), -1)
    play.serve()
    assert len(play.live) == 2
    assert play.pool.numbers()["waiting"] == 0


def test_who_wants_a_slot_and_gives_it_up_all_the_time_keeps_nobody_from_his_turn() -> None:
    play = Play(Feed(slots=4))
    play.connect()
    rotate(play, 8)
    seen: Counter[str] = Counter()
    before, begun = play.live, 0
    for _ in range(130):
        for _ in range(2):
            play.pool.hold([wanted("M")], "mallory")
            play.serve()
            play.pool.release([wanted("M")], "mallory")
            play.serve()
        play.wait(1)
        live = play.live
        seen.update(live)
        before, begun = live, begun + len(live - before)
    assert seen.keys() == {one.key for one in symbols(8)}
    assert begun <= 4 * 130 / 60, "nobody's turn was shorter for it"


def test_rows_say_when_a_turn_ends_and_when_it_comes() -> None:
    play = Play(Feed(slots=1))
    play.connect()
    rotate(play, 2)
    play.wait(1)
    now = int(play.now + 1e9)
    first, second = play.pool.subscriptions()
    assert (first["state"], first["rotates"], first["turn_until"]) == ("live", True, now + 60)
    # The turn that runs, and two more: that of the one before it and its own.
    assert second["turn_by"] == now - 1 + 60 + 3 * (60 + HANDOVER_S)
    assert (second["state"], second["session"]) == ("waiting", None)
    [served] = play.pool.served_by("app1")
    assert served == first
    play.hold("A")
    waiting = play.pool.subscriptions()[1]
    assert "turn_by" not in waiting
    assert "rotates" in waiting


def test_a_lost_session_ends_turns_after_a_while_and_its_gap_ends_with_them() -> None:
    play = Play(Feed(slots=2), Feed(slots=2))
    play.connect()
    rotate(play, 8)
    pass_by(play, 20)
    one, two = play.feeds.values()
    gone = set(two.held)
    two.lose()
    pass_by(play, 10)
    two.connect()
    assert set(two.held) == gone, "a short absence moves nobody"
    pass_by(play, 5)
    assert {gap.wanted.key for gap in play.pool.gaps.take()} == gone
    two.lose()
    pass_by(play, 20)
    gaps = play.pool.gaps.take()
    assert len(gaps) == 2
    assert all(14e6 < gap.until - gap.since < 17e6 for gap in gaps)
    assert len(play.pool.gaps) == 0, "and not until the next turn"
    assert play.pool.rotation.slots == len(one.held) == 2
    two.connect()
    pass_by(play, 2)
    assert len(two.held) == 2
    assert not set(two.held) & gone, "those that waited come first"


def test_a_refused_key_gives_its_turn_to_the_next() -> None:
    play = Play(Feed(slots=2))
    play.feeds["app1"].codes["R001"] = "OPSP8992"
    play.connect()
    rotate(play, 3)
    assert play.live == {"R000", "R002"}
    assert play.pool.numbers()["refused"] == 1
    assert play.pool.rotation.within() == 0


def test_a_learned_limit_leaves_fewer_slots_to_turns() -> None:
    play = Play(Feed(slots=6, grants=4))
    play.connect()
    play.hold("A", "B")
    rotate(play, 9)
    pass_by(play, 3)
    assert play.pool.rotation.slots == 2
    assert {"A", "B"} < play.live
    pass_by(play, 400)
    assert play.pool.learned == {"app1": 4}, "a change of turns asks for no slot too many"
    assert len(play.live) == 4


def test_a_slot_that_kis_frees_late_is_not_lost_for_long() -> None:
    play = Play(Feed(slots=4))
    feed = play.feeds["app1"]
    play.connect()
    rotate(play, 8)
    pass_by(play, 60)
    feed.grants = 3
    pass_by(play, 2)
    assert play.pool.learned == {"app1": 3}
    feed.grants = 4
    pass_by(play, 62)
    assert play.pool.learned == {}
    assert play.pool.rotation.slots == 4
    # A slot that stays away is asked for an hour later, and not every minute.
    feed.grants = 3
    pass_by(play, 130)
    assert play.pool.learned == {"app1": 3}
    before = len(feed.asked)
    pass_by(play, 600)
    asked = [key for what, key in feed.asked[before:] if what != "-"]
    assert len(asked) <= 3 * 600 // 60, "for a turn each, and for nothing else"


def test_they_take_turns_after_a_restart_as_well() -> None:
    interests = Interests()
    interests.hold(wanted("A"), "alice", rotate=True)
    interests.hold(wanted("B"), "alice")
    text = dumps(interests.but(()))
    rows = json.loads(text)["subscriptions"]
    assert [row.get("rotate") for row in rows] == [True, None], "others are stored as ever"
    pool = Pool({"app1": Feed(slots=1)})
    assert pool.interests.loads(text, 0, lambda channel, key: wanted(key)) == 2
    pool.restored()
    assert [row["key"] for row in pool.subscriptions()] == ["B", "A"]
    assert pool.is_waiting(wanted("A"))
    assert len(pool.rotation) == 1


def test_whoever_wants_a_slot_for_it_alone_decides() -> None:
    interests = Interests()
    interests.hold(wanted("A"), "alice", 3, rotate=True)
    assert interests.fixed(wanted("A")) == {}
    assert interests.urgency(wanted("A")) == 11
    interests.hold(wanted("A"), "bob", 5)
    assert interests.fixed(wanted("A")) == {"bob": 5}
    interests.hold(wanted("A"), CONFIGURATION)
    assert interests.urgency(wanted("A")) == 0
    interests.release(wanted("A"), "bob")
    interests.hold(wanted("A"), CONFIGURATION, rotate=True)
    assert interests.fixed(wanted("A")) == {}
    interests.release(wanted("A"), "alice")
    interests.release(wanted("A"), CONFIGURATION)
    assert interests._rotating == {}


STEPS = st.one_of(
    st.tuples(st.just("order"), st.sets(st.integers(0, 12), max_size=3)),
    st.tuples(st.just("hold"), st.tuples(st.integers(0, 3), st.integers(0, 14), st.booleans())),
    st.tuples(st.just("release"), st.tuples(st.integers(0, 3), st.integers(0, 14))),
    st.tuples(st.just("wait"), st.integers(1, 90)),
    st.tuples(st.just("lose"), st.integers(1, 2)),
    st.tuples(st.just("refuse"), st.integers(0, 14)),
)


@given(st.lists(STEPS, max_size=25))
@example([("hold", (0, n, True)) for n in range(9)] + [("wait", 61), ("order", {1, 9})])
def test_whatever_happens_those_that_need_a_slot_never_give_it_to_one_that_takes_turns(
    steps: list[tuple[str, object]],
) -> None:
    play = Play(Feed(slots=3), Feed(slots=2))
    play.connect()
    for what, told in steps:
        match what, told:
            case "order", set(numbers):
                play.pool.replace(ORDERS, set(symbols_of(numbers)), -1)
            case "hold", (client, number, bool(turns)):
                play.pool.hold(symbols_of([number]), f"client{client}", rotate=turns)
            case "release", (client, number):
                play.pool.release(symbols_of([number]), f"client{client}")
            case "wait", int(seconds):
                pass_by(play, seconds)
            case "lose", int(number):
                play.feeds[f"app{number}"].lose()
                play.serve()
                play.feeds[f"app{number}"].connect()
            case "refuse", int(number):
                play.feeds["app1"].codes[f"R{number:03d}"] = "NEW42"
            case _:
                raise RequestError("invalid_request", what)
        play.serve()
        play.wait(1)
        check(play)


def symbols_of(numbers: object) -> list[Wanted]:
    assert isinstance(numbers, list | set)
    return [wanted(f"R{number:03d}") for number in numbers]


def check(play: Play) -> None:
    pool = play.pool
    rows = [row for row in pool.subscriptions() if row["state"] != "refused"]
    fixed = [row for row in rows if "rotates" not in row]
    turning = [row for row in rows if "rotates" in row]
    slots = sum(feed.session.limit for feed in play.feeds.values())
    served = [row for row in fixed if row["session"]]
    assert len(served) == min(len(fixed), slots)
    assert sum(row["session"] is not None for row in turning) == min(
        len(turning), slots - len(served)
    ), "no slot is left unused"
    for row in fixed:
        if ORDERS in row["holders"]:
            assert row["state"] == "live", "an open order has its prices"
    for app, feed in play.feeds.items():
        assert len(feed.held) <= feed.session.limit
        assert set(feed.held) == {row["key"] for row in rows if row["session"] == app}
    assert pool.waiting() + pool.rotation.waiting == sum(row["session"] is None for row in rows)
    for gap in pool.gaps.take():
        assert gap.reason in ("no_slot", "moved", "closed 1006")


def test_one_that_is_silent_beside_those_that_take_turns_is_told() -> None:
    world = quality_world.World(slots=4)
    fixed, *keys = (quality_world.trade(f"{number:06d}") for number in range(5, 12))
    world.hold(fixed)
    world.pool.hold(keys, CONFIGURATION, rotate=True)
    world.feeds["app1"].connect()
    world.run(300, fixed, *keys)
    world.run(20, *keys)
    assert [row["key"] for row in world.stale] == [fixed.key]


def test_their_quality_is_rotating_as_long_as_turns_come_in_time() -> None:
    world = quality_world.World(slots=2)
    keys = [quality_world.trade(f"{number:06d}") for number in range(5, 9)]
    world.pool.hold(keys, CONFIGURATION, rotate=True)
    world.feeds["app1"].connect()
    world.run(3, *keys[:2])
    assert {world.quality(key) for key in keys} == {Quality.ROTATING}
    assert [world.of(key).source for key in keys] == ["session:app1", "session:app1", "", ""]
    world.run(200, *keys[:2])
    assert {world.quality(key) for key in keys} == {Quality.ROTATING}
    assert all(world.of(key).last_at is None for key in keys[2:]), "they were just not traded"
    world.feeds["app1"].lose()
    world.run(1)
    assert {world.quality(key) for key in keys} == {Quality.STALE}, "no session, no turns"
    world.run(20)
    assert {world.quality(key) for key in keys} == {Quality.STALE}, "there are no turns any more"
