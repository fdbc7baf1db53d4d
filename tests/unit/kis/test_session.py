from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kis.crypto import encrypt
from bridge.kis.frames import DataFrame
from bridge.kis.session import (
    Dropped,
    Lost,
    Notice,
    Session,
    SessionEvent,
    SlotRefused,
    Subscribed,
    SubscriptionState,
    Unsubscribed,
)

KEY = "abcdefghijklmnopabcdefghijklmnop"
IV = "0123456789abcdef"
TRADE, QUOTE, NOTICE, OVERSEAS_NOTICE = "H0STCNT0", "H0STASP0", "H0STCNI9", "H0GSCNI9"
PINGPONG = '{"header":{"tr_id":"PINGPONG","datetime":"20260922140610"}}'


def ack(
    code: str, tr_id: str | None = "(null)", tr_key: str = "", *, key: str = "", iv: str = ""
) -> str:
    body: dict[str, Any] = {"rt_cd": "0", "msg_cd": code, "msg1": "-"}
    if key or iv:
        body["output"] = {"key": key, "iv": iv}
    return json.dumps({"header": {"tr_id": tr_id, "tr_key": tr_key}, "body": body})


class Play:
    """A session, its clock, and the requests it has sent as (tr_type, TR id, key)."""

    def __init__(self, **options: Any) -> None:
        self.session = Session("sesame", notices=frozenset({NOTICE, OVERSEAS_NOTICE}), **options)
        self.now = 1000.0
        self.session.connected(self.now)

    def sent(self) -> list[tuple[str, str, str]]:
        requests = []
        for text in self.session.data_to_send():
            request = json.loads(text)
            header, names = request["header"], request["body"]["input"]
            assert header["approval_key"] == "sesame"
            assert (header["custtype"], header["content-type"]) == ("P", "utf-8")
            requests.append((header["tr_type"], names["tr_id"], names["tr_key"]))
        return requests

    def subscribe(self, tr_id: str, key: str, priority: int = 0) -> list[SessionEvent]:
        return self.session.subscribe(tr_id, key, self.now, priority)

    def unsubscribe(self, tr_id: str, key: str) -> list[SessionEvent]:
        return self.session.unsubscribe(tr_id, key, self.now)

    def hear(self, text: str) -> list[SessionEvent]:
        heard = self.session.receive(text, self.now)
        assert not isinstance(heard, DataFrame)
        return heard

    def data(self, text: str) -> DataFrame:
        heard = self.session.receive(text, self.now)
        assert isinstance(heard, DataFrame)
        return heard

    def wait(self, seconds: float) -> list[SessionEvent]:
        """Let time pass as the shell does: a tick at each deadline."""
        end = self.now + seconds
        events: list[SessionEvent] = []
        while (at := self.session.next_deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            events += self.session.tick(self.now)
            later = self.session.next_deadline()
            assert later is None or later > self.now, "the shell would spin"
        self.now = end
        return events

    def go_live(self, *keys: str, tr_id: str = TRADE) -> None:
        for key in keys:
            self.subscribe(tr_id, key)
            self.wait(0.2)
            assert self.hear(ack("OPSP0000", tr_id, key)) == [Subscribed(tr_id, key)]
        self.sent()


def test_a_subscription_is_requested_and_acknowledged() -> None:
    play = Play()
    assert play.subscribe(TRADE, "005930") == []
    assert play.sent() == [("1", TRADE, "005930")]
    assert play.session.slots_used == 1
    assert play.session.live == 0
    assert play.hear(ack("OPSP0000", TRADE, "005930")) == [Subscribed(TRADE, "005930")]
    assert play.session.live == 1
    assert play.hear(ack("OPSP0000", TRADE, "005930")) == []
    assert play.sent() == []


def test_already_subscribed_is_subscribed() -> None:
    play = Play()
    play.subscribe(TRADE, "005930")
    assert play.hear(ack("OPSP0002", TRADE, "005930")) == [Subscribed(TRADE, "005930")]


def test_requests_are_paced() -> None:
    play = Play(spacing_s=0.12)
    for key in ("1", "2", "3"):
        play.subscribe(TRADE, key)
    assert play.sent() == [("1", TRADE, "1")]
    play.wait(0.11)
    assert play.sent() == []
    play.wait(0.02)
    assert play.sent() == [("1", TRADE, "2")]
    play.wait(0.12)
    assert play.sent() == [("1", TRADE, "3")]


def test_subscribing_twice_asks_once_and_tells_when_it_is_live_already() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    play.subscribe(TRADE, "1")
    play.wait(1)
    assert play.sent() == [("1", TRADE, "1")]
    play.hear(ack("OPSP0000", TRADE, "1"))
    assert play.subscribe(TRADE, "1") == [Subscribed(TRADE, "1")]


def test_answers_out_of_order_find_their_requests() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    play.subscribe(QUOTE, "1")
    play.wait(0.5)
    assert play.hear(ack("OPSP0000", QUOTE, "1")) == [Subscribed(QUOTE, "1")]
    assert play.hear(ack("OPSP0000", TRADE, "1")) == [Subscribed(TRADE, "1")]


def test_an_answer_without_names_is_for_the_only_one_who_asked() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    assert play.hear(ack("OPSP0000")) == [Subscribed(TRADE, "1")]
    play.subscribe(TRADE, "2")
    play.subscribe(QUOTE, "2")
    play.wait(0.5)
    assert play.hear(ack("OPSP0009")) == [Dropped("an answer to nothing asked: OPSP0009", "")]
    assert play.hear(ack("OPSP0009", TRADE)) == [SlotRefused(TRADE, "2", "OPSP0009")]
    assert play.hear(ack("OPSP8993")) == [SlotRefused(QUOTE, "2", "OPSP8993")]


def test_an_answer_for_somebody_else_is_dropped() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    for code in ("OPSP0000", "OPSP0001", "OPSP0003", "OPSP0009", "NEW42"):
        dropped = Dropped(f"an answer to nothing asked: {code}", TRADE)
        assert play.hear(ack(code, TRADE, "another")) == [dropped]
    assert play.hear(ack("0\n", "x" * 99, "y")) == [Dropped("an answer to nothing asked: ", "")]
    assert play.session.states() == {(TRADE, "1"): SubscriptionState.REQUESTED}


@pytest.mark.parametrize("code", ["OPSP0009", "OPSP8991", "OPSP8992", "OPSP9995", "NEW42"])
def test_a_refusal_is_final_until_subscribed_again(code: str) -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    assert play.hear(ack(code, TRADE, "1")) == [SlotRefused(TRADE, "1", code)]
    assert play.session.slots_used == 0
    play.sent()
    play.wait(60)
    play.session.disconnected()
    play.session.connected(play.now)
    play.wait(60)
    assert play.sent() == []
    play.subscribe(TRADE, "1")
    assert play.sent() == [("1", TRADE, "1")]


def test_a_wrong_hts_id_is_the_oldest_notice_request() -> None:
    play = Play()
    for tr_id in (TRADE, NOTICE, OVERSEAS_NOTICE):
        play.subscribe(tr_id, "someone")
    play.wait(1)
    assert play.hear(ack("OPSP0017")) == [SlotRefused(NOTICE, "someone", "OPSP0017")]
    assert play.hear(ack("OPSP0017")) == [SlotRefused(OVERSEAS_NOTICE, "someone", "OPSP0017")]
    assert play.hear(ack("OPSP0017")) == [Dropped("an answer to nothing asked: OPSP0017", "")]


def test_an_internal_error_is_asked_again_later_but_not_for_ever() -> None:
    play = Play(attempts=2, answer_s=5)
    play.subscribe(TRADE, "1")
    assert play.hear(ack("OPSP0007", TRADE, "1")) == [
        Dropped("OPSP0007, asking again later", TRADE)
    ]
    play.sent()
    play.wait(4.9)
    assert play.sent() == []
    play.wait(0.2)
    assert play.sent() == [("1", TRADE, "1")]
    assert play.hear(ack("OPSP0007", TRADE, "1")) == [SlotRefused(TRADE, "1", "OPSP0007")]


def test_no_answer_is_asked_again_then_given_up() -> None:
    play = Play(attempts=3, answer_s=5)
    play.subscribe(TRADE, "1")
    assert play.wait(14.9) == []
    assert play.sent() == [("1", TRADE, "1")] * 3
    assert play.wait(0.2) == [SlotRefused(TRADE, "1", "timeout")]
    assert play.session.slots_used == 0
    assert play.hear(ack("OPSP0000", TRADE, "1")) == [Subscribed(TRADE, "1")]


def test_a_late_grant_does_not_break_the_limit() -> None:
    play = Play(slots=1, attempts=1)
    play.subscribe(TRADE, "1")
    assert SlotRefused(TRADE, "1", "timeout") in play.wait(5.1)
    play.go_live("2")
    dropped = Dropped("an answer to nothing asked: OPSP0000", TRADE)
    assert play.hear(ack("OPSP0000", TRADE, "1")) == [dropped]
    assert play.session.slots_used == 1


def test_a_time_out_is_tried_again_after_a_reconnection() -> None:
    play = Play(attempts=1)
    play.subscribe(TRADE, "1")
    play.wait(5.1)
    play.sent()
    play.session.disconnected()
    play.session.connected(play.now)
    assert play.sent() == [("1", TRADE, "1")]


# --- unsubscribing


@pytest.mark.parametrize("code", ["OPSP0001", "OPSP0003"])
def test_unsubscribing_frees_the_slot_when_kis_says_so(code: str) -> None:
    play = Play()
    play.go_live("1")
    assert play.unsubscribe(TRADE, "1") == []
    play.wait(0.2)
    assert play.sent() == [("2", TRADE, "1")]
    assert play.session.slots_used == 1
    assert play.hear(ack(code, TRADE, "1")) == [Unsubscribed(TRADE, "1")]
    assert play.session.slots_used == 0
    assert play.session.states() == {}


def test_unsubscribe_not_found_comes_without_names() -> None:
    play = Play()
    play.go_live("1")
    play.unsubscribe(TRADE, "1")
    play.wait(0.2)
    body = {"rt_cd": "1", "msg_cd": "OPSP0003", "msg1": "UNSUBSCRIBE ERROR(not found!)"}
    assert play.hear(json.dumps({"body": body})) == [Unsubscribed(TRADE, "1")]


def test_unsubscribing_what_is_not_there_is_done_at_once() -> None:
    play = Play()
    assert play.unsubscribe(TRADE, "1") == [Unsubscribed(TRADE, "1")]
    play.subscribe(TRADE, "1")
    play.subscribe(TRADE, "2")  # not sent yet
    assert play.unsubscribe(TRADE, "2") == [Unsubscribed(TRADE, "2")]
    play.wait(1)
    assert play.sent() == [("1", TRADE, "1")]


def test_unsubscribing_while_the_request_is_out() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    assert play.unsubscribe(TRADE, "1") == []
    play.wait(1)
    assert play.hear(ack("OPSP0000", TRADE, "1")) == []
    assert play.sent() == [("1", TRADE, "1"), ("2", TRADE, "1")]
    assert play.hear(ack("OPSP0000", TRADE, "1")) == []  # a second, late one
    assert play.hear(ack("OPSP0001", TRADE, "1")) == [Unsubscribed(TRADE, "1")]


def test_a_refused_request_that_nobody_wants_is_gone() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    play.unsubscribe(TRADE, "1")
    assert play.hear(ack("OPSP0009", TRADE, "1")) == [Unsubscribed(TRADE, "1")]


@pytest.mark.parametrize("attempts", [1, 2])
def test_an_unanswered_request_that_nobody_wants_is_taken_back(attempts: int) -> None:
    play = Play(attempts=attempts, answer_s=5)
    play.subscribe(TRADE, "1")
    play.unsubscribe(TRADE, "1")
    assert play.wait(15.1) == [Unsubscribed(TRADE, "1")]
    assert play.sent() == [("1", TRADE, "1")] + [("2", TRADE, "1")] * attempts


def test_wanted_again_before_the_unsubscription_left() -> None:
    play = Play()
    play.go_live("1")
    play.subscribe(TRADE, "2")  # takes the next turn
    play.unsubscribe(TRADE, "1")
    assert play.subscribe(TRADE, "1") == [Subscribed(TRADE, "1")]
    play.wait(1)
    assert play.sent() == [("1", TRADE, "2")]


@pytest.mark.parametrize("answered", [True, False])
def test_wanted_again_while_leaving(answered: bool) -> None:
    play = Play(attempts=1, answer_s=5)
    play.go_live("1")
    play.unsubscribe(TRADE, "1")
    play.wait(0.2)
    assert play.subscribe(TRADE, "1") == []
    assert play.sent() == [("2", TRADE, "1")]
    if answered:
        assert play.hear(ack("OPSP0001", TRADE, "1")) == []
        play.wait(0.2)
    else:
        assert play.wait(5.2) == []
    assert play.sent() == [("1", TRADE, "1")]
    assert play.hear(ack("OPSP0000", TRADE, "1")) == [Subscribed(TRADE, "1")]


def test_leaving_goes_before_entering() -> None:
    play = Play()
    play.go_live("1")
    play.subscribe(TRADE, "2")
    play.sent()
    play.subscribe(TRADE, "3", priority=-1)
    play.unsubscribe(TRADE, "1")
    play.wait(1)
    assert play.sent() == [("2", TRADE, "1"), ("1", TRADE, "3")]


# --- the limit


def test_the_slots_are_never_exceeded_and_a_free_one_is_used_by_priority() -> None:
    play = Play(slots=2)
    play.go_live("1", "2")
    assert play.subscribe(TRADE, "3", priority=5) == [SlotRefused(TRADE, "3", "OPSP0008", 2)]
    assert play.subscribe(TRADE, "4", priority=1) == [SlotRefused(TRADE, "4", "OPSP0008", 2)]
    assert play.wait(60) == []
    assert play.sent() == []
    play.unsubscribe(TRADE, "1")
    assert play.hear(ack("OPSP0001", TRADE, "1")) == [Unsubscribed(TRADE, "1")]
    play.wait(1)
    assert play.sent() == [("2", TRADE, "1"), ("1", TRADE, "4")]
    assert play.session.states()[TRADE, "3"] is SubscriptionState.WANTED


def test_the_limit_is_learned_from_the_refusal() -> None:
    play = Play(slots=41)
    play.go_live("1", "2", "3")
    play.subscribe(TRADE, "4")
    play.wait(0.2)
    assert play.hear(ack("OPSP0008", TRADE, "4")) == [SlotRefused(TRADE, "4", "OPSP0008", 3)]
    assert play.session.limit == 3
    assert play.subscribe(TRADE, "5") == [SlotRefused(TRADE, "5", "OPSP0008", 3)]
    play.sent()
    play.wait(100)
    assert play.sent() == []
    play.unsubscribe(TRADE, "2")
    play.wait(1)
    play.hear(ack("OPSP0001", TRADE, "2"))
    play.wait(1)
    assert play.sent() == [("2", TRADE, "2"), ("1", TRADE, "4")]


def test_several_refusals_on_their_way_teach_the_same_limit() -> None:
    play = Play()
    play.go_live("1", "2")
    for key in ("3", "4", "5"):
        play.subscribe(TRADE, key)
    play.wait(1)
    assert play.hear(ack("OPSP0000", TRADE, "3")) == [Subscribed(TRADE, "3")]
    assert play.hear(ack("OPSP0008", TRADE, "4")) == [SlotRefused(TRADE, "4", "OPSP0008", 3)]
    assert play.hear(ack("OPSP0008", TRADE, "5")) == [SlotRefused(TRADE, "5", "OPSP0008", 3)]
    assert play.session.slots_used == 3


def test_the_limit_counts_requests_in_the_order_of_sending() -> None:
    play = Play()
    play.go_live("1", "2", "3")
    play.unsubscribe(TRADE, "1")  # sent before: free by then
    play.wait(0.2)
    for key in ("4", "5", "6"):
        play.subscribe(TRADE, key)
    play.wait(0.3)  # 4 and 5 are out, 6 waits for its turn
    play.unsubscribe(TRADE, "2")  # sent after: still held then
    play.wait(0.2)
    # Held when 5 was handled: 2 and 3 live, 4 requested before.
    assert SlotRefused(TRADE, "5", "OPSP0008", 3) in play.hear(ack("OPSP0008", TRADE, "5"))


def test_a_grant_above_the_learned_limit_corrects_it() -> None:
    play = Play()
    for key in ("1", "2"):
        play.subscribe(TRADE, key)
    play.wait(1)
    play.hear(ack("OPSP0008", TRADE, "2"))
    play.subscribe(TRADE, "1")
    assert play.session.limit == 1
    play = Play()
    for key in ("1", "2", "3"):
        play.subscribe(TRADE, key)
    play.wait(1)
    play.hear(ack("OPSP0008", TRADE, "2"))
    play.hear(ack("OPSP0000", TRADE, "1"))
    assert play.session.limit == 1
    play.hear(ack("OPSP0000", TRADE, "3"))
    assert play.session.limit == 2


def test_full_from_the_start_waits_for_the_older_session_to_go() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    assert play.hear(ack("OPSP0008", TRADE, "1")) == [SlotRefused(TRADE, "1", "OPSP0008", 41)]
    play.sent()
    play.wait(19.9)
    assert play.sent() == []
    play.wait(0.2)
    assert play.sent() == [("1", TRADE, "1")]


# --- frames


def test_market_data_goes_through() -> None:
    play = Play()
    assert play.data("0|H0STCNT0|001|005930^1") == DataFrame(TRADE, False, 1, "005930^1")


def test_garbage_is_dropped_without_its_content() -> None:
    (event,) = Play().hear("0|H0STCNT0|zzz|account 12345678")
    assert isinstance(event, Dropped)
    assert "12345678" not in repr(event)


def test_a_notice_opens_with_the_last_key_of_its_subscription() -> None:
    play = Play()
    play.subscribe(NOTICE, "someone")
    frame = f"1|{NOTICE}|001|{encrypt('a^b', KEY, IV)}"
    assert play.hear(frame) == [Dropped("no key yet", NOTICE)]
    play.hear(ack("OPSP0000", NOTICE, "someone", key=KEY, iv=IV))
    assert play.hear(frame) == [Notice(NOTICE, 1, "a^b")]
    play.hear(ack("OPSP0002", NOTICE, "someone"))  # without output: the key stays
    assert play.hear(frame) == [Notice(NOTICE, 1, "a^b")]
    play.hear(ack("OPSP0002", NOTICE, "someone", key=KEY[::-1], iv=IV))
    (event,) = play.hear(frame)
    assert isinstance(event, Dropped)
    play.session.disconnected()
    play.session.connected(play.now)
    assert play.hear(frame) == [Dropped("no key yet", NOTICE)]


def test_a_key_nobody_asked_for_is_not_taken() -> None:
    play = Play()
    play.hear(ack("OPSP0000", NOTICE, "someone", key=KEY, iv=IV))
    frame = f"1|{NOTICE}|001|{encrypt('a^b', KEY, IV)}"
    assert play.hear(frame) == [Dropped("no key yet", NOTICE)]


def test_a_notice_in_plain_text_is_dropped() -> None:
    (event,) = Play().hear(f"0|{NOTICE}|001|a^b")
    assert event == Dropped("a notice in plain text may be forged", NOTICE)


def test_other_encrypted_frames_open_when_their_key_is_known() -> None:
    play = Play()
    frame = f"1|{TRADE}|001|{encrypt('a^b', KEY, IV)}"
    assert play.hear(frame) == [Dropped("no key yet", TRADE)]
    play.subscribe(TRADE, "1")
    play.hear(ack("OPSP0000", TRADE, "1", key=KEY, iv=IV))
    assert play.data(frame) == DataFrame(TRADE, False, 1, "a^b")


def test_a_notice_does_not_show_its_body() -> None:
    assert "12345678" not in repr(Notice(NOTICE, 1, "12345678"))


def test_pingpong_is_echoed_ahead_of_everything_and_unpaced() -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    assert play.hear(PINGPONG) == []
    first, second = play.session.data_to_send()
    assert first == PINGPONG
    assert "H0STCNT0" in second
    play.hear(PINGPONG)
    assert play.session.data_to_send() == [PINGPONG]


# --- the connection


def test_everything_is_requested_again_after_a_reconnection_by_priority() -> None:
    play = Play()
    play.go_live("1", "2")
    play.subscribe(NOTICE, "someone", priority=-1)
    play.unsubscribe(TRADE, "1")
    assert play.session.disconnected() == [Unsubscribed(TRADE, "1")]
    assert play.session.next_deadline() is None
    assert play.session.tick(play.now) == []
    assert play.session.data_to_send() == []
    play.subscribe(TRADE, "3")
    assert play.sent() == []
    play.session.connected(play.now)
    play.wait(1)
    assert play.sent() == [("1", NOTICE, "someone"), ("1", TRADE, "2"), ("1", TRADE, "3")]
    assert play.hear(ack("OPSP0000", TRADE, "2")) == [Subscribed(TRADE, "2")]


def test_a_new_approval_key_is_used_from_then_on() -> None:
    play = Play()
    play.session.disconnected()
    play.session.approval_key = "new"
    play.session.connected(play.now)
    play.subscribe(TRADE, "1")
    (text,) = play.session.data_to_send()
    assert json.loads(text)["header"]["approval_key"] == "new"


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (ack("OPSP8996"), Lost("OPSP8996", 20)),
        (ack("OPSP8996", None), Lost("OPSP8996", 20)),
        ('{"body":{"rt_cd":"9","msg_cd":"OPSP8996","msg1":"x"}}', Lost("OPSP8996", 20)),
        (ack("OPSP0011", TRADE, "1"), Lost("OPSP0011")),
        (ack("OPSP0010"), Lost("OPSP0011")),
        (
            '{"body":{"rt_cd":"1","msg_cd":"OPSP7","msg1":"expired approval_key"}}',
            Lost("OPSP0011"),
        ),
    ],
)
def test_the_whole_session_may_be_refused(text: str, lost: Lost) -> None:
    play = Play()
    play.subscribe(TRADE, "1")
    play.sent()
    play.subscribe(TRADE, "2")
    assert play.hear(text) == [lost]
    assert play.hear(text) == []
    assert play.wait(60) == []
    assert play.sent() == []


def test_silence_of_everything_means_a_dead_connection() -> None:
    play = Play(silence_s=120)
    play.wait(100)
    play.hear(PINGPONG)
    assert play.session.last_message_at == play.now
    assert play.wait(119.9) == []
    assert play.wait(0.2) == [Lost("silent")]
    assert play.wait(500) == []


def test_a_session_that_is_mute_while_data_is_expected_is_dead() -> None:
    play = Play(silence_s=120)
    play.go_live("1")
    play.wait(50)
    assert play.session.expect(120, 60, play.now)
    assert not play.session.expect(120, 60, play.now)
    play.hear(PINGPONG)
    assert play.wait(59.9) == []
    play.data("0|H0STCNT0|001|005930^1")
    play.hear(PINGPONG)
    assert play.wait(59.9) == []
    play.hear(PINGPONG)
    assert play.wait(0.2) == [Lost("mute")]
    play.session.disconnected()
    play.session.connected(play.now)
    play.session.expect(120, None, play.now)
    play.hear(ack("OPSP0000", TRADE, "1"))
    assert play.wait(119) == []


def test_the_pause_between_questions_is_known() -> None:
    play = Play()
    assert play.session.ping_every_s is None
    for pause in (10, 12, 10):
        play.wait(pause)
        play.hear(PINGPONG)
    assert play.session.ping_every_s == 12


def test_more_than_the_learned_limit_can_be_tried() -> None:
    play = Play()
    play.go_live("1", "2")
    play.subscribe(TRADE, "3")
    play.wait(0.2)
    play.hear(ack("OPSP0008", TRADE, "3"))
    assert play.session.limit == 2
    play.sent()
    play.session.allow(3)
    play.session.tick(play.now)
    assert play.sent() == [("1", TRADE, "3")]
    play.hear(ack("OPSP0000", TRADE, "3"))
    assert play.session.limit == 3


def test_nobody_is_told_to_wait_for_a_slot_that_is_being_freed() -> None:
    play = Play(slots=2)
    play.go_live("1", "2")
    play.unsubscribe(TRADE, "1")
    assert play.subscribe(TRADE, "3") == []
    assert play.subscribe(TRADE, "4") == [SlotRefused(TRADE, "4", "OPSP0008", 2)]


# --- anything at all


_codes = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 11, 17, 8991, 8996, 1234]).map("OPSP{:04}".format)
_trs = st.sampled_from([TRADE, QUOTE, NOTICE, "(null)", "", None])
_keys = st.sampled_from(["1", "2", "3", "4", ""])
_steps = st.one_of(
    st.tuples(st.just("subscribe"), st.sampled_from([TRADE, NOTICE]), _keys, st.integers(0, 2)),
    st.tuples(st.just("unsubscribe"), st.sampled_from([TRADE, NOTICE]), _keys),
    st.tuples(st.just("hear"), st.builds(ack, _codes, _trs, _keys, key=st.just(KEY))),
    st.tuples(st.just("hear"), st.text(max_size=5)),
    st.tuples(st.just("hear"), st.just(PINGPONG)),
    st.tuples(st.just("hear"), st.just(f"1|{NOTICE}|001|AAAA")),
    st.tuples(st.just("wait"), st.floats(0, 30)),
    st.tuples(st.just("reconnect")),
)


@given(st.lists(_steps, max_size=40), st.integers(1, 4))
def test_whatever_happens_the_limit_holds_and_nothing_raises(
    steps: list[tuple[Any, ...]], slots: int
) -> None:
    play = Play(slots=slots, silence_s=300)
    wanted: set[tuple[str, str]] = set()
    for name, *details in steps:
        before = play.session.slots_used
        if name == "subscribe":
            play.subscribe(*details)
            wanted.add((details[0], details[1]))
        elif name == "unsubscribe":
            play.unsubscribe(*details)
            wanted.discard((details[0], details[1]))
        elif name == "hear":
            play.hear(*details)
        elif name == "wait":
            play.wait(*details)
        else:
            play.session.disconnected()
            play.session.connected(play.now)
        session = play.session
        assert 1 <= session.limit <= slots
        assert session.live <= session.slots_used <= slots
        assert session.slots_used <= max(session.limit, before)
        assert wanted <= set(session.states())
        session.data_to_send()
