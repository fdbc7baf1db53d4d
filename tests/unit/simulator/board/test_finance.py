"""Invented financial statements are consistent with themselves."""

from __future__ import annotations

from datetime import date

import pytest

from bridge.simulator.board.finance import Finance
from bridge.simulator.exchange import listings

TODAY = date(2026, 11, 27)
SYMBOLS = ("005930", "970000", "980090", "123450")


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_assets_are_debts_and_equity_and_equity_grows_by_what_is_kept(symbol: str) -> None:
    quarters = list(Finance(7).quarters(symbol, TODAY))[::-1]
    assert len(quarters) > 20
    earned_before = 0
    for before, one in zip([None, *quarters], quarters, strict=False):
        assert one.assets == one.debts + one.equity
        assert one.net_income == one.ordinary_profit - one.tax
        assert 0 <= one.dividend <= max(0, one.net_income)
        earned = one.net_income - (earned_before if one.quarter > 1 else 0)
        earned_before = one.net_income
        if before is not None:
            assert one.earned_surplus == before.earned_surplus + earned - one.dividend


def test_a_quarter_is_published_six_weeks_after_its_end() -> None:
    finance = Finance(7)
    assert finance.quarters("005930", date(2026, 11, 14))[0].period == "202606"
    assert finance.quarters("005930", date(2026, 11, 15))[0].period == "202609"
    assert finance.years("005930", TODAY)[0].period == "202512"


def test_what_was_published_stays_as_it_was() -> None:
    earlier = Finance(7).quarters("970000", date(2025, 6, 1))[0]
    assert earlier in Finance(7).quarters("970000", TODAY)


def test_a_preferred_share_has_the_statements_of_its_firm() -> None:
    finance = Finance(7)
    assert finance.quarters("970005", TODAY) == finance.quarters("970000", TODAY)
    assert finance.shares("970005") == listings.listing("970000", 7).shares


def test_there_are_none_before_the_first_year() -> None:
    assert Finance(7).years("005930", date(2019, 1, 1)) == []
