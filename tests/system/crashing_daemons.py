"""Daemons that die: started from one process that has imported everything, killed by themselves.

Run as a program it reads one JSON object a line, ``{"config": …, "at": n, "before": bool}``, forks
``kis-bridge run`` for it and prints ``{"pid": …}``, then ``{"status": …}``. The fork dies by
SIGKILL before or after the n-th write to its journal; 0: not by itself. The product has no such
switch: the journal is wrapped here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from bridge.cli import main
from bridge.orders.journal.journal import Journal

__all__ = ["Lives"]

_WRITES = ("admit", "append", "expand")


class Lives:
    """Starts one life after the other; ``with Lives(config) as lives``."""

    def __init__(self, config: str) -> None:
        self._config = config
        self._living = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.crashing_daemons"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._living:
            with suppress(ProcessLookupError):
                os.kill(self._living, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(10)

    def start(self, at: int = 0, *, before: bool = False) -> int:
        """Start a daemon; return its process id."""
        assert self._process.stdin is not None
        order = {"config": self._config, "at": at, "before": before}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._living = self._read()["pid"]
        return self._living

    def ended(self) -> int:
        """Return the signal that ended it, or minus its exit code."""
        status: int = self._read()["status"]
        self._living = 0
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)

    def _read(self) -> dict[str, int]:
        assert self._process.stdout is not None
        said: dict[str, int] = json.loads(self._process.stdout.readline())
        return said


def _fatal(at: int, *, before: bool) -> None:
    """Let the ``at``-th write of the journal be the last thing that happens."""
    written = 0

    def wrap(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def fatal(self: Journal, *args: Any) -> Any:
            nonlocal written
            written += 1
            last = written == at
            if last and before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = await write(self, *args)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return fatal

    for name in _WRITES:
        setattr(Journal, name, wrap(getattr(Journal, name)))


def _serve() -> None:
    import bridge.cli.run
    from bridge.catalog.compile import load

    load()
    assert bridge.cli.run
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            null = os.open(os.devnull, os.O_RDWR)
            log = os.open(order["config"] + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for descriptor, target in ((0, null), (1, null), (2, log)):
                os.dup2(target, descriptor)
            if order["at"]:
                _fatal(order["at"], before=order["before"])
            sys.argv = ["kis-bridge", "run", "--config", order["config"], "--json"]
            main()
            os._exit(0)
        print(json.dumps({"pid": pid}), flush=True)
        print(json.dumps({"status": os.waitpid(pid, 0)[1]}), flush=True)


if __name__ == "__main__":
    _serve()
