from __future__ import annotations

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli.watch import WatchTable, json_line, summary
from bridge.errors import ConfigError
from bridge.mqtt.message import Message

TRADE = b'{"symbol":"005930","seq":7,"time":"t","price":71900.10,"change":-0,"name":null}'


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (TRADE, f'{{"topic":"kis/한","payload":{TRADE.decode()}}}'),
        (b'{\n"a":\r\n1}\n', '{"topic":"kis/한","payload":{ "a":  1}}'),
        (b"plain \xff", '{"topic":"kis/한","payload":"plain \ufffd"}'),
        (b"", '{"topic":"kis/한","payload":""}'),
    ],
)
def test_a_line_keeps_json_to_the_digit(payload: bytes, line: str) -> None:
    assert json_line("kis/한", payload) == line


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (TRADE, "price 71900.10  change -0"),
        (b'{"asks":[{"price":10,"quantity":5},{}],"bids":[],"n":[1]}', "asks 10×5"),
        (b'{"at":1795305605123456}', "at 2026-11-22 09:00:05.123"),
        (b'{"started_at":"2026-11-22T00:00:05Z"}', "started_at 2026-11-22 09:00:05.000"),
        (b'{"answered_at":"soon","since":5}', "answered_at soon  since 5"),
        (b"7.50", "7.50"),
        (b"plain", "plain"),
    ],
)
def test_the_main_values(payload: bytes, text: str) -> None:
    assert summary(payload) == text


def test_the_table() -> None:
    now = 100.0
    board = WatchTable(clock=lambda: now)
    assert board.table().title == "waiting …"
    info = Message("kis/bridge/info", b'{"environment":"real"}', 0, True, "", b"", None, 1, print)
    board.environment(info)
    assert board.table().title == r"\[real] waiting …"
    for _ in range(4):
        board.arrived(Message("kis/a", TRADE, 0, False, "", b"", None, 0, lambda: None))
    now = 102.0
    screen = io.StringIO()
    Console(file=screen, width=100).print(board.table())
    assert "price 71900.10" in screen.getvalue()
    assert "2.0" in screen.getvalue()


def test_what_a_stranger_publishes_cannot_draw_on_the_terminal() -> None:
    board = WatchTable()
    for payload in (b"[/x]", b'{"a":"[/x] \\u001b[2J","b":"[red]"}', b"\x1b]0;title\x07"):
        topic = f"kis/[/{payload[:2].hex()}]"
        board.arrived(Message(topic, payload, 0, False, "", b"", None, 0, lambda: None))
    screen = io.StringIO()
    Console(file=screen, width=100, force_terminal=True, color_system=None).print(board.table())
    assert "[/x]" in screen.getvalue()
    assert "[red]" in screen.getvalue()
    assert "\x1b]0" not in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()


@pytest.mark.parametrize(
    "args", [["--url", "http://x"], ["kis/a+"], ["kis/#/a"], ["--url", "mqtt://"]]
)
def test_wrong_usage(args: list[str]) -> None:
    result = CliRunner().invoke(app, ["watch", *args])
    assert isinstance(result.exception, ConfigError)
