"""Sessions that end early, by whichever fault: how long the data is away, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bridge.kis.stream import RETRY
from tests.component.virtual_feed import VirtualFeed, run

TOPICS = [
    f"domestic_stock/krx/{kind}/{symbol}"
    for kind in ("trade", "quote")
    for symbol in ("005930", "000660", "035420")
]


async def away(feed: VirtualFeed, seconds: float) -> float:
    """Return in how many of the next seconds KIS served nothing."""
    end, quiet = feed.now + seconds, 0.0
    while feed.now < end:
        await asyncio.sleep(0.1)
        quiet += 0.1 * (feed.streams["app1"].session.live == 0)
    return quiet


async def until_data(feed: VirtualFeed) -> float:
    """Return in how many seconds data comes again."""
    began, frames = feed.now, feed.streams["app1"].counts.frames
    while feed.streams["app1"].counts.frames == frames:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.1)
    return feed.now - began


def tried(
    work: Callable[[VirtualFeed], Awaitable[None]], patch: pytest.MonkeyPatch, folder: Path
) -> None:
    async def begin(feed: VirtualFeed) -> None:
        feed.hold(*TOPICS)
        await until_data(feed)
        await asyncio.sleep(70)  # until the pace of the line is known
        await work(feed)

    run(begin, patch, folder, retry=RETRY)


def test_a_session_that_kis_closes_every_ten_seconds_is_there_nine_tenths_of_the_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def work(feed: VirtualFeed) -> None:
        counts = feed.streams["app1"].counts
        before, lost = counts.connections, asyncio.ensure_future(away(feed, 300))
        for _ in range(30):
            frames = counts.frames
            await asyncio.sleep(10)
            assert counts.frames > frames + 5
            feed.strike("close")
        assert await lost <= 30
        assert counts.connections - before <= 31

    tried(work, monkeypatch, tmp_path)


def test_a_line_that_swallows_everything_is_given_up_in_a_quarter_of_a_minute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def work(feed: VirtualFeed) -> None:
        feed.strike("silence", for_s=600)
        await asyncio.sleep(1)
        assert await until_data(feed) <= 16

    tried(work, monkeypatch, tmp_path)


def test_a_key_that_an_unclean_close_has_locked_is_tried_again_after_the_quiet_that_kis_wants(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def work(feed: VirtualFeed) -> None:
        feed.strike("lock", for_s=18.0)
        before = feed.streams["app1"].counts.connections
        feed.strike("drop")
        await asyncio.sleep(1)
        assert await until_data(feed) <= 22
        assert feed.streams["app1"].counts.connections - before == 2

    tried(work, monkeypatch, tmp_path)
