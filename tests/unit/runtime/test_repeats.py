"""What one client may write into the log."""

from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from bridge.runtime.repeats import Repeats


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.repeats = Repeats(lambda: self.now)

    def written(self, count: int, method: str = "info", **event: object) -> int:
        """Say so many lines; return how many are written."""
        found = 0
        for _ in range(count):
            try:
                self.repeats(None, method, {"event": "request refused", **event})
            except structlog.DropEvent:
                continue
            found += 1
        return found


def test_of_lines_of_one_kind_about_one_client_ten_a_second_are_written() -> None:
    world = World()
    with capture_logs() as said:
        assert world.written(1000, client="bob") == 10
        assert world.written(1000, client="alice") == 10
        assert world.written(1000, topic="kis/x") == 10
        world.now += 1.5
        assert world.written(3, client="bob") == 3
    assert [(line["of"], line["client"], line["count"]) for line in said] == [
        ("request refused", "bob", 990),
        ("request refused", "alice", 990),
        ("request refused", "kis/x", 990),
    ]


def test_errors_and_lines_about_nobody_are_always_written() -> None:
    world = World()
    assert world.written(100) == 100
    assert world.written(100, "error", client="bob") == 100


def test_the_number_of_names_is_bounded() -> None:
    world = World()
    assert sum(world.written(1, client=f"c{number}") for number in range(5000)) == 1010
