"""When a silent broker is asked, and when it is given up."""

from __future__ import annotations

import contextlib
import socket
import sys

import pytest

from bridge.mqtt.liveness import TICK_S, Liveness, Sign, unacknowledged


class Line:
    """Looks twice a second, and asks when it is to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.alive = Liveness(self.now)
        self.waits = False
        self.pings = 0

    def tick(
        self,
        *,
        heard: bool = False,
        answers: bool = False,
        after: float = TICK_S,
        written: int = 0,
        delivered: int = 0,
    ) -> Sign:
        self.now += after
        self.waits &= not answers
        sign = self.alive.tick(
            self.now,
            heard=heard or answers,
            answered=not self.waits,
            written=written,
            delivered=delivered,
        )
        if sign is Sign.ASK:
            self.waits = True
            self.pings += 1
            self.alive.asked()
        return sign

    def until_given_up(self, most: int = 100, **how: bool) -> float:
        began = self.now
        for _ in range(most):
            if self.tick(**how) is Sign.GIVE_UP:
                return self.now - began
        return 0.0


def test_a_dead_line_is_found_within_five_seconds() -> None:
    line = Line()
    line.tick(heard=True)  # just after it died
    assert 0 < line.until_given_up() <= 4.5


def test_a_quiet_broker_is_asked_once_a_second_and_a_busy_one_never() -> None:
    line = Line()
    for _ in range(20):
        line.tick(answers=True)
        line.tick()
    assert line.pings == 20
    for _ in range(20):
        line.tick(heard=True)
    assert line.pings == 20


def test_a_broker_that_is_stopped_for_three_seconds_is_kept() -> None:
    line = Line()
    assert line.until_given_up(7) == 0.0
    assert line.tick(answers=True) is Sign.NOTHING


def test_a_process_that_stood_still_does_not_blame_the_broker() -> None:
    line = Line()
    line.tick()
    assert line.tick(after=60.0) is Sign.NOTHING
    assert line.tick(after=60.0) is Sign.NOTHING
    assert line.tick(answers=True) is Sign.NOTHING


def test_a_ping_behind_much_else_on_a_slow_line_is_not_late() -> None:
    line = Line()
    line.tick(written=90, delivered=0)
    for number in range(1, 20):
        assert line.tick(written=100, delivered=4 * number) is Sign.NOTHING
    signs = [line.tick(written=1000, delivered=1000) for _ in range(8)]
    assert signs[-1] is Sign.GIVE_UP, "all of it has got there, and no answer comes"


def test_a_system_that_takes_everything_and_answers_nothing_is_given_up() -> None:
    line = Line()
    line.tick(written=100, delivered=100)
    signs = [line.tick(written=100 + n, delivered=100 + n) for n in range(8)]
    assert Sign.GIVE_UP in signs


def test_who_speaks_and_never_answers_is_given_up_too() -> None:
    line = Line()
    line.tick()
    assert 10 < line.until_given_up(heard=True) <= 15


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_system_tells_what_the_other_side_does_not_have_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    near.send(b"x" * 65_536)
            assert unacknowledged(near.fileno()) > 65_536
    assert unacknowledged(-1) == 0
