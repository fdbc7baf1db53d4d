"""Slots: the bridge first, then fair shares, by priority within one, stable, within the limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.subscriptions.allocation import Lines, allocate
from bridge.subscriptions.request import Wanted

SESSIONS = ("a", "b", "c")
FIRST = ("orders", "configuration")


def wanted(number: int) -> Wanted:
    return Wanted("H0STCNT0", f"{number:06d}", "H0STCNT0")


def lines_of(client: str, *priorities: int) -> Lines:
    lines = Lines(FIRST)
    for number, priority in enumerate(priorities):
        lines.put(wanted(number), {client: priority})
    return lines


def test_five_app_keys_and_three_hundred_wishes() -> None:
    keys = [f"app{n}" for n in range(1, 6)]
    priority = {wanted(n): n % 10 for n in range(300)}
    lines = lines_of("configuration", *priority.values())
    full = dict.fromkeys(keys, 41)
    seats = allocate(lines.order(), full, {})
    assert len(seats) == 205
    assert all(list(seats.values()).count(key) == 41 for key in keys)
    assert set(seats) == set(sorted(priority, key=lambda one: (priority[one], one.key))[:205])

    # A session dies: the better of its subscriptions take over the worst of the others; all else
    # stays where it is.
    left = {key: room for key, room in full.items() if key != "app3"}
    orphans = [one for one, key in seats.items() if key == "app3"]
    lines.requeue(orphans)
    after = allocate(lines.order(), left, seats)
    assert len(after) == 164
    moved = [one for one in after if one in seats and after[one] != seats[one]]
    assert set(moved) <= set(orphans)
    evicted = [one for one in seats if one not in after and seats[one] != "app3"]
    assert len(evicted) == len(moved) > 0
    assert max(priority[one] for one in moved) < min(priority[one] for one in evicted)

    # It returns: filled again by priority, and nobody who is served moves.
    again = allocate(lines.order(), full, after)
    assert len(again) == 205
    assert all(again[one] == key for one, key in after.items())
    assert sorted(priority[one] for one in again) == sorted(priority[one] for one in seats)


def test_of_the_same_priority_nobody_gives_way() -> None:
    lines = lines_of("alice", *[0] * 12)
    rooms = dict.fromkeys(SESSIONS, 4)
    seats = allocate(lines.order(), rooms, {})
    del rooms["a"]
    lines.requeue(one for one, key in seats.items() if key == "a")
    after = allocate(lines.order(), rooms, seats)
    assert after == {one: key for one, key in seats.items() if key != "a"}


def test_a_wish_that_comes_again_is_the_last_of_its_priority() -> None:
    lines = lines_of("alice", 0, 0, 1)
    lines.drop(wanted(0))
    lines.put(wanted(0), {"alice": 0})
    assert list(lines.order()) == [wanted(1), wanted(0), wanted(2)]


def test_each_client_has_one_before_anybody_has_a_second_whatever_the_priorities() -> None:
    lines = Lines(FIRST)
    for number in range(1000):
        lines.put(wanted(number), {"mallory": 0})
    lines.put(wanted(2000), {"alice": 9})
    lines.put(wanted(2001), {"alice": 3})
    lines.put(wanted(3000), {"configuration": 9})
    lines.put(wanted(3001), {"orders": -1})
    seats = allocate(lines.order(), {"a": 8}, {})
    assert list(seats)[:2] == [wanted(3001), wanted(3000)], "what the bridge itself wants"
    assert set(seats) == {*map(wanted, (0, 1, 2, 3, 2001, 2000, 3000, 3001))}


def test_what_the_bridge_wants_anyway_takes_nothing_of_a_share() -> None:
    lines = Lines(FIRST)
    for number in range(3):
        lines.put(wanted(number), {"configuration": 0, "alice": 0})
    for number in range(10, 20):
        lines.put(wanted(number), {"mallory": 0})
    lines.put(wanted(3), {"alice": 0})
    assert wanted(3) in allocate(lines.order(), {"a": 5}, {})
    lines.put(wanted(0), {"alice": 0})
    assert wanted(3) not in allocate(lines.order(), {"a": 4}, {}), "it is alice's second now"


def test_no_session_serves_nobody() -> None:
    lines = lines_of("alice", 0)
    assert allocate(lines.order(), {}, {}) == {}
    assert allocate(lines.order(), {"a": -1}, {}) == {}


CLAIMS = st.dictionaries(
    st.sampled_from(["alice", "bob", "mallory", "configuration"]), st.integers(0, 2), min_size=1
)


@given(
    st.lists(st.tuples(st.integers(0, 14), st.none() | CLAIMS | st.just("requeue")), max_size=60),
    st.dictionaries(st.sampled_from(SESSIONS), st.integers(0, 8)),
    st.dictionaries(st.integers(0, 14).map(wanted), st.sampled_from([*SESSIONS, "gone"])),
)
def test_whatever_is_wanted(
    steps: list[tuple[int, dict[str, int] | str | None]],
    rooms: dict[str, int],
    places: dict[Wanted, str],
) -> None:
    lines = Lines(FIRST)
    claims: dict[Wanted, dict[str, int]] = {}  # those who came first are the first
    for number, step in steps:
        one = wanted(number)
        if isinstance(step, dict):
            claims[one] = step
            lines.put(one, step)
        elif step is None:
            claims.pop(one, None)
            lines.drop(one)
        else:
            lines.requeue([one])
            if one in claims:
                claims[one] = claims.pop(one)
    order = list(lines.order())
    assert sorted(one.key for one in order) == sorted(one.key for one in claims)
    assert len(order) == len(lines)
    anew = Lines(FIRST)
    for one, each in claims.items():
        anew.put(one, each)
    assert list(anew.order()) == order, "it does not matter how it came to be so"

    seats = allocate(order, rooms, places)
    assert len(seats) == min(len(claims), sum(rooms.values()))
    for session, room in rooms.items():
        assert list(seats.values()).count(session) <= room
    assert allocate(lines.order(), rooms, seats) == seats, "a second look moves nobody"
    for one, place in seats.items():
        if places.get(one) in rooms and place != places[one]:
            taken = [w for w, key in seats.items() if key == places[one] == places.get(w)]
            assert len(taken) == rooms[places[one]], "moved although there was room"

    own = {one for one, each in claims.items() if "configuration" in each}
    if not own <= seats.keys():
        assert seats.keys() <= own, "a client was served before the configuration"
    shares = {
        client: [one for one in order if one not in own and client in claims[one]]
        for client in ("alice", "bob", "mallory")
    }
    for client, wishes in shares.items():
        served = [one for one in wishes if one in seats]
        if len(served) == len(wishes):
            continue
        # Who has to wait has no less than anybody else has of what he alone wants.
        for other, more in shares.items():
            alone = [one for one in more if one in seats and set(claims[one]) == {other}]
            assert len(alone) <= len(served) + 1 or other == client
        for one in served:
            for waits in wishes:
                if waits not in seats and set(claims[one]) == {client}:
                    assert claims[one][client] <= claims[waits][client]
