"""Planned faults: read from TOML, drawn by seed, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.simulator.faults.plan import KINDS, Fault, FaultPlan, Faults, read

FRAME = "0|H0STCNT0|002|005930^090000^71900^5^000660^090001^130000^5"


def plan(tmp_path: Path, text: str) -> FaultPlan:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    return read(path)


def test_a_plan_is_read(tmp_path: Path) -> None:
    assert plan(
        tmp_path,
        """
        seed = 7
        [[fault]]
        kind = "drop"
        at_s = [1, 2.5]
        [[fault]]
        kind = "append"
        chance = 0.5
        count = 2
        tr_id = "H0STCNT0"
        [[fault]]
        kind = "slots"
        count = 3
        """,
    ) == FaultPlan(
        (
            Fault("drop", at_s=(1, 2.5)),
            Fault("append", chance=0.5, count=2, tr_id="H0STCNT0"),
            Fault("slots", count=3),
        ),
        7,
    )
    assert plan(tmp_path, "") == FaultPlan()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 'x'", "seed must be an integer"),
        ("faults = 1", "unknown key 'faults'"),
        ("fault = 1", "write each fault under"),
        ("x =", "faults.toml: "),
        ("[[fault]]\nkind = 'dropp'", "kind 'dropp' is none of drop"),
        ("[[fault]]\nkind = 'drop'", "drop needs one of at_s, every_s"),
        ("[[fault]]\nkind = 'drop'\nchance = 0.5", "drop needs one of at_s, every_s"),
        ("[[fault]]\nkind = 'drop'\nevery_s = -1", "every_s cannot be -1"),
        ("[[fault]]\nkind = 'drop'\nevery_s = 1\ntr_id = 'A'", "drop is not about one tr_id"),
        ("[[fault]]\nkind = 'drop'\nevery_s = 1\ntext = 'A'", "drop has no text of its own"),
        ("[[fault]]\nkind = 'drop'\nat_s = ['x']", "at_s cannot be"),
        ("[[fault]]\nkind = 'drop'\nevery_s = 1\nwhat = 1", "unknown key 'what'"),
        ("[[fault]]\nkind = 'slots'\nevery_s = 1", "it always holds"),
        ("[[fault]]\nkind = 'append'\nchance = 0.1\ncount = 1.5", "count cannot be 1.5"),
    ],
)
def test_a_wrong_plan_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path, text)


def test_no_plan_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml"):
        read(tmp_path / "nothing.toml")


def test_times_set_a_fault_off_once_each() -> None:
    faults = Faults(FaultPlan((Fault("drop", at_s=(1, 3)), Fault("silence", at_s=(2,), for_s=5))))
    assert faults.tick(0.5) == []
    assert [fault.kind for fault in faults.tick(2)] == ["drop", "silence"]
    assert faults.tick(2.5) == []
    assert faults.active("silence", 6.9) is not None
    assert faults.active("silence", 7) is None
    assert [fault.kind for fault in faults.tick(100)] == ["drop"]
    assert faults.counts == {"drop": 2, "silence": 1}
    assert [kind for _, kind in faults.log] == ["drop", "silence", "drop"]


def test_again_and_again_on_average() -> None:
    faults = Faults(FaultPlan((Fault("drop", every_s=10),)))
    for second in range(10_000):
        faults.tick(second)
    assert 900 < faults.counts["drop"] < 1100


def test_the_same_seed_does_the_same() -> None:
    faults = tuple(Fault(kind, chance=0.1) for kind, by in KINDS.items() if by == ("chance",))

    def drawn(seed: int) -> list[object]:
        made = Faults(FaultPlan(faults, seed))
        return [
            *(made.frames(FRAME, 0) for _ in range(200)),
            *(made.answer("H0STCNT0", 0) for _ in range(200)),
        ]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "append",
            ["0|H0STCNT0|002|005930^090000^71900^5^1^1^000660^090001^130000^5^1^1"],
        ),
        ("missing", ["0|H0STCNT0|002|005930^090000^000660^090001"]),
        ("wrong_count", [FRAME.replace("|002|", "|003|")]),
        ("bad_utf8", [FRAME.rpartition("^")[0].encode() + b"^\xff\xfe5"]),
        ("oversized", ["#" * 100_000, FRAME]),
    ],
)
def test_spoiled_frames(kind: str, expected: list[object]) -> None:
    faults = Faults(FaultPlan((Fault(kind, chance=1, count=2),)))
    assert faults.frames(FRAME, 0) == expected
    faults = Faults(FaultPlan((Fault(kind, chance=1, tr_id="H0STASP0"),)))
    assert faults.frames(FRAME, 0) == [FRAME]


def test_what_is_random_stays_next_to_the_frame() -> None:
    for kind in ("garbage", "unknown_tr"):
        junk, frame = Faults(FaultPlan((Fault(kind, chance=1),))).frames(FRAME, 0)
        assert junk != frame == FRAME
    [spoiled] = Faults(FaultPlan((Fault("bad_number", chance=1),))).frames(FRAME, 0)
    assert "12x4" in str(spoiled)


def test_answers_and_calls() -> None:
    faults = Faults(
        FaultPlan(
            (
                Fault("no_answer", chance=1, tr_id="A"),
                Fault("rate", chance=1),
                Fault("slots", count=3),
            )
        )
    )
    assert faults.answer("B", 0) is None
    assert faults.answer("A", 0) == Fault("no_answer", chance=1, tr_id="A")
    assert faults.rest("", 0) == Fault("rate", chance=1)
    faults.calm()
    assert faults.answer("A", 0) is None
    assert faults.rest("", 0) is None
    assert faults.active("slots", 99) == Fault("slots", count=3)


def test_a_call_fails_only_under_the_tr_id_of_the_plan() -> None:
    faults = Faults(FaultPlan((Fault("hang", chance=1, tr_id="VTTC0012U"),)))
    assert faults.rest("", 0) is None  # a token
    assert faults.rest("VTTC0011U", 0) is None
    assert faults.rest("VTTC0012U", 0) is not None
