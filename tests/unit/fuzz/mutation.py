"""Sound inputs, spoiled by a seed; the same seed spoils in the same way."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["spoiled"]

_RAW = '"@raw@"'
_RAW_NUMBERS = (
    *("1e999", "1e9999", "-1e-9999", "1E+99999999999999999999", "1e999999999", "-0", "1e-400"),
    *("9" * 64, "9" * 65, "9" * 5_000, "0." + "1" * 200, "NaN", "Infinity", "-Infinity", "1.0"),
    *(r'"\ud800"', r'"\udc00x"', r'"\u0000"', '{"a":1,"a":2}', "[" * 40 + "]" * 40, "[" * 2_000),
)
_ODD: Sequence[Any] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.1, 1e308, -1.5, 1e-7),
    *("", " ", "0", "-1", "1e5", "nan", "inf", "NaN", "(null)", "null", "٣", "١٢", "¼", "1_000"),
    *("a" * 65, "a" * 300, "x" * 5_000, "가나다", "\x00", "\n", "\ud83d", "a/b", "+", "#", "$SYS"),
    *("2026-11-22T09:00:05+09:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-23:59"),
    *("20260229", "00000000", "99999999", "240000", "235959", "1" * 40, "9" * 70, "1." + "3" * 70),
    *([], {}, [[]], [None], {"": ""}, [{"a": [1]}], ["x"] * 300),
    dict.fromkeys(map(str, range(300))),
)
_TOKENS: Sequence[bytes] = (
    *(b"", b"\x00", b"\n", b"\r\n", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", "가".encode(), b"^"),
    *(b"|", b"^^^^", b"0|", b"1|", b"001", b"000", b"999999", b"-", b"+", b".", b"nan", b"(null)"),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", rb"\u", rb"\ud800", b"[" * 30, b"{" * 30),
    *(b"[[", b"]]", b"=", b"#", b"'''", b'"""', b"0x", b"_", b"a.b.c", b"inf", b"1979-05-27"),
    *(b"PK\x01\x02", b"PK\x05\x06", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"<", b">", b"/>"),
    *(raw.encode() for raw in _RAW_NUMBERS),
)

_VALUES: Sequence[bytes] = (
    *(b"true", b"0", b"-1", b"1", b"1.5", b"nan", b"-inf", b"1e999999999", b"1e-80", b"0xffff"),
    *(b"9223372036854775808", b"0x" + b"f" * 100, b"1979-05-27T07:32:00Z", b"07:32:00", b"{}"),
    *(
        b"[]",
        b"[[]]",
        b"[1,'a']",
        b"''",
        b"'a'",
        b"' '",
        b"'\\u0000'",
        b'"\\u0000"',
        b"'a\xcc\x81'",
    ),
    *(b"{env='X'}", b"{env='KIS_APP_KEY'}", b"{file='/dev/zero'}", b"{file='..'}", b"{a={b=[]}}"),
    *(b"'mqtt://[::1'", b"'mqtt://a:99999'", b"'ws://u:p@h/'", b"['embedded']", b"'0.0.0.0:1'"),
    *(b"'[::]:0'", b"':'", b"'005930'", b"'*'", b"'a/b#+'", b"'12345678-01'", b"'~nobody/x'"),
)


def spoiled(parents: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` inputs that come from the parents."""
    rng = random.Random(seed)  # noqa: S311 - the same again for the same seed
    trees = [_tree(parent) for parent in parents]
    for _ in range(count):
        which = rng.randrange(len(parents))
        tree = trees[which]
        if tree is not None and rng.random() < 0.6:
            head, value = tree
            yield head + _written(_spoil_value(value, rng), rng)
        elif rng.random() < 0.02:
            yield rng.randbytes(rng.randrange(200))
        else:
            yield _spoil_bytes(parents[which], parents, rng)


def _tree(parent: bytes) -> tuple[bytes, Any] | None:
    """Return what stands before the JSON of a parent, and the value; None where there is none."""
    start = parent.find(b"{")
    if start >= 0:
        with suppress(ValueError):
            return parent[:start], json.loads(parent[start:])
    return None


def _spoil_value(value: Any, rng: random.Random) -> Any:
    """Return the value with one place of it spoiled; the value itself stays as it is."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        match rng.randrange(8):
            case 0:
                return {other: item for other, item in value.items() if other != name}
            case 1:
                return value | {rng.choice((f"{name}s", name.upper(), "", "x" * 300)): value[name]}
            case _:
                return value | {name: _spoil_value(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value * rng.choice((0, 2, 50))
        return [*value[:place], _spoil_value(value[place], rng), *value[place + 1 :]]
    return "@raw@" if rng.random() < 0.15 else rng.choice(_ODD)


def _written(value: Any, rng: random.Random) -> bytes:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    if _RAW in text:
        text = text.replace(_RAW, rng.choice(_RAW_NUMBERS))
    return text.encode(errors="surrogatepass" if rng.random() < 0.5 else "replace")


def _cut(content: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randrange(1, 20) :]


def _put(content: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice(_TOKENS) + content[place:]


def _replace(content: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    token = rng.choice(_TOKENS)
    return content[:place] + token + content[place + len(token) :]


def _flip(content: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    if not content:
        return content
    place = rng.randrange(len(content))
    letter = rng.randrange(32, 127) if rng.random() < 0.8 else rng.randrange(256)
    return content[:place] + bytes([letter]) + content[place + 1 :]


def _repeat(content: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    end = start + rng.randrange(1, 60)
    return content[:end] + content[start:end] * rng.choice((1, 1, 3, 40)) + content[end:]


def _splice(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    other = rng.choice(others)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _reset(content: bytes, _: Sequence[bytes], rng: random.Random) -> bytes:
    """Put another value behind an equals sign, as files and variables have them."""
    places = [place for place, letter in enumerate(content) if letter == ord("=")]
    if not places:
        return content
    start = rng.choice(places) + 1
    end = content.find(b"\n", start)
    return content[:start] + rng.choice(_VALUES) + (content[end:] if end >= 0 else b"")


_Change = Callable[[bytes, Sequence[bytes], random.Random], bytes]
_CHANGES: Sequence[_Change] = (
    *(_cut, _put, _put, _replace, _replace, _flip, _flip, _repeat, _splice, _reset, _reset, _reset),
)


def _spoil_bytes(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 5))):
        content = rng.choice(_CHANGES)(content, others, rng)
    return content
