from datetime import date, timedelta

import pytest

from bridge.simulator.exchange import listings
from tests.unit.simulator.rest.chart_calls import CALENDAR, NOW, ChartCalls, column

STOCK = "domestic_stock"
SAMSUNG = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": "005930"}


@pytest.fixture
def kis() -> ChartCalls:
    kis = ChartCalls()
    kis.trade("005930")
    return kis


def test_todays_bar_is_what_the_price_call_tells(kis: ChartCalls) -> None:
    price = kis.row(f"{STOCK}/inquire_price", "output", **SAMSUNG)
    for name, block, period in (
        ("inquire_daily_price", "output", {}),
        (
            "inquire_daily_itemchartprice",
            "output2",
            {"FID_INPUT_DATE_1": "20261101", "FID_INPUT_DATE_2": "20261130"},
        ),
    ):
        today, yesterday = kis.rows(
            f"{STOCK}/{name}", block, **SAMSUNG, FID_PERIOD_DIV_CODE="D", **period
        )[:2]
        assert (today["stck_bsop_date"], yesterday["stck_bsop_date"]) == ("20261130", "20261127")
        for field in ("stck_oprc", "stck_hgpr", "stck_lwpr", "acml_vol", "prdy_vrss"):
            assert today[field] == str(price[field]), field
        assert today["stck_clpr"] == str(price["stck_prpr"])
        assert yesterday["stck_clpr"] == str(price["stck_sdpr"])
        assert yesterday["acml_vol"] == str(listings.listing("005930", 1).previous_volume)


def test_the_minutes_of_today_add_up_to_its_bar(kis: ChartCalls) -> None:
    asked = SAMSUNG | {"FID_INPUT_HOUR_1": "235959", "FID_PW_DATA_INCU_YN": "N"}
    minutes = kis.rows(f"{STOCK}/inquire_time_itemchartprice", "output2", **asked)
    today = kis.rows(f"{STOCK}/inquire_daily_price", "output", **SAMSUNG, FID_PERIOD_DIV_CODE="D")[
        0
    ]
    assert set(column(minutes, "stck_bsop_date")) == {"20261130"}
    assert minutes[-1]["stck_oprc"] == today["stck_oprc"]
    assert minutes[0]["stck_prpr"] == today["stck_clpr"]
    assert max(map(int, column(minutes, "stck_hgpr"))) == int(today["stck_hgpr"])
    assert min(map(int, column(minutes, "stck_lwpr"))) == int(today["stck_lwpr"])
    assert sum(map(int, column(minutes, "cntg_vol"))) == int(today["acml_vol"])


def test_a_page_of_minutes_goes_on_with_earlier_days_when_asked_to(kis: ChartCalls) -> None:
    asked = SAMSUNG | {"FID_INPUT_HOUR_1": "130600", "FID_PW_DATA_INCU_YN": "Y"}
    minutes = kis.rows(f"{STOCK}/inquire_time_itemchartprice", "output2", **asked)
    times = [row["stck_bsop_date"] + row["stck_cntg_hour"] for row in minutes]
    assert len(minutes) == 30
    assert times == sorted(times, reverse=True)
    assert "20261127153000" in times


def test_the_minutes_of_a_past_day_come_in_pages_and_add_up_to_its_day(kis: ChartCalls) -> None:
    rows: list[dict[str, str]] = []
    asked = SAMSUNG | {"FID_INPUT_DATE_1": "20261110", "FID_PW_DATA_INCU_YN": "N"}
    until = "235959"
    while page := kis.rows(
        f"{STOCK}/inquire_time_dailychartprice", "output2", **asked, FID_INPUT_HOUR_1=until
    ):
        assert len(page) <= 120
        rows += page
        until = f"{int(page[-1]['stck_cntg_hour'][:4]) - 1:04d}59"
        if until[2:4] > "59":
            until = f"{until[:2]}5959"
    [day] = kis.rows(
        f"{STOCK}/inquire_daily_itemchartprice",
        "output2",
        **SAMSUNG,
        FID_INPUT_DATE_1="20261110",
        FID_INPUT_DATE_2="20261110",
        FID_PERIOD_DIV_CODE="D",
    )
    assert len(rows) == 381
    assert sum(map(int, column(rows, "cntg_vol"))) == int(day["acml_vol"])
    assert rows[0]["acml_tr_pbmn"] == day["acml_tr_pbmn"]
    assert max(map(int, column(rows, "stck_hgpr"))) == int(day["stck_hgpr"])


def test_a_period_has_at_most_a_hundred_rows_and_goes_on_before_the_last_one(
    kis: ChartCalls,
) -> None:
    days: list[str] = []
    until = "20261130"
    for _ in range(3):
        page = kis.rows(
            f"{STOCK}/inquire_daily_itemchartprice",
            "output2",
            **SAMSUNG,
            FID_INPUT_DATE_1="20250901",
            FID_INPUT_DATE_2=until,
            FID_PERIOD_DIV_CODE="D",
        )
        days += column(page, "stck_bsop_date")
        until = f"{date.fromisoformat(days[-1]) - timedelta(days=1):%Y%m%d}"
        assert len(page) == 100
    assert days == sorted(set(days), reverse=True)
    assert all(CALENDAR.trades("KRX", date.fromisoformat(day)) for day in days)


def test_before_the_first_minute_of_a_day_the_time_is_that_of_the_day_before(
    kis: ChartCalls,
) -> None:
    asked = SAMSUNG | {"FID_INPUT_HOUR_1": "100000", "FID_PW_DATA_INCU_YN": "Y"}
    minutes = kis.rows(f"{STOCK}/inquire_time_itemchartprice", "output2", **asked)
    assert (minutes[0]["stck_bsop_date"], minutes[0]["stck_cntg_hour"]) == ("20261127", "100000")


def test_all_there_is_can_be_asked_for_by_a_year_that_never_was(kis: ChartCalls) -> None:
    period = {"FID_INPUT_DATE_1": "00000101", "FID_INPUT_DATE_2": "20261130"}
    asked = SAMSUNG | period | {"FID_PERIOD_DIV_CODE": "D"}
    assert len(kis.rows(f"{STOCK}/inquire_daily_itemchartprice", "output2", **asked)) == 100


def test_a_week_is_its_days(kis: ChartCalls) -> None:
    period = {"FID_INPUT_DATE_1": "20261116", "FID_INPUT_DATE_2": "20261120"}
    name = f"{STOCK}/inquire_daily_itemchartprice"
    [week] = kis.rows(name, "output2", **SAMSUNG, **period, FID_PERIOD_DIV_CODE="W")
    days = kis.rows(name, "output2", **SAMSUNG, **period, FID_PERIOD_DIV_CODE="D")
    assert len(days) == 5
    assert week["stck_bsop_date"] == "20261116"
    assert (week["stck_oprc"], week["stck_clpr"]) == (days[-1]["stck_oprc"], days[0]["stck_clpr"])
    assert int(week["acml_vol"]) == sum(map(int, column(days, "acml_vol")))


def test_a_day_that_the_simulator_has_lived_through_stays_as_it_was(kis: ChartCalls) -> None:
    lived = kis.row(f"{STOCK}/inquire_price", "output", **SAMSUNG)
    asked = SAMSUNG | {"FID_INPUT_HOUR_1": "235959", "FID_PW_DATA_INCU_YN": "N"}
    minutes = kis.rows(f"{STOCK}/inquire_time_itemchartprice", "output2", **asked)
    kis.now += timedelta(days=1)
    days = kis.rows(f"{STOCK}/inquire_daily_price", "output", **SAMSUNG, FID_PERIOD_DIV_CODE="D")
    assert column(days, "stck_bsop_date")[:3] == ["20261201", "20261130", "20261127"]
    assert days[1]["acml_vol"] == str(lived["acml_vol"])
    again = kis.rows(
        f"{STOCK}/inquire_time_dailychartprice", "output2", **asked, FID_INPUT_DATE_1="20261130"
    )
    assert again == minutes


def test_the_latest_trades_are_those_of_the_exchange(kis: ChartCalls) -> None:
    market = kis.exchange.market("005930", kis.now)
    rows = kis.rows(f"{STOCK}/inquire_ccnl", "output", **SAMSUNG)
    assert [(int(row["stck_prpr"]), int(row["cntg_vol"])) for row in rows] == [
        (one.price, one.quantity) for one in list(market.recent)[::-1][:30]
    ]
    until = kis.rows(
        f"{STOCK}/inquire_time_itemconclusion", "output2", **SAMSUNG, FID_INPUT_HOUR_1="130700"
    )
    assert all(row["stck_cntg_hour"] <= "130700" for row in until)


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("inquire_daily_overtimeprice", "output2"),
        ("inquire_time_overtimeconclusion", "output2"),
        ("exp_price_trend", "output2"),
    ],
)
def test_other_trends_have_rows_on_the_grid(kis: ChartCalls, name: str, block: str) -> None:
    rows = kis.rows(f"{STOCK}/{name}", block, **SAMSUNG)
    assert rows
    assert all(int(row.get("ovtm_untp_prpr", row.get("stck_prpr", 0))) > 0 for row in rows)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("inquire_daily_price", {"FID_PERIOD_DIV_CODE": "X"}),
        ("inquire_daily_price", {"FID_COND_MRKT_DIV_CODE": "Z"}),
        (
            "inquire_daily_itemchartprice",
            {"FID_INPUT_DATE_1": "2026", "FID_PERIOD_DIV_CODE": "D"},
        ),
        ("inquire_time_itemchartprice", {"FID_INPUT_HOUR_1": "9"}),
    ],
)
def test_what_cannot_be_read_is_refused(kis: ChartCalls, name: str, params: dict[str, str]) -> None:
    answer = kis(f"{STOCK}/{name}", **(SAMSUNG | params))
    assert (answer.rt_cd, answer.msg_cd) == ("2", "OPSQ2001")


def test_the_same_seed_gives_the_same_chart() -> None:
    asked = SAMSUNG | {"FID_INPUT_HOUR_1": "130000", "FID_INPUT_DATE_1": "20261112"}
    first, second, other = (
        ChartCalls(seed=seed, began=NOW).rows(
            f"{STOCK}/inquire_time_dailychartprice", "output2", **asked
        )
        for seed in (1, 1, 2)
    )
    assert first == second != other
