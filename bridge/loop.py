"""The event loop of every process of ours: uvloop where it is installed."""

from __future__ import annotations

import asyncio

__all__ = ["new_event_loop"]


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop; to be used as the ``loop_factory`` of :class:`asyncio.Runner`."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.SelectorEventLoop()  # paho's socket needs readers and writers
    return uvloop.new_event_loop()
