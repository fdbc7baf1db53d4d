"""``kis-bridge journal``: what a person decides about the order journal."""

from __future__ import annotations

import asyncio
import sys

import typer

from bridge.cli.broker import BridgeOptions
from bridge.cli.options import grouped
from bridge.mqtt.strict_json import encode
from bridge.requests.server import request

__all__ = ["app"]

_LONGEST_S = 25.0
"""The exchange's lists are read meanwhile."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _root() -> None:
    """Decide about the order journal."""


@app.command()
@grouped
def adopt(bridge: BridgeOptions) -> None:
    """Take orders again with a journal that lacks some.

    A running bridge says that it needs this when the journal was deleted or is an older copy: it
    may not know orders that were sent. It reads the exchange's lists first, and tells what stands
    there and is not in the journal as placed elsewhere. What a client sends again under a name
    that is missing is a new order.
    """
    found = asyncio.run(
        request(
            bridge.endpoints(),
            "adopt",
            {},
            topics=bridge.topics(),
            deadline_s=max(bridge.wait, _LONGEST_S),
        )
    )
    text = f"the journal is in use as {found['journal'][:8]}, generation {found['generation']}"
    sys.stdout.write(f"{encode(found).decode() if bridge.as_json else text}\n")
