"""Values as KIS has been seen to write them, and what a consumer of JSON must get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import DecodeError
from bridge.kis.values import TimesOfDay, Zone, down, number, scaled, string, time_of_day

ARRIVAL = 1_771_820_109_123_456  # 2026-02-23T13:15:09+09:00


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("71900", "71900"),
        ("-100", "-100"),
        ("+0.11", "0.11"),
        ("0000000001", "1"),
        ("000000000", "0"),
        ("354.4200", "354.4200"),
        ("0.00", "0.00"),
        ("-0.05", "-0.05"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007.50", "7.50"),
        ("5700000000001", "5700000000001"),
        (" 12 ", "12"),
        ("", "null"),
        ("(null)", "null"),
        ("nan", "null"),
        ("-nan", "null"),
    ],
)
def test_a_number_keeps_its_decimals_and_loses_its_padding(wire: str, expected: str) -> None:
    assert number(wire) == expected


@pytest.mark.parametrize("wire", ["12a", "1,234", "--1", "1.2.3", "0x10", "٣", "-", ".", "+"])
def test_what_is_no_number_is_an_error_that_shows_it(wire: str) -> None:
    with pytest.raises(DecodeError, match="no number"):
        number(wire)


def test_a_hostile_run_of_digits_costs_no_more_than_its_length() -> None:
    for wire in (
        "0" * 100_000 + "x",
        "0" * 100_000 + ".0" * 2,
        "1" * 100_000 + "." + "1" * 9 + "x",
    ):
        with pytest.raises(DecodeError, match="no number"):
            number(wire)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_no_digit_is_lost(value: Decimal) -> None:
    read = json.loads(number(f"{value:f}"), parse_float=Decimal, parse_int=Decimal)
    assert read == value


@given(st.text(max_size=12))
def test_any_text_is_a_json_number_or_an_error(wire: str) -> None:
    try:
        token = number(wire)
    except DecodeError:
        return
    assert json.loads(token, parse_float=Decimal) is None or token[-1].isdigit()


@pytest.mark.parametrize(
    ("token", "scale", "expected"),
    [
        ("12345", 2, "123.45"),
        ("-12345", 2, "-123.45"),
        ("5", 2, "0.05"),
        ("12345", 0, "12345"),
        ("1.5", 2, "1.5"),
        ("null", 2, "null"),
    ],
)
def test_implied_decimals(token: str, scale: int, expected: str) -> None:
    assert scaled(token, scale) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [("0.1950", "-0.1950"), ("-100", "-100"), ("0", "0"), ("0.00", "0.00"), ("null", "null")],
)
def test_a_fall_is_negative_once(token: str, expected: str) -> None:
    assert down(token) == expected


def test_texts_are_escaped_and_null_is_null() -> None:
    assert json.loads(string('say "\\하림"\x01')) == 'say "\\하림"\x01'
    assert string("(null)") == "null"


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("090020", '"09:00:20+09:00"'),
        ("000000", "null"),
        ("", "null"),
        ("246060", '"246060"'),
    ],
)
def test_times_of_day(wire: str, expected: str) -> None:
    assert time_of_day(wire) == expected


class TestZone:
    def test_a_moment_with_its_date_has_the_exchanges_offset(self) -> None:
        seoul, new_york = Zone("Asia/Seoul"), Zone("America/New_York")
        assert seoul.moment("20260223", "131509") == '"2026-02-23T13:15:09+09:00"'
        assert new_york.moment("20230502", "091912") == '"2023-05-02T09:19:12-04:00"'
        assert new_york.moment("20241227", "070229") == '"2024-12-27T07:02:29-05:00"'

    @pytest.mark.parametrize(
        ("arrival", "clock", "expected"),
        [
            ("2026-02-23T13:15:09", "131508", "2026-02-23T13:15:08"),
            ("2026-02-24T00:00:01", "235959", "2026-02-23T23:59:59"),
            ("2026-02-23T23:59:59", "000001", "2026-02-24T00:00:01"),
            ("2026-02-23T08:00:00", "153000", "2026-02-23T15:30:00"),
        ],
    )
    def test_a_moment_without_a_date_is_the_one_nearest_to_the_arrival(
        self, arrival: str, clock: str, expected: str
    ) -> None:
        from datetime import datetime

        zone = Zone("Asia/Seoul")
        at = datetime.fromisoformat(f"{arrival}+09:00").timestamp()
        zone.arrived(int(at * 1_000_000))
        assert zone.moment("", clock) == f'"{expected}+09:00"'

    def test_the_day_moves_on_while_the_bridge_runs(self) -> None:
        zone = Zone("Asia/Seoul")
        zone.arrived(ARRIVAL)
        assert zone.moment("", "131509") == '"2026-02-23T13:15:09+09:00"'
        zone.arrived(ARRIVAL + 86_400_000_000)
        assert zone.moment("", "131509") == '"2026-02-24T13:15:09+09:00"'

    def test_what_is_no_time_or_no_date(self) -> None:
        zone = Zone("Asia/Seoul")
        zone.arrived(ARRIVAL)
        assert zone.moment("20260223", "") == "null"
        assert zone.moment("20260223", "9:15") == '"9:15"'
        assert zone.moment("00000000", "131509") == '"2026-02-23T13:15:09+09:00"'

    def test_dates_do_not_pile_up(self) -> None:
        zone = Zone("Asia/Seoul")
        for day in range(1, 29):
            for month in range(1, 13):
                zone.moment(f"2026{month:02d}{day:02d}", "090000")
        assert len(zone.days) <= 4


def test_a_faulty_line_cannot_fill_the_memory_with_times_of_day() -> None:
    zone = Zone("Asia/Seoul")
    zone.arrived(1_771_820_109_123_456)
    day, clocks = zone.days["20260223"], TimesOfDay()
    for second in range(1, 10_000):
        clock = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
        known: Mapping[str, str]
        for known in (day, zone.clocks, clocks):
            assert f"{clock[:2]}:{clock[2:4]}:{clock[4:]}" in known[clock]
            assert len(known) <= 4_096
