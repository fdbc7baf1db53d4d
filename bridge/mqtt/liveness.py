"""Whether the other end of a connection still answers: when to ask, and when to give up; pure.

A line that swallows everything closes nothing. Whoever waits for TCP to notice waits for minutes,
and a keep-alive that suits the broker waits for most of one.
"""

from __future__ import annotations

import socket
import struct
import sys
from enum import Enum

__all__ = ["TICK_S", "Liveness", "Sign", "unacknowledged"]

TICK_S = 0.5
"""How often to look."""
ANSWER_S = 3.5
"""A broker that is stopped for three seconds is not given up: a new connection costs more."""
_LONGEST_S = 15.0
"""What an answer may take at most, also when other things are heard or a slow line is busy."""
_STEP_S = 2 * TICK_S
"""Of a longer step nobody knows whether it was ours: a stopped process hears nothing."""
_SEGMENTS = struct.Struct("=16xI4xI116xI")
"""Of the system's ``tcp_info``: bytes of a segment, segments under way, bytes that wait."""


class Sign(Enum):
    """What to do."""

    NOTHING = "nothing"
    ASK = "ask"
    GIVE_UP = "give up"


class Liveness:
    """Of one connection; times in seconds. Dead lines are found within five seconds."""

    def __init__(self, now: float) -> None:
        self._at = now
        self._waited: float | None = None
        """Without a sign of life since a ping; None: there is none to be answered."""
        self._asked = 0.0
        """Since that ping."""
        self._ping_ends = self._delivered = 0
        self._left = False

    def asked(self) -> None:
        """Say that a ping is sent."""
        self._waited, self._asked, self._left = 0.0, 0.0, False

    def tick(
        self,
        now: float,
        *,
        heard: bool,
        answered: bool,
        written: int,
        delivered: int,
        flushed: bool = True,
    ) -> Sign:
        """Say what to do now; call about every `TICK_S`.

        :param heard: anything came since the last call.
        :param answered: no ping waits for its answer.
        :param written: bytes that were ever written.
        :param delivered: those among them that the other system has, whether it reads them or not.
        :param flushed: a ping that was sent is among those that are written.
        """
        step, self._at = min(now - self._at, _STEP_S), now
        # A ping behind much else on a slow line is not late before it has got there.
        moving = self._delivered < delivered and self._delivered < self._ping_ends
        self._delivered = delivered
        if answered:
            self._waited = None
        if self._waited is None:
            return Sign.NOTHING if heard else Sign.ASK
        if not self._left:
            self._ping_ends, self._left = written, flushed
        self._asked += step
        self._waited = 0.0 if heard or moving else self._waited + step
        late = self._waited >= ANSWER_S or self._asked >= _LONGEST_S
        return Sign.GIVE_UP if late else Sign.NOTHING


def unacknowledged(descriptor: int) -> int:
    """Return about how many written bytes of a TCP connection the other system does not have yet.

    Elsewhere than on Linux they count as there.
    """
    if sys.platform != "linux" or descriptor < 0:
        return 0
    try:
        plain = socket.socket(fileno=descriptor)
    except OSError:
        return 0  # it is closed
    try:
        told = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SEGMENTS.size)
    except OSError:
        return 0
    finally:
        plain.detach()
    if len(told) < _SEGMENTS.size:
        return 0  # an old system
    size, under_way, not_sent = _SEGMENTS.unpack(told)
    return int(size * under_way + not_sent)
