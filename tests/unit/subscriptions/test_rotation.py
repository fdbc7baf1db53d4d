"""Turns: everybody's comes in time, nobody's share is taken, and KIS is not asked too much."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.subscriptions.request import Wanted
from bridge.subscriptions.rotation import HANDOVER_S, Rotation


def wanted(number: int) -> Wanted:
    return Wanted("H0STCNT0", f"{number:06d}", "H0STCNT0")


class Turns:
    """A rotation on sessions that deliver what they are asked for ``delay`` seconds later."""

    def __init__(
        self,
        rooms: dict[str, int],
        turn_s: float = 60.0,
        *,
        spacing_s: float = 0.12,
        delay: int = 1,
    ) -> None:
        self.rotation = Rotation(turn_s, spacing_s)
        self.rooms, self.delay = rooms, delay
        self.taken = 0
        """Slots that others need."""
        self.now = 0.0
        self.places: dict[Wanted, str] = {}
        self.asked: dict[Wanted, float] = {}
        self.served: defaultdict[Wanted, list[tuple[float, float]]] = defaultdict(list)
        """When each turn began and ended."""
        self.moves: defaultdict[str, list[float]] = defaultdict(list)

    def want(self, client: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            claims = self.rotation._claims.get(wanted(number), frozenset())
            self.rotation.put(wanted(number), claims | {client}, self.now)
        self.seat()

    def live(self) -> dict[Wanted, str]:
        return {
            one: app
            for one, app in self.places.items()
            if self.asked[one] + self.delay <= self.now and app in self.rooms
        }

    def seat(self) -> None:
        room = max(0, sum(self.rooms.values()) - self.taken)
        turns = list(self.rotation.fit(self.rooms, room, self.now))
        assert len(turns) == min(room, len(self.rotation))
        for one in [one for one in self.places if one not in turns]:
            if self.asked[one] + self.delay <= self.now:
                self.served[one].append((self.asked[one] + self.delay, self.now))
            self.moves[self.places.pop(one)].append(self.now)
        used = Counter(self.places.values())
        for one in turns:
            if one not in self.places:
                app = max(self.rooms, key=lambda app: self.rooms[app] - used[app])
                used[app] += 1
                self.places[one], self.asked[one] = app, self.now

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 1.0
            if self.rotation.tick(self.live(), self.now):
                self.seat()

    def longest_wait(self, one: Wanted) -> float:
        """Return the longest time without a slot so far."""
        ends = [0.0, *(end for _, end in self.served[one])]
        begins = [begin for begin, _ in self.served[one]]
        if one in self.places:
            begins.append(min(self.now, self.asked[one] + self.delay))
        elif len(begins) < len(ends):
            begins.append(self.now)
        return max(begin - end for begin, end in zip(begins, ends, strict=True))


def test_five_hundred_symbols_on_two_app_keys_each_have_their_turn_in_the_time_that_is_told() -> (
    None
):
    turns = Turns({"app1": 41, "app2": 41})
    turns.want("configuration", range(500))
    within = turns.rotation.within()
    assert within == 7 * (60 + HANDOVER_S) == 441
    turns.wait(3 * within)
    assert max(turns.longest_wait(wanted(n)) for n in range(500)) <= within
    lengths = [end - begin for served in turns.served.values() for begin, end in served]
    assert min(lengths) >= 60
    assert sorted(lengths)[len(lengths) // 2] <= 60 + HANDOVER_S
    for moves in turns.moves.values():
        per_minute = Counter(int(at // 60) for at in moves)
        assert max(per_minute.values()) <= 43, "spread over the minute, and not at once"
        assert max(Counter(moves).values()) <= 2


def test_a_turn_is_as_long_as_the_spacing_of_requests_needs() -> None:
    turns = Turns({"app1": 41, "app2": 41}, turn_s=1.0)
    turns.want("configuration", range(500))
    assert turns.rotation.turn_s == pytest.approx(41 * 4 * 0.12)
    turns.wait(200)
    for moves in turns.moves.values():
        # Two requests each, of which a session may send one in 0.12 s.
        assert len(moves) * 2 <= 0.5 * 200 / 0.12 + 2


def test_who_finds_a_slot_for_all_changes_nothing() -> None:
    turns = Turns({"app1": 10})
    turns.want("alice", range(10))
    turns.wait(600)
    assert turns.served == {}
    assert turns.rotation.within() == 0
    assert not turns.rotation.shares(wanted(1), turns.now)
    turns.want("alice", [10])
    turns.wait(1)
    assert len(turns.served) == 1, "the first turn has lasted long enough"
    assert turns.rotation.shares(wanted(1), turns.now)


def test_a_thousand_wishes_take_nothing_of_another_share() -> None:
    turns = Turns({"app1": 20})
    turns.want("mallory", range(1000))
    turns.want("alice", range(1000, 1005))
    turns.want("bob", range(2000, 2020))
    turns.wait(130)
    alice = [wanted(n) for n in range(1000, 1005)]
    assert all(one in turns.places for one in alice)
    turns.wait(2000)
    assert all(len(turns.served[one]) == 0 for one in alice), "they never had to leave"
    shares = Counter(1 if one.key < "001000" else 2 for one in turns.places)
    assert shares[1] in (7, 8)
    within = turns.rotation.within()
    assert within == (1000 // 7 + 1) * 63, "that of the client who waits for longest"
    assert max(turns.longest_wait(wanted(n)) for n in range(2000, 2020)) <= 4 * 63


def test_more_clients_than_slots_take_turns_as_well() -> None:
    turns = Turns({"app1": 4})
    for client in range(6):
        turns.want(f"mallory{client}", range(client * 100, client * 100 + 50))
    for client in range(4):
        turns.want(f"alice{client}", [1000 + client])
    turns.wait(1000)
    for client in range(4):
        assert turns.longest_wait(wanted(1000 + client)) <= (3 + 1) * 63


def test_what_two_want_stays_when_one_of_them_goes() -> None:
    turns = Turns({"app1": 2})
    turns.want("alice", [1, 2])
    turns.want("bob", [1])
    turns.wait(10)
    turns.rotation.put(wanted(1), {"bob"}, turns.now)
    turns.rotation.put(wanted(2), {"bob"}, turns.now)
    turns.seat()
    assert turns.moves == {}
    turns.rotation.drop(wanted(1))
    turns.rotation.drop(wanted(2))
    turns.rotation.drop(wanted(2))
    turns.seat()
    assert turns.rotation._clients == {}
    assert turns.rotation._ready == []


def test_of_those_with_most_turns_the_newest_is_broken_off_and_goes_on_next() -> None:
    turns = Turns({"app1": 3})
    turns.want("alice", [1])
    turns.want("bob", [2, 3])
    turns.want("bob", [4])
    turns.wait(62)
    assert set(turns.places) == {wanted(1), wanted(3), wanted(4)}
    turns.wait(10)
    turns.taken = 1
    turns.seat()
    assert set(turns.places) == {wanted(1), wanted(3)}
    assert turns.rotation.next_turn(wanted(4), turns.now) > 0
    left = turns.rotation.until(wanted(1), turns.now)
    turns.taken = 0
    turns.seat()
    assert set(turns.places) == {wanted(1), wanted(3), wanted(4)}
    assert left == 0
    assert 40 < (turns.rotation.until(wanted(4), turns.now) or 0) < 60, "it goes on"
    turns.taken = 3
    turns.seat()
    assert turns.rotation.within() is None
    assert not turns.rotation.has_turns(wanted(1))


def test_a_turn_that_nobody_delivers_does_not_end_unused() -> None:
    turns = Turns({"app1": 1, "app2": 1})
    turns.want("alice", [1, 2, 3])
    turns.wait(30)
    del turns.rooms["app1"]
    turns.rooms["app1"] = 1
    turns.delay = 10**6
    turns.wait(300)
    assert turns.served == {}
    turns.delay = 1
    turns.wait(2)
    assert len(turns.served) > 0


def test_who_lost_his_session_comes_again_after_those_who_wait() -> None:
    turns = Turns({"app1": 1, "app2": 1})
    turns.want("alice", range(5))
    turns.wait(10)
    del turns.rooms["app2"]
    lost = [one for one, app in turns.places.items() if app == "app2"]
    turns.rotation.lose([*lost, wanted(4)], turns.now)
    turns.seat()
    assert list(turns.rotation.order())[-1:] == lost
    assert list(turns.places.values()) == ["app1"]
    assert turns.rotation.next_turn(lost[0], turns.now) == 60 + (turns.rotation.within() or 0)
    assert turns.rotation.shares(lost[0], turns.now)
    assert not turns.rotation.shares(lost[0], turns.now + 8 * 64), "overdue"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 25), st.integers(0, 30), st.integers(0, 100)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.integers(0, 5),
    st.integers(0, 2),
)
@example([(20, 0, 0), (20, 0, 0)], [4], 0, 2)
@example([(8, 0, 0), (4, 10, 30)], [4], 0, 2)
def test_every_turn_comes_within_the_time_that_is_told(
    clients: list[tuple[int, int, int]], slots: list[int], taken: int, delay: int
) -> None:
    turns = Turns({f"app{n}": room for n, room in enumerate(slots)}, turn_s=20.0, delay=delay)
    turns.taken = taken
    came: dict[Wanted, float] = {}
    for number, (wishes, first, later) in enumerate(sorted(clients, key=lambda one: one[2])):
        turns.wait(later - turns.now)
        for key in range(first, first + wishes):
            came.setdefault(wanted(key), turns.now)
        turns.want(f"client{number}", range(first, first + wishes))
    begun, within = turns.now, turns.rotation.within()
    if within is None:
        assert sum(slots) <= taken
        return
    bounds = {one: turns.rotation.next_turn(one, begun) for one in came}
    turns.wait(max(2 * within, 100))
    for one in came:
        waits = [begin for begin, _ in turns.served[one] if begin >= begun]
        if one in turns.places:
            waits.append(turns.asked[one] + delay)
        if bounds[one] > 0:
            assert waits
            assert waits[0] - begun <= bounds[one]
        spans = [span for span in turns.served[one] if span[1] > begun]
        for (_, ended), (again, _) in pairwise(spans):
            assert again - ended <= within
        if spans and one not in turns.places:
            assert turns.now - spans[-1][1] <= within
    for moves in turns.moves.values():
        assert max(Counter(moves).values(), default=0) <= 2
    if len(turns.rotation) <= turns.rotation.slots:
        assert not any(at > begun + 100 for moves in turns.moves.values() for at in moves)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 15), st.integers(0, 150)),
        min_size=1,
        max_size=12,
    ),
    st.integers(2, 6),
)
def test_nobody_is_called_overdue_while_the_sessions_serve(
    changes: list[tuple[int, int, int, int]], slots: int
) -> None:
    turns = Turns({"app1": slots, "app2": slots}, turn_s=20.0)
    for client, first, wishes, seconds in changes:
        if wishes > 13:
            for one in list(turns.rotation._claims)[:: client + 1]:
                turns.rotation.drop(one)
            turns.seat()
        elif wishes > 11:
            turns.taken = first % (2 * slots)
            turns.seat()
        else:
            turns.want(f"client{client}", range(first, first + wishes))
        for _ in range(seconds):
            turns.wait(1)
            for one in turns.rotation.order():
                assert turns.rotation.next_turn(one, turns.now) >= 0
