"""What a record of a trade channel means for candles, as KIS's own times and codes say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.extensions.candles.days import TradingDays
from bridge.extensions.candles.trades import Sold, TradeReader, TradeTable
from bridge.kis.decode import ChannelDecoder, Route
from bridge.kis.frames import DataFrame, parse
from bridge.kis.values import Zone

CATALOG = load()
CALENDAR = Calendar(CATALOG.hours)
FRAMES = Path(__file__).parents[3] / "data/frames.jsonl"


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def read(
    tr_id: str, body: str, count: int, received_at: int, symbol: str = ""
) -> tuple[list[Sold], tuple[int, int] | None]:
    """Decode a frame and read its records as the extension does."""
    channel = CATALOG.channels[tr_id]
    decoder = ChannelDecoder(
        channel, lambda channel, venue, symbol, zone: Route(channel, venue, symbol, "t", zone)
    )
    values = body.split("^")
    key = values[[f.name for f in channel.layouts[0].fields].index(channel.key or channel.symbol)]
    route = decoder.route(key, symbol or key)
    days = TradingDays(CALENDAR, channel.market, route.venue, "Asia/Seoul")
    reader = TradeReader(TradeTable(CATALOG, channel, route.zone, days))
    route.tap = reader.tap
    assert decoder.decode(body, count, received_at, lambda *_: None) in ((), [])
    return reader.take()


def frame(tr_id: str, hint: str) -> tuple[str, int]:
    """Return body and count of a captured frame."""
    for line in FRAMES.read_text().splitlines():
        one = json.loads(line)
        if one["tr_id"] == tr_id and str(one.get("observed_at_hint", "")).startswith(hint):
            found = parse(one["raw"])
            assert isinstance(found, DataFrame)
            return found.body, found.count
    raise AssertionError(f"no frame of {tr_id} at {hint}")


def test_a_captured_frame_of_two_trades_in_a_second_is_one_tally() -> None:
    body, count = frame("H0STCNT0", "2022-12-02")
    [(moment, tally, _)], unreadable = read(
        "H0STCNT0", body, count, us("2022-12-02T12:35:01.2+09:00")
    )
    assert moment.second * 1_000_000 == us("2022-12-02T12:35:01+09:00")
    assert (moment.day, moment.regular) == (date(2022, 12, 2), True)
    assert [*map(int, tally.figures())] == [61000, 61000, 60900, 60900, 12]
    assert tally.value == Decimal(10 * 61000 + 2 * 60900)
    assert tally.trades == 2
    assert unreadable is None


def test_the_print_of_the_opening_auction_is_a_trade_of_the_day() -> None:
    body, count = frame("H0STCNT0", "2026-09-08")
    [(moment, tally, _)], _ = read("H0STCNT0", body, count, us("2026-09-08T09:00:18.4+09:00"))
    assert moment.regular
    assert tally.volume == 200607
    assert tally.value == 200607 * 272000


def test_american_trades_have_new_yorks_time_and_every_decimal() -> None:
    body, count = frame("HDFSCNT0", "2023-05-02")
    [(moment, tally, _)], _ = read("HDFSCNT0", body, count, us("2023-05-02T22:19:12.5+09:00"))
    assert moment.second * 1_000_000 == us("2023-05-02T09:19:12-04:00")
    assert moment.clock == 9 * 3_600 + 19 * 60 + 12
    assert f"{tally.open:f} {tally.close:f} {tally.volume}" == "169.7850 169.7900 4"
    assert tally.value == Decimal("169.7850") + 3 * Decimal("169.79")


def test_a_code_of_the_record_goes_before_the_calendar() -> None:
    body, count = frame("HDFSCNT0", "2023-05-02")  # market class 1, at 09:19: regular, KIS says
    [(moment, _, _)], _ = read("HDFSCNT0", body, count, us("2023-05-02T22:19:12.5+09:00"))
    assert moment.regular
    [(moment, _, _)], _ = read(
        "HDFSCNT0",
        "^".join([*body.split("^")[:25], "2"]),
        1,
        us("2023-05-02T22:19:12.5+09:00"),
    )
    assert not moment.regular


LAYOUT = CATALOG.channels["H0STCNT0"].layouts[0]
PATHS = [field.path for field in LAYOUT.fields]
BODY = frame("H0STCNT0", "2026-09-14")[0].split("^")
ARRIVED = us("2026-09-14T15:07:46.3+09:00")


def changed(**values: str) -> Sequence[str]:
    record = list(BODY)
    for path, value in values.items():
        record[PATHS.index(path)] = value
    return record


def one(**values: str) -> tuple[list[Sold], tuple[int, int] | None]:
    return read("H0STCNT0", "^".join(changed(**values)), 1, ARRIVED)


@pytest.mark.parametrize(
    ("codes", "regular"),
    [
        ({"market_class": "1"}, False),
        ({"market_class": "3"}, False),
        ({"market_class": "5"}, True),
        ({"market_class": "", "market_phase": "21"}, True),
        ({"market_class": "", "market_phase": "31"}, False),
        ({"market_class": "", "market_phase": ""}, True),  # by the calendar, at 15:07
        ({"market_class": "", "market_phase": "", "time": "080000"}, False),
        ({"market_class": "Z", "market_phase": "11"}, False),
    ],
)
def test_what_counts_for_the_day(codes: dict[str, str], regular: bool) -> None:
    [(moment, _, _)], _ = one(**codes)
    assert moment.regular is regular


@pytest.mark.parametrize(
    "values",
    [
        {"time_class": "A"},
        {"time_class": "C"},
        {"market_phase": "22"},
        {"market_phase": "13"},
        {"quantity": "0"},
        {"quantity": "000"},
    ],
)
def test_expected_prices_and_what_is_agreed_off_the_book_make_no_candle(
    values: dict[str, str],
) -> None:
    assert one(**values) == ([], None)


@pytest.mark.parametrize(
    "values",
    [
        {"price": ""},
        {"price": "(null)"},
        {"quantity": "nan"},
        {"quantity": "-5"},
        {"time": ""},
        {"time": "999999"},
        {"time": "150900"},  # more than a minute ahead
        {"business_date": "20260911"},  # three days ago
    ],
)
def test_a_trade_that_cannot_be_placed_is_told(values: dict[str, str]) -> None:
    assert one(**values) == ([], (ARRIVED, ARRIVED + 1))


@pytest.mark.parametrize("invented", ["20991231", "99999999", "00010101"])
def test_a_trading_day_that_cannot_be_is_not_taken_from_the_record(invented: str) -> None:
    body, _ = frame("HDFSCNT0", "2023-05-02")
    values = body.split("^")[:26]
    values[
        [f.path for f in CATALOG.channels["HDFSCNT0"].layouts[0].fields].index("business_date")
    ] = invented
    [(moment, _, _)], _ = read("HDFSCNT0", "^".join(values), 1, us("2023-05-02T22:19:12.5+09:00"))
    assert moment.day == date(2023, 5, 2)


def test_numbers_that_kis_pads_are_the_same_numbers() -> None:
    [(_, tally, _)], _ = one(price="000249250", quantity="+0000000012")
    assert [tally.close, tally.volume, tally.value] == [249250, 12, 249250 * 12]


def test_a_time_without_a_date_is_of_the_day_it_came_near_to() -> None:
    body, _ = frame("H0MFCNT0", "2024")
    values = body.split("^")
    reader_at = {"235959": "2026-11-26T00:00:01+09:00", "000001": "2026-11-26T00:00:02+09:00"}
    for clock, arrived in reader_at.items():
        values[1] = clock
        [(moment, _, _)], _ = read("H0MFCNT0", "^".join(values), 1, us(arrived))
        assert abs(moment.second - us(arrived) // 1_000_000) <= 2
        assert moment.day == date(2026, 11, 25), "the night began on that day"
        assert moment.regular


def test_trades_of_other_seconds_between_are_tallies_of_their_own() -> None:
    records = [changed(time=time) for time in ("150745", "150746", "150745")]
    body = "^".join("^".join(record) for record in records)
    tallies, _ = read("H0STCNT0", body, 3, ARRIVED)
    assert [moment.second % 60 for moment, _, _ in tallies] == [45, 46, 45]


def test_what_is_remembered_has_a_bound() -> None:
    channel = CATALOG.channels["H0STCNT0"]
    zone = Zone("Asia/Seoul")
    days = TradingDays(CALENDAR, "domestic_stock", "krx", "Asia/Seoul")
    table = TradeTable(CATALOG, channel, zone, days)
    reader = TradeReader(table)
    decoder = ChannelDecoder(
        channel, lambda channel, venue, symbol, zone: Route(channel, venue, symbol, "t", zone)
    )
    decoder.route("005930", "005930").tap = reader.tap
    for number in range(4_200):
        record = changed(price=str(100_000 + number), quantity=str(number + 1))
        decoder.decode("^".join(record), 1, ARRIVED, lambda *_: None)
    [(_, tally, _)], _ = reader.take()
    assert tally.trades == 4_200
    [known] = table._known
    assert len(known.prices) <= 4_096
    assert len(known.quantities) <= 4_096


def test_no_trade_channel_signs_its_price_or_quantity_by_another_field() -> None:
    for channel in CATALOG.channels.values():
        for layout in channel.layouts if channel.kind == "trade" else ():
            assert not any(
                field.signed_by for field in layout.fields if field.path in ("price", "quantity")
            ), channel.tr_id


def test_records_of_several_widths_are_read_each_in_its_own_way() -> None:
    channel = CATALOG.channels["H0STCNT0"]
    days = TradingDays(CALENDAR, "domestic_stock", "krx", "Asia/Seoul")
    reader = TradeReader(TradeTable(CATALOG, channel, Zone("Asia/Seoul"), days))
    decoder = ChannelDecoder(
        channel, lambda channel, venue, symbol, zone: Route(channel, venue, symbol, "t", zone)
    )
    decoder.route("005930", "005930").tap = reader.tap
    for record in (BODY, BODY[:46], [*BODY, "new"], BODY):
        decoder.decode("^".join(record), 1, ARRIVED, lambda *_: None)
    tallies, unreadable = reader.take()
    assert sum(tally.trades or 0 for _, tally, _ in tallies) == 4
    assert unreadable is None
