"""The workbook of this project: compiled, complete, and true to captured frames."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.catalog.compile import dumps, load
from bridge.catalog.model import Catalog, Channel, Field, Layout
from bridge.catalog.workbook import examine

ROOT = Path(__file__).parents[2]
FRAMES = [
    json.loads(line)
    for line in (ROOT / "tests/data/frames.jsonl").read_text(encoding="utf-8").splitlines()
]
FITS = {
    "int": r"[+-]?\d+",
    "decimal": r"[+-]?\d+(\.\d+)?|-?nan",
    "sign": r"[1-5]",
    "date": r"\d{8}",
    "time": r"([01]\d|2[0-3])[0-5]\d[0-5]\d",
    "code": r".*",
    "string": r".*",
}
MADE_UP_COUNT = 138
"""Width of the one frame whose count was edited: three records of 46 values, declared as one."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def layouts(catalog: Catalog) -> dict[str, Layout]:
    return {
        layout.id: layout for channel in catalog.channels.values() for layout in channel.layouts
    }


def fields(catalog: Catalog) -> Iterator[tuple[str, Field]]:
    for layout in layouts(catalog).values():
        for field in layout.fields:
            yield layout.id, field


def test_the_workbook_is_sound_and_compiled() -> None:
    read, problems = examine(ROOT / "spec/kis.xlsx")
    assert problems == []
    assert dumps(read) == (ROOT / "bridge/catalog/kis.json").read_text(encoding="utf-8"), (
        "spec/kis.xlsx and bridge/catalog/kis.json differ: run kis-bridge spec compile"
    )


def test_start_up_reads_no_excel() -> None:
    code = "import sys, bridge.catalog.compile as c; c.load(); sys.exit('openpyxl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_channel_of_kis_is_there(catalog: Catalog) -> None:
    kinds: dict[str, int] = defaultdict(int)
    for channel in catalog.channels.values():
        kinds[channel.market] += 1
    assert kinds == {
        "domestic_stock": 22,
        "domestic_index": 3,
        "domestic_elw": 3,
        "domestic_etf": 1,
        "domestic_derivative": 20,
        "domestic_bond": 3,
        "overseas_stock": 4,
        "overseas_derivative": 4,
    }
    assert sum(channel.encrypted for channel in catalog.channels.values()) == 7


def test_topics_collide_only_where_the_symbols_differ(catalog: Catalog) -> None:
    topics: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for channel in catalog.channels.values():
        for venue in channel.venues:
            topics[channel.market, venue.venue, channel.kind].append(channel.tr_id)
        if channel.venue and not channel.encrypted:
            topics[channel.market, channel.venue, channel.kind].append(channel.tr_id)
    shared = {topic for topic, tr_ids in topics.items() if len(tr_ids) > 1}
    assert {market for market, _, _ in shared} == {"domestic_derivative"}
    assert catalog.channels["HDFSASP1"].kind == "delayed_quote"


def test_a_path_has_one_kind_of_value_everywhere(catalog: Catalog) -> None:
    types: dict[str, set[str]] = defaultdict(set)
    for _, field in fields(catalog):
        types[field.path].add("number" if field.type in ("int", "decimal") else field.type)
    assert {path: kinds for path, kinds in types.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("price", {"STCK_PRPR", "LAST", "FUTS_PRPR", "OPTN_PRPR", "LAST_PRICE", "PRPR_NMIX"}),
        ("change", {"PRDY_VRSS", "DIFF", "FUTS_PRDY_VRSS", "OPTN_PRDY_VRSS", "PREV_DIFF_PRICE"}),
        ("quantity", {"CNTG_VOL", "EVOL", "LAST_CNQN", "LAST_QNTT"}),
        ("cumulative_volume", {"ACML_VOL", "TVOL", "VOL"}),
        ("asks[0].price", {"ASKP1", "FUTS_ASKP1", "OPTN_ASKP1", "PASK1", "ASK_PRICE_1"}),
        ("bids[0].quantity", {"BIDP_RSQN1", "VBID1", "BID_QNTT_1"}),
        ("time", {"STCK_CNTG_HOUR", "BSOP_HOUR", "XHMS", "RECV_TIME"}),
    ],
)
def test_the_same_thing_has_the_same_path(catalog: Catalog, path: str, names: set[str]) -> None:
    assert names <= {field.name for _, field in fields(catalog) if field.path == path}


def test_every_field_is_described(catalog: Catalog) -> None:
    assert [
        f"{layout}: {field.name}" for layout, field in fields(catalog) if not field.korean
    ] == []
    assert [field.name for _, field in fields(catalog) if not field.description] == []


def test_order_books_have_both_sides_of_a_level(catalog: Catalog) -> None:
    for channel in catalog.channels.values():
        if channel.kind.endswith("quote"):
            for layout in channel.layouts:
                paths = {field.path for field in layout.fields}
                levels = sum(path.endswith("].price") for path in paths)
                assert levels >= 2
                for level in range(levels // 2):
                    for side in ("asks", "bids"):
                        for what in ("price", "quantity"):
                            assert f"{side}[{level}].{what}" in paths, (layout.id, level)


def test_execution_notices_carry_what_orders_need(catalog: Catalog) -> None:
    channel = catalog.channel("H0STCNI9")
    assert channel is not None
    assert [layout.width for layout in channel.layouts] == [26, 23]
    needed = {"account", "order_no", "original_order_no", "side", "modify_cancel", "symbol"}
    needed |= {"quantity", "price", "time", "rejected", "filled", "acceptance", "order_quantity"}
    for layout in channel.layouts:
        assert needed <= {field.path for field in layout.fields}


def test_order_types_have_a_name_for_each_venue(catalog: Catalog) -> None:
    def names(venue: str) -> dict[str, str]:
        return {code.code: code.name for code in catalog.codes[f"order_type_{venue}"]}

    assert names("krx")["00"] == names("nxt")["00"] == names("sor")["00"] == "limit"
    assert names("krx")["41"] == "after_market_limit"
    assert names("nxt")["27"] == "gtp_limit"
    assert "01" not in names("nxt")
    everything = {code.code: code.name for code in catalog.codes["order_type"]}
    for venue in ("krx", "nxt", "sor"):
        assert names(venue).items() <= everything.items()


def test_every_call_of_kis_is_there(catalog: Catalog) -> None:
    groups: dict[str, int] = defaultdict(int)
    for api in catalog.apis.values():
        groups[api.category] += 1
    assert groups == {
        "auth": 4,
        "domestic_bond": 15,
        "domestic_futureoption": 24,
        "domestic_stock": 131,
        "elw": 21,
        "etfetn": 6,
        "overseas_futureoption": 31,
        "overseas_stock": 47,
    }
    # spec/README.md tells why these are not the numbers of KIS's own lists
    assert sum(len(api.params) for api in catalog.apis.values()) == 1865
    fields = [field for api in catalog.apis.values() for out in api.outputs for field in out.fields]
    assert len(fields) == 6022
    assert [field.name for field in fields if not field.description or not field.korean] == []
    ids = [ids for api in catalog.apis.values() for ids in api.tr_ids]
    assert len({tr.real for tr in ids}) == len(ids) == 303
    assert sum(any(tr.paper for tr in api.tr_ids) for api in catalog.apis.values()) == 42 - 4
    assert sum(bool(api.pages) for api in catalog.apis.values()) == 81


def test_calls_that_change_something_are_marked(catalog: Catalog) -> None:
    """KIS asks by GET and orders by POST, without exception."""
    marked = sorted(api.name for api in catalog.apis.values() if api.changes)
    assert marked == sorted(api.name for api in catalog.apis.values() if api.method == "POST")
    orders = [name for name in marked if not name.startswith("auth/")]
    assert len(orders) == 18
    assert all(re.search(r"order|buy|sell", name) for name in orders)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("price", {"stck_prpr", "last", "futs_prpr", "elw_prpr", "bstp_nmix_prpr", "last_price"}),
        (
            "change",
            {"prdy_vrss", "diff", "futs_prdy_vrss", "bstp_nmix_prdy_vrss", "prev_diff_price"},
        ),
        ("cumulative_volume", {"acml_vol", "tvol"}),
        ("asks[0].price", {"askp1", "pask1", "futs_askp1", "ovtm_untp_askp1", "bond_askp1"}),
        ("order_no", {"odno", "ODNO"}),
        ("filled_quantity", {"tot_ccld_qty", "ft_ccld_qty", "ccld_qty"}),
    ],
)
def test_answers_use_the_words_of_the_channels(
    catalog: Catalog, path: str, names: set[str]
) -> None:
    found = {
        field.name
        for api in catalog.apis.values()
        for output in api.outputs
        for field in output.fields
        if field.path == path
    }
    assert names <= found


def test_no_name_repeats_itself(catalog: Catalog) -> None:
    words = {
        field.path
        for api in catalog.apis.values()
        for output in api.outputs
        for field in output.fields
    }
    words |= {param.path for api in catalog.apis.values() for param in api.params}
    assert [word for word in words if re.search(r"(?:^|_)([a-z]{2,})_\1(?:_|$)", word)] == []
    assert max(map(len, words)) <= 60


def test_every_master_is_there(catalog: Catalog) -> None:
    assert len(catalog.masters) == 30
    assert all(
        {"symbol", "name"} <= {column.path for column in master.columns}
        for master in catalog.masters.values()
    )
    assert catalog.masters["nxt_kospi"].columns == catalog.masters["kospi"].columns
    assert catalog.masters["kospi"].width == 288
    assert sum(not master.file for master in catalog.masters.values()) == 2


def _records(frame: dict[str, str]) -> tuple[Channel, int, list[list[str]]]:
    _, tr_id, count, body = frame["raw"].split("|", 3)
    channel = load().channel(tr_id)
    assert channel is not None, tr_id
    values = body.split("^")
    width, rest = divmod(len(values), int(count))
    assert rest == 0
    return channel, width, [values[i : i + width] for i in range(0, len(values), width)]


@pytest.mark.parametrize(
    "frame", FRAMES, ids=lambda frame: f"{frame['tr_id']} {frame['note'][:30]}"
)
def test_a_captured_frame_fits_its_layout(frame: dict[str, str]) -> None:
    channel, width, records = _records(frame)
    layout = channel.layout(width)
    if width == MADE_UP_COUNT:
        assert layout is None
        return
    assert layout is not None, f"{channel.tr_id} has no layout of {width} values"
    for record in records:
        values = {field.name: value for field, value in zip(layout.fields, record, strict=False)}
        for field in layout.fields:
            value = values[field.name]
            assert value == "" or re.fullmatch(FITS[field.type], value), (field, value)
            if field.signed_by and value.strip("+-0."):
                falls = values[field.signed_by] in ("4", "5")
                unsigned = channel.market == "overseas_stock" and not value.startswith(("-", "+"))
                assert value.startswith("-") == falls or unsigned, (field, value)


def test_a_notice_of_the_old_order_is_read_by_its_own_layout(catalog: Catalog) -> None:
    notices = [_records(frame) for frame in FRAMES if frame["tr_id"] == "H0STCNI0"]
    for channel, width, records in notices:
        layout = channel.layout(width)
        assert layout is not None
        values = {f.path: value for f, value in zip(layout.fields, records[0], strict=True)}
        assert (values["order_no"], values["symbol"], values["symbol_name"]) == (
            "0000002891",
            "136480",
            "하림",
        )
