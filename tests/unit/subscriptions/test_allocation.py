"""Slots: by priority, stable, never above a limit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.subscriptions.allocation import SlotRequest, allocate, queue
from bridge.subscriptions.request import Wanted

SESSIONS = ("a", "b", "c")


def wanted(number: int) -> Wanted:
    return Wanted("H0STCNT0", f"{number:06d}", "H0STCNT0")


def requests(*priorities: int) -> list[SlotRequest]:
    return [SlotRequest(wanted(n), priority, n) for n, priority in enumerate(priorities)]


def test_five_app_keys_and_three_hundred_wishes() -> None:
    keys = [f"app{n}" for n in range(1, 6)]
    interests = requests(*(n % 10 for n in range(300)))
    full = dict.fromkeys(keys, 41)
    seats = allocate(interests, full, {})
    assert len(seats) == 205
    assert all(list(seats.values()).count(key) == 41 for key in keys)
    best = sorted(interests, key=lambda one: (one.priority, one.since))[:205]
    assert set(seats) == {one.wanted for one in best}

    # A session dies: the better of its subscriptions take over the worst of the others; all else
    # stays where it is.
    left = {key: room for key, room in full.items() if key != "app3"}
    after = allocate(interests, left, seats)
    assert len(after) == 164
    priority = {one.wanted: one.priority for one in interests}
    orphans = [one for one, key in seats.items() if key == "app3"]
    moved = [one for one in after if one in seats and after[one] != seats[one]]
    assert set(moved) <= set(orphans)
    evicted = [one for one in seats if one not in after and seats[one] != "app3"]
    assert len(evicted) == len(moved) > 0
    assert max(priority[one] for one in moved) < min(priority[one] for one in evicted)

    # It returns: filled again by priority, and nobody who is served moves.
    again = allocate(interests, full, after)
    assert len(again) == 205
    assert all(again[one] == key for one, key in after.items())
    assert sorted(priority[one] for one in again) == sorted(priority[one] for one in seats)


def test_of_the_same_priority_nobody_gives_way() -> None:
    interests = requests(*[0] * 12)
    rooms = dict.fromkeys(SESSIONS, 4)
    seats = allocate(interests, rooms, {})
    del rooms["a"]
    after = allocate(interests, rooms, seats)
    assert after == {one: key for one, key in seats.items() if key != "a"}


def test_the_queue_is_in_the_order_of_service() -> None:
    interests = requests(3, 1, 2, 1)
    seats = allocate(interests, {"a": 1}, {})
    assert seats == {wanted(1): "a"}
    assert [one.wanted for one in queue(interests, seats)] == [wanted(3), wanted(2), wanted(0)]


def test_no_session_serves_nobody() -> None:
    assert allocate(requests(0), {}, {}) == {}
    assert allocate(requests(0), {"a": -1}, {}) == {}


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 3), max_size=25),
    st.dictionaries(st.sampled_from(SESSIONS), st.integers(0, 8)),
    st.dictionaries(st.integers(0, 24).map(wanted), st.sampled_from([*SESSIONS, "gone"])),
)
def test_whatever_is_wanted(
    priorities: list[int], rooms: dict[str, int], places: dict[Wanted, str]
) -> None:
    interests = requests(*priorities)
    seats = allocate(interests, rooms, places)
    assert len(seats) == min(len(interests), sum(rooms.values()))
    for session, room in rooms.items():
        assert list(seats.values()).count(session) <= room
    waiting = [one for one in interests if one.wanted not in seats]
    served = [one for one in interests if one.wanted in seats]
    if waiting:
        assert (
            max(one.priority for one in served) <= min(one.priority for one in waiting)
            if (served)
            else True
        )
    assert allocate(interests, rooms, seats) == seats, "a second look moves nobody"
    for one in served:
        place = places.get(one.wanted)
        if place in rooms and seats[one.wanted] != place:
            taken = [w for w, key in seats.items() if key == place and places.get(w) == place]
            assert len(taken) == rooms[place], "moved although there was room"
