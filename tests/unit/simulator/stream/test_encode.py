from __future__ import annotations

from decimal import Decimal

import pytest

from bridge.catalog.compile import load
from bridge.kis.crypto import decrypt
from bridge.kis.frames import DataFrame, parse
from bridge.simulator.stream.encode import Encoder, frame, sealed

CATALOG = load()
EVERY_LAYOUT = [
    (channel.tr_id, layout.width)
    for channel in CATALOG.channels.values()
    for layout in channel.layouts
]


def test_every_layout_is_written_in_its_width() -> None:
    for tr_id, width in EVERY_LAYOUT:
        encoder = Encoder(CATALOG.channels[tr_id], width)
        parsed = parse(frame(tr_id, [encoder.record({}), encoder.record({})]))
        assert isinstance(parsed, DataFrame), tr_id
        assert len(parsed.body.split("^")) == 2 * width, tr_id


def test_without_a_width_the_layout_of_today_is_used() -> None:
    assert Encoder(CATALOG.channels["H0STCNT0"]).layout.width == 47
    assert Encoder(CATALOG.channels["H0STASP0"]).layout.width == 63


def test_an_unknown_width_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"H0STCNT0 has no layout of 44 values .*47, 46"):
        Encoder(CATALOG.channels["H0STCNT0"], 44)


def test_values_are_given_by_kis_name_or_path() -> None:
    encoder = Encoder(CATALOG.channels["H0STCNT0"], 46)
    cells = encoder.cells(
        {"MKSC_SHRN_ISCD": "005930", "price": 71_900, "PRDY_CTRT": Decimal("-0.10"), "none": 1}
    )
    assert cells[:6] == ["005930", "000000", "71900", "3", "0", "-0.10"]
    assert encoder.cells({"price": None})[2] == ""
    assert encoder.place("price") == 2
    assert encoder.place("none") is None


def test_a_notice_opens_with_its_key() -> None:
    key, iv = "k" * 32, "i" * 16
    parsed = parse(sealed("H0STCNI9", "계좌^0000000001", key, iv))
    assert isinstance(parsed, DataFrame)
    assert (parsed.encrypted, parsed.count) == (True, 1)
    assert decrypt(parsed.body, key, iv) == "계좌^0000000001"
