"""How our long-running processes run: event loop, garbage collector, threads."""

from __future__ import annotations

import asyncio
import gc
import sys

__all__ = ["new_event_loop", "settle"]

_SWITCH_S = 0.00005
"""How long the journal's thread waits for the event loop, each time it needs Python: that is about
ten times for each commit, two of which an order waits for."""


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop, uvloop's where it is installed; for :class:`asyncio.Runner`."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.SelectorEventLoop()  # the control connection needs readers and writers
    return uvloop.new_event_loop()


def settle() -> None:
    """Call when everything is built: what stands now is never looked at for garbage again.

    Records make no cycles, so a full collection in the market path finds nothing and only adds
    milliseconds to the latency. Threads get their turn soon, however many records there are.
    """
    # What lives for ever is looked at once, and then never again; the thresholds make the youngest
    # collections rare, since reference counts free nearly everything.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(_SWITCH_S)
