from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.catalog.compile import load
from bridge.errors import ConfigError
from bridge.simulator.stream.playback import Player, read

CATALOG = load()
PROGRAM = "0|H0STPGM0|001|005930^093000^1^2^3^4^5^6^7^8^9"
NOTICE = "0|H0STCNI0|001|user^0000000000^1"


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "frames.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_bare_frames_and_json_lines(tmp_path: Path) -> None:
    other = "0|XXXX|002|a^b"
    path = written(
        tmp_path,
        PROGRAM,
        "",
        json.dumps({"raw": NOTICE, "note": "x"}),
        "1|H0STCNI0|001|c2VhbGVk",
        other,
    )
    program, notice, unknown = read(path, CATALOG)
    assert (program.tr_id, program.key, program.text) == ("H0STPGM0", "005930", PROGRAM)
    assert (notice.key, notice.notice, notice.body) == ("", True, "user^0000000000^1")
    assert (unknown.key, unknown.count, unknown.notice) == ("a", 2, False)


@pytest.mark.parametrize(
    "line", ["hello", '{"text": 1}', '{"raw": "x"}', "{", "0|H0STPGM0|000|x", "[1]"]
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=r"frames\.jsonl:2: "):
        read(written(tmp_path, PROGRAM, line), CATALOG)


def test_a_file_with_nothing_to_play(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no plain data frame"):
        read(written(tmp_path, '{"raw": "1|H0STCNI0|001|c2VhbGVk"}'), CATALOG)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none", CATALOG)


def test_the_pace_counts_records_and_the_loop_has_no_end(tmp_path: Path) -> None:
    frames = read(written(tmp_path, PROGRAM, "0|XXXX|003|a^b^c"), CATALOG)
    player = Player(frames, per_s=4.0, once=False)
    assert player.covers("H0STPGM0", "005930")
    assert not player.covers("H0STPGM0", "000660")
    played = [frame.count for _ in range(20) for frame in player.turn(0.1)]
    assert sum(played) == pytest.approx(8, abs=3)
    assert played[:4] == [1, 3, 1, 3]


def test_once_ends(tmp_path: Path) -> None:
    player = Player(read(written(tmp_path, PROGRAM), CATALOG), per_s=100.0, once=True)
    assert [len(list(player.turn(1.0))) for _ in range(3)] == [1, 0, 0]
