"""Faults on purpose: a plan from a TOML file, drawn by seed (pure).

Time is seconds since the simulator started. Each fault of the plan draws from its own random
numbers, so that the same plan against the same requests does the same again.
"""

from __future__ import annotations

import tomllib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

from bridge.errors import ConfigError
from bridge.runtime.regular_file import read_regular

__all__ = ["KINDS", "Fault", "FaultPlan", "Faults", "read"]

_LARGEST = 1 << 20

_NOW = ("drop", "close", "revoke", "forget", "mislay")
_WORDED = ("revoke", "forget", "code", "answer")
_WINDOWS = (
    *("silence", "mute", "deaf", "slow"),
    *("no_pingpong", "pingpong_storm", "maintenance"),
)
_SINGLE = ("mislay", "deaf")
_REST = ("http", "rate", "hang", "code", "number", "no_header", "late_list")
_ANSWERS = ("answer", "duplicate_answer", "late_answer", "no_answer")
_FRAMES = (
    *("append", "missing", "wrong_count", "bad_number", "bad_utf8"),
    *("garbage", "oversized", "unknown_tr"),
)
_STANDING = ("slots", "lock")

KINDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_NOW, ("at_s", "every_s")),
    **dict.fromkeys(_WINDOWS, ("at_s", "every_s")),
    **dict.fromkeys(_REST, ("at_s", "every_s", "chance")),
    **dict.fromkeys(_ANSWERS, ("chance",)),
    **dict.fromkeys(_FRAMES, ("chance",)),
    **dict.fromkeys(_STANDING, ()),
}
"""Kind → what may set it off."""

_MOST_LOGGED = 100_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the plan; see the README for what each kind does."""

    kind: str
    at_s: tuple[float, ...] = ()
    """Set off at these times."""
    every_s: float = 0.0
    """Set off again and again, on average after so long."""
    chance: float = 0.0
    """Set off by this part (of 1) of all occasions."""
    for_s: float = 1.0
    """How long it lasts, for those that last."""
    count: int = 1
    """Slots, fields, bytes or PINGPONGs a second, by kind."""
    code: str = ""
    text: str = ""
    status: int = 500
    tr_id: str = ""
    """Only for this channel or call; blank: for all."""
    key: str = ""
    """Only for this symbol; likewise."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What is to go wrong."""

    faults: tuple[Fault, ...] = ()
    seed: int = 1


def read(path: Path) -> FaultPlan:
    """Read a plan; raise :class:`ConfigError` naming the place and what is accepted."""
    try:
        data = tomllib.loads(read_regular(path, _LARGEST).decode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    unknown = sorted(set(data) - {"seed", "fault"})
    if unknown:
        raise ConfigError(f"{path}: unknown key {unknown[0]!r} (seed and [[fault]])")
    seed, rows = data.get("seed", 1), data.get("fault", [])
    if type(seed) is not int:
        raise ConfigError(f"{path}: seed must be an integer")
    if not isinstance(rows, list):
        raise ConfigError(f"{path}: write each fault under [[fault]]")
    return FaultPlan(
        tuple(_fault(f"{path}: fault {n}", row) for n, row in enumerate(rows, 1)), seed
    )


def _fault(where: str, row: Any) -> Fault:
    kind = row.get("kind") if isinstance(row, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"{where}: kind {kind!r} is none of {', '.join(KINDS)}")
    types = {one.name: one.type for one in fields(Fault)}
    for name, value in row.items():
        if name not in types:
            raise ConfigError(f"{where}: unknown key {name!r} (one of {', '.join(types)})")
        good = {
            "str": isinstance(value, str),
            "int": type(value) is int and value > 0,
            "float": type(value) in (int, float) and value > 0,
        }.get(str(types[name]), isinstance(value, list) and all(_positive(at) for at in value))
        if not good:
            raise ConfigError(f"{where}: {name} cannot be {value!r}")
    triggers = [name for name in ("at_s", "every_s", "chance") if name in row]
    if len(triggers) != bool(KINDS[kind]) or not set(triggers) <= set(KINDS[kind]):
        wants = f"one of {', '.join(KINDS[kind])}" if KINDS[kind] else "no trigger: it always holds"
        raise ConfigError(f"{where}: {kind} needs {wants}")
    if "text" in row and kind not in _WORDED:
        raise ConfigError(f"{where}: {kind} has no text of its own")
    if "tr_id" in row and kind not in (*_REST, *_ANSWERS, *_FRAMES, *_SINGLE):
        raise ConfigError(f"{where}: {kind} is not about one tr_id")
    if "key" in row and kind not in _SINGLE:
        raise ConfigError(f"{where}: {kind} is not about one key")
    return Fault(**row | {"at_s": tuple(row.get("at_s", ()))})


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


@dataclass(slots=True)
class _Line:
    """A fault of the plan, its random numbers and its times."""

    fault: Fault
    random: Random
    times: deque[float] = field(default_factory=deque)
    until: float = 0.0

    def due(self, now: float) -> bool:
        """Tell whether it is set off by the time, once for each time."""
        found = False
        while self.times and self.times[0] <= now:
            self.times.popleft()
            found = True
            if self.fault.every_s:
                self.times.append(now + self.random.expovariate(1 / self.fault.every_s))
        return found

    def drawn(self) -> bool:
        return bool(self.fault.chance) and self.random.random() < self.fault.chance


class Faults:
    """The faults of a simulator; ``counts`` says how often each kind has happened."""

    def __init__(self, plan: FaultPlan) -> None:
        self.counts: Counter[str] = Counter()
        self.log: deque[tuple[float, str]] = deque(maxlen=_MOST_LOGGED)
        """When each was set off."""
        self._seed = plan.seed
        self._lines: list[_Line] = []
        self._frames: list[_Line] = []
        self._once: list[Fault] = []
        for fault in plan.faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a line to the plan; its times count from the simulator's start like all others."""
        draw = Random(f"fault {self._seed} {len(self._lines)}")  # noqa: S311 - guards no secret
        line = _Line(fault, draw, deque(sorted(fault.at_s)))
        if fault.every_s:
            line.times.append(draw.expovariate(1 / fault.every_s))
        self._lines.append(line)
        if fault.kind in _FRAMES:
            self._frames.append(line)

    def tick(self, now: float) -> list[Fault]:
        """Let time pass; return what begins now: one-time faults and windows."""
        begun = []
        for line in self._lines:
            if line.due(now):
                self._note(now, line.fault.kind)
                line.until = now + line.fault.for_s
                begun.append(line.fault)
        return begun

    def active(self, kind: str, now: float) -> Fault | None:
        """Return the fault of a kind whose window is open, or which always holds."""
        for line in self._lines:
            if line.fault.kind == kind and (kind in _STANDING or now < line.until):
                return line.fault
        return None

    def deaf(self, tr_id: str, key: str, now: float) -> bool:
        """Tell whether nothing of a registration is sent now."""
        return any(
            line.fault.kind == "deaf"
            and now < line.until
            and line.fault.tr_id in ("", tr_id)
            and line.fault.key in ("", key)
            for line in self._lines
        )

    def once(self, fault: Fault) -> None:
        """Let a fault happen to the next REST call that it is about."""
        self._once.append(fault)

    def rest(self, tr_id: str, now: float) -> Fault | None:
        """Return what goes wrong with this REST call; those for tokens have no TR id."""
        for fault in self._once:
            if fault.tr_id in ("", tr_id):
                self._once.remove(fault)
                self._note(now, fault.kind)
                return fault
        for line in self._lines:
            fault = line.fault
            meant = fault.kind in _REST and fault.tr_id in ("", tr_id)
            if meant and (now < line.until or line.drawn()):
                self._note(now, fault.kind)
                return fault
        return None

    def answer(self, tr_id: str, now: float) -> Fault | None:
        """Return what goes wrong with the answer to this registration."""
        for line in self._lines:
            fault = line.fault
            if fault.kind in _ANSWERS and fault.tr_id in ("", tr_id) and line.drawn():
                self._note(now, fault.kind)
                return fault
        return None

    def frames(self, text: str, now: float) -> list[str | bytes]:
        """Return what is sent instead of a plain frame of market data."""
        for line in self._frames:
            if line.fault.tr_id in ("", text[2:].partition("|")[0]) and line.drawn():
                self._note(now, line.fault.kind)
                return _SPOILERS[line.fault.kind](text, line.fault, line.random)
        return [text]

    def calm(self) -> None:
        """Let nothing more go wrong, but for what always holds."""
        self._once.clear()
        self._lines = [line for line in self._lines if line.fault.kind in _STANDING]
        self._frames = []

    def _note(self, now: float, kind: str) -> None:
        self.counts[kind] += 1
        self.log.append((now, kind))


def _parts(text: str) -> tuple[str, int, list[str]]:
    _, tr_id, count, body = text.split("|", 3)
    return tr_id, int(count), body.split("^")


def _rows(text: str) -> tuple[str, int, list[list[str]]]:
    tr_id, count, values = _parts(text)
    width = len(values) // count
    return tr_id, count, [values[i * width : (i + 1) * width] for i in range(count)]


def _joined(tr_id: str, count: int, rows: Sequence[Sequence[str]]) -> str:
    return f"0|{tr_id}|{count:03d}|" + "^".join("^".join(row) for row in rows)


def _append(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    tr_id, count, rows = _rows(text)
    return [_joined(tr_id, count, [[*row, *["1"] * fault.count] for row in rows])]


def _missing(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    tr_id, count, rows = _rows(text)
    keep = max(1, len(rows[0]) - fault.count)
    return [_joined(tr_id, count, [row[:keep] for row in rows])]


def _wrong_count(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    tr_id, count, values = _parts(text)
    wrong = count + 1
    while len(values) % wrong == 0:
        wrong += 1
    return [_joined(tr_id, wrong, [values])]


def _bad_number(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    tr_id, count, rows = _rows(text)
    row = draw.choice(rows)
    numbers = [i for i, value in enumerate(row) if i > 1 and value.isdigit() and len(value) > 1]
    if numbers:
        row[draw.choice(numbers)] = "12x4"
    return [_joined(tr_id, count, rows)]


def _bad_utf8(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    tr_id, count, values = _parts(text)
    head, _, tail = _joined(tr_id, count, [values]).rpartition("^")
    return [head.encode() + b"^\xff\xfe" + tail.encode()]


def _garbage(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    junk = draw.choice(["", "0|", "1|", "{", "2|", '{"header":', "0|H0STCNT0|", "|||"])
    letters = "".join(draw.choice("^|{}0123456789ABC \x00é가") for _ in range(draw.randrange(80)))
    return [junk + letters, text]


def _oversized(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    return ["#" * max(fault.count, 100_000), text]


def _unknown_tr(text: str, fault: Fault, draw: Random) -> list[str | bytes]:
    return [f"0|Z{draw.randrange(10**6):06d}|001|1^2^3", text]


_SPOILERS: Mapping[str, Callable[[str, Fault, Random], list[str | bytes]]] = {
    "append": _append,
    "missing": _missing,
    "wrong_count": _wrong_count,
    "bad_number": _bad_number,
    "bad_utf8": _bad_utf8,
    "garbage": _garbage,
    "oversized": _oversized,
    "unknown_tr": _unknown_tr,
}
