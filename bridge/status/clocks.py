"""What time it is at KIS, whether our clock agrees, and whether this process ran all the time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import httpx
import structlog

from bridge.kis.clock import NEAR_US, SKEW_US, KisClock
from bridge.kis.rest import ask_time
from bridge.kis.stream import Stream
from bridge.mqtt.event_payloads import ClockSkewEvent, FrozenEvent
from bridge.runtime.pulse import BEAT_S, Pulse

__all__ = ["Clocks"]

log = structlog.get_logger()

_ASK_S = 2.0
"""What KIS may take to tell its time at the start. Whatever it answers later tells it as well, and
no order goes out before it has answered for the list of orders."""


class Clocks:
    """Beats the pulse, and tells as events what is wrong with time: once, and when it is over."""

    def __init__(self, kis: KisClock | None = None, pulse: Pulse | None = None) -> None:
        self.kis = kis or KisClock()
        self.pulse = pulse or Pulse()
        self._skewed = self._stopped = False
        self._still = 0
        self._lags: deque[float] = deque(maxlen=int(60 / BEAT_S))

    @property
    def loop_lag_s(self) -> float:
        """By how much the event loop was late at most, in the last minute."""
        return round(max(self._lags, default=0.0), 3)

    async def ask(self, http: httpx.AsyncClient, rest_url: str) -> None:
        """Compare the clocks before anything is compared with them."""
        try:
            await ask_time(http, rest_url, self.kis, _ASK_S)
        except httpx.HTTPError as error:
            log.info("KIS does not tell its time yet", cause=type(error).__name__)

    def heard(self, stream: Stream) -> int:
        """Return when a session said anything last, by KIS's clock: no later than it did.

        Neither of our two clocks is enough. The wall clock may have been ahead when it was read,
        and the event loop's may have stood still since, together with the machine.
        """
        silent_s = asyncio.get_running_loop().time() - stream.session.last_message_at
        return min(stream.counts.heard_at, self.kis.now() - int(silent_s * 1_000_000))

    async def run(
        self,
        tell: Callable[[ClockSkewEvent | FrozenEvent], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Watch until cancelled; ``beat`` is called twice a second while the event loop runs."""
        self.pulse.start()
        loop = asyncio.get_running_loop()
        while True:
            self.tick(tell)
            beat()
            due = loop.time() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self._lags.append(loop.time() - due)

    def tick(self, tell: Callable[[ClockSkewEvent | FrozenEvent], None]) -> None:
        """Look once."""
        self.pulse.beat()
        if (still := self.pulse.still) != self._still:
            tell(_frozen(still - self._still))
            self._still = still
        stopped = bool(self.kis.problem())
        skewed = stopped or self.kis.difference > (NEAR_US if self._skewed else SKEW_US)
        if (skewed, stopped) != (self._skewed, self._stopped):
            self._skewed, self._stopped = skewed, stopped
            tell(self._skew())

    def _skew(self) -> ClockSkewEvent:
        offset = (self.kis.offset or 0) / 1_000_000
        text = self.kis.problem() or "this machine's clock agrees with KIS's again"
        if self._skewed and not self._stopped:
            side = "behind" if offset > 0 else "ahead of"
            text = f"this machine's clock is {abs(offset):.0f} s {side} KIS's; synchronise it (NTP)"
        return {
            "kind": "clock_skew",
            "offset_s": round(offset, 1),
            "skewed": self._skewed,
            "orders_stopped": self._stopped,
            "message": text,
        }


def _frozen(still: int) -> FrozenEvent:
    seconds = round(still / 1_000_000, 1)
    text = f"the bridge stood still for {seconds:g} s; commands that came meanwhile need expires_at"
    return {"kind": "frozen", "seconds": seconds, "message": text}
