"""Signals and the ready line of the long-running commands."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
import typer

from bridge.cli.process import print_ready, run_until_stopped

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@posix
def test_sigterm_stops_and_is_no_failure() -> None:
    left = []

    async def work(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        left.append("in good order")

    run_until_stopped(work)
    assert left == ["in good order"]


@posix
def test_sigint_stops_in_good_order_with_130() -> None:
    left = []

    async def work(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        left.append("in good order")

    with pytest.raises(typer.Exit) as caught:
        run_until_stopped(work)
    assert caught.value.exit_code == 130
    assert left == ["in good order"]


def test_it_ends_with_its_work() -> None:
    async def work(stop: asyncio.Event) -> None:
        assert not stop.is_set()

    run_until_stopped(work)


def test_an_error_comes_out() -> None:
    async def work(stop: asyncio.Event) -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        run_until_stopped(work)


def test_the_ready_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_ready(mqtt={"port": 1883}, kis={"hts_id": "이름"})
    assert capsys.readouterr().out == '{"mqtt": {"port": 1883}, "kis": {"hts_id": "이름"}}\n'
