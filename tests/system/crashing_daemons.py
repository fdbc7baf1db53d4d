"""Daemons that die: started from one process that has imported everything, killed by themselves.

Run as a program it reads one JSON object a line, ``{"config": …, "write": …, "nth": n, "before":
bool}``, forks ``kis-bridge run`` for it and prints ``{"pid": …}``, then ``{"status": …}``. The fork
dies by SIGKILL before or after the n-th of these writes to its journal, and notes it in a file; a
blank write: not by itself. The product has no such switch: the journal is wrapped here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from bridge.cli import main
from bridge.orders.journal.journal import Journal

__all__ = ["CrashingDaemons"]


class CrashingDaemons:
    """Starts one daemon after the other; ``with CrashingDaemons(config) as daemons``."""

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

    def start(self, write: str = "", nth: int = 0, *, before: bool = False) -> int:
        """Start a daemon; return its process id."""
        assert self._process.stdin is not None
        order = {"config": self._config, "write": write, "nth": nth, "before": before}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._living = self._read()["pid"]
        return self._living

    def ended(self) -> int:
        """Return the signal that ended it, or minus its exit code."""
        status: int = self._read()["status"]
        self._living = 0
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)

    def deaths(self) -> Counter[tuple[str, bool]]:
        """Return how many have died at which write, each before or after it."""
        lines = _deaths(self._config).read_text().splitlines()
        return Counter((write, bool(int(before))) for write, before in map(str.split, lines))

    def _read(self) -> dict[str, int]:
        assert self._process.stdout is not None
        said: dict[str, int] = json.loads(self._process.stdout.readline())
        return said


def _deaths(config: str) -> Path:
    return Path(config + ".deaths")


def _fatal(config: str, name: str, nth: int, *, before: bool) -> None:
    """Let the ``nth`` of these writes of the journal be the last thing that happens."""
    write: Callable[..., Awaitable[Any]] = getattr(Journal, name)
    written = 0

    def die() -> None:
        with _deaths(config).open("a") as file:
            file.write(f"{name} {before:d}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    async def fatal(self: Journal, *args: Any) -> Any:
        nonlocal written
        written += 1
        last = written == nth
        if last and before:
            die()
        result = await write(self, *args)
        if last:
            die()
        return result

    setattr(Journal, name, fatal)


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
            if order["write"]:
                _fatal(order["config"], order["write"], order["nth"], before=order["before"])
            sys.argv = ["kis-bridge", "run", "--config", order["config"], "--json"]
            main()
            os._exit(0)
        print(json.dumps({"pid": pid}), flush=True)
        print(json.dumps({"status": os.waitpid(pid, 0)[1]}), flush=True)


if __name__ == "__main__":
    _serve()
