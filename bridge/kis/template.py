"""A layout, compiled into the expression that checks a record and the list that renders it.

The JSON of a layout is a list of texts: what stands between the values, which is always the same,
and the values in between, which one slice assignment puts in their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from bridge.catalog.model import Channel, Layout
from bridge.errors import DecodeError, WorkbookError
from bridge.kis.values import (
    CLOCK,
    LONGEST_CODE,
    LONGEST_TEXT,
    TimesOfDay,
    Zone,
    down,
    number,
    scaled,
    string,
    time_of_day,
)
from bridge.runtime.bounded_json import DIGITS

__all__ = ["Fill", "LayoutDecoder", "Match"]

Fill: TypeAlias = Callable[[Sequence[str], int, int, Zone, str], list[str]]
"""``(values, seq, received_at, zone, tail)`` → the texts of the JSON object, to be joined before
the next call; KeyError when its date is none. ``tail`` is what ends the object, with its brace."""
Match: TypeAlias = Callable[[str, int], re.Match[str] | None]

_PATH = re.compile(r"[a-z][a-z0-9_]*(?:\[\d{1,3}\])?(?:\.[a-z][a-z0-9_]*(?:\[\d{1,3}\])?)*")
_TR_ID = re.compile(r"[A-Za-z0-9]+")

# What goes into the payload as it is; anything else is odd and rewritten. The possessive
# quantifiers keep a near miss from being tried again at every length. A text with a bracket may
# be KIS's "(null)".
_INTEGER = rf"-?+(?!0[0-9])[0-9]{{1,{DIGITS}}}+"
_LETTER = r'[^\^"\\(\x00-\x1f\x7f-\x9f]'
_FAST = {
    "int": _INTEGER,
    "decimal": _INTEGER + rf"(?:\.[0-9]{{1,{DIGITS}}}+)?+",
    "sign": r"[1-5]",
    "date": r"[0-9]{8}",
    "time": CLOCK,
    "code": rf"{_LETTER}{{0,{LONGEST_CODE}}}+",
    "string": rf"{_LETTER}{{0,{LONGEST_TEXT}}}+",
}
_ANY = rf"[^\^]{{0,{LONGEST_TEXT}}}+"
_SURPLUS = rf"[^\^]{{0,{LONGEST_CODE}}}+"
_LOOSE_LETTER = r'(?!\(null\)(?:\^|\Z))[^\^"\\\x00-\x1f\x7f-\x9f]'
_LOOSE = {
    "code": rf"{_LOOSE_LETTER}{{0,{LONGEST_CODE}}}+",
    "string": rf"{_LOOSE_LETTER}{{0,{LONGEST_TEXT}}}+",
}
_SHORT = ("code", "date", "time", "sign")
_HARMLESS = {"int": "0", "decimal": "0", "sign": "3", "time": "000000"}
_MOST_ODD = 64
"""Sets of odd values that a layout remembers; a faulty line can have any number of them."""
_NUMBERS = ("int", "decimal")
_LONGEST_KEPT = 32
_number = lru_cache(4096)(number)
"""Of short values only, since what is kept of them is held in memory."""
_DOWN = ("4", "5")
"""Sign codes of a fall: lower limit, down."""


class _Odd(NamedTuple):
    """Values that go into JSON as something else."""

    values: Sequence[tuple[int, bool, int, str]]
    """Which, whether it is a plain number, which one holds its sign, and what stands for it until
    its own text takes the place."""
    places: Sequence[int]
    quoted: bool
    """Whether one of them has its quotes beside it."""


class LayoutDecoder:
    """Records of one width.

    ``match(body, position)`` tells whether a record stands there whose values go into JSON as they
    are: then ``fill`` makes JSON of it. After :meth:`loosen` it finds any record and marks the
    values that are odd, and ``mend`` rewrites those. ``explain`` makes JSON of any values, one by
    one, and says what is wrong with them.
    """

    def __init__(self, channel: Channel, layout: Layout, width: int) -> None:
        self.width = width
        self.fields = layout.fields[:width]
        self._surplus = width - len(self.fields)
        places = {field.name: i for i, field in enumerate(self.fields)}
        paths = [field.path for field in self.fields]
        try:
            self.symbol = places[channel.symbol]
        except KeyError as error:
            raise WorkbookError(
                f"layout {layout.id} of {channel.tr_id} has no field {error}"
            ) from error
        self.keyed = not channel.key or channel.key in places
        """Whether a record names what was subscribed."""
        self.key = places.get(channel.key, self.symbol)
        types = [field.type for field in self.fields]
        self._longest = [LONGEST_CODE if name in _SHORT else LONGEST_TEXT for name in types]
        self._signs = [places.get(field.signed_by, -1) for field in self.fields]
        self._date = places.get(layout.date, -1) if layout.date else -1
        self._time = paths.index("time") if "time" in paths else -1
        self.dateless = self._time >= 0 and self._date < 0
        """Whether the day of a record is the one of its arrival."""
        self._tr_id = channel.tr_id
        self._numbers = range(len(self.fields))
        self._odd: dict[tuple[str | None, ...], _Odd] = {}
        """What :attr:`match` has marked → what is to be done with it."""
        self.match: Match = re.compile(self._strict(), re.ASCII).match
        self._loosened = False
        self._texts, self._places = self._plan()
        self.fill = self._compile()

    def loosen(self) -> Match:
        """Let :attr:`match` find any record from now on: KIS leaves some value out, or signs it."""
        if not self._loosened:
            self._loosened = True
            self.match = re.compile(self._loose(), re.ASCII).match
        return self.match

    def mend(
        self,
        matched: re.Match[str],
        raw: Sequence[str],
        seq: int,
        received_at: int,
        zone: Zone,
        tail: str,
    ) -> list[str]:
        """Return what :attr:`fill` does, of a record with odd values.

        Raises KeyError when that takes :meth:`explain`.
        """
        marks = matched.groups()
        odd = self._odd.get(marks)
        if odd is None:
            odd = self._meet(marks)
        values, tokens = [*raw], []
        try:
            for i, plain, sign, harmless in odd.values:
                value, values[i] = raw[i], harmless
                if not plain or len(value) > _LONGEST_KEPT:
                    tokens.append(self._token(i, raw, zone))
                elif sign >= 0 and raw[sign] in _DOWN:
                    tokens.append(down(_number(value)))
                else:
                    tokens.append(_number(value))
        except DecodeError as error:
            raise KeyError from error
        texts = self.fill(values, seq, received_at, zone, tail)
        if odd.quoted:
            texts = texts.copy()  # quotes go with the value, but not from the next record
            self._put(texts, odd.places, tokens)
        else:
            for place, token in zip(odd.places, tokens, strict=True):
                texts[place] = token
        return texts

    def _meet(self, marks: tuple[str | None, ...]) -> _Odd:
        """Find out once what to do with the values that are marked."""
        fields = [i for i, mark in enumerate(marks) if mark is not None]
        if self._time in fields or self._date in fields:
            raise KeyError(marks)
        if len(self._odd) >= _MOST_ODD:
            self._odd.clear()
        odd = self._odd[marks] = _Odd(
            [(i, self._plain(i), self._signs[i], self._harmless(i)) for i in fields],
            [self._places[i] for i in fields],
            any(self._quoted(i) for i in fields),
        )
        return odd

    def explain(
        self, raw: Sequence[str], seq: int, received_at: int, zone: Zone, tail: str
    ) -> list[str]:
        """Return what :attr:`fill` does, of any record of this width, value by value."""
        surplus = max(map(len, raw[len(self.fields) :]), default=0)
        if surplus > LONGEST_CODE:
            raise DecodeError(f"a surplus value: {surplus} letters, at most {LONGEST_CODE}")
        texts = self._texts.copy()
        self._put(texts, self._places, [self._token(i, raw, zone) for i in self._numbers])
        texts[2] = texts[2].replace(_SEQ, str(seq)).replace(_RECEIVED_AT, str(received_at))
        texts[-2] = texts[-2].replace(_EXTRA, ",".join(map(string, raw[len(self.fields) :])))
        texts[-1] = tail
        return texts

    def number(self, raw: Sequence[str], path: str) -> Decimal | None:
        """Return a number of a record as it stands in the payload; None: it has none."""
        written = next(
            (
                self._token(i, raw, None)
                for i, field in enumerate(self.fields)
                if field.path == path and field.type in ("int", "decimal")
            ),
            "null",
        )
        return None if written == "null" else Decimal(written)

    def _token(self, i: int, raw: Sequence[str], zone: Zone | None) -> str:
        field, value = self.fields[i], raw[i]
        if len(value) > self._longest[i]:
            reason = f"{len(value)} letters, at most {self._longest[i]}"
            raise DecodeError(f"{field.name}: {reason}")
        match field.type:
            case "int" | "decimal":
                try:
                    token = scaled(number(value), field.scale)
                except DecodeError as error:
                    raise DecodeError(f"{field.name}: {error}") from error
                falls = self._signs[i] >= 0 and raw[self._signs[i]] in _DOWN
                return down(token) if falls else token
            case "time" if i == self._time and zone is not None:
                return zone.moment(raw[self._date] if self._date >= 0 else "", value)
            case "time":
                return time_of_day(value)
            case _:
                return string(value)

    def _put(self, texts: list[str], places: Sequence[int], tokens: Sequence[str]) -> None:
        """Put in the JSON of values, each with the quotes that it has."""
        for place, token in zip(places, tokens, strict=True):
            texts[place] = token
            if texts[place - 1][-1:] == '"':  # after a bare value stands a name, and before it ":"
                texts[place - 1] = texts[place - 1][:-1]
                texts[place + 1] = texts[place + 1][1:]

    def _quoted(self, i: int) -> bool:
        """Return whether the quotes of a value stand beside it and not in it."""
        return i == self._time or self.fields[i].type not in (*_NUMBERS, "time")

    def _plain(self, i: int) -> bool:
        """Return whether it is a number without an implied decimal point."""
        return self.fields[i].type in _NUMBERS and not self.fields[i].scale

    def _harmless(self, i: int) -> str:
        """Return what stands for an odd value until its own text takes the place."""
        return _HARMLESS.get(self.fields[i].type, "")

    def _strict(self) -> str:
        if any(field.scale for field in self.fields):
            return r"(?!)"  # implied decimals are always rewritten
        expression = r"\^".join(_FAST[field.type] for field in self.fields)
        return expression + rf"(?:\^{_SURPLUS}){{{self._surplus}}}(?:\^|\Z)"

    def _loose(self) -> str:
        # Each group holds what follows an odd value, and so says by itself that there is one.
        ends = [r"\^"] * len(self.fields)
        if not self._surplus:
            ends[-1] = r"(?:\^|\Z)"
        loose = _FAST | _LOOSE
        expression = "".join(
            rf"(?>{r'(?!)' if field.scale else loose[field.type]}{end}|{_ANY}({end}))"
            for field, end in zip(self.fields, ends, strict=True)
        )
        if not self._surplus:
            return expression
        return expression + r"\^".join([_SURPLUS] * self._surplus) + r"(?:\^|\Z)"

    def _plan(self) -> tuple[list[str], list[int]]:
        """Return the texts of the JSON without its values, and the place of each value in it."""
        wrong = [field.path for field in self.fields if not _PATH.fullmatch(field.path)]
        if wrong or not _TR_ID.fullmatch(self._tr_id):
            raise WorkbookError(f"{self._tr_id}: {wrong or self._tr_id} cannot stand in a payload")
        quotes = ['"' if self._quoted(i) else "" for i in self._numbers]
        members = {
            field.path: f"{quotes[i]}\0{i}\0{quotes[i]}" for i, field in enumerate(self.fields)
        }
        head = {
            "symbol": members.pop(self.fields[self.symbol].path),
            "channel": f'"{self._tr_id}"',
            "seq": _SEQ,
            "received_at": _RECEIVED_AT,
        }
        if "time" in members:
            head["time"] = members.pop("time")
        if self._surplus:
            members["extra"] = f"[{_EXTRA}]"
        texts = re.split(r"\0(\d+)\0", _json(_tree(head | members))[:-1])
        places = [0] * len(self.fields)
        for place in range(1, len(texts), 2):
            places[int(texts[place])] = place
            texts[place] = ""
        return [*texts, "}"], places

    def _compile(self) -> Fill:
        # The source holds numbers, and texts that were checked, as Python writes them.
        count = len(self.fields)
        names: dict[str, Any] = {"texts": self._texts.copy(), "clocks": TimesOfDay(), "down": down}
        values = "values"
        if self._places != list(range(1, 2 * count, 2)):
            order = sorted(self._numbers, key=self._places.__getitem__)
            names["picked"], values = itemgetter(*order), "picked(values)"
        elif self._surplus:
            values = f"values[:{count}]"
        lines = [f"texts[1:-1:2] = {values}", f"texts[2] = {_dynamic(self._texts[2])}"]
        for i, field in enumerate(self.fields):
            place, sign = self._places[i], self._signs[i]
            if i == self._time:
                day = f"days[values[{self._date}]]" if self._date >= 0 else "clocks"
                lines.append(f"texts[{place}] = zone.{day}[values[{i}]]")
            elif field.type == "time":
                lines.append(f"texts[{place}] = clocks[values[{i}]]")
            elif field.type in _NUMBERS and sign >= 0:
                # Most falls carry their minus; only the rest is worth a call.
                lines.append(f"if values[{sign}] > '3' and values[{i}][0] != '-':")
                lines.append(f" texts[{place}] = down(values[{i}])")
        if self._surplus:
            names["string"] = string
            lines.append(f"texts[-2] = {_dynamic(self._texts[-2])}")
            lines.insert(0, f"surplus = values[{count}:]")
        lines += ["texts[-1] = tail", "return texts"]
        head = "def fill(values, seq, received_at, zone, tail):\n "
        source = head + "\n ".join(lines) + "\n"
        exec(compile(source, f"<layout of {self._tr_id}>", "exec"), names)  # noqa: S102
        fill: Fill = names["fill"]
        return fill


_SEQ, _RECEIVED_AT, _EXTRA = "\1", "\2", "\3"
"""What stands for the members that KIS does not send; no path has such letters."""
_DYNAMIC = {_SEQ: "seq", _RECEIVED_AT: "received_at", _EXTRA: "','.join(map(string, surplus))"}


def _dynamic(text: str) -> str:
    """Return the source of an f-string that puts those members in."""
    parts = re.split("([\1\2\3])", text)
    pieces = [
        f"{{{_DYNAMIC[part]}}}" if part in _DYNAMIC else part.replace("{", "{{").replace("}", "}}")
        for part in parts
    ]
    return f"f'''{''.join(pieces)}'''"


_Tree: TypeAlias = "dict[str, _Tree] | str"


def _tree(members: Mapping[str, str]) -> _Tree:
    """Nest ``{"asks[0].price": …}`` as ``{"asks": {"[0]": {"price": …}}}``."""
    root: dict[str, _Tree] = {}
    for path, text in members.items():
        *parents, leaf = path.replace("[", ".[").split(".")
        node = root
        for name in parents:
            child = node.setdefault(name, {})
            if isinstance(child, str):
                raise WorkbookError(f"{path}: {name} is a value and cannot hold others")
            node = child
        node[leaf] = text
    return root


def _json(node: _Tree) -> str:
    """Return the tree as JSON."""
    if isinstance(node, str):
        return node
    if next(iter(node)).startswith("["):
        ordered = sorted(node, key=lambda name: int(name[1:-1]))
        return "[" + ",".join(_json(node[name]) for name in ordered) + "]"
    return "{" + ",".join(f'"{name}":{_json(child)}' for name, child in node.items()) + "}"
