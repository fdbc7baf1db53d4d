"""The values of a captured record agree with each other under the paths that the workbook gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.catalog.model import Channel
from bridge.kis.decode import ChannelDecoder, Route

CATALOG = load()
FRAMES = Path(__file__).parents[2] / "data/frames.jsonl"
MOMENT = 1_789_366_066_123_456
VALUES = ("price", "nav")
"""What the change is of."""
CENT = Decimal("0.011")


def records() -> Iterator[tuple[str, Any]]:
    for line in FRAMES.read_text(encoding="utf-8").splitlines():
        kind, tr_id, count, body = json.loads(line)["raw"].split("|", 3)
        channel = CATALOG.channel(tr_id)
        if kind == "1" or channel is None or channel.encrypted:
            continue
        for data in decoded(channel, int(count), body):
            yield tr_id, json.loads(data, parse_float=Decimal, parse_int=Decimal)


def decoded(channel: Channel, count: int, body: str) -> list[bytes]:
    found: list[bytes] = []
    decoder = ChannelDecoder(channel, lambda c, v, s, z: Route(c, v, s, f"kis/{s}", z))
    decoder.decode(body, count, MOMENT, lambda _, data: found.append(data))
    return found


RECORDS = list(records())


def near(one: Decimal, other: Decimal, tolerance: Decimal = CENT) -> bool:
    return abs(one - other) <= tolerance


@pytest.mark.parametrize("part", ["open", "high", "low"])
def test_the_distance_from_open_high_and_low_is_what_it_says(part: str) -> None:
    told = [r for _, r in RECORDS if r.get(part) and r.get(f"{part}_change") is not None]
    assert len(told) > 10
    for record in told:
        assert near(record["price"] - record[part], record[f"{part}_change"]), record


@pytest.mark.parametrize("part", ["open", "high", "low"])
def test_what_an_index_did_since_the_previous_close(part: str) -> None:
    told = [record for _, record in RECORDS if f"{part}_from_previous" in record]
    assert told
    for record in told:
        previous = record["price"] - record["change"]
        distance = record[part] - previous
        assert near(distance, record[f"{part}_from_previous"]), record
        rate = distance / previous * 100
        assert near(rate, record[f"{part}_from_previous_rate"]), record


def test_change_and_rate_are_of_one_sign_and_size() -> None:
    told = [(tr_id, r) for tr_id, r in RECORDS if r.get("change") and r.get("change_rate")]
    assert len({tr_id for tr_id, _ in told}) >= 10
    for _, record in told:
        price = next(record[name] for name in VALUES if name in record)
        rate = record["change"] / (price - record["change"]) * 100
        assert near(rate, record["change_rate"], Decimal("0.02")), record


def test_books_have_their_best_price_first() -> None:
    books = [record for _, record in RECORDS if "asks" in record]
    assert len(books) >= 8
    for record in books:
        for name in ("asks", "bids"):
            prices = [row["price"] for row in record[name] if row.get("price")]
            assert prices == sorted(prices, reverse=name == "bids"), record
