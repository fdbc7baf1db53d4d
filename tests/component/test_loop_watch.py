"""A frozen event loop ends its process; a process that was stopped lives on."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")

PROGRAM = """
import asyncio, re, sys, time
from bridge.runtime import logs, loop_watch
loop_watch._SAY_S = 0.5
logs.configure(style="json")

def wait_for_something_in_the_loop():
    time.sleep(60)

def keep_everybody_out():
    re.match(r"(a+)+$", "a" * 64 + "b")

async def main():
    with loop_watch.LoopWatch(1):
        print("running", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        {work}
    print("left", flush=True)

asyncio.run(main())
"""


@contextmanager
def running(work: str = "") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{work}", work)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            yield process
        finally:
            process.kill()


def test_a_frozen_loop_ends_the_process_and_says_where_it_was() -> None:
    with running("wait_for_something_in_the_loop()") as process:
        out, errors = process.communicate("\n", timeout=20)
    assert process.returncode == 1
    assert "left" not in out
    first, last = errors.splitlines()
    assert "event loop is frozen" in first
    assert "wait_for_something_in_the_loop" in first
    assert "the bridge ends itself" in last
    assert "process.exit_when_frozen_s" in last


def test_code_that_keeps_the_watching_thread_out_is_ended_too() -> None:
    with running("keep_everybody_out()") as process:
        _, errors = process.communicate("\n", timeout=30)
    assert process.returncode == -signal.SIGPROF
    assert "in keep_everybody_out" in errors


def test_a_process_that_was_stopped_for_longer_lives_on() -> None:
    with running() as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):  # only time is waited for
            process.wait(2.5)
        process.send_signal(signal.SIGCONT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.6)
        out, errors = process.communicate("\n", timeout=20)
    assert (process.returncode, out, errors) == (0, "left\n", "")
