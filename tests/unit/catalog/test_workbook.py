"""A workbook is read whole, and each mistake in it is told with its cell and its mend."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from bridge.catalog.compile import dumps, loads
from bridge.catalog.model import Snapshot
from bridge.catalog.sheets import SHEETS
from bridge.catalog.workbook import examine_sheets, read
from bridge.errors import WorkbookError
from tests.unit.catalog.books import Cell, book, change, write


def test_a_valid_workbook_becomes_a_catalog(tmp_path: Path) -> None:
    catalog = read(write(book(), tmp_path / "kis.xlsx"))

    trade = catalog.channels["H0STCNT0"]
    assert (trade.market, trade.venue, trade.kind, trade.symbol) == (
        *("domestic_stock", "krx", "trade"),
        "CODE",
    )
    assert [(layout.id, layout.width) for layout in trade.layouts] == [
        ("trade_6", 6),
        ("trade_5", 5),
    ]
    assert trade.layouts[1].fields == trade.layouts[0].fields[:5]
    assert trade.layouts[0].date == "DAY"
    change_field, side = trade.layouts[0].fields[4:]
    assert (change_field.path, change_field.type, change_field.signed_by) == (
        "change",
        "int",
        "SIGN",
    )
    assert (change_field.korean, change_field.description, change_field.unit) == (
        *("대비", "Change"),
        "KRW",
    )
    assert (side.codes, side.optional) == ("side", True)

    overseas = catalog.channels["HDFSCNT0"]
    assert [(venue.venue, venue.prefix) for venue in overseas.venues] == [
        *[("nas", "DNAS"), ("hks", "DHKS")],
    ]
    assert overseas.layouts[0].fields[2].scale == 2
    assert catalog.channel("H0STCNI9") is catalog.channels["H0STCNI0"]
    assert catalog.channels["H0STCNI0"].encrypted

    order = catalog.apis["domestic_stock/order_cash"]
    assert [(ids.variant, ids.real, ids.paper) for ids in order.tr_ids] == [
        ("buy", "TTTC0012U", "VTTC0012U"),
        ("sell", "TTTC0011U", "VTTC0011U"),
    ]
    assert order.changes
    assert [(param.path, param.required, param.default) for param in order.params] == [
        ("symbol", True, ""),
        ("side", False, "02"),
    ]
    assert [(output.name, output.array, len(output.fields)) for output in order.outputs] == [
        ("output1", True, 2)
    ]
    assert catalog.apis["auth/token"].tr_ids == ()
    assert [code.name for code in catalog.codes["side"]] == ["sell", "buy"]
    assert catalog.version == "1"


def test_the_order_of_the_rows_does_not_matter_to_the_digest(tmp_path: Path) -> None:
    shuffled = book()
    for sheet in ("channels", "layouts", "venues"):
        if sheet != "venues":
            shuffled[sheet][1:] = reversed(shuffled[sheet][1:])
    one = read(write(book(), tmp_path / "one.xlsx"))
    other = read(write(shuffled, tmp_path / "other.xlsx"))
    assert dumps(one) == dumps(other)
    assert len(one.digest) == 64


def test_the_digest_tells_contents_apart(tmp_path: Path) -> None:
    changed, renamed = book(), book()
    change(changed, "fields!L2", "Another description")
    change(renamed, "about!B2", "2")
    digest = read(write(book(), tmp_path / "one.xlsx")).digest
    assert read(write(changed, tmp_path / "changed.xlsx")).digest != digest
    assert read(write(renamed, tmp_path / "renamed.xlsx")).digest == digest


def test_a_catalog_survives_being_written_and_read(tmp_path: Path) -> None:
    catalog = read(write(book(), tmp_path / "kis.xlsx"))
    assert loads(dumps(catalog)) == catalog


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        # cells by themselves
        ("fields!E6", "NUM", "unknown type 'NUM' (one of int, decimal, string, code, date, time"),
        ("fields!E6", None, "is missing"),
        ("fields!B6", "five", "must be a whole number, not 'five'"),
        ("fields!B6", 5.5, "must be a whole number, not 5.5"),
        ("layouts!B2", True, "must be a whole number, not True"),
        ("layouts!B2", "9" * 5000, "must be a whole number"),
        ("codes!B2", 1, "1 is no text: format the cell as text and type it again"),
        ("channels!J2", True, "True is no text"),
        ("channels!J2", "ja", "'ja' is neither yes nor no (blank means no)"),
        ("fields!L2", "=1+1", "a formula: write its value"),
        ("fields!C2", "CODE ", "blanks around 'CODE': remove them"),
        # fields
        ("fields!D6", "Change", "'Change' is no path: snake_case, dots, [0], e.g. asks[0].price"),
        ("fields!D6", "asks[1].price", "asks[0] is missing before [1]"),
        ("fields!D6", 'side.a', "fields!D7: 'side' would be a group and a value"),
        ("fields!D6", "symbol", "'symbol' comes twice"),
        ("fields!D6", "symbol.name", "'symbol' would be a value and a group"),
        ("fields!D6", "seq", "'seq' is a name of the bridge itself"),
        ("fields!D6", "time[0]", "'time' would be a value and a list"),
        ("fields!C6", "CODE", "'CODE' comes twice"),
        ("fields!B6", 7, "must be 5: count on from 1, in order"),
        ("fields!G6", "signs", "no list 'signs' in the sheet codes"),
        ("fields!H6", "SIDE", "no field 'SIDE' of type sign here"),
        ("fields!H7", "SIGN", "only int and decimal have one, not 'code'"),
        ("fields!I7", 2, "only int and decimal have one, not 'code'"),
        ("fields!E3", "code", "the field with path time must be a time, not 'code'"),
        ("fields!J6", "yes", None),
        ("fields!J5", 'yes', "fields!J6: must be yes, as for the field before it"),
        ("fields!A7", "trade_7", "no layout 'trade_7' in the sheet layouts"),
        ("fields!A12", "trade_5", "layout 'trade_5' takes its fields from 'trade_6'"),
        # layouts
        ("layouts!B2", 7, "7, but the sheet fields has 6 rows for it"),
        ("layouts!B3", 6, "layouts!D3: layout 'trade_6' has the same width: use it instead"),
        ("layouts!B3", 2, "layouts!C3: no field 'DAY' of type date in layout 'trade_5'"),
        ("layouts!C2", "SIGN", "no field 'SIGN' of type date in layout 'trade_6'"),
        ("layouts!C4", "SYMB", "layout 'overseas_3' has no field with path time"),
        ("layouts!D3", "trade_9", "no layout 'trade_9' with rows in the sheet fields"),
        ("layouts!A4", "trade_6", "'trade_6' comes twice"),
        ("layouts!A3", "trade_8", "no channel uses layout 'trade_8'"),
        # channels
        ("channels!A3", "H0STCNT0", "'H0STCNT0' comes twice"),
        ("channels!B4", "H0STCNT0", "'H0STCNT0' comes twice among the TR ids"),
        ("channels!A2", "h0stcnt0", "'h0stcnt0' is no TR id (capitals and digits)"),
        ("channels!C2", "stock", "unknown market 'stock' (one of domestic_stock, domestic_index"),
        ("channels!D2", "K R X", "'K R X' is no snake_case name"),
        ("channels!E2", "Trade", "'Trade' is no snake_case name"),
        ("channels!D2", None, "give a venue here or rows in the sheet venues, one of the two"),
        ("channels!D3", "nas", "give a venue here or rows in the sheet venues, one of the two"),
        ("channels!F2", "trade_6 trade_4", "no layout 'trade_4' in the sheet layouts"),
        ("channels!F2", "trade_6 trade_6", "two layouts of 6 values"),
        ("channels!G2", "SYMB", "no field 'SYMB' in layout 'trade_6'"),
        ("channels!G2", "SIDE", "the path of 'SIDE' must be symbol"),
        ("channels!H3", None, "is missing: the venue is read from that field"),
        ("channels!H3", "KEY", "no field 'KEY' in layout 'overseas_3'"),
        ("channels!I2", "Asia/Soul", "'Asia/Soul' is no IANA zone, e.g. Asia/Seoul"),
        ("channels!I2", "../etc", "'../etc' is no IANA zone"),
        ("channels!I2", "Asia", "'Asia' is no IANA zone"),
        ("channels!J4", None, "must be yes for kind notice, and for no other"),
        ("channels!J2", "yes", "must be yes for kind notice, and for no other"),
        # venues
        ("venues!A2", "HDFSCNT9", "no channel 'HDFSCNT9' in the sheet channels"),
        ("venues!B3", "nas", "'nas' comes twice for this channel"),
        ("venues!C3", "DNAS", "'DNAS' comes twice for this channel"),
        ("venues!C3", "D", "'D' is no prefix (four capitals, e.g. DNAS)"),
        ("venues!D3", "Mars", "'Mars' is no IANA zone"),
        # calls
        ("apis!D3", "TTTC0012U", "'TTTC0012U' comes twice"),
        ("apis!D3", None, "is missing"),
        ("apis!D3", "buy it", "'buy it' is no TR id (capitals and digits)"),
        ("apis!C3", "buy", "each row of a call needs a variant of its own"),
        ("apis!C3", None, "each row of a call needs a variant of its own"),
        ("apis!F3", "POST", "leave blank: apis!F2 tells it"),
        ("apis!F2", "PUT", "unknown method 'PUT' (one of GET, POST)"),
        ("apis!G2", "order", "must begin with /"),
        ("apis!I2", "no", "unknown pages 'no' (one of blank, tr_cont, tr_cont+ctx_area, key)"),
        ("apis!K2", None, "is missing"),
        ("params!A3", "order_cash", "no call 'order_cash' in the sheet apis"),
        ("params!B3", "PDNO", "'PDNO' comes twice"),
        ("params!C3", "symbol", "'symbol' comes twice"),
        ("params!C3", "a.b", "'a.b' is no snake_case name"),
        ("params!D3", "number", "unknown type 'number'"),
        ("params!E3", "header", "unknown where 'header' (one of query, body)"),
        ("params!G3", "03", "'03' is not in list 'side'"),
        ("params!H3", "sides", "no list 'sides' in the sheet codes"),
        ("outputs!A4", "auth/tokens", "no call 'auth/tokens' in the sheet apis"),
        ("outputs!C3", None, "must be as in outputs!C2"),
        ("outputs!E3", "order_no", "'order_no' comes twice"),
        ("apis!D4", "a token", "'a token' is no TR id (capitals and digits)"),
        ("apis!A4", "elw", "apis!D4: is missing"),
        # masters
        ("masters!A3", "stocks", "'stocks' comes twice"),
        ("masters!F2", "zip", "unknown format 'zip' (one of fixed, pipe, tab)"),
        ("masters!F2", "pipe", "only the columns of a fixed file have a width, and all of them"),
        ("masters!G2", 30, "30, but the columns have 29 bytes"),
        ("masters!H3", "bonds", "has no rows in the sheet master_fields"),
        ("masters!H4", "stocks", "'nas' has rows of its own in the sheet master_fields"),
        ("master_fields!A4", "nys", "no master 'nys' in the sheet masters"),
        ("master_fields!B3", 3, "must be 2: count on from 1, in order"),
        ("master_fields!D3", "symbol", "'symbol' comes twice"),
        ("master_fields!E3", "text", "unknown type 'text'"),
        ("master_fields!G5", "sides", "no list 'sides' in the sheet codes"),
        # codes
        ("codes!E3", None, "is missing"),
        ("codes!B3", "01", "'01' comes twice in this list"),
        ("codes!C3", "sell", "'sell' comes twice in this list"),
        ("codes!C3", "Buy!", "'Buy!' is no snake_case name"),
        # hours
        ("hours!A2", None, "is missing: every session has it (a special day has days)"),
        ("hours!A2", "stock", "unknown 'stock' (one of domestic_bond, domestic_derivative"),
        ("hours!B2", "kosdaq", "unknown 'kosdaq' (one of all, krx)"),
        ("hours!B2", "krx krx", "a name comes twice"),
        ("hours!B4", "krx", "unknown 'krx' (one of hks, nas)"),
        ("hours!C2", "Regular session", "'Regular session' is no snake_case name"),
        ("hours!D2", None, "is missing"),
        ("hours!D2", "LSE", "unknown calendar 'LSE' (one of KRX, NYSE, HKEX, JPX"),
        ("hours!D3", "weekdays", "hours!H3: domestic_stock/krx has another zone or calendar above"),
        ("hours!F2", "9:00", "'9:00' is no time of day (HH:MM or HH:MM:SS)"),
        ("hours!F2", "+01:00", "'+01:00' is no time of day (HH:MM or HH:MM:SS)"),
        ("hours!G2", "24:00", "'24:00' is no time of day (HH:MM or HH:MM:SS)"),
        ("hours!G2", "09:00", "it closes when it opens"),
        ("hours!H2", "Asia/Soul", "'Asia/Soul' is no IANA zone, e.g. Asia/Seoul"),
        ("hours!H3", "Asia/Tokyo", "domestic_stock/krx has another zone or calendar above"),
        ("hours!I3", "14.09.2026", "'14.09.2026' is no date (YYYY-MM-DD)"),
        ("hours!I3", "2026-02-30", "'2026-02-30' is no date (YYYY-MM-DD)"),
        ("hours!I3", "20260914", "'20260914' is no date (YYYY-MM-DD)"),
        ("hours!J3", "2026-09-13", "is before since"),
        ("hours!K2", None, "must be yes where a kind is busy"),
        ("hours!K2", "maybe", "'maybe' is neither yes nor no (blank means no)"),
        ("hours!L2", "quote", "unknown 'quote' (one of trade)"),
        ("hours!L2", "notice", "unknown 'notice' (one of trade)"),
        ("hours!M3", None, "must be yes where order types are named"),
        ("hours!N3", "later", "unknown 'later' (one of late, limit)"),
        ("hours!N2", "limit late", None),
        ("hours!E5", "2026-11-19 12-31 02-29 11-thu-4+1 first", None),
        ("hours!E5", "2026-11-31", "'2026-11-31' is no day, e.g. 2026-11-19, 12-24"),
        ("hours!E5", "13-thu-3", "'13-thu-3' is no day"),
        ("hours!E5", "11-thu-6", "'11-thu-6' is no day"),
        ("hours!E5", " ".join(["12-24"] * 101), "more than 100 days: use a second row"),
        ("hours!D5", "SSE", None),
        ("hours!C5", "night", "unknown 'night' (one of after, regular)"),
        ("hours!A5", "overseas_stock", "unknown 'overseas_stock' (one of domestic_stock)"),
        ("hours!B6", "krx", "unknown 'krx' (one of nas)"),
        ("hours!F5", "later", "'later' is no time (10:00, +01:00, closed, trading)"),
        ("hours!F6", "closed", "hours!G6: leave it blank where opens says closed"),
        ("hours!F6", "trading", "trading is about a whole calendar: leave markets"),
        ("hours!G5", "closed", "'closed' is no time (16:30, +01:00, or blank: as usual)"),
        ("hours!H5", "Asia/Seoul", "leave it blank: days only change when a session is held"),
        ("hours!M5", "yes", "leave it blank: days only change when a session is held"),
        # snapshots
        ("snapshots!A2", "HDFSCNT1", "no channel 'HDFSCNT1' in the sheet channels"),
        ("snapshots!A2", "HDFSCNT0 HDFSCNT0", "'HDFSCNT0' comes twice"),
        ("snapshots!A2", "H0STCNI0", "'H0STCNI0' is an account notice"),
        ("snapshots!A2", "H0STCNT0", "snapshots!C2: exchange 'KRX' is not in list 'venues'"),
        ("snapshots!B2", "price", "no call 'price' in the sheet apis (category/id)"),
        ("snapshots!B2", "auth/token", "auth/token is no call that only reads"),
        ("snapshots!B2", "domestic_stock/order_cash", "domestic_stock/order_cash is no call that"),
        ("snapshots!B2", "overseas_stock/balance", "overseas_stock/balance is about an account"),
        ("snapshots!C2", "exchange=NAS", "the symbol is in none of them: write {symbol}"),
        ("snapshots!C2", "symbol={symbol}", "exchange is missing, which overseas_stock"),
        ("snapshots!C2", "exchange=NAS symbol={name}", "unknown {name} (one of {symbol}, {VENUE})"),
        ("snapshots!C2", "exchange=NAS symbol=x{symbol}", "'symbol=x{symbol}' is no parameter"),
        ("snapshots!C2", "exchange=NAS symbol={symbol} symbol={symbol}", "'symbol' comes twice"),
        ("snapshots!C2", "exchange=NAS symbol={symbol} x=1", "overseas_stock/price has no para"),
        ("snapshots!C2", "exchange=NYS symbol={symbol}", "exchange 'NYS' is not in list 'venues'"),
        ("snapshots!C2", "exchange=nasdaq symbol={symbol}", None),
        ("snapshots!D2", "output9", "overseas_stock/price has no block 'output9' (it has output, "),
        ("snapshots!D2", "output output", "'output' comes twice"),
        ("snapshots!D2", "output output3", "price is in output and in output3: take one of them"),
        ("snapshots!D2", "output4", "source of output4 is a word of the bridge's own"),
        # headers and sheets
        ("fields!E1", "kind", "unknown column 'kind' (one of layout, position, name"),
        ("fields!E1", "path", "column 'path' comes twice"),
        ("about!C9", None, "the meaning is missing"),
        ("about!B9", 'colour', "about!A9: explains channels.colour, which is not there"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_told_with_its_cell(place: str, value: Cell, line: str | None) -> None:
    sheets = book()
    change(sheets, place, value)
    _, problems = examine_sheets(sheets)
    if line is None:
        assert problems == []
    else:
        expected = line if re.match(r"\w+!", line) else f"{place}: {line}"
        assert any(problem.startswith(expected) for problem in problems), problems


def test_a_holiday_cannot_hang_on_the_trading_days() -> None:
    sheets = book()
    change(sheets, "hours!E5", "first")
    change(sheets, "hours!F5", "closed")
    change(sheets, "hours!G5", None)
    _, problems = examine_sheets(sheets)
    assert problems == [
        "hours!E5: first depends on which days are trading days: name a date",
    ]


def test_a_timetable_has_a_limit() -> None:
    sheets = book()
    sheets["hours"] += [sheets["hours"][4]] * 1_000
    catalog, problems = examine_sheets(sheets)
    assert problems == ["hours!D1002: more than 1000 rows: take out what is over"]
    assert len(catalog.hours.sessions) + len(catalog.hours.special_days) == 1_000


def test_a_workbook_from_before_the_hours_says_what_to_do() -> None:
    sheets = book()
    del sheets["hours"]
    _, problems = examine_sheets(sheets)
    assert problems[0] == (
        "hours: this sheet is missing: copy it from spec/kis.xlsx, with what about says of it"
    )


def test_a_workbook_without_snapshots_polls_nothing_and_is_whole() -> None:
    sheets = book()
    del sheets["snapshots"]
    sheets["about"] = [row for row in sheets["about"] if row[0] != "snapshots"]
    catalog, problems = examine_sheets(sheets)
    assert (problems, catalog.snapshots) == ([], ())


def test_snapshots_are_read_in_their_order_and_have_a_limit() -> None:
    sheets = book()
    sheets["snapshots"] += [sheets["snapshots"][1]] * 200
    catalog, problems = examine_sheets(sheets)
    assert problems == ["snapshots!A202: more than 200 rows: take out what is over"]
    assert len(catalog.snapshots) == 200
    assert catalog.snapshots[0] == Snapshot(
        *(("HDFSCNT0",), "overseas_stock/price"),
        (("exchange", "{VENUE}"), ("symbol", "{symbol}")),
        ("output", "output2"),
    )
    assert loads(dumps(catalog)).snapshots == catalog.snapshots


def test_sessions_and_special_days_are_read_in_their_order() -> None:
    hours = examine_sheets(book())[0].hours
    assert [(one.venues, one.name) for one in hours.sessions] == [
        *((("krx",), "regular"), (("krx",), "after"), (("nas",), "regular")),
    ]
    after = hours.sessions[1]
    assert (after.since, after.data, after.orders, after.order_types) == (
        *("2026-09-14", True, True),
        ("late",),
    )
    exam, half = hours.special_days
    assert (exam.calendar, exam.days, exam.opens, exam.sessions) == (
        *("KRX", ("11-thu-3",), "+01:00"),
        (),
    )
    assert (half.sessions, half.opens, half.closes) == (("regular",), "", "13:00")


def test_missing_and_strange_sheets_and_columns_are_told() -> None:
    sheets = book()
    del sheets["venues"]
    sheets["notes"] = [["x"]]
    for row in sheets["codes"]:
        del row[3]
    sheets["about"] = [["Test"]]
    _, problems = examine_sheets(sheets)
    assert problems[:3] == [
        f"notes: unknown sheet (the sheets are about, {', '.join(SHEETS)})",
        "venues: this sheet is missing",
        "codes!1: column 'korean' is missing",
    ]
    assert "about: a row 'version' with the version of the workbook is missing" in problems
    assert "about: the header sheet, column, meaning is missing" in problems


def test_about_comes_first_and_explains_everything() -> None:
    sheets = book()
    about = sheets.pop("about")
    sheets["about"] = [row for row in about if row[:2] != ["fields", "scale"]]
    _, problems = examine_sheets(sheets)
    assert problems == [
        "channels: the first sheet must be about",
        "about: does not explain column 'scale' of sheet 'fields'",
    ]


def test_a_prefix_must_not_cut_off_a_sign() -> None:
    sheets = book()
    fields = sheets["fields"]
    fields[4][2:8], fields[5][2:8] = fields[5][2:8], fields[4][2:8]
    change(sheets, "layouts!B3", 4)
    _, problems = examine_sheets(sheets)
    assert problems == ["layouts!B3: cuts off 'SIGN', which signs 'DIFF'"]


def test_a_prefix_wider_than_its_layout_has_values_without_names(tmp_path: Path) -> None:
    sheets = book()
    change(sheets, "layouts!B3", 9)
    layout = read(write(sheets, tmp_path / "kis.xlsx")).channels["H0STCNT0"].layout(9)
    assert layout is not None
    assert len(layout.fields) == 6


def test_a_layout_without_fields_is_told() -> None:
    sheets = book()
    del sheets["fields"][10:]
    _, problems = examine_sheets(sheets)
    assert "layouts!A5: layout 'notice_2' has no rows in the sheet fields" in problems


def test_the_rows_of_an_answer_stay_together() -> None:
    sheets = book()
    again = list(sheets["outputs"][2])
    again[3:5] = ["PRICE", "price"]
    other = list(again)
    other[1] = "output2"
    sheets["outputs"][3:3] = [other, again]
    _, problems = examine_sheets(sheets)
    assert problems == ["outputs!B5: keep the rows of 'output1' together"]


def test_blank_rows_are_passed_over(tmp_path: Path) -> None:
    sheets = book()
    sheets["codes"].insert(2, [])
    sheets["codes"] += [[None] * 5, []]
    assert read(write(sheets, tmp_path / "kis.xlsx")).codes["side"][1].code == "02"


def test_reading_tells_the_first_problem_and_how_many_more(tmp_path: Path) -> None:
    sheets = book()
    change(sheets, "fields!E6", "NUM")
    path = write(sheets, tmp_path / "kis.xlsx")
    with pytest.raises(WorkbookError, match=r"^fields!H6: only int and decimal|^fields!E6: unk"):
        read(path)
    change(sheets, "codes!C3", "Buy!")
    with pytest.raises(WorkbookError, match=r"\(and \d more: kis-bridge spec check\)$"):
        read(write(sheets, path))


def test_a_file_that_is_no_workbook_gets_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.xlsx"
    text.write_text("symbol,price")
    renamed = tmp_path / "kis.csv"
    renamed.write_text("symbol,price")
    archive = tmp_path / "archive.xlsx"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("hello.txt", "hello")
    whole = write(book(), tmp_path / "whole.xlsx").read_bytes()
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(whole[: len(whole) // 2])
    for path in (text, renamed, archive, cut, tmp_path, tmp_path / "none.xlsx"):
        with pytest.raises(WorkbookError) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
