"""Decoding, held against frames that KIS really sent or published.

The expectation is made from the raw frame by position, with conversions written here and not in
the product; a few frames are also written out in full, by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.catalog.compile import load
from bridge.catalog.model import Catalog, Channel, Field, Layout
from bridge.errors import DecodeError, FrameError
from bridge.kis.decode import ChannelDecoder, Drift, Problem, Quarantined, Route, notice_values
from bridge.kis.frames import DataFrame, parse
from bridge.kis.template import LayoutDecoder
from bridge.kis.values import Zone

FRAMES = Path(__file__).parents[2] / "data" / "frames.jsonl"
ARRIVAL = 1_771_820_109_123_456  # 2026-02-23T13:15:09.123456+09:00


@cache
def catalog() -> Catalog:
    return load()


def captured(tr_id: str = "") -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in FRAMES.read_text("utf-8").splitlines()]
    return [row for row in rows if not tr_id or row["tr_id"] == tr_id]


def width_of(row: dict[str, Any]) -> int:
    """Values of a record: one captured frame declares one record and holds three."""
    width = int(row["field_count_per_record"])
    return 46 if width == 138 else width


class Decoded:
    """Decodes frames of one channel and keeps what came out."""

    def __init__(
        self, tr_id: str, channel: Channel | None = None, subscribed: Container[str] = ()
    ) -> None:
        channel = channel or catalog().channel(tr_id)
        assert channel is not None
        self.channel = channel
        self.published: list[tuple[str, bytes]] = []
        self.problems: list[Problem] = []
        self._routes: dict[str, Route] = {}
        self._decoder = ChannelDecoder(channel, self._route, lambda _, key: key in subscribed)

    def anew(self) -> Decoded:
        """Begin as if nothing had come: to compile a channel takes longer than to decode."""
        self.published, self.problems, self._routes = [], [], {}
        self._decoder.forget()
        return self

    def layouts(self) -> list[LayoutDecoder]:
        return [layout for layout in self._decoder._widths.values() if layout is not None]

    def _route(self, channel: Channel, venue: str, symbol: str, zone: Zone) -> Route:
        topic = f"{channel.market}/{venue}/{channel.kind}/{symbol}"
        return self._routes.setdefault(topic, Route(channel, venue, symbol, topic, zone))

    def frame(self, raw: str, received_at: int = ARRIVAL) -> list[dict[str, Any]]:
        frame = parse(raw)
        assert isinstance(frame, DataFrame)
        return self.body(frame.body, frame.count, received_at)

    def body(self, body: str, count: int = 1, received_at: int = ARRIVAL) -> list[dict[str, Any]]:
        before = len(self.published)
        self.problems += self._decoder.decode(
            body, count, received_at, lambda r, p: self.published.append((r.topic, p))
        )
        return [
            json.loads(payload, parse_float=Decimal, parse_int=Decimal)
            for _, payload in self.published[before:]
        ]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from leaves(child, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from leaves(child, f"{path}[{i}]")
    else:
        yield path, value


def expected_value(field: Field, raw: str, record: dict[str, str]) -> Any:
    """What a consumer of JSON must read for one value, said independently of the product."""
    if raw == "(null)":
        return None
    if field.type in ("int", "decimal"):
        if raw in ("", "nan", "-nan"):
            return None
        value = Decimal(raw)
        falls = record.get(field.signed_by) in ("4", "5")
        return -value if falls and value > 0 else value
    if field.type == "time":
        if raw in ("", "000000"):
            return None
        return f"{raw[0:2]}:{raw[2:4]}:{raw[4:6]}+09:00"
    return raw


@pytest.mark.parametrize(
    "row",
    [row for row in captured() if "CNI" not in row["tr_id"]],
    ids=lambda row: f"{row['tr_id']}-{row['field_count_per_record']}x{row['count']}",
)
def test_every_captured_frame_decodes_to_its_values(row: dict[str, Any]) -> None:
    decoded = Decoded(row["tr_id"])
    records = decoded.frame(row["raw"])
    values = row["raw"].split("|", 3)[3].split("^")
    width = width_of(row)
    assert len(records) == len(values) // width
    assert not [problem for problem in decoded.problems if isinstance(problem, Quarantined)]
    layout = decoded.channel.layout(width)
    assert layout is not None
    for number, payload in enumerate(records):
        raw = values[number * width : (number + 1) * width]
        named = {field.name: value for field, value in zip(layout.fields, raw, strict=False)}
        got = dict(leaves(payload))
        assert got.pop("channel") == row["tr_id"]
        assert got.pop("seq") == number + 1
        assert got.pop("received_at") == ARRIVAL
        for field, value in zip(layout.fields, raw, strict=False):
            if field.path == "time":
                clock = f"T{value[0:2]}:{value[2:4]}:{value[4:6]}"
                assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d{clock}[+-]\d\d:00", got.pop("time"))
                continue
            assert got.pop(field.path) == expected_value(field, value, named), field.name
        surplus = raw[len(layout.fields) :]
        assert [got.pop(f"extra[{i}]") for i in range(len(surplus))] == surplus
        assert got == {}


@pytest.mark.parametrize(
    "row",
    [row for row in captured() if "CNI" in row["tr_id"]],
    ids=lambda row: f"{row['tr_id']}-{row['field_count_per_record']}",
)
def test_every_captured_notice_reads_by_name(row: dict[str, Any]) -> None:
    channel = catalog().channel(row["tr_id"])
    assert channel is not None
    frame = parse(row["raw"])
    assert isinstance(frame, DataFrame)
    [values] = notice_values(channel, frame.count, frame.body)
    assert values["order_no"] == "0000002891"
    assert values["symbol"] == "136480"
    assert values["side"] == "02"
    assert values["quantity"] == "0000000001"
    assert values["time"] == "094941"
    assert values["order_quantity"] == "000000001"
    assert values["filled"] in ("1", "2")
    if values["filled"] == "2":
        assert values["price"] == "000003190"


def test_a_trade_of_today_in_full() -> None:
    [row] = [r for r in captured("H0STCNT0") if r["field_count_per_record"] == 47]
    decoded = Decoded("H0STCNT0")
    [trade] = decoded.frame(row["raw"])
    assert decoded.published[0][0] == "domestic_stock/krx/trade/005930"
    assert trade["symbol"] == "005930"
    assert trade["time"] == "2026-09-14T15:07:46+09:00"
    assert trade["price"] == 249250
    assert trade["change"] == -10250
    assert trade["change_rate"] == Decimal("-3.95")
    assert (trade["open"], trade["high"], trade["low"]) == (249500, 254500, 248500)
    assert (trade["ask"], trade["bid"]) == (249500, 249000)
    assert trade["quantity"] == 1
    assert trade["cumulative_volume"] == 14871538
    assert trade["cumulative_value"] == 3728926343750


def test_an_order_book_nests_best_first() -> None:
    [row] = [r for r in captured("H0STASP0") if r["field_count_per_record"] == 62]
    [book] = Decoded("H0STASP0").frame(row["raw"])
    assert book["symbol"] == "088350"
    assert book["asks"][0] == {"price": 6140, "quantity": 81678}
    assert book["asks"][9] == {"price": 6230, "quantity": 25943}
    assert book["bids"][0] == {"price": 6130, "quantity": 1095}
    assert book["bids"][9] == {"price": 6040, "quantity": 8388}
    assert book["time"] == "2026-02-23T13:14:04+09:00"


def test_an_overseas_trade_has_its_exchanges_time_and_venue() -> None:
    rows = captured("HDFSCNT0")
    decoded = Decoded("HDFSCNT0")
    first, _ = decoded.frame(rows[0]["raw"])
    assert decoded.published[0][0] == "overseas_stock/nas/trade/AAPL"
    assert first["time"] == "2023-05-02T09:19:12-04:00"
    assert first["price"] == Decimal("169.7850")
    assert first["change"] == Decimal("0.1950")
    assert first["change_rate"] == Decimal("0.11")
    assert b'"price":169.7850' in decoded.published[0][1]  # the zero that KIS sent is kept


@pytest.mark.parametrize(("code", "falls"), [("1", 0), ("2", 0), ("3", 0), ("4", 1), ("5", 1)])
def test_an_unsigned_fall_is_signed_by_its_code(code: str, falls: int) -> None:
    raw = captured("HDFSCNT0")[0]["raw"]
    values = raw.split("|", 3)[3].split("^")[:26]
    values[12:15] = [code, "0.1950", "-0.11"]
    decoded = Decoded("HDFSCNT0")
    for _ in range(2):  # the first record takes the slow path, the second the fast one
        [trade] = decoded.body("^".join(values))
        assert trade["change"] == Decimal("-0.1950" if falls else "0.1950")
        assert trade["change_rate"] == Decimal("-0.11")
    values[13] = "0.0000"
    [flat] = decoded.body("^".join(values))
    assert flat["change"] == 0


class TestWidths:
    def trade(self) -> list[str]:
        [row] = [r for r in captured("H0STCNT0") if r["field_count_per_record"] == 47]
        return str(row["raw"]).split("|", 3)[3].split("^")

    def test_new_fields_at_the_end_are_kept_and_told_once(self) -> None:
        decoded = Decoded("H0STCNT0")
        body = "^".join([*self.trade(), "A", "(7)"])
        for number in (1, 2):
            [trade] = decoded.body(body)
            assert trade["extra"] == ["A", "(7)"]
            assert trade["price"] == 249250
            assert trade["seq"] == number
        [told] = decoded.problems
        assert isinstance(told, Drift)
        assert told.width == 49

    def test_two_records_of_a_new_width(self) -> None:
        records = Decoded("H0STCNT0").body("^".join([*self.trade(), "", *self.trade(), ""]), 2)
        assert [trade["extra"] for trade in records] == [[""], [""]]

    def test_a_missing_optional_tail_is_left_out(self) -> None:
        [row] = [r for r in captured("H0STASP0") if r["field_count_per_record"] == 62]
        values = row["raw"].split("|", 3)[3].split("^")[:60]
        decoded = Decoded("H0STASP0")
        [book] = decoded.body("^".join(values))
        assert book["asks"][0]["price"] == 6140
        assert isinstance(decoded.problems[0], Drift)

    @pytest.mark.parametrize("width", [1, 20, 45, 200])
    def test_other_widths_are_quarantined_with_the_raw_record(self, width: int) -> None:
        body = "^".join((self.trade() * 5)[:width])
        decoded = Decoded("H0STCNT0")
        assert decoded.body(body) == []
        quarantined = [p for p in decoded.problems if isinstance(p, Quarantined)]
        assert [q.raw for q in quarantined] == [body]

    def test_values_that_do_not_divide_are_quarantined(self) -> None:
        decoded = Decoded("H0STCNT0")
        assert decoded.body("^".join(self.trade()), 2) == []
        [problem] = decoded.problems
        assert isinstance(problem, Quarantined)
        assert "47 values do not divide into 2" in problem.reason


class TestOneBadRecord:
    def test_never_loses_its_neighbours(self) -> None:
        trade = TestWidths().trade()
        bad = [*trade]
        bad[2] = "12a"
        decoded = Decoded("H0STCNT0")
        records = decoded.body("^".join([*trade, *bad, *trade]), 3)
        assert [record["seq"] for record in records] == [1, 2]
        [problem] = decoded.problems
        assert isinstance(problem, Quarantined)
        assert problem.reason == "STCK_PRPR: no number: '12a'"
        assert problem.raw == "^".join(bad)

    def test_without_a_symbol_has_no_topic(self) -> None:
        trade = TestWidths().trade()
        decoded = Decoded("H0STCNT0")
        assert decoded.body("^".join(["", *trade[1:]])) == []
        assert isinstance(decoded.problems[0], Quarantined)

    def test_with_an_impossible_date_keeps_its_time(self) -> None:
        trade = TestWidths().trade()
        trade[33] = "20261345"
        [record] = Decoded("H0STCNT0").body("^".join(trade))
        assert record["time"] == "2026-02-23T15:07:46+09:00"
        assert record["business_date"] == "20261345"

    def test_of_an_overseas_channel_without_an_exchange_is_quarantined(self) -> None:
        values = captured("HDFSCNT0")[0]["raw"].split("|", 3)[3].split("^")[:26]
        decoded = Decoded("HDFSCNT0")
        assert decoded.body("^".join(["D", *values[1:]])) == []
        assert isinstance(decoded.problems[0], Quarantined)


def test_values_that_json_must_escape() -> None:
    values = next(r["raw"] for r in captured("H0STMKO0")).split("|", 3)[3].split("^")
    values[2] = 'halted "by hand" \\ 사유'
    [record] = Decoded("H0STMKO0").body("^".join(values))
    assert 'halted "by hand" \\ 사유' in dict(leaves(record)).values()


market_frames = [row for row in captured() if "CNI" not in row["tr_id"]]
odd_values = st.one_of(
    st.sampled_from(
        ["", "nan", "-nan", "(null)", "+5", "-0", "007", "1.", ".5", "000000", "246060", "4", "5"]
    ),
    st.text(max_size=6).filter(lambda text: "^" not in text),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(lambda d: f"{d:f}"),
)


@cache
def fast_and_slow(tr_id: str) -> tuple[Decoded, Decoded]:
    """Return who decodes a channel as usual, and who does it value by value."""
    fast, slow = Decoded(tr_id), Decoded(tr_id)
    for layout in slow.layouts():
        layout.match = lambda body, position: None
        layout.loosen = lambda: lambda body, position: None  # type: ignore[method-assign]
    return fast, slow


@given(st.sampled_from(market_frames), st.data())
def test_any_values_decode_or_are_quarantined(row: dict[str, Any], data: st.DataObject) -> None:
    decoded = fast_and_slow(row["tr_id"])[0].anew()
    values = row["raw"].split("|", 3)[3].split("^")
    for place in data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=4)):
        values[place] = data.draw(odd_values)
    records = decoded.body("^".join(values), row["count"])
    lost = [p for p in decoded.problems if isinstance(p, Quarantined)]
    assert len(records) + len(lost) == len(values) // width_of(row)


@given(st.sampled_from(market_frames), st.data())
def test_the_fast_and_the_slow_path_say_the_same(row: dict[str, Any], data: st.DataObject) -> None:
    values = row["raw"].split("|", 3)[3].split("^")
    width = width_of(row)
    for place in data.draw(st.lists(st.integers(0, width - 1), max_size=3)):
        values[place] = data.draw(odd_values)
    fast, slow = (one.anew() for one in fast_and_slow(row["tr_id"]))
    for body in ("^".join(values[:width]), "^".join(values[:width] * 2)):
        fast.body(body, len(body.split("^")) // width)
        slow.body(body, len(body.split("^")) // width)
    assert fast.published == slow.published
    assert fast.problems == slow.problems


@pytest.mark.parametrize(
    ("tr_id", "odd"),
    [
        ("HDFSCNT0", {"+0.11": "0.11", "+1.2": "1.2"}),
        ("H0BJCNT0", {"": "null", "(null)": "null"}),
        ("H0EUCNT0", {"": "null", "-nan": "null", "(null)": "null", "0012": "12"}),
        ("H0STCNT0", {"+0.11": "0.11", "": "null"}),
    ],
)
def test_numbers_that_kis_signs_or_leaves_out_take_no_slow_path(
    tr_id: str, odd: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(LayoutDecoder, "explain")
    decoded = Decoded(tr_id)
    row = next(row for row in captured(tr_id) if len(row["raw"]) > 100)
    values = row["raw"].split("|", 3)[3].split("^")[: width_of(row)]
    layout = decoded.channel.layout(width_of(row))
    assert layout is not None
    place = next(
        i
        for i, field in enumerate(layout.fields)
        if field.path in ("rate", "change_rate", "yield", "price")
    )
    for raw, token in odd.items():
        values[place] = raw
        decoded.body("^".join(values))
        assert f'"{layout.fields[place].path}":{token}'.encode() in decoded.published[-1][1]


def test_texts_that_kis_leaves_out_take_no_slow_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(LayoutDecoder, "explain")
    decoded = Decoded("H0STMKO0")
    for row in captured("H0STMKO0") * 2:
        decoded.frame(row["raw"])
    assert b":null" in decoded.published[-1][1]


@pytest.mark.parametrize(
    ("tr_id", "source", "values", "key"),
    [
        ("HDFSCNT0", "HDFSCNT0", 26, "DNASAAPL"),
        ("HDFSASP0", "HDFSASP0", 17, "RBAQAAPL"),
        ("HDFSASP1", "HDFSASP0", 17, "DHKSAAPL"),
    ],
)
def test_a_record_without_its_key_is_the_same_at_the_exchange_that_is_subscribed(
    tr_id: str, source: str, values: int, key: str
) -> None:
    # KIS's sample programs list these channels without their first value, the key.
    row = captured(source)[0]
    body, count = row["raw"].split("|")[3].split("^"), row["count"]
    width = len(body) // count
    records = [[key, *body[i * width + 1 : i * width + values]] for i in range(count)]
    [whole, short] = [Decoded(tr_id, subscribed=[key, "DNASMSFT"]) for _ in range(2)]
    whole.body("^".join(value for record in records for value in record), count)
    short.body("^".join(value for record in records for value in record[1:]), count)
    assert whole.problems == short.problems == []
    assert [topic for topic, _ in short.published] == [topic for topic, _ in whole.published]
    for (_, got), (_, expected) in zip(short.published, whole.published, strict=True):
        assert {"key": key, **json.loads(got)} == json.loads(expected)


@pytest.mark.parametrize(
    ("subscribed", "found"), [((), "none is"), (("DNASAAPL", "RBAQAAPL"), "several are")]
)
def test_a_record_that_could_be_of_several_exchanges_is_quarantined(
    subscribed: tuple[str, ...], found: str
) -> None:
    decoded = Decoded("HDFSCNT0", subscribed=subscribed)
    decoded.body("^".join(captured("HDFSCNT0")[0]["raw"].split("|")[3].split("^")[1:26]))
    reason = f"the record names no exchange, and of the keys of 'AAPL' {found} subscribed"
    assert decoded.problems == [Quarantined("HDFSCNT0", reason, ANY)]
    assert decoded.published == []


def test_where_a_record_without_its_key_goes_follows_the_subscriptions() -> None:
    subscribed = ["DNASAAPL"]
    decoded = Decoded("HDFSCNT0", subscribed=subscribed)
    body = "^".join(captured("HDFSCNT0")[0]["raw"].split("|")[3].split("^")[1:26])
    decoded.body(body)
    subscribed[:] = ["DNYSAAPL"]
    decoded.body(body)
    topics = [topic for topic, _ in decoded.published]
    assert topics == [f"overseas_stock/{venue}/trade/AAPL" for venue in ("nas", "nys")]


@pytest.mark.parametrize(("tr_id", "width"), [("HDFSASP0", 80), ("HDFSCNT0", 50)])
def test_a_grown_record_is_not_taken_for_several_without_a_key(tr_id: str, width: int) -> None:
    row = captured(tr_id)[-1]
    values = row["raw"].split("|")[3].split("^")
    decoded = Decoded(tr_id, subscribed=["DNASAAPL", "RBAQAAPL"])
    [payload] = decoded.body("^".join(values + ["7"] * (width - len(values))))
    assert payload["extra"] == ["7"] * (width - len(values))
    assert isinstance(decoded.problems[0], Drift)


def test_a_notice_is_no_market_data() -> None:
    channel = catalog().channel("H0STCNI0")
    assert channel is not None
    with pytest.raises(DecodeError, match="notice"):
        ChannelDecoder(channel, lambda *_: pytest.fail("no route for a notice"))


def test_a_notice_of_a_width_that_shifts_its_fields_is_refused() -> None:
    channel = catalog().channel("H0STCNI0")
    assert channel is not None
    with pytest.raises(FrameError) as caught:
        notice_values(channel, 1, "^".join("secret" for _ in range(22)))
    assert "secret" not in str(caught.value)
    [values] = notice_values(channel, 1, "^".join(str(i) for i in range(30)))
    assert values["quantity"] == "9"
    assert values["order_quantity"] == "16"


def test_a_faulty_line_cannot_fill_the_memory_with_symbols() -> None:
    asked: list[str] = []
    routes: dict[str, Route] = {}

    def route_of(channel: Channel, venue: str, symbol: str, zone: Zone) -> Route:
        asked.append(symbol)
        return routes.setdefault(symbol, Route(channel, venue, symbol, symbol, zone))

    channel = catalog().channels["H0ZFANC0"]  # the one with the fewest values
    decoder = ChannelDecoder(channel, route_of)
    published: list[bytes] = []

    def feed(symbol: str) -> None:
        body = f"{symbol}^131509^371.5^1.0^2^0.3^1"
        assert not decoder.decode(body, 1, ARRIVAL, lambda _, p: published.append(p))

    feed("005930")
    feed("005930")
    assert asked == ["005930"]
    for number in range(10_000):
        feed(f"X{number}")
        assert len(decoder._routes) <= 4_096
    feed("005930")
    assert json.loads(published[-1])["seq"] == 3
    assert asked.count("005930") == 2


def test_a_number_longer_than_any_reader_should_have_to_read_is_quarantined() -> None:
    decoded = Decoded("H0ZFANC0")
    longest, longer = "9" * 64, "9" * 65
    [record] = decoded.body(f"005930^131509^{longest}.5^1.0^2^0.3^1")
    assert Decimal(f"{longest}.5") in record.values()
    for value in (longer, f"1.{longer}", "9" * 1_000_000):
        assert decoded.body(f"005930^131509^{value}^1.0^2^0.3^1") == []
    assert [type(problem) for problem in decoded.problems] == [Quarantined] * 3


def test_a_faulty_line_cannot_fill_the_memory_with_widths() -> None:
    decoded = Decoded("H0ZFANC0")
    for width in range(1, 1_000):
        decoded.body("^" * width)
        assert len(decoded._decoder._widths) <= 128
    [record] = decoded.body("005930^131509^371.5^1.0^2^0.3^1")
    assert record["symbol"] == "005930"


def test_a_frame_of_nothing_but_garbage_is_told_of_in_few_words_and_counted_in_full() -> None:
    decoded = Decoded("H0ZFANC0")
    good, bad = "005930^131509^371.5^1.0^2^0.3^1", "005930^131509^x^1.0^2^0.3^1"
    assert len(decoded.body("^".join([bad] * 999 + [good]), 1_000)) == 1
    assert len(decoded.problems) == 65
    assert sum(each.records for each in decoded.problems if isinstance(each, Quarantined)) == 999


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("MKSC_SHRN_ISCD", "A" * 65, "65 letters, at most 64"),
        ("STCK_CNTG_HOUR", "1" * 60_000, "letters in 1 records, at most 4096 in each"),
        ("STCK_PRPR", "0" * 257, "257 letters, at most 256"),
        ("PRDY_VRSS_SIGN", "2" * 3_000, "3000 letters, at most 64"),
        ("MRKT_TRTM_CLS_CODE", "x" * 65, "65 letters, at most 64"),
        ("value 48", "x" * 65, "65 letters, at most 64"),
    ],
)
def test_a_value_longer_than_its_type_allows_makes_neither_a_payload_nor_a_topic(
    field: str, value: str, reason: str
) -> None:
    channel = catalog().channels["H0STCNT0"]
    names = [one.name for one in channel.layouts[0].fields] + ["value 48"]
    values = [*captured("H0STCNT0")[-1]["raw"].split("|")[3].split("^")[:46], "", "extra"]
    values[names.index(field)] = value
    decoded = Decoded("H0STCNT0")
    decoded.body("^".join(values))
    told = [one.reason for one in decoded.problems if isinstance(one, Quarantined)]
    assert len(told) == 1
    assert told[0].endswith(reason)
    assert decoded.published == []
    assert decoded._routes == {}


def test_a_text_as_long_as_its_type_allows_is_published() -> None:
    values = captured("H0STCNT0")[-1]["raw"].split("|")[3].split("^")[:46]
    for longest in ("x" * 64, "(" * 64):  # the second takes the slow path
        [record] = Decoded("H0STCNT0").body("^".join([*values, longest]))
        assert record["market_class"] == longest


def test_records_that_do_not_decode_make_no_topics() -> None:
    decoded = Decoded("H0ZFANC0")
    for number in range(10):
        decoded.body(f"X{number}^131509^x^1.0^2^0.3^1")
        decoded.body("^131509^371.5^1.0^2^0.3^1")
    assert len(decoded.problems) == 20
    assert decoded._routes == {}
    assert decoded._decoder._routes == {}


def test_a_faulty_line_cannot_have_a_layout_compiled_for_each_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[int] = []

    class Counted(LayoutDecoder):
        def __init__(self, channel: Channel, layout: Layout, width: int) -> None:
            compiled.append(width)
            super().__init__(channel, layout, width)

    decoded = Decoded("H0ZFANC0")
    monkeypatch.setattr("bridge.kis.decode.LayoutDecoder", Counted)
    record = "005930^131509^371.5^1.0^2^0.3^1"
    grown = {width: record + "^7" * (width - 7) for width in (9, 10, 11, 12, 13, 15)}
    for _ in range(100):
        for body in grown.values():
            decoded.body(body)
    assert compiled == [9, 10, 11, 12]
    assert len(decoded.published) == 400
    # Ten seconds later another one may come, and the oldest goes for it.
    later = ARRIVAL + 10_000_000
    assert decoded.body(grown[13], received_at=later)
    assert decoded.body(grown[12], received_at=later)
    assert decoded.body(grown[9], received_at=later) == []
    # It goes on when others have made the decoder forget the widths that are none.
    for width in range(100, 1_100):
        decoded.body("^" * width, received_at=later)
    assert decoded.body(grown[13], received_at=later)
    assert compiled == [9, 10, 11, 12, 13]
