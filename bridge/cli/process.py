"""What the long-running commands share: signals, ports, the line that says "ready"."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import typer

from bridge.runtime.process import new_event_loop

__all__ = ["free_port", "print_ready", "run_until_stopped", "unless_stopped"]


def run_until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run ``work(stop)``; SIGTERM and SIGINT set ``stop``, after SIGINT the exit code is 130."""
    interrupted = False

    async def main() -> None:
        stop = asyncio.Event()

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            stop.set()

        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # Windows: the Runner cancels instead
            loop.add_signal_handler(signal.SIGTERM, stop.set)
            loop.add_signal_handler(signal.SIGINT, interrupt)
        await work(stop)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
    if interrupted:
        raise typer.Exit(130)


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do some work; False: it was given up, because the program is to stop."""
    doing, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((doing, stopped), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
        return not stop.is_set()
    finally:
        for task in (doing, stopped):
            task.cancel()
        await asyncio.gather(doing, stopped, return_exceptions=True)


def free_port(wanted: int | None, default: int) -> int:
    """Return the port to take: what the user wants, else the default unless it is busy (0)."""
    if wanted is not None:
        return wanted
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", default))
        except OSError:
            return 0
    return default


def print_ready(**parts: object) -> None:
    """Print the one line that a program waits for."""
    print(json.dumps(parts, ensure_ascii=False), flush=True)
