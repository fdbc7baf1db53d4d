"""The pool spreads subscriptions over sessions and keeps them while anybody wants them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.errors import RequestError
from bridge.kis.events import Lost, SessionEvent
from bridge.kis.session import Session
from bridge.kis.stream import StreamCounts
from bridge.subscriptions.interest import dumps
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import Wanted
from bridge.subscriptions.slot_limits import PROBE_S


def wanted(key: str) -> Wanted:
    return Wanted("H0STCNT0", key, "H0STCNT0")


class Feed:
    """A real session, and a KIS that grants ``grants`` slots at once."""

    def __init__(self, slots: int = 41, grants: int = 41) -> None:
        self.session = Session(notices=frozenset(), slots=slots, spacing_s=0.0)
        self.counts = StreamCounts()
        self.state = "connecting"
        self.grants = grants
        self.codes: dict[str, str] = {}
        """Key → the code that KIS answers instead."""
        self.held: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.pool: Pool | None = None
        self.app = ""
        self.now = 0.0

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> None:
        self.asked.append((f"+{priority}", key))
        self._tell(self.session.subscribe(tr_id, key, self.now, priority))

    def unsubscribe(self, tr_id: str, key: str) -> None:
        self.asked.append(("-", key))
        self._tell(self.session.unsubscribe(tr_id, key, self.now))

    def delivers(self, tr_id: str, key: str) -> None:
        self._tell(self.session.delivers(tr_id, key))

    def allow(self, limit: int) -> None:
        self.session.allow(limit)

    def connect(self) -> None:
        self.state = "connected"
        self._tell(self.session.connected(self.now))
        self.serve()

    def lose(self, code: str = "closed 1006", retry_after: float = 0.5) -> None:
        self.state = "waiting"
        self.held.clear()
        self._tell(self.session.disconnected())
        self._tell([Lost(code, retry_after)])

    def serve(self) -> None:
        """Answer requests until there are none."""
        while True:
            self.now += 0.001
            self._tell(self.session.tick(self.now))
            texts = self.session.data_to_send()
            if not texts:
                return
            for text in texts:
                self._answer(json.loads(text))

    def _answer(self, request: dict[str, Any]) -> None:
        names = request["body"]["input"]
        key = names["tr_key"]
        if request["header"]["tr_type"] == "2":
            self.held.remove(key)
            code = "OPSP0001"
        elif key in self.codes:
            code = self.codes[key]
        elif len(self.held) >= self.grants:
            code = "OPSP0008"
        else:
            self.held.append(key)
            code = "OPSP0000"
        body = {"rt_cd": "0", "msg_cd": code, "msg1": "-"}
        told = self.session.receive(json.dumps({"header": names, "body": body}), self.now)
        assert isinstance(told, list)
        self._tell(told)

    def _tell(self, events: list[SessionEvent]) -> None:
        for event in events:
            if self.pool is not None:
                self.pool.happened(self.app, event)


class Play:
    """A pool over sessions of a fake KIS, with clocks to turn."""

    def __init__(self, *feeds: Feed, learned: dict[str, int] | None = None) -> None:
        self.now = 1000.0
        self.feeds = {f"app{n}": feed for n, feed in enumerate(feeds, 1)}
        self.pool = Pool(
            self.feeds,
            learned=learned,
            clock=lambda: self.now + 1e9,
            monotonic=lambda: self.now,
        )
        for app, feed in self.feeds.items():
            feed.pool, feed.app = self.pool, app

    def hold(self, *keys: str, priority: int = 0, lease_s: float | None = None) -> None:
        for key in keys:
            self.pool.hold([wanted(key)], "configuration", priority, lease_s)
        self.serve()

    def serve(self) -> None:
        for feed in self.feeds.values():
            if feed.state == "connected":
                feed.serve()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.pool.tick()
        self.serve()

    def connect(self) -> None:
        for feed in self.feeds.values():
            feed.connect()

    @property
    def live(self) -> set[str]:
        return {row["key"] for row in self.pool.subscriptions() if row["state"] == "live"}


def test_the_session_with_the_most_free_slots_gets_the_next() -> None:
    one, two = Feed(slots=3), Feed(slots=2)
    pool = Pool({"one": one, "two": two})
    for key in "ABCDE":
        pool.hold([wanted(key)], "configuration")
    assert [key for _, key in one.asked] == ["A", "B", "D"]
    assert [key for _, key in two.asked] == ["C", "E"]


def test_a_subscription_stays_where_it_is() -> None:
    one, two = Feed(), Feed()
    pool = Pool({"one": one, "two": two})
    for holder in ("a", "b", "a"):
        pool.hold([wanted("A")], holder, priority=2)
    assert one.asked == [("+10", "A")]
    assert two.asked == []
    [row] = pool.subscriptions()
    assert row == row | {
        "channel": "H0STCNT0",
        "key": "A",
        "session": "one",
        "state": "wanted",
        "holders": ["a", "b"],
    }


def test_it_ends_with_its_last_holder() -> None:
    feed = Feed()
    pool = Pool({"one": feed})
    pool.hold([wanted("A")], "configuration")
    pool.hold([wanted("A")], "alice")
    assert not pool.release([wanted("A")], "alice")
    assert not pool.release([wanted("A")], "alice")
    assert not pool.release([wanted("A")], "mallory")
    assert not pool.release([wanted("B")], "alice")
    assert feed.asked[-1] == ("+0", "A")
    assert pool.release([wanted("A")], "configuration")
    assert feed.asked[-1] == ("-", "A")
    assert pool.subscriptions() == []
    assert not pool.release([wanted("A")], "configuration")


def test_what_finds_no_slot_waits_in_a_visible_queue_and_moves_up() -> None:
    play = Play(Feed(slots=1))
    play.hold("A", "B", "C")
    play.hold("D", priority=-1)
    play.connect()
    rows = {str(row["key"]): row for row in play.pool.subscriptions()}
    assert rows["D"]["state"] == "live"
    assert {key: row.get("waits_as") for key, row in rows.items()} == {
        "A": 1,
        "B": 2,
        "C": 3,
        "D": None,
    }
    assert play.pool.crowded_out == {wanted("A"), wanted("B"), wanted("C")}
    assert play.pool.numbers() == {"wanted": 4, "live": 1, "waiting": 3, "refused": 0}
    play.pool.release([wanted("D")], "configuration")
    play.serve()
    assert play.live == {"A"}
    assert play.pool.crowded_out == {wanted("B"), wanted("C")}


def test_a_limit_is_learned_and_the_overflow_goes_elsewhere() -> None:
    play = Play(Feed(grants=3), Feed())
    play.connect()
    play.hold(*"ABCDEFGHIJ")
    assert play.live == set("ABCDEFGHIJ")
    assert play.pool.learned == {"app1": 3}
    assert play.pool.changed
    assert len(play.feeds["app1"].held) == 3


def test_a_remembered_limit_is_not_exceeded_until_it_is_tried_again() -> None:
    play = Play(Feed(grants=4), learned={"app1": 2, "gone": 7})
    play.connect()
    play.hold(*"ABCDEF")
    assert play.live == set("AB")
    play.wait(PROBE_S + 1)
    for _ in range(4):
        play.wait(1)
    assert play.live == set("ABCD"), "what KIS grants again is used"
    assert play.pool.learned == {"app1": 4}
    play.feeds["app1"].grants = 41
    play.wait(PROBE_S + 1)
    for _ in range(40):
        play.wait(1)
    assert play.live == set("ABCDEF")


def test_a_limit_as_high_as_the_configured_one_is_forgotten() -> None:
    play = Play(Feed(slots=3), learned={"app1": 2})
    play.connect()
    play.hold(*"ABC")
    play.wait(PROBE_S + 1)
    assert play.live == set("ABC")
    assert play.pool.learned == {}


def test_a_short_absence_moves_nobody_a_long_one_does() -> None:
    play = Play(Feed(), Feed())
    play.connect()
    play.hold(*"ABCD")
    one, two = play.feeds.values()
    assert set(one.held) == set("AC")
    one.lose()
    play.wait(5)
    assert set(two.held) == set("BD")
    one.connect()
    assert set(one.held) == set("AC")
    one.lose()
    play.wait(14)
    assert set(two.held) == set("BD")
    play.wait(2)
    assert set(two.held) == set("ABCD")
    one.connect()
    play.wait(1)
    assert one.held == []
    assert set(two.held) == set("ABCD"), "nobody moves back needlessly"
    gaps = play.pool.gaps.take()
    assert sorted(gap.wanted.key for gap in gaps) == ["A", "A", "C", "C"]
    assert all(gap.reason == "closed 1006" and gap.since < gap.until for gap in gaps)


def test_an_app_key_in_use_elsewhere_gives_way_at_once() -> None:
    play = Play(Feed(), Feed())
    play.connect()
    play.hold(*"AB")
    play.feeds["app1"].lose("OPSP8996", 20)
    play.serve()
    assert set(play.feeds["app2"].held) == set("AB")


def test_losing_the_slot_is_a_gap() -> None:
    play = Play(Feed(slots=1))
    play.connect()
    play.hold("A")
    play.hold("B", priority=-1)
    assert play.live == {"B"}
    assert play.pool.crowded_out == {wanted("A")}
    play.now += 7
    play.pool.release([wanted("B")], "configuration")
    play.serve()
    [gap] = play.pool.gaps.take()
    assert (gap.wanted, gap.reason) == (wanted("A"), "no_slot")
    assert gap.until - gap.since == 7_000_000
    assert len(play.pool.gaps) == 0


def test_a_refusal_frees_the_slot_and_is_tried_again_later() -> None:
    play = Play(Feed(slots=1))
    feed = play.feeds["app1"]
    feed.codes["A"] = "NEW42"
    play.connect()
    play.hold("A", "B")
    assert play.live == {"B"}
    assert {row["key"]: row.get("code") for row in play.pool.subscriptions()}["A"] == "NEW42"
    assert play.pool.numbers()["refused"] == 1
    play.pool.release([wanted("B")], "configuration")
    play.serve()
    play.wait(29)
    assert feed.asked[-1] == ("-", "B")
    play.wait(2)
    assert feed.asked[-2:] == [("+0", "A"), ("-", "A")]
    play.wait(59)
    play.wait(2)
    feed.codes.clear()
    play.wait(121)
    assert play.live == {"A"}
    assert play.pool.numbers()["refused"] == 0


def test_asking_again_tries_a_refused_one_at_once() -> None:
    play = Play(Feed())
    play.feeds["app1"].codes["A"] = "OPSP8992"
    play.connect()
    play.hold("A")
    play.feeds["app1"].codes.clear()
    play.hold("A")
    assert play.live == {"A"}


@pytest.mark.parametrize(("code", "dead"), [("OPSP8992", True), ("OPSP0009", False)])
def test_a_key_that_kis_does_not_know_is_not_to_come_back(code: str, dead: bool) -> None:
    play = Play(Feed())
    play.feeds["app1"].codes["A"] = code
    play.connect()
    play.hold("A", "B")
    assert play.pool.dead() == ([wanted("A")] if dead else [])
    rows = {row["key"]: row for row in play.pool.subscriptions()}
    assert (rows["A"]["state"], rows["A"]["code"]) == ("refused", code)
    assert "unknown key" in str(rows["A"]["reason"])
    text = dumps(play.pool.interests.but((), play.pool.dead()))
    assert ('"A"' in text) is not dead
    assert '"B"' in text
    assert play.pool.changed, "it is written down that it is gone"


def test_a_lease_ends() -> None:
    play = Play(Feed())
    play.connect()
    play.hold("A", lease_s=60)
    [row] = play.pool.subscriptions()
    assert row["lease_until"] == int(play.now + 1e9 + 60)
    play.wait(59)
    play.hold("A", lease_s=60)
    play.wait(59)
    assert play.live == {"A"}
    play.wait(2)
    assert play.feeds["app1"].held == []
    assert play.pool.subscriptions() == []


def test_notices_come_first_and_are_tried_again() -> None:
    play = Play(Feed(slots=2))
    play.feeds["app1"].codes["me"] = "timeout"
    play.pool.pin("H0STCNI0", "me", "app1", -1)
    play.hold(*"ABC")
    play.connect()
    assert play.live == {"A"}
    play.feeds["app1"].codes.clear()
    play.wait(31)
    assert set(play.feeds["app1"].held) == {"me", "A"}


def test_open_orders_want_exactly_their_symbols() -> None:
    play = Play(Feed(slots=2))
    play.connect()
    play.hold("A", "B")
    play.pool.replace("orders", {wanted("C")}, -1)
    play.serve()
    assert play.live == {"A", "C"}
    play.pool.replace("orders", {wanted("A")}, -1)
    play.serve()
    assert play.live == {"A", "B"}
    assert play.pool.interests.holders(wanted("A")) == ["configuration", "orders"]
    play.pool.replace("orders", set(), -1)
    assert play.pool.interests.holders(wanted("A")) == ["configuration"]


def test_without_an_app_key_nothing_can_be_held() -> None:
    with pytest.raises(RequestError, match="no app key") as caught:
        Pool({}).hold([wanted("A")], "configuration")
    assert caught.value.code == "no_session"


def test_a_key_that_kis_does_not_know_ends_for_clients_and_stays_for_the_configuration() -> None:
    play = Play(Feed())
    play.feeds["app1"].codes |= {"A": "OPSP8992", "B": "OPSP8992"}
    play.connect()
    play.pool.hold([wanted("A"), wanted("B")], "bob")
    play.hold("B")
    for _ in range(4):
        play.wait(3601)
    assert wanted("A") not in play.pool.interests
    assert play.pool.interests.holders(wanted("B")) == ["configuration"]


def test_who_wants_everything_leaves_others_their_share() -> None:
    play = Play(Feed(slots=6))
    play.connect()
    play.pool.hold([wanted(f"M{n}") for n in range(500)], "mallory", priority=0)
    play.serve()
    assert len(play.live) == 6
    play.pool.hold([wanted("A"), wanted("B")], "alice", priority=9)
    play.hold("C")
    assert play.live == {"C", "A", "B", "M0", "M1", "M2"}
    assert play.pool.clients() == [
        {"client": "mallory", "subscriptions": 500, "slots": 3, "refused": 0},
        {"client": "alice", "subscriptions": 2, "slots": 2, "refused": 0},
        {"client": "configuration", "subscriptions": 1, "slots": 1, "refused": 0},
    ]


def test_what_is_too_much_changes_nothing() -> None:
    play = Play(Feed())
    play.pool.hold([wanted(f"M{n}") for n in range(600)], "mallory")
    with pytest.raises(RequestError) as caught:
        play.pool.hold([wanted(f"N{n}") for n in range(600)], "mallory")
    assert caught.value.code == "too_many_subscriptions"
    assert play.pool.numbers()["wanted"] == 600
    play.pool.hold([wanted(f"M{n}") for n in range(600)], "mallory", lease_s=60)
    assert play.pool.clients()[0]["refused"] == 1


def test_a_long_list_comes_in_parts_in_the_order_of_service() -> None:
    play = Play(Feed(slots=3))
    play.feeds["app1"].codes["M0"] = "OPSP0009"
    play.connect()
    for client in ("alice", "bob"):
        play.pool.hold([wanted(f"{client}{n}") for n in range(700)], client)
    play.hold("M0", "C")
    rows = play.pool.subscriptions()
    assert len(rows) == 1000
    assert [row["key"] for row in rows[:4]] == ["C", "alice0", "bob0", "alice1"]
    assert [row.get("waits_as") for row in rows[2:5]] == [None, 1, 2]
    rest = play.pool.subscriptions(1000)
    assert len(rest) == 402
    assert (rest[-1]["key"], rest[-1]["state"]) == ("M0", "refused")
    assert play.pool.subscriptions(5000) == []


def test_a_crowd_that_wants_the_same_does_not_make_its_row_long() -> None:
    play = Play(Feed())
    for number in range(300):
        play.pool.hold([wanted("A")], f"client{number:03d}")
    [row] = play.pool.subscriptions()
    assert len(row["holders"]) == 20
    assert row["holders_more"] == 280


def test_who_wants_what_kis_refuses_lets_it_be_asked_for_others_in_between() -> None:
    play = Play(Feed(slots=3))
    feed = play.feeds["app1"]
    feed.codes |= {f"M{n}": "OPSP8992" for n in range(500)}
    feed.connect()
    play.pool.hold([wanted(f"M{n}") for n in range(500)], "mallory", priority=0)
    play.pool.hold([wanted("A")], "alice", priority=9)
    play.serve()
    asked = [key for what, key in feed.asked if what == "+10"]
    assert "A" in asked[:4]
    assert play.live == {"A"}
