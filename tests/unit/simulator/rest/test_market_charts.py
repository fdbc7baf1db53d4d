"""Charts, quotations and records of every market tell the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

import pytest

from bridge.extensions.candles.chart import chart_of
from bridge.simulator.stream.encode import Encoder
from bridge.simulator.stream.feed import Source
from tests.unit.simulator.rest.chart_calls import CATALOG, NOW, ChartCalls, column

INDEX = {"FID_COND_MRKT_DIV_CODE": "U", "FID_INPUT_ISCD": "0001"}
FUTURE = {"FID_COND_MRKT_DIV_CODE": "F", "FID_INPUT_ISCD": "A01612"}
BOND = {"FID_COND_MRKT_DIV_CODE": "B", "FID_INPUT_ISCD": "KR2033022D33"}
APPLE = {"EXCD": "NAS", "SYMB": "AAPL", "AUTH": ""}
ABROAD = {"SRS_CD": "ESZ26", "EXCH_CD": "CME", "CLOSE_DATE_TIME": "", "INDEX_KEY": ""}
SINCE = {"FID_INPUT_DATE_1": "20251101", "FID_INPUT_DATE_2": "20261130"}
DAY = {"FID_PERIOD_DIV_CODE": "D"}


class Told(NamedTuple):
    """Where a market tells its day: in records, in a price call, in a chart of days."""

    tr_id: str
    key: str
    price: tuple[str, str]
    asked: dict[str, str]
    days: tuple[str, str]
    period: dict[str, str]


MARKETS = {
    "index": Told(
        *("H0UPCNT0", "0001", ("domestic_stock/inquire_index_price", "output"), INDEX),
        *(("domestic_stock/inquire_daily_indexchartprice", "output2"), SINCE | DAY),
    ),
    "future": Told(
        *("H0IFCNT0", "A01612", ("domestic_futureoption/inquire_price", "output1"), FUTURE),
        *(("domestic_futureoption/inquire_daily_fuopchartprice", "output2"), SINCE | DAY),
    ),
    "option": Told(
        *("H0IOCNT0", "B01612530", ("domestic_futureoption/inquire_price", "output1")),
        {"FID_COND_MRKT_DIV_CODE": "O", "FID_INPUT_ISCD": "B01612530"},
        *(("domestic_futureoption/inquire_daily_fuopchartprice", "output2"), SINCE | DAY),
    ),
    "bond": Told(
        *("H0BJCNT0", "KR2033022D33", ("domestic_bond/inquire_price", "output"), BOND),
        *(("domestic_bond/inquire_daily_price", "output"), {}),
    ),
    "overseas stock": Told(
        *("HDFSCNT0", "DNASAAPL", ("overseas_stock/price_detail", "output"), APPLE),
        *(("overseas_stock/dailyprice", "output2"), {"GUBN": "0", "BYMD": "", "MODP": "0"}),
    ),
    "overseas future": Told(
        *("HDFFF020", "ESZ26", ("overseas_futureoption/inquire_price", "output1")),
        ABROAD,
        *(("overseas_futureoption/daily_ccnl", "output2"), {"QRY_CNT": "40", "QRY_TP": "Q"}),
    ),
}


def by_path(call: str, block: str, row: Mapping[str, str]) -> dict[str, str]:
    """Return a row by the English paths of the workbook."""
    [output] = [one for one in CATALOG.apis[call].outputs if one.name == block]
    return {field.path: row[field.name] for field in output.fields}


def records_of(kis: ChartCalls, tr_id: str, key: str, number: int) -> list[dict[str, str]]:
    """Return the records of a subscription, one every five seconds."""
    channel = CATALOG.channels[tr_id]
    encoder = Encoder(channel)
    feed = Source(kis.exchange, 1, CATALOG.codes, kis.off_book).feed(channel, encoder, key)
    rows = []
    for _ in range(number):
        kis.now += timedelta(seconds=5)
        [record] = feed.records(1, [], kis.now)
        cells = record.split("^")
        fields = encoder.layout.fields
        rows.append({field.path: cell for field, cell in zip(fields, cells, strict=False)})
    return rows


@pytest.mark.parametrize("name", MARKETS)
def test_records_price_and_chart_of_a_symbol_tell_the_same_day(name: str) -> None:
    kis, market = ChartCalls(), MARKETS[name]
    record = records_of(kis, market.tr_id, market.key, 40)[-1]
    call, block = market.price
    price = by_path(call, block, kis.row(call, block, **market.asked))
    call, block = market.days
    rows = kis.rows(call, block, **(market.asked | market.period))
    today, yesterday = (by_path(*market.days, row) for row in rows[:2])
    for path in ("open", "high", "low"):
        assert Decimal(record[path]) == Decimal(price[path]) == Decimal(today[path]), path
    close = Decimal(today.get("close", today.get("price", "")))
    assert Decimal(record["price"]) == Decimal(price["price"]) == close
    volumes = {record["cumulative_volume"], today["cumulative_volume"]}
    assert volumes == {price["cumulative_volume"]}
    base = Decimal(yesterday.get("close", yesterday.get("price", "")))
    assert close - base == Decimal(record["change"]) * (-1 if unsigned_fall(name, record) else 1)


def unsigned_fall(name: str, record: Mapping[str, str]) -> bool:
    return name == "overseas stock" and record["change_sign"] == "5"


@pytest.mark.parametrize(
    ("tr_id", "key", "venue", "call", "asked"),
    [
        (
            *("H0IFCNT0", "A01612", "krx", "domestic_futureoption/inquire_time_fuopchartprice"),
            FUTURE | {"FID_HOUR_CLS_CODE": "60", "FID_PW_DATA_INCU_YN": "N"},
        ),
        (
            *("HDFSCNT0", "DNASAAPL", "nas", "overseas_stock/inquire_time_itemchartprice"),
            APPLE | {"NMIN": "1", "PINC": "0", "NREC": "120"},
        ),
    ],
)
def test_the_bridge_can_mend_its_candles_by_the_minute_chart(
    tr_id: str, key: str, venue: str, call: str, asked: Mapping[str, str]
) -> None:
    """What the bridge reads out of a chart is what it would have made of the trades itself."""
    kis = ChartCalls(began=NOW.replace(second=0))
    trades = records_of(kis, tr_id, key, 60)
    channel = CATALOG.channels[tr_id]
    chart = chart_of(CATALOG, channel, venue, key.removeprefix("DNAS"), paper=False)
    assert chart is not None
    answer = kis(call, **asked)
    found = chart.tallies(chart.rows(answer.body))
    times = [NOW.replace(second=0) + timedelta(seconds=5 * place) for place in range(1, 61)]
    timed = zip(times, trades, strict=True)
    minutes = [
        (start, list(rows)) for start, rows in groupby(timed, lambda one: one[0].replace(second=0))
    ]
    assert len(minutes) > 3
    for start, pairs in minutes[1:]:
        prices = [Decimal(row["price"]) for _, row in pairs]
        tally = found[int(start.timestamp())]
        assert (tally.open, tally.close) == (prices[0], prices[-1])
        assert (tally.high, tally.low) == (max(prices), min(prices))
        assert tally.volume == sum(int(row["quantity"]) for _, row in pairs)


LISTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "domestic_stock/inquire_index_daily_price": ("output2", INDEX | DAY),
    "domestic_stock/inquire_index_tickprice": ("output", INDEX),
    "domestic_stock/inquire_index_timeprice": ("output", INDEX | {"FID_INPUT_HOUR_1": "60"}),
    "domestic_stock/inquire_time_indexchartprice": (
        "output2",
        INDEX | {"FID_INPUT_HOUR_1": "600", "FID_PW_DATA_INCU_YN": "Y"},
    ),
    "domestic_futureoption/exp_price_trend": ("output2", FUTURE),
    "domestic_bond/inquire_ccnl": ("output", BOND),
    "domestic_bond/inquire_daily_itemchartprice": ("output", BOND),
    "overseas_stock/inquire_time_itemchartprice": (
        "output2",
        APPLE | {"NMIN": "5", "PINC": "1", "NREC": "120"},
    ),
    "overseas_stock/quot_inquire_ccnl": ("output2", APPLE | {"TDAY": "0"}),
    "overseas_stock/inquire_daily_chartprice": (
        "output2",
        SINCE | DAY | {"FID_COND_MRKT_DIV_CODE": "N", "FID_INPUT_ISCD": ".DJI"},
    ),
    "overseas_stock/inquire_time_indexchartprice": (
        "output2",
        {"FID_COND_MRKT_DIV_CODE": "N", "FID_INPUT_ISCD": "SPX", "FID_PW_DATA_INCU_YN": "Y"},
    ),
    "overseas_futureoption/inquire_time_optchartprice": ("output1", ABROAD | {"QRY_TP": "Q"}),
    "overseas_futureoption/opt_weekly_ccnl": ("output2", ABROAD | {"QRY_TP": "Q"}),
    "overseas_futureoption/tick_ccnl": ("output2", ABROAD | {"QRY_TP": "Q"}),
}
KIS = ChartCalls()


@pytest.mark.parametrize("call", LISTS)
def test_a_list_has_prices_and_begins_with_the_newest_row(call: str) -> None:
    block, asked = LISTS[call]
    rows = [by_path(call, block, row) for row in KIS.rows(call, block, **asked)]
    assert rows
    days = [row.get("date", row.get("local_date", "")) for row in rows]
    moments = [
        day + row.get("time", "") for day, row in zip(days, rows, strict=True) if "time" in row
    ]
    if "quot_inquire" not in call:  # a night goes over midnight in Korea
        assert days == sorted(days, reverse=True)
        assert moments == sorted(moments, reverse=True)
    for row in rows:
        price = row.get("price") or row.get("close") or row["expected_price"]
        assert Decimal(price) > 0
        if "high" in row:
            assert Decimal(row["low"]) <= Decimal(price) <= Decimal(row["high"])


def test_pages_of_an_overseas_chart_go_on_where_the_last_one_ended() -> None:
    asked = APPLE | {"GUBN": "0", "BYMD": "", "MODP": "0"}
    days: list[str] = []
    key = ""
    for _ in range(3):
        answer = KIS("overseas_stock/dailyprice", **asked, KEYB=key)
        days += column(answer.outputs["output2"], "xymd")
        key = answer.outputs["keyb"]
        assert key
    assert len(days) == 300
    assert days == sorted(set(days), reverse=True)


@pytest.mark.parametrize("call", ["inquire_time_futurechartprice", "daily_ccnl", "monthly_ccnl"])
def test_pages_of_futures_abroad_follow_their_key(call: str) -> None:
    minutes = call.startswith("inquire")
    rows_in, keys_in = ("output1", "output2") if minutes else ("output2", "output1")
    asked: dict[str, str] = ABROAD | {"QRY_CNT": "15", "QRY_TP": "Q", "QRY_GAP": "1"}
    moments: list[str] = []
    for _ in range(2):
        outputs = KIS(f"overseas_futureoption/{call}", **asked).outputs
        moments += [row["data_date"] + row["data_time"] for row in outputs[rows_in]]
        asked |= {"QRY_TP": "P", "INDEX_KEY": outputs[keys_in]["index_key"]}
    assert len(moments) == 30
    assert moments == sorted(set(moments), reverse=True)


def test_sectors_share_what_their_market_trades() -> None:
    asked = INDEX | {"FID_MRKT_CLS_CODE": "K", "FID_BLNG_CLS_CODE": "0"}
    rows = KIS.rows("domestic_stock/inquire_index_category_price", "output2", **asked)
    assert rows[0]["bstp_cls_code"] == "0001"
    shares = sum((Decimal(row["acml_vol_rlim"]) for row in rows), Decimal(0))
    assert abs(shares - 100) < 1


def test_two_subscriptions_of_an_index_have_one_price() -> None:
    kis = ChartCalls()
    records_of(kis, "H0UPCNT0", "0001", 30)
    [record] = records_of(kis, "H0UPCNT0", "0001", 1)
    assert abs(Decimal(record["price"]) - kis.tapes.tape("domestic_index", "0001").last) == 0
    assert int(record["cumulative_volume"]) > 30


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("overseas_stock/dailyprice", APPLE | {"EXCD": "XXX"}),
        ("overseas_stock/dailyprice", APPLE | {"BYMD": "tomorrow", "GUBN": "0"}),
        ("overseas_stock/inquire_time_itemchartprice", APPLE | {"KEYB": "1"}),
        ("overseas_stock/inquire_time_itemchartprice", APPLE | {"NREC": "-1"}),
        ("overseas_futureoption/daily_ccnl", ABROAD | {"CLOSE_DATE_TIME": "99999999"}),
        ("overseas_futureoption/daily_ccnl", ABROAD | {"SRS_CD": "x" * 300}),
        ("domestic_stock/inquire_index_price", INDEX | {"FID_INPUT_ISCD": "١٢٣٤"}),
        ("domestic_bond/inquire_daily_price", BOND | {"FID_INPUT_ISCD": "\n"}),
        ("domestic_futureoption/inquire_time_fuopchartprice", FUTURE | {"FID_INPUT_DATE_1": "1"}),
    ],
)
def test_what_cannot_be_read_is_refused(call: str, params: Mapping[str, str]) -> None:
    answer = KIS(call, **params)
    assert (answer.rt_cd, answer.msg_cd) == ("2", "OPSQ2001")


def test_a_book_abroad_says_whose_it_is() -> None:
    asked = {"AUTH": "", "EXCD": "HKS", "SYMB": "00700"}
    row = ChartCalls().row("overseas_stock/inquire_asking_price", "output1", **asked)
    assert (row["rsym"], row["zdiv"], row["curr"]) == ("DHKS00700", "4", "HKD")
