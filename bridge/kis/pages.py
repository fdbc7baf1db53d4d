"""How the next page of an answer is asked for, in each of the ways that KIS has; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.catalog.model import Api
from bridge.kis.replies import Reply

__all__ = ["next_page"]


def next_page(
    api: Api, params: Mapping[str, str], reply: Reply, *, by_key: bool = False
) -> tuple[dict[str, str], str] | None:
    """Return parameters and ``tr_cont`` that lead to the next page; None after the last one.

    ``params`` are those of the page that ``reply`` answered. ``by_key``: go on as well where only a
    key that has moved on says that there is more.
    """
    if not api.pages or not reply.ok:
        return None
    # KIS says that there is more in the header ``tr_cont``, or only by a key that has moved on.
    # Which of the two is a property of the call.
    keys: dict[str, str] = {}
    for param in api.params:
        if param.path.startswith("continuation"):
            value = _answered(reply.body, param.name.lower())
            if value is not None:
                keys[param.name] = value.rstrip()  # KIS pads them with blanks
    if api.pages == "key":
        moved = any(value and value != params.get(name) for name, value in keys.items())
        if moved:
            # Overseas futures want to be told that the key is not the first one.
            keys |= {param.name: "P" for param in api.params if param.name == "QRY_TP"}
        elif keys or not reply.more:
            return None
    elif not reply.more and not any(
        by_key and keys.get(param.name, "") not in ("", params.get(param.name, ""))
        for param in api.params
        if param.path == "continuation_key"
    ):
        return None
    return {**params, **keys}, "" if api.pages == "key" and not reply.more else "N"


def _answered(body: Mapping[str, Any], name: str) -> str | None:
    """Return a key for the next page; KIS writes it beside the blocks or into one of them."""
    blocks = (block for block in body.values() if isinstance(block, Mapping))
    for block in (body, *blocks):
        for key, value in block.items():
            if key.lower() == name and isinstance(value, str):
                return value
    return None
