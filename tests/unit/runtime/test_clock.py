from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.clock import (
    SEOUL,
    now_us,
    same_seoul_day,
    seoul_day,
    seoul_day_end,
    seoul_day_start,
    seoul_moment,
    seoul_text,
    seoul_time,
)

MIDNIGHT = 1_795_705_200_000_000  # 2026-11-27 00:00 in Seoul


def test_a_day_begins_at_midnight_in_seoul() -> None:
    assert seoul_day(MIDNIGHT) == date(2026, 11, 27)
    assert seoul_day(MIDNIGHT - 1) == date(2026, 11, 26)


@given(st.integers(0, 4 * 10**15), st.integers(-(2**37), 2**37))
def test_two_moments_have_one_day_when_their_dates_are_one(at: int, apart: int) -> None:
    other = max(0, at + apart)
    assert same_seoul_day(at, other) == (seoul_day(at) == seoul_day(other))


def test_a_korean_day_has_a_start_and_an_end() -> None:
    for at in (MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 86_399_999_999):
        assert seoul_day_start(at) == MIDNIGHT
        assert seoul_day_end(at) == MIDNIGHT + 86_400_000_000


def test_a_moment_is_written_with_its_microseconds_and_offset() -> None:
    assert seoul_text(MIDNIGHT + 7) == "2026-11-27T00:00:00.000007+09:00"


def test_people_read_it_to_the_millisecond_in_seouls_time() -> None:
    assert seoul_moment(MIDNIGHT + 123_999) == "2026-11-27 00:00:00.123"


@given(st.integers(0, 4_000_000_000_000_000))
def test_no_microsecond_is_lost(at: int) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert (seoul_time(at) - epoch) // timedelta(microseconds=1) == at


def test_the_offset_is_what_the_table_of_zones_says() -> None:
    for month in range(1, 13):
        there = datetime(2026, month, 15, 12, tzinfo=ZoneInfo("Asia/Seoul"))
        assert there.utcoffset() == there.replace(tzinfo=SEOUL).utcoffset()


def test_now_is_now() -> None:
    before = datetime.now(UTC)
    assert before - timedelta(seconds=1) <= seoul_time(now_us()) <= before + timedelta(minutes=1)
