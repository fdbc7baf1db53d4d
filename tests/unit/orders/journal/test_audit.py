from __future__ import annotations

import json
from decimal import Decimal

from bridge.orders.journal import audit
from bridge.orders.model.command import CommandVerb
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.records import Control, Identity, Record

DAY = 1_795_359_600_000_000  # 2026-11-23 00:00 in Seoul
HOUR = 3_600_000_000
PLACE = {
    "client_order_id": "a-1",
    "expires_at": "2026-11-24T00:00:00+00:00",
    "market": "overseas_stock",
    "order_type": "limit",
    "price": "71.9",
    "quantity": 10,
    "side": "buy",
    "symbol": "AAPL",
    "venue": "nas",
}


def record(
    at: int, *steps: Step, verb: CommandVerb = "place", name: str = "a-1", **fields: str
) -> Record:
    body = PLACE if verb == "place" else {"client_order_id": name} | fields
    identity = Identity("main", "alice", name, "" if verb == "place" else f"{verb}:1")
    return Record(1, identity, verb, "d", json.dumps(body), at, at + HOUR, steps)


def test_a_day_is_told_in_the_order_in_which_it_happened() -> None:
    sent = Step(Event.SUBMIT, DAY + 1)
    kis = {"rt_cd": "0", "msg_cd": "APBK0013", "msg1": "주문 전송 완료"}
    accepted = Step(Event.ACCEPT, DAY + 3, order_no="0000000077", kis=kis)
    filled = Step(Event.FILL_PART, DAY + 9 * HOUR, 4, Decimal("71.8"))
    early = record(DAY - HOUR, sent, accepted, filled)
    refused = Step(Event.REFUSE, DAY + 3, reason="halted", message="the bridge is halted")
    change = record(DAY + 2, refused, verb="modify", price="72")
    halts = [Control(DAY + 2, "", "", "halted", "lunch"), Control(DAY + 24 * HOUR, "", "", "", "")]
    told = list(audit.entries([early, change], halts, DAY, DAY + 24 * HOUR))
    assert [(e["event"], e["verb"], e["state"]) for e in told] == [
        ("submit", "place", "submitting"),
        ("halted", "", ""),
        ("received", "modify", ""),
        ("accept", "place", "accepted"),
        ("refuse", "modify", "refused"),
        ("fill_part", "place", "partially_filled"),
    ]
    assert all(tuple(entry) == audit.COLUMNS for entry in told)
    assert {entry["symbol"] for entry in told if entry["verb"]} == {"AAPL"}
    assert told[1]["reason"] == "lunch"
    assert (told[2]["price"], told[2]["side"]) == ("72", "buy")
    assert (told[3]["order_no"], told[3]["msg1"]) == ("0000000077", "주문 전송 완료")
    assert (told[4]["reason"], told[4]["command_id"]) == ("halted", "modify:1")
    assert (told[5]["quantity"], told[5]["price"]) == ("4", "71.8")
    assert told[5]["time"] == "2026-11-23T09:00:00.000000+09:00"
    assert told[5]["at"] == str(DAY + 9 * HOUR)


def test_what_the_exchange_said_the_fills_were_worth_is_told() -> None:
    kinds = (Event.SUBMIT, Event.ACCEPT)
    steps = [Step(kind, DAY + n) for n, kind in enumerate(kinds, 1)]
    filled = Step(Event.FILL_REST, DAY + 3, 10, Decimal("71.8"))
    corrected = Step(Event.CORRECT, DAY + 4, value=Decimal("717.50"))
    *_, told = audit.entries([record(DAY, *steps, filled, corrected)], [], DAY, DAY + HOUR)
    assert (told["event"], told["state"], told["value"]) == ("correct", "filled", "717.50")


def test_a_change_of_an_order_that_nobody_knows_has_no_symbol() -> None:
    told = list(audit.entries([record(DAY, verb="cancel", name="b")], [], DAY, DAY + 1))
    assert [(e["event"], e["symbol"], e["client_order_id"]) for e in told] == [
        ("received", "", "b")
    ]
