"""Inputs as long as a door takes them, made to cost far more than their length."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from tests.unit.fuzz import doors, memory
from tests.unit.fuzz.doors import DOORS

_SECONDS = 6.0
"""Of the processor; the costliest takes a sixth of it."""
_MEMORY = 256 << 20
_DOORS = {door.name: door for door in DOORS}
_Bomb = Callable[[int], bytes]


def _filled(start: bytes, part: bytes, end: bytes = b"") -> _Bomb:
    def bomb(size: int) -> bytes:
        return start + part * ((size - len(start) - len(end)) // len(part)) + end

    return bomb


def _names(size: int) -> bytes:
    return ("{" + ",".join(f'"{n}":0' for n in range(size // 9)) + "}").encode()[:size]


def _keys(size: int) -> bytes:
    return "\n".join(f"k{n} = 1" for n in range(size // 12)).encode()


_JSON: Mapping[str, _Bomb] = {
    "lists in lists": _filled(b'{"a":', b"["),
    "objects in objects": _filled(b"", b'{"a":'),
    "a long number": _filled(b'{"a":', b"9", b"}"),
    "long decimals": _filled(b'{"a":0.', b"3", b"}"),
    "a long exponent": _filled(b'{"a":1e', b"9", b"}"),
    "empty lists": _filled(b'{"a":[', b"[],", b"[]]}"),
    "empty objects": _filled(b'{"output":[', b"{},", b"{}]}"),
    "backslashes": _filled(b'{"a":"', b"\\"),
    "escaped letters": _filled(b'{"a":"', rb"\u0041", b'"}'),
    "halves of surrogate pairs": _filled(b'{"a":"', rb"\ud800", b'"}'),
    "names": _names,
    "quotes": _filled(b"{", b'"'),
    "blanks": _filled(b"{", b" "),
}
_FEW_JSON = {
    what: _JSON[what]
    for what in ("lists in lists", "a long number", "empty lists", "empty objects", "names")
}
"""Of an answer, which may be so long that each of them takes a while."""
_RECORDS: Mapping[str, _Bomb] = {
    "empty values": _filled(b"0|H0ZFANC0|001|", b"^"),
    "records of nothing": _filled(b"0|H0ZFANC0|9999|", b"^"),
    "one long number": _filled(b"0|H0ZFANC0|001|", b"9"),
    "zeros before garbage": _filled(b"0|H0ZFANC0|001|005930^131509^", b"0", b"x^1^2^0^1"),
    "records that do not decode": _filled(
        b"0|H0ZFANC0|001|", b"005930^131509^x^1.0^2^0.3^1^", b"005930^131509^x^1.0^2^0.3^1"
    ),
    "bars": _filled(b"0|", b"|"),
    "a long count": _filled(b"0|H0ZFANC0|", b"9", b"|x"),
}
_TOML: Mapping[str, _Bomb] = {
    "a name of parts": _filled(b"", b"a.", b"a = 1"),
    "lists in lists": _filled(b"a = ", b"["),
    "tables in tables": _filled(b"a = ", b"{a="),
    "a number of base 16": _filled(b"a = 0x", b"f"),
    "a long number": _filled(b"a = ", b"9"),
    "long decimals": _filled(b"a = 0.", b"3"),
    "keys": _keys,
    "tables": _filled(b"", b"[[a]]\n"),
    "comments": _filled(b"", b"#\n"),
    "quotes": _filled(b'a = """', b"'", b'"""'),
    "backslashes": _filled(b'a = "', b"\\\\", b'"'),
}
_LINES: Mapping[str, _Bomb] = {
    "line ends": _filled(b"1", b"\n"),
    "tabs": _filled(b"1", b"\t"),
    "short lines": _filled(b"1", b"A\t1\n"),
    "one line": _filled(b"2", b"A"),
}
_SIZES: Mapping[str, tuple[int, Mapping[str, _Bomb], bytes]] = {
    "command": (16 << 10, _JSON, b"0"),
    "request": (64 << 10, _JSON, b"query/alice\n"),
    "control": (64 << 10, _JSON, b""),
    "answer": (4 << 20, _FEW_JSON, b"1"),
    "frame": (4 << 20, _RECORDS, b""),
    "configuration": (1 << 20, _TOML, b""),
    "master": (16 << 20, _LINES, b""),
}


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path) -> Iterator[None]:
    doors.FOLDER.path = tmp_path
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("name", "bomb"),
    [
        pytest.param(name, bomb, id=f"{name}: {what}")
        for name, (_, bombs, _) in _SIZES.items()
        for what, bomb in bombs.items()
    ],
)
def test_the_longest_input_costs_no_more_than_its_length(name: str, bomb: _Bomb) -> None:
    door, (size, _, head) = _DOORS[name], _SIZES[name]
    data = head + bomb(size - len(head))
    assert size - 100 <= len(data) <= size or bomb in (_names, _keys)
    with suppress(*door.errors):
        door.feed(door.parents()[0])  # what is made once is no part of it
    before = memory.begin()
    began = time.thread_time()
    with suppress(*door.errors):
        door.feed(data)
    assert time.thread_time() - began < _SECONDS
    assert memory.most() - before < _MEMORY
