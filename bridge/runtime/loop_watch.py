"""Ends a process whose event loop is frozen, so that a supervisor starts it again.

A frozen loop takes no order and no signal, and nothing in it can tell so. A thread of its own
watches it, and counts only the time in which it ran itself: a stopped process (``SIGSTOP``), a
suspended machine or a pause of the whole interpreter freezes the thread too, and is not the loop's
fault. Code that keeps the thread out as well is ended by the system, once it has used a processor
for much longer.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

__all__ = ["LoopWatch"]

log = structlog.get_logger()

_BEAT_S = 0.25
_SAY_S = 5.0
"""A loop that is frozen for so long is told of, with what it is doing."""
_LAST_WORD_S = 5.0
"""What the last line may take. Standard error may be what everything waits for."""
_HOGGED = 2.0
"""Times the limit, in processor time, until the system ends a process that runs nothing else."""
_FRAMES = 12


class LoopWatch:
    """Watches the running event loop between :meth:`__enter__` and :meth:`__exit__`.

    :param exit_after_s: frozen for so long, the process ends with exit code 1; 0: never.
    :param beat: called in the loop while it runs, four times a second.
    """

    def __init__(self, exit_after_s: float, beat: Callable[[], None] = lambda: None) -> None:
        self._exit_after_s = exit_after_s
        self._beat = beat
        self._beats = 0
        self._timer: asyncio.TimerHandle | None = None
        self._done = threading.Event()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="loop watch", daemon=True)
        main = threading.current_thread() is threading.main_thread()
        self._limits_cpu = exit_after_s > 0 and main and hasattr(signal, "setitimer")

    def __enter__(self) -> Self:
        if self._limits_cpu:
            # Needs no Python to run: a handler in C says what runs, then the signal ends all.
            faulthandler.register(signal.SIGPROF, file=sys.__stderr__ or 2, chain=True)
        self._turn()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._limits_cpu:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.unregister(signal.SIGPROF)
        self._thread.join()

    def _turn(self) -> None:
        """Beat once, in the loop."""
        self._beats += 1
        if self._limits_cpu:
            signal.setitimer(signal.ITIMER_PROF, _HOGGED * self._exit_after_s)
        self._timer = asyncio.get_running_loop().call_later(_BEAT_S, self._turn)
        self._beat()

    def _watch(self) -> None:
        """Look whether the loop beats, in the thread."""
        seen, frozen_s, said = 0, 0.0, False
        woken = time.monotonic()
        while not self._done.wait(_BEAT_S):
            now = time.monotonic()
            # Of a longer pause nobody knows whose it was.
            step, woken = min(now - woken, 2 * _BEAT_S), now
            if self._beats != seen:
                seen, frozen_s, said = self._beats, 0.0, False
                continue
            frozen_s += step
            if frozen_s >= _SAY_S and not said:
                said = True
                # Whatever the loop waits for may be what the log waits for.
                threading.Thread(target=self._say, args=(frozen_s,), daemon=True).start()
            if 0 < self._exit_after_s <= frozen_s:
                self._exit(frozen_s)

    def _say(self, frozen_s: float) -> None:
        log.error("event loop is frozen", seconds=round(frozen_s), at=self._stack())

    def _exit(self, frozen_s: float) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, _LAST_WORD_S)
        log.critical(
            f"event loop frozen for {frozen_s:.0f} s: the bridge ends itself, to be started again",
            at=self._stack(),
            limit="process.exit_when_frozen_s",
        )
        os._exit(1)

    def _stack(self) -> list[str]:
        """Return where the loop's thread is, the innermost call last."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - it has no other name
        calls = traceback.extract_stack(frame, _FRAMES) if frame is not None else []
        return [f"{call.filename}:{call.lineno} {call.name}" for call in calls]
