"""Captured frames, to be sent again (pure, but for reading the file)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.catalog.model import Catalog
from bridge.errors import ConfigError, FrameError
from bridge.kis.frames import DataFrame, parse
from bridge.runtime.bounded_json import JsonError, decode
from bridge.runtime.regular_file import read_regular

__all__ = ["Played", "Player", "read"]

_LARGEST = 256 << 20


@dataclass(frozen=True, slots=True)
class Played:
    """A captured frame; ``body`` is the plain text of a notice."""

    tr_id: str
    key: str
    """Subscription key it belongs to; blank for notices, which belong to the HTS id."""
    text: str
    body: str
    count: int
    notice: bool


def read(path: Path, catalog: Catalog) -> list[Played]:
    """Read a file of frames: bare, or JSON objects with ``raw``, one a line.

    Encrypted frames and control messages are left out: nobody has their keys any more. Raises
    ConfigError with the line that is neither.
    """
    frames = []
    try:
        lines = read_regular(path, _LARGEST).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            raw = decode(line, _LARGEST)["raw"] if line.lstrip().startswith("{") else line
            parsed = parse(raw) if isinstance(raw, str) else None
        except (FrameError, JsonError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}:{number}: no frame and no JSON with one: {error}") from error
        if isinstance(parsed, DataFrame) and not parsed.encrypted:
            frames.append(_played(raw, parsed, catalog))
    if not frames:
        raise ConfigError(f"{path}: holds no plain data frame")
    return frames


def _played(text: str, frame: DataFrame, catalog: Catalog) -> Played:
    channel = catalog.channel(frame.tr_id)
    values = frame.body.split("^")
    place = 0
    if channel is not None:
        name = channel.key or channel.symbol
        names = [field.name for field in channel.layouts[0].fields]
        place = names.index(name) if name in names else 0
    notice = channel is not None and channel.encrypted
    key = "" if notice else values[min(place, len(values) - 1)]
    return Played(frame.tr_id, key, text, frame.body, frame.count, notice)


class Player:
    """Plays frames at a pace, in a loop or once."""

    def __init__(self, frames: list[Played], *, per_s: float, once: bool) -> None:
        self._frames, self._per_s, self._once = frames, per_s, once
        self._next = 0
        self._owed = 0.0
        self._keys = {(frame.tr_id, frame.key) for frame in frames}

    def covers(self, tr_id: str, key: str) -> bool:
        """Tell whether a subscription is served from the file."""
        return (tr_id, key) in self._keys

    def turn(self, elapsed: float) -> Iterator[Played]:
        """Yield what is due after ``elapsed`` more seconds; a frame counts by its records."""
        self._owed += self._per_s * elapsed
        while self._owed > 0 and self._next < len(self._frames):
            frame = self._frames[self._next]
            self._owed -= frame.count
            self._next += 1
            if self._next == len(self._frames) and not self._once:
                self._next = 0
            yield frame
        self._owed = min(self._owed, 0.0) if self._next == len(self._frames) else self._owed
