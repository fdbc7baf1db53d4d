from __future__ import annotations

from datetime import date

from bridge.orders.reconciliation.sightings import Sightings

NOON = 1_795_402_800_000_000  # 2026-11-23 12:00 in Seoul
DAY = 86_400_000_000
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def test_a_number_counts_from_when_it_was_seen_first() -> None:
    seen = Sightings()
    seen.note("main", "domestic_stock", [(MONDAY, "7")], NOON)
    seen.note("main", "domestic_stock", [(MONDAY, "7")], NOON + 60)
    assert seen.had("main", "domestic_stock", (MONDAY, "7"), NOON + 1)
    assert not seen.had("main", "domestic_stock", (MONDAY, "7"), NOON)
    assert seen.before("main", "domestic_stock", NOON + 1) == {(MONDAY, "7")}


def test_numbers_are_those_of_one_account_market_and_day() -> None:
    seen = Sightings()
    seen.note("main", "domestic_stock", [(MONDAY, "7"), (None, "8")], NOON)
    for account, market, key in (
        ("other", "domestic_stock", (MONDAY, "7")),
        ("main", "overseas_stock", (MONDAY, "7")),
        ("main", "domestic_stock", (TUESDAY, "7")),
        ("main", "domestic_stock", (None, "8")),
    ):
        assert not seen.had(account, market, key, NOON + DAY)


def test_days_that_are_over_are_forgotten() -> None:
    seen = Sightings()
    seen.note("main", "domestic_stock", [(MONDAY, "7")], NOON)
    seen.note("main", "domestic_stock", [(TUESDAY, "8")], NOON + 4 * DAY)
    assert seen.before("main", "domestic_stock", NOON + 9 * DAY) == set()


def test_after_a_restart_nothing_seems_seen_before_the_last_thing_that_happened() -> None:
    seen = Sightings()
    seen.resume(NOON)
    seen.note("main", "domestic_stock", [(MONDAY, "7")], NOON - 900_000_000)
    assert not seen.had("main", "domestic_stock", (MONDAY, "7"), NOON)
    assert seen.had("main", "domestic_stock", (MONDAY, "7"), NOON + 1)
