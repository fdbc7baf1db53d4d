from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import FrameError
from bridge.kis import frames
from bridge.kis.frames import Acknowledgement, DataFrame, PingPong, parse

DATA = Path(__file__).parents[2] / "data"
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "control.jsonl").read_text("utf-8").splitlines()
]
ACKS = [
    row["raw"] for row in ROWS if row["kind"].startswith("ws-") and row["kind"] != "ws-pingpong"
]
OTHERS = [row["raw"] for row in ROWS if not row["kind"].startswith("ws-")]


@pytest.mark.parametrize("raw", ACKS, ids=lambda raw: raw["body"]["msg_cd"])
def test_every_answer_that_kis_was_seen_to_give_is_read(raw: dict[str, Any]) -> None:
    frame = parse(json.dumps(raw, ensure_ascii=False))
    assert isinstance(frame, Acknowledgement)
    body, header = raw["body"], raw.get("header", {})
    assert (frame.rt_cd, frame.msg_cd, frame.msg1) == (
        body["rt_cd"],
        body["msg_cd"],
        body["msg1"].strip(),
    )
    named = header.get("tr_id") not in (None, "(null)")
    assert frame.tr_id == (header["tr_id"] if named else "")
    assert frame.tr_key == header.get("tr_key", "")
    output = body.get("output", {})
    assert (frame.key, frame.iv) == (output.get("key", ""), output.get("iv", ""))


def test_pingpong_keeps_its_text() -> None:
    (raw,) = [row["raw"] for row in ROWS if row["kind"] == "ws-pingpong"]
    text = json.dumps(raw, indent=1)
    assert parse(text) == PingPong(text)


@pytest.mark.parametrize("raw", OTHERS, ids=lambda raw: next(iter(raw)))
def test_json_of_the_rest_side_is_an_answer_or_a_frame_error(raw: dict[str, Any]) -> None:
    with pytest.raises(FrameError, match="neither PINGPONG nor a msg_cd"):
        parse(json.dumps(raw))


def test_an_answer_does_not_show_its_secrets() -> None:
    text = json.dumps(
        {
            "header": {"tr_id": "H0STCNI0", "tr_key": "someone"},
            "body": {
                "rt_cd": "1",
                "msg_cd": "OPSP0011",
                "msg1": "invalid approval : sesame",
                "output": {"iv": "sesame-iv", "key": "sesame-key"},
            },
        }
    )
    assert "sesame" not in repr(parse(text))


def test_a_data_frame_is_taken_apart() -> None:
    assert parse("0|H0STCNT0|002|a^b^c|d^^") == DataFrame("H0STCNT0", False, 2, "a^b^c|d^^")
    assert parse("1|H0STCNI0|001|abcd==") == DataFrame("H0STCNI0", True, 1, "abcd==")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "neither a data frame"),
        ("2|H0STCNT0|001|a", "neither a data frame"),
        ("0|H0STCNT0|001", "four parts"),
        ("0||001|a", "TR id"),
        ("0|H0 STCNT0|001|a", "TR id"),
        ("0|Ｈ0STCNT0|001|a", "TR id"),
        ("0|H0STCNT0|000|a", "record count"),
        ("0|H0STCNT0|-01|a", "record count"),
        ("0|H0STCNT0|1000000|a", "record count"),
        ("0|H0STCNT0|٣|a", "record count"),
        ("0|H0STCNT0||a", "record count"),
        ("0|H0STCNT0|001|", "no values"),
        ("{", "not"),
        ("[" * 3, "neither a data frame"),
        ('{"a":' * 200_000, "not"),
        ("{}", "neither PINGPONG nor"),
        ('{"header":[],"body":"x"}', "neither PINGPONG nor"),
        ('{"n":' + "9" * 5000 + "}", "not"),
    ],
)
def test_what_is_no_frame_is_told_why(text: str, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        parse(text)


@given(
    st.text()
    | st.text().map("0|".__add__)
    | st.text("0123456789|^H{}").map("1|H0STCNT0|".__add__)
    | st.text('{}[]":,msg_cdbody01 ').map('{"body":'.__add__)
)
def test_random_text_raises_nothing_else(text: str) -> None:
    try:
        parse(text)
    except FrameError as error:
        assert len(text) < 20 or text not in str(error)


@given(st.lists(st.text(st.characters(exclude_characters="^|"), max_size=5), min_size=1))
def test_values_come_back_from_a_body(values: list[str]) -> None:
    body = "^".join(values)
    if body:
        frame = parse(f"0|H0STCNT0|001|{body}")
        assert isinstance(frame, DataFrame)
        assert frame.body.split("^") == values


def test_a_frame_that_lost_its_body_is_none_however_often_its_head_was_seen() -> None:
    assert parse("0|H0STCNT0|001|a") == DataFrame("H0STCNT0", False, 1, "a")
    for cut in ("0|H0STCNT0|001|", "0|H0STCNT0|001", "0|H0STCNT0|", "0|H0STCNT0", "0|"):
        with pytest.raises(FrameError):
            parse(cut)


def test_a_faulty_line_cannot_fill_the_memory_with_heads() -> None:
    for number in range(1, 5_000):
        parse(f"0|T{number}|001|a")
    assert len(frames._heads) <= 1024


def test_a_tr_id_that_is_none_is_no_frame() -> None:
    assert parse("0|H0STCNT0ABCDEFGH|001|1") == DataFrame("H0STCNT0ABCDEFGH", False, 1, "1")
    for tr_id in ("H0STCNT0ABCDEFGHI", "A" * 1_000_000, "H0 STCNT", ""):
        with pytest.raises(FrameError, match="TR id"):
            parse(f"0|{tr_id}|001|1")
