from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise

import pytest

from bridge.catalog.model import Snapshot
from bridge.subscriptions.backup_plan import BackupPlan, Missing, PlanChange, Poll, PollPlace

PRICE = Snapshot(("TRADE",), "price", (), ("output",))
BOOK = Snapshot(("TRADE", "QUOTE"), "book", (), ("output",))


def missing(*channels: str, client: str = "configuration") -> Missing:
    return Missing(frozenset(channels), client)


TRADE, BOTH = missing("TRADE"), missing("TRADE", "QUOTE")


def choose(missing: Collection[str]) -> Snapshot | None:
    known = set(missing) & {"TRADE", "QUOTE"}
    rows = [row for row in (PRICE, BOOK) if known and known <= set(row.channels)]
    return rows[0] if rows else None


def place(symbol: str) -> PollPlace:
    return PollPlace("domestic_stock", "krx", symbol)


A, B = place("A"), place("B")


def plan(*places: PollPlace, now: float = 0.0) -> BackupPlan:
    made = BackupPlan(choose)
    made.want(dict.fromkeys(places, TRADE), {}, now)
    return made


def told(changes: Iterable[PlanChange]) -> list[tuple[str, str, str]]:
    return [(one.place.symbol, one.state, one.reason) for one in changes]


def times(made: BackupPlan, until: float, every: float = 1.0, since: float = 0.0) -> list[float]:
    """Return when polls were made that were answered at once."""
    found, now = [], since
    while now <= until:
        if (poll := made.next(now)) is not None:
            assert made.answered(poll, now, int(now * 1e6))
            found.append(now)
        now += every
    return found


def test_the_older_a_backup_the_more_rarely_it_is_polled() -> None:
    at = times(plan(A), 2_100)
    assert at[:13] == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]
    gaps = [(after - before, before) for before, after in pairwise(at)]
    assert {gap for gap, before in gaps if 60 <= before < 300} == {15}
    assert {gap for gap, before in gaps if 300 <= before < 1_800} == {30}
    assert {gap for gap, before in gaps if before >= 1_800} == {60}


def test_where_the_budget_is_small_everybody_has_a_turn() -> None:
    places = [place(str(number)) for number in range(20)]
    made = plan(*places)
    seen: list[str] = []
    for now in range(0, 200, 2):  # half a call a second
        poll = made.next(now)
        assert poll is not None
        seen.append(poll.place.symbol)
        made.answered(poll, now, now)
    rounds = [set(seen[start : start + 20]) for start in range(0, 100, 20)]
    assert all(len(one) == 20 for one in rounds)


def test_nobodys_many_symbols_slow_down_anothers_few() -> None:
    many = {place(f"many {n}"): missing("TRADE", client="many") for n in range(1_000)}
    few = {place(f"few {n}"): missing("TRADE", client="few") for n in range(10)}
    made = BackupPlan(choose)
    made.want(many | few, {}, 0)
    seen = []
    for now in range(100):
        made.want(many | few, {}, now)
        poll = made.next(now)
        assert poll is not None
        made.answered(poll, now, now)
        seen.append(poll.place.symbol)
    assert {symbol for symbol in seen[:20] if symbol.startswith("few")} == {
        one.symbol for one in few
    }
    assert 45 <= sum(symbol.startswith("few") for symbol in seen) <= 50


def test_what_has_no_value_yet_goes_before_what_is_overdue() -> None:
    made = plan(A)
    times(made, 0)
    made.want({A: TRADE, B: TRADE}, {}, 20)
    assert made.next(20) == Poll(B, PRICE)
    assert made.next(20) == Poll(A, PRICE)
    assert made.next(20) is None


def test_a_poll_that_is_being_made_is_made_once() -> None:
    made = plan(A)
    assert made.next(0) == Poll(A, PRICE)
    assert made.next(100) is None
    assert made.due_in(0) is None
    made.put_off(Poll(A, PRICE), 100)
    assert made.due_in(100) == 15
    assert made.next(115) is not None


def test_one_call_answers_for_several_kinds_of_a_symbol() -> None:
    made = BackupPlan(choose)
    made.want({A: BOTH}, {}, 0)
    poll = made.next(0)
    assert poll == Poll(A, BOOK)
    made.answered(poll, 0, 7)
    assert (made.polled_at(A, "TRADE", 1), made.polled_at(A, "QUOTE", 1)) == (7, 7)
    made.want({A: TRADE}, {}, 5)
    poll = made.next(5)
    assert poll == Poll(A, PRICE)
    assert made.polled_at(A, "QUOTE", 5) is None


def test_a_value_counts_only_while_it_is_polled_and_recent() -> None:
    made = plan(A)
    assert made.polled_at(A, "TRADE", 0) is None
    times(made, 0)
    assert made.polled_at(A, "TRADE", 25) == 0
    assert made.polled_at(A, "TRADE", 26) is None
    made.per_second = 0.01  # the next turn comes after 100 s
    assert made.polled_at(A, "TRADE", 200) == 0
    made.want({}, {}, 30)
    assert made.polled_at(A, "TRADE", 30) is None


def test_begin_and_end_are_told_with_the_reason() -> None:
    made = plan(A, B)
    assert told(made.take_changes()) == [("A", "started", ""), ("B", "started", "")]
    made.want({}, {A: "it is back"}, 10)
    assert told(made.take_changes()) == [
        ("A", "ended", "it is back"),
        ("B", "ended", "nobody wants it any more"),
    ]
    assert len(made) == 0
    assert not made.wants(Poll(A, PRICE))
    assert not made.answered(Poll(A, PRICE), 11, 11)


def test_a_symbol_that_the_call_does_not_know_is_left_alone_after_three_answers() -> None:
    made = plan(A)
    made.take_changes()
    now = 0.0
    for pause in (15, 30, 0):
        poll = made.next(now)
        assert poll is not None
        made.missed(poll, now, "unknown")
        assert made.next(now + pause - 0.1) is None
        now += pause
    assert told(made.take_changes()) == [("A", "given_up", "unknown")]
    assert made.next(1e6) is None
    assert len(made) == 0
    made.want({}, {}, 2e6)
    assert made.take_changes() == []
    made.want({A: TRADE}, {}, 2e6)
    assert told(made.take_changes()) == [("A", "started", "")]


def test_an_answer_in_between_forgives_a_miss() -> None:
    made = plan(A)
    now = 0.0
    for _ in range(5):
        for outcome in ("missed", "missed", "answered"):
            poll = made.next(now)
            assert poll is not None
            if outcome == "missed":
                made.missed(poll, now, "?")
            else:
                assert made.answered(poll, now, 1)
            now += 60
    assert len(made) == 1


def test_a_call_that_kis_refuses_rests_for_all_and_is_told_once() -> None:
    made = plan(A, B)
    poll = made.next(0)
    assert poll is not None
    assert made.refused(poll, 0, "not in paper trading")
    assert made.next(59) is None
    assert made.due_in(0) == 60
    again = made.next(60)
    assert again is not None
    assert not made.refused(again, 60, "not in paper trading")
    assert made.next(299) is None
    assert made.next(300) is not None


def test_what_no_call_answers_for_is_told_once_and_not_polled() -> None:
    made = BackupPlan(choose)
    made.want({A: missing("NEWS")}, {}, 0)
    reason = "no call of the workbook answers for it"
    assert told(made.take_changes()) == [("A", "given_up", reason)]
    made.want({A: missing("NEWS")}, {}, 1)
    assert made.take_changes() == []
    assert made.due_in(1) is None


def test_what_was_given_up_is_tried_again_when_more_of_it_is_missing() -> None:
    made = BackupPlan(choose)
    made.want({A: missing("NEWS")}, {}, 0)
    made.take_changes()
    made.want({A: missing("NEWS", "TRADE")}, {}, 1)
    assert told(made.take_changes()) == [("A", "started", "")]
    assert made.next(1) == Poll(A, PRICE)


def test_what_comes_again_is_not_polled_for_what_no_call_answers() -> None:
    made = BackupPlan(choose)
    made.want({A: missing("NEWS", "TRADE")}, {}, 0)
    made.want({A: missing("NEWS")}, {A: "it is back"}, 1)
    assert told(made.take_changes()) == [("A", "started", ""), ("A", "ended", "it is back")]
    assert made.next(100) is None
    made.want({A: missing("NEWS", "TRADE")}, {}, 101)
    assert told(made.take_changes()) == [("A", "started", "")]
    assert made.next(101) == Poll(A, PRICE)


@pytest.mark.parametrize("state", ["kept", "gone"])
def test_more_places_than_there_can_be_slots_for_are_left_out(state: str) -> None:
    made = BackupPlan(choose)
    made.want({place(str(n)): TRADE for n in range(17_000)}, {}, 0)
    assert len(made) == 16_384
    if state == "gone":
        made.want({}, {}, 1)
        assert len(made) == 0
