"""``kis-bridge decode``: captures in, JSON lines out, and any bytes at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.catalog.compile import load
from bridge.cli.decode import FrameReader
from bridge.mqtt.topics import Topics

FRAMES = Path(__file__).parents[1] / "data" / "frames.jsonl"
NOTICES = ("H0STCNI", "H0GSCNI", "H0IFCNI", "H0MFCNI", "H0EUCNI", "HDFFF2C", "HDFFF1C")


def decode(text: str | bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from bridge.cli import main; main()", "decode", *options],
        input=text.encode() if isinstance(text, str) else text,
        capture_output=True,
        timeout=30,
        check=False,
    )


def captured() -> list[str]:
    """Return the plain data frames among the captures, raw."""
    rows = [json.loads(line) for line in FRAMES.read_text().splitlines()]
    return [row["raw"] for row in rows if str(row.get("raw", "")).startswith("0|")]


def test_every_capture_decodes() -> None:
    catalog = load()
    known = [raw for raw in captured() if catalog.channel(raw.split("|")[1]) is not None]
    data = [raw for raw in known if not raw.split("|")[1].startswith(NOTICES)]
    done = decode("\n".join(data), "--date", "2026-02-23")
    errors = [line for line in done.stderr.decode().splitlines() if ": note: " not in line]
    assert (done.returncode, errors) == (0, [])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= len(data)
    for line in lines:
        assert set(line) == {"topic", "payload"}
        assert line["topic"].startswith("kis/market/")
        assert line["topic"].count("/") == 5
        assert {"symbol", "channel", "seq", "received_at"} <= set(line["payload"])


def test_the_exchange_of_a_record_without_its_key_is_told_by_the_keys_given() -> None:
    raw = next(frame for frame in captured() if frame.startswith("0|HDFSCNT0|001|DNASAAPL^"))
    short = raw.replace("DNASAAPL^", "")
    done = decode(f"{raw}\n{short}\n", "--key", "DNASAAPL")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["topic"] == second["topic"] == "kis/market/overseas_stock/nas/trade/AAPL"
    assert first["payload"]["price"] == second["payload"]["price"] == 259.02
    assert decode(short).stderr.startswith(b"line 1: HDFSCNT0: the record names no exchange")


def test_lines_of_a_capture_file_do_as_well() -> None:
    raw = next(frame for frame in captured() if frame.startswith("0|H0STCNT0|001|"))
    as_json = json.dumps({"raw": raw, "note": "x"})
    done = decode(f"{raw}\r\n\n{as_json}\n", "--date", "2026-02-23", "--base-topic", "a/b")
    assert done.returncode == 0
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == second | {"payload": second["payload"] | {"seq": 1}}
    assert first["topic"].startswith("a/b/market/domestic_stock/krx/trade/")
    assert first["payload"]["received_at"] == 1_771_815_600_000_000  # noon of that day in Seoul


def test_bad_lines_go_to_standard_error() -> None:
    raw = next(frame for frame in captured() if frame.startswith("0|H0STCNT0|001|"))
    forged = "0|H0STCNI0|001|" + "^".join(["x"] * 26)
    pong = '{"header":{"tr_id":"PINGPONG","datetime":"20260223090000"}}'
    done = decode("\n".join(["garbage", raw, forged, pong, "1|H0STCNI0|001|abcd", raw]))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    errors = done.stderr.decode().splitlines()
    assert [line.split(":")[0] for line in errors] == ["line 1", "line 3", "line 5"]
    assert "forged" in errors[1]
    assert "encrypted" in errors[2]


def test_decrypted_notices_when_asked() -> None:
    frames = [raw for raw in captured() if raw.split("|")[1].startswith("H0STCNI")]
    done = decode("\n".join(frames), "--plain-notices")
    assert (done.returncode, done.stderr) == (0, b"")
    for line in done.stdout.splitlines():
        row = json.loads(line)
        assert row["topic"] is None
        assert {"channel", "symbol", "order_no", "side"} <= set(row["payload"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--date", "23.2.2026"), "write the day as 2026-02-23"),
        (("--base-topic", "a/#"), "--base-topic: base topic 'a/#'"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], says: str) -> None:
    done = decode("", *options)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert says in done.stderr.decode()


READER = FrameReader(load(), Topics(), plain_notices=True)
TR_IDS = sorted(load().channels)
VALUES = st.one_of(
    st.text(alphabet="0123456789.+-^|{}", max_size=12),
    st.sampled_from(["", "(null)", "nan", "-nan", "005930", "093000", "20260223", "1e5", "٣"]),
    st.text(max_size=8),
)
FRAME = st.builds(
    lambda tr, count, values: f"0|{tr}|{count:03}|{'^'.join(values)}".encode(errors="replace"),
    st.sampled_from(TR_IDS),
    st.integers(0, 4),
    st.lists(VALUES, min_size=1, max_size=120),
)
CHANGED = st.builds(
    lambda raw, at, new: raw[: at % len(raw)] + new + raw[at % len(raw) + 1 :],
    st.sampled_from([raw.encode() for raw in captured()]),
    st.integers(0, 5000),
    st.binary(max_size=3),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(b'{"raw":' + b"[" * 100_000)
@example(b'{"raw":"{}"}')
@example(b'{"raw":7}')
@example(b"\xff\xfe")
@given(st.one_of(st.binary(max_size=300), FRAME, CHANGED))
def test_any_bytes_are_decoded_or_refused(line: bytes) -> None:
    for output in READER.read(line, 1_771_820_109_000_000):
        if output.error:
            assert "\n" not in output.error
        else:
            row = json.loads(output.text)
            assert set(row) == {"topic", "payload"}


def test_a_symbol_that_no_topic_can_hold_costs_one_line() -> None:
    raw = next(frame for frame in captured() if frame.startswith("0|H0STCNT0|001|"))
    symbol = raw.rpartition("|")[2].partition("^")[0]
    long = raw.replace(symbol, "A" * 70_000, 1)
    lone = json.dumps({"raw": raw.replace(symbol, "\ud800", 1)})  # half of a surrogate pair
    inside = json.dumps({"raw": raw.replace("^N^", "^\ud800^", 1)})
    done = decode("\n".join([long, lone, inside, raw]))
    assert done.returncode == 1
    errors = done.stderr.decode().splitlines()
    assert [error[:17] for error in errors] == ["line 1: H0STCNT0:"]
    assert len(errors[0]) < 200
    assert [json.loads(line)["payload"]["seq"] for line in done.stdout.splitlines()] == [1, 1, 2]
