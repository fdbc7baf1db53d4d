"""A layout, compiled into the expression that checks a record and the template that renders it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from bridge.catalog.model import Channel, Layout
from bridge.errors import DecodeError, WorkbookError
from bridge.kis.values import CLOCK, Zone, down, number, scaled, string, time_of_day
from bridge.runtime.bounded_json import DIGITS

__all__ = ["LayoutDecoder", "Render"]

Render: TypeAlias = Callable[[Sequence[str], int, int, Zone], str]
"""``(values, seq, received_at, zone)`` → the JSON object; KeyError when its date is none."""

_PATH = re.compile(r"[a-z][a-z0-9_]*(?:\[\d{1,3}\])?(?:\.[a-z][a-z0-9_]*(?:\[\d{1,3}\])?)*")
_TR_ID = re.compile(r"[A-Za-z0-9]+")

# What goes into the payload as it is; anything else takes the slow path. The possessive
# quantifiers keep a near miss from being tried again at every length. A text with a bracket may
# be KIS's "(null)".
_INTEGER = rf"-?+(?:0|[1-9][0-9]{{0,{DIGITS - 1}}}+)"
_TEXT = r'[^\^"\\(\x00-\x1f\x7f-\x9f]*+'
_FAST = {
    "int": _INTEGER,
    "decimal": _INTEGER + rf"(?:\.[0-9]{{1,{DIGITS}}}+)?+",
    "sign": r"[1-5]",
    "date": r"[0-9]{8}",
    "time": CLOCK,
    "code": _TEXT,
    "string": _TEXT,
}
_DOWN = ("4", "5")
"""Sign codes of a fall: lower limit, down."""


class LayoutDecoder:
    """Records of one width.

    ``match(body, position)`` tells whether a record stands there that ``render`` can make JSON
    of; ``explain`` does it with any values, or raises :class:`DecodeError`.
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
        self._signs = [places.get(field.signed_by, -1) for field in self.fields]
        self._date = places.get(layout.date, -1) if layout.date else -1
        self._time = paths.index("time") if "time" in paths else -1
        self.dateless = self._time >= 0 and self._date < 0
        """Whether the day of a record is the one of its arrival."""
        self.match = re.compile(self._expression(), re.ASCII).match
        self.render = self._compile(channel.tr_id, self._fast)
        self._render_tokens = self._compile(channel.tr_id, lambda i: f"{{v{i}}}")

    def explain(self, raw: Sequence[str], seq: int, received_at: int, zone: Zone) -> str:
        """Return the JSON object of any record of this width, value by value."""
        tokens = [self._token(i, raw, zone) for i in range(len(self.fields))]
        tokens += raw[len(self.fields) :]
        return self._render_tokens(tokens, seq, received_at, zone)

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

    def _expression(self) -> str:
        if any(field.scale for field in self.fields):
            return r"(?!)"  # implied decimals: always value by value
        expression = r"\^".join(_FAST[field.type] for field in self.fields)
        if self._surplus:
            expression += rf"(?:\^{_TEXT}){{{self._surplus}}}"
        return expression + r"(?:\^|\Z)"

    def _fast(self, i: int) -> str:
        """Return what stands for a value in the f-string, with its quotes."""
        field, sign = self.fields[i], self._signs[i]
        if i == self._time:
            if self._date < 0:
                return f'"{{zone.clocks[v{i}]}}"'
            return f'"{{zone.days[v{self._date}][v{i}]}}"'
        if field.type == "time":
            return f"{{clocks[v{i}]}}"
        if field.type not in ("int", "decimal"):
            return f'"{{v{i}}}"'
        if sign < 0:
            return f"{{v{i}}}"
        # Most falls carry their minus; only the rest is worth a call.
        return f'{{v{i} if v{sign} in "123" or v{i}[0] == "-" else down(v{i})}}'

    def _compile(self, tr_id: str, expression: Callable[[int], str]) -> Render:
        # The source holds nothing but numbered names, the TR id and paths, all checked here.
        wrong = [field.path for field in self.fields if not _PATH.fullmatch(field.path)]
        if wrong or not _TR_ID.fullmatch(tr_id):
            raise WorkbookError(f"{tr_id}: {wrong or tr_id} cannot stand in a payload")
        members = {field.path: expression(i) for i, field in enumerate(self.fields)}
        head = {"symbol": members.pop(self.fields[self.symbol].path), "channel": f'"{tr_id}"'}
        head |= {"seq": "{seq}", "received_at": "{received_at}"}
        if "time" in members:
            head["time"] = members.pop("time")
        if self._surplus:
            members["extra"] = "[{','.join(map(string, surplus))}]"
        values = ",".join(f"v{i}" for i in range(len(self.fields)))
        source = (
            "def render(values, seq, received_at, zone):\n"
            f" {values}, {'*surplus' if self._surplus else ''} = values\n"
            f" return f'''{_json(_tree(head | members))}'''\n"
        )
        names: dict[str, Any] = {"down": down, "clocks": _Clocks(), "string": string}
        exec(compile(source, f"<layout of {tr_id}>", "exec"), names)  # noqa: S102
        render: Render = names["render"]
        return render


class _Clocks(dict[str, str]):
    """``HHMMSS`` → JSON; the times of a day recur from record to record."""

    def __missing__(self, clock: str) -> str:
        text = self[clock] = time_of_day(clock)
        return text


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
    """Return the tree as JSON inside an f-string: braces doubled, but for those of the values."""
    if isinstance(node, str):
        return node
    if next(iter(node)).startswith("["):
        ordered = sorted(node, key=lambda name: int(name[1:-1]))
        return "[" + ",".join(_json(node[name]) for name in ordered) + "]"
    return "{{" + ",".join(f'"{name}":{_json(child)}' for name, child in node.items()) + "}}"
