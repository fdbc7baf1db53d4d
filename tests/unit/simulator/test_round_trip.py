"""Records drawn from the workbook alone come back from the decoder as the values they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.catalog.compile import load
from bridge.catalog.model import Channel, Field
from bridge.kis.decode import ChannelDecoder, Problem, Route, notice_values
from bridge.kis.values import down, number, scaled
from bridge.simulator.history.figures import Figure, of_tape
from bridge.simulator.history.tapes import Tape, Tapes
from bridge.simulator.stream.encode import Encoder
from bridge.simulator.stream.price_walks import Typed

CATALOG = load()
NOW = datetime(2026, 9, 22, 10, 0, 5, tzinfo=ZoneInfo("Asia/Seoul"))
RECORDS = 3


def subscribed(channel: Channel) -> str:
    """Return the key of AAPL at the first exchange of a channel."""
    return f"{channel.venues[0].prefix}AAPL" if channel.venues else "005930"


def told_of(tape: Tape) -> Callable[[datetime], Mapping[str, Figure]]:
    """Return what lets a symbol trade and tells what is known of it."""

    def figures(now: datetime) -> Mapping[str, Figure]:
        tape.turn(now)
        return of_tape(tape)

    return figures


def drawn(channel: Channel, width: int) -> Iterator[list[str]]:
    encoder = Encoder(channel, width)
    tape = Tapes(7, NOW.date()).tape("overseas_stock", "AAPL")
    typed = Typed(encoder.layout, subscribed(channel), 7, CATALOG.codes, told_of(tape))
    for _ in range(RECORDS):
        values = typed.values(NOW, channel.key or channel.symbol)
        yield encoder.cells(values | ({channel.symbol: "AAPL"} if channel.venues else {}))


def decoded(channel: Channel, body: str) -> list[Any]:
    payloads: list[Any] = []
    routes: dict[str, Route] = {}
    problems: Sequence[Problem] = ChannelDecoder(
        channel,
        lambda c, v, s, z: routes.setdefault(s, Route(c, v, s, f"kis/{s}", z)),
        lambda _, key: key == subscribed(channel),
    ).decode(
        body,
        RECORDS,
        int(NOW.timestamp() * 1e6),
        lambda _, data: payloads.append(json.loads(data, parse_float=Decimal)),
    )
    assert list(problems) == []
    return payloads


def at(payload: Any, path: str) -> Any:
    for part in path.replace("[", ".[").split("."):
        payload = payload[int(part[1:-1]) if part.startswith("[") else part]
    return payload


def expected(field: Field, raw: str, codes: dict[str, str]) -> object:
    if field.type not in ("int", "decimal"):
        return raw
    value = scaled(number(raw), field.scale)
    falls = codes.get(field.signed_by) in ("4", "5")
    return None if value == "null" else Decimal(down(value) if falls else value)


@pytest.mark.parametrize("channel", CATALOG.channels.values(), ids=lambda channel: channel.tr_id)
def test_encoding_and_decoding_is_the_identity(channel: Channel) -> None:
    for layout in channel.layouts:
        rows = list(drawn(channel, layout.width))
        body = "^".join(value for row in rows for value in row)
        if channel.encrypted:
            assert notice_values(channel, RECORDS, body) == [
                {field.path: value for field, value in zip(layout.fields, row, strict=True)}
                for row in rows
            ]
            continue
        payloads = decoded(channel, body)
        assert [payload["seq"] for payload in payloads] == [1, 2, 3]
        for row, payload in zip(rows, payloads, strict=True):
            raw = {field.name: value for field, value in zip(layout.fields, row, strict=False)}
            for field in layout.fields:
                found = at(payload, field.path)
                if field.type == "time":
                    clock = (found or "T").partition("T")[2][:8] if field.path == "time" else found
                    wanted = f"{raw[field.name][:2]}:{raw[field.name][2:4]}:{raw[field.name][4:]}"
                    assert clock is None or (clock or "").startswith(wanted), field
                else:
                    assert found == expected(field, raw[field.name], raw), (field, found)
