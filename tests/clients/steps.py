"""Steps of a program that uses a public KIS client: each is tried, and its outcome printed.

Runs under the Python that has the client, so it imports nothing of this project.
"""

from __future__ import annotations

import json
import queue
import sys
import traceback
from collections.abc import Callable
from typing import Any

__all__ = ["KIS", "Inbox", "step"]

KIS: dict[str, Any] = json.loads(sys.argv[1])
"""The ``kis`` object of the simulator's ready line."""
_PATIENCE_S = 10.0


def step(name: str, work: Callable[[], Any]) -> Any:
    """Try a step and say in a line of JSON what came of it; return its result, or None."""
    result, error = None, ""
    try:
        result = work()
        said = repr(result)[:300]
    except Exception as failure:  # noqa: BLE001 - whatever a client raises is its outcome
        said = error = f"{type(failure).__name__}: {str(failure)[:600]}"
        traceback.print_exc(file=sys.stderr)
    print(json.dumps({"step": name, "ok": not error, "said": said}), flush=True)
    return result


class Inbox:
    """What arrives in real time."""

    def __init__(self, messages: Any = None) -> None:
        self._messages = messages or queue.Queue()

    def put(self, message: Any) -> None:
        self._messages.put(message)

    def wait(self, wanted: Callable[[Any], bool] = lambda message: True) -> Any:
        """Return the next message that is wanted, or raise queue.Empty."""
        while True:
            message = self._messages.get(timeout=_PATIENCE_S)
            if wanted(message):
                return message
