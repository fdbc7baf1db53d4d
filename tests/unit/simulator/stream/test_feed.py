from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.catalog.model import Channel
from bridge.simulator.exchange.exchange import Exchange
from bridge.simulator.exchange.market import Print
from bridge.simulator.off_book.off_book import OffBook
from bridge.simulator.stream.encode import Encoder
from bridge.simulator.stream.feed import Source, SubscriptionFeed

CATALOG = load()
NOW = datetime(2026, 9, 22, 10, 0, 5, tzinfo=ZoneInfo("Asia/Seoul"))
KEYS = {
    "domestic_stock": "005930",
    "domestic_etf": "069500",
    "domestic_index": "0001",
    "overseas_stock": "DNASAAPL",
    "overseas_derivative": "ESZ26",
    "domestic_bond": "KR103502GD31",
}
CHANNELS = [channel for channel in CATALOG.channels.values() if not channel.encrypted]

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_PATTERNS = {
    "int": re.compile(r"-?\d+"),
    "decimal": _NUMBER,
    "sign": re.compile(r"[1-5]"),
    "time": re.compile(r"\d{6}"),
    "date": re.compile(r"\d{8}|"),
    "code": re.compile(r".*"),
    "string": re.compile(r".*"),
}


def feed_of(
    channel: Channel, key: str, exchange: Exchange | None = None
) -> tuple[SubscriptionFeed, Encoder]:
    encoder = Encoder(channel)
    off_book = OffBook(1, ())
    source = Source(exchange or Exchange(seed=1), 1, CATALOG.codes, off_book)
    return source.feed(channel, encoder, key), encoder


def prints_of(exchange: Exchange, symbol: str) -> list[Print]:
    for _ in range(5):
        exchange.act(symbol, NOW)
    return exchange.market(symbol, NOW).collect()


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.tr_id)
def test_every_channel_has_plausible_records(channel: Channel) -> None:
    exchange = Exchange(seed=1)
    key = "DHKS00700" if channel.tr_id == "HDFSASP1" else KEYS.get(channel.market, "A01603")
    feed, encoder = feed_of(channel, key, exchange)
    prints = prints_of(exchange, key) if feed.symbol else []
    made = feed.records(3, prints, NOW)
    assert len(made) == (len(prints) if channel.kind == "trade" and feed.symbol else 3)
    for record in made:
        values = record.split("^")
        assert len(values) == encoder.layout.width
        assert key in values
        for field, value in zip(encoder.layout.fields, values, strict=False):
            assert _PATTERNS[field.type].fullmatch(value), (field.name, value)
    assert 0 < feed.weight <= 1


@pytest.mark.parametrize(
    ("clock", "told"),
    [
        ((8, 10), ["H0NXCNT0", "H0UNCNT0"]),
        ((10, 0), ["H0NXCNT0", "H0STCNT0", "H0UNCNT0"]),
        ((15, 35), []),
        ((17, 0), ["H0NXCNT0", "H0STCNT0", "H0UNCNT0"]),
    ],
)
def test_a_venue_shows_trades_in_its_own_hours(clock: tuple[int, int], told: list[str]) -> None:
    exchange = Exchange(seed=1, calendar=Calendar(CATALOG.hours))
    now = NOW.replace(hour=clock[0], minute=clock[1])
    for _ in range(5):
        exchange.act("005930", now)
    prints = exchange.market("005930", now).collect()
    assert told == [
        tr_id
        for tr_id in ("H0NXCNT0", "H0STCNT0", "H0UNCNT0")
        if feed_of(CATALOG.channels[tr_id], "005930", exchange)[0].records(1, prints, now)
    ]


@pytest.mark.parametrize("key", ["삼성전자", "", "005930^"])
def test_no_channel_takes_a_key_that_is_no_code(key: str) -> None:
    takers = []
    for channel in CHANNELS:
        try:
            feed_of(channel, key)
        except ValueError as error:
            assert str(error).startswith("no such key"), channel.tr_id
        else:
            takers.append(channel.tr_id)
    assert takers == []


@pytest.mark.parametrize(
    ("tr_id", "key"),
    [
        ("H0STCNT0", "SAMSUNG"),
        ("H0STASP0", "5930"),
        ("H0STCNT0", ""),
        ("H0UPCNT0", "001"),
        ("HDFSCNT0", "AAPL"),
        ("HDFSCNT0", "DXXXAAPL"),
        ("HDFSASP1", "DNASAAPL"),
        ("H0IFCNT0", "A\n"),
    ],
)
def test_impossible_keys_are_refused(tr_id: str, key: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"no such key: {key!r}")):
        feed_of(CATALOG.channels[tr_id], key)


def values(tr_id: str, key: str) -> dict[str, str]:
    exchange = Exchange(seed=1)
    feed, encoder = feed_of(CATALOG.channels[tr_id], key, exchange)
    prints = prints_of(exchange, key) if feed.symbol else []
    cells = feed.records(1, prints, NOW)[-1].split("^")
    return dict(zip((field.name for field in encoder.layout.fields), cells, strict=True))


def test_a_trade_agrees_with_itself() -> None:
    row = values("H0STCNT0", "005930")
    assert row["STCK_CNTG_HOUR"] == "100005"
    assert int(row["STCK_LWPR"]) <= int(row["STCK_PRPR"]) <= int(row["STCK_HGPR"])
    assert int(row["BIDP1"]) < int(row["ASKP1"])
    change = int(row["STCK_PRPR"]) - 274_000
    assert int(row["PRDY_VRSS"]) == change
    assert row["PRDY_VRSS_SIGN"] == ("3" if not change else "2" if change > 0 else "5")
    assert int(row["ACML_VOL"]) == int(row["SELN_CNTG_SMTN"]) + int(row["SHNU_CNTG_SMTN"])
    assert row["CCLD_DVSN"] in ("1", "5")
    assert (row["MRKT_TRTM_CLS_CODE"], row["MARKET_CLS_CODE"]) == ("", "2")


def test_a_quote_is_a_book() -> None:
    row = values("H0STASP0", "005930")
    asks = [int(row[f"ASKP{level}"]) for level in range(1, 11)]
    bids = [int(row[f"BIDP{level}"]) for level in range(1, 11)]
    assert asks == sorted(set(asks))
    assert bids == sorted(set(bids), reverse=True)
    assert bids[0] < asks[0]
    sizes = sum(int(row[f"ASKP_RSQN{level}"]) for level in range(1, 11))
    assert sizes <= int(row["TOTAL_ASKP_RSQN"])
    assert (row["ANTC_CNTG_VRSS"], row["ANTC_CNTG_PRDY_CTRT"]) == ("-274000", "-100.00")


@pytest.mark.parametrize("tr_id", ["HDFSASP0", "HDFSASP1"])
def test_an_overseas_quote_names_its_symbol(tr_id: str) -> None:
    row = values(tr_id, "DHKS00700")
    assert (row["RSYM"], row["SYMB"], row["ZDIV"]) == ("DHKS00700", "00700", "3")
    assert Decimal(row["PBID1"]) < Decimal(row["PASK1"])
    assert (row["XYMD"], row["XHMS"]) == ("20260922", "090005")


def test_an_after_hours_quote_is_a_book_and_a_trade_has_a_symbol_from_the_start() -> None:
    quote = values("H0STOAA0", "005930")
    assert 0 < int(quote["BIDP1"]) < int(quote["ASKP1"])
    feed, encoder = feed_of(CATALOG.channels["H0STOUP0"], "005930")
    [record] = feed.records(1, [], NOW)
    assert record.split("^")[encoder.place("MKSC_SHRN_ISCD") or 0] == "005930"


@pytest.mark.parametrize(
    ("tr_id", "key", "symbol", "name"),
    [
        ("HDFSCNT0", "DNASAAPL", "AAPL", "LAST"),
        ("H0IFCNT0", "A01603", "A01603", "FUTS_PRPR"),
    ],
)
def test_records_and_orders_have_one_price(tr_id: str, key: str, symbol: str, name: str) -> None:
    off_book = OffBook(1, ())
    channel = CATALOG.channels[tr_id]
    encoder = Encoder(channel)
    feed = Source(Exchange(seed=1), 1, CATALOG.codes, off_book).feed(channel, encoder, key)
    for _ in range(20):
        [record] = feed.records(1, [], NOW)
        told = Decimal(record.split("^")[encoder.place(name) or 0])
        assert told == off_book.price(symbol)
    assert off_book.price(symbol) != off_book.base(symbol)
    off_book.move(symbol, Decimal(77), NOW)
    [record] = feed.records(1, [], NOW)
    assert abs(Decimal(record.split("^")[encoder.place(name) or 0]) - 77) < 1


def test_an_index_tells_its_range_since_the_previous_close() -> None:
    row = {name: value for name, value in values("H0UPCNT0", "0001").items() if value}
    base = Decimal(row["PRPR_NMIX"]) - Decimal(row["BSTP_NMIX_PRDY_VRSS"])
    for value, distance in (("OPRC_NMIX", "OPRC"), ("NMIX_HGPR", "HGPR"), ("NMIX_LWPR", "LWPR")):
        assert Decimal(row[f"{distance}_VRSS_NMIX_PRPR"]) == Decimal(row[value]) - base


def test_overseas_values_are_signed_as_observed() -> None:
    for _ in range(5):
        row = values("HDFSCNT0", "DNASAAPL")
        assert (row["RSYM"], row["SYMB"], row["ZDIV"]) == ("DNASAAPL", "AAPL", "4")
        assert re.fullmatch(r"\d+\.\d{4}", row["LAST"])
        assert re.fullmatch(r"\d+\.\d{4}", row["DIFF"])
        sign = {"2": "+", "3": "", "5": "-"}[row["SIGN"]]
        assert row["RATE"].startswith(sign)
        assert (row["KYMD"], row["KHMS"]) == ("20260922", "100005")
        assert (row["XYMD"], row["XHMS"]) == ("20260921", "210005")
