"""Many records for little work: a loop of ready-made ones with their time and volume moved on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, cycle

from bridge.simulator.stream.encode import Encoder

__all__ = ["Loop"]

_PATHS = ("time", "cumulative_volume", "cumulative_value")


class Loop:
    """Repeats the given records (at least one) for ever; pure.

    The time of a record is the one given; the day's volume and value keep rising over the rounds,
    everything else repeats.
    """

    def __init__(self, encoder: Encoder, records: Sequence[str]) -> None:
        places = [encoder.place(path) for path in _PATHS]
        found = [place for place in places if place is not None]
        rising = len(found) == len(_PATHS) and found == sorted(found)
        self._rising = rising
        time = places[0]
        rows = [record.split("^") for record in records]
        first, last = rows[0], rows[-1]
        volumes: list[tuple[int, int]] = []
        self._round = (0, 0)
        if rising:
            volumes = [(int(row[found[1]]), int(row[found[2]])) for row in rows]
            span = max(1, int(last[found[1]]) - int(first[found[1]]) + 1)
            worth = max(1, int(last[found[2]]) - int(first[found[2]]) + 1)
            self._round = (span, worth)
        holes = set(found) if rising else {time} - {None}
        templates = [
            "^".join(
                "%s" if place in holes else cell.replace("%", "%%")
                for place, cell in enumerate(row)
            )
            for row in rows
        ]
        self._timed = bool(holes)
        self._plain = cycle(templates)
        self._rows = (
            (template, volume + rounds * self._round[0], value + rounds * self._round[1])
            for rounds in count()
            for template, (volume, value) in zip(templates, volumes, strict=True)
        )

    def records(self, number: int, time: str) -> list[str]:
        """Return the next records, all of this time (``HHMMSS``)."""
        if self._rising:
            rows = self._rows
            return [
                template % (time, volume, value)
                for template, volume, value in (next(rows) for _ in range(number))
            ]
        if self._timed:
            return [next(self._plain) % (time,) for _ in range(number)]
        return [next(self._plain) % () for _ in range(number)]
