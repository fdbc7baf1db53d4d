"""docs/own-workbook.md, done as it says."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from bridge.calendar.hours import Calendar
from bridge.catalog.compile import load
from bridge.catalog.workbook import read
from bridge.cli.spec import app
from bridge.kis.decode import ChannelDecoder, Route
from bridge.orders.gateway import Rules
from tests.brokers import Mosquitto
from tests.component.gateway_fixture import bench
from tests.system.programs import KIS_BRIDGE, Ear, Program, ask, bridge_toml, simulator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own-workbook.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)
NUMBERS = ("position", "width", "scale")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the copy with the rows of the page."""
    path = tmp_path_factory.mktemp("own") / "mine.xlsx"
    book = load_workbook(ROOT / "spec/kis.xlsx")
    added = 0
    for section in PAGE.split("\n## ")[1:]:
        named = re.search(r"in `(\w+)`", section.partition("\n")[0])
        if named is None:
            continue
        header, _, *rows = [
            [cell.strip() for cell in line.split("|")] for line in ROW.findall(section)
        ]
        sheet: Any = book[named[1]]
        columns = {str(cell.value): cell.column for cell in sheet[1]}
        for row in rows:
            place = sheet.max_row + 1
            for name, text in zip(header, row, strict=True):
                if text:
                    value = int(text) if name in NUMBERS else text
                    sheet.cell(place, columns[name], value)
            added += 1
    assert added == 10
    book.save(path)
    return path


def test_the_readme_shows_the_same_channel() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("\n## A channel of your own\n")[1].split("\n## ")[0]
    shown = [line for line in section.splitlines() if line.startswith(("|", "0|", "{"))]
    assert len(shown) == 5
    assert all(line in PAGE.splitlines() for line in shown)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_copy_is_sound_and_shows_the_channel(mine: Path) -> None:
    assert run("check", "--spec", mine).startswith("ok: ")
    compiled = mine.with_suffix(".json")
    run("compile", "--spec", mine, "--output", compiled)
    for spec in (mine, compiled):
        shown = run("show", "H0XXDIV0", "--spec", spec)
        assert "market/domestic_stock/krx/dividend/<symbol>" in shown
    document = json.loads(run("asyncapi", "--spec", compiled, "--output", "-", "--json"))
    channel = document["channels"]["domestic_stock_krx_dividend"]
    assert channel["address"] == "kis/market/domestic_stock/krx/dividend/{symbol}"
    run("docs", "--spec", compiled, "--output", mine.parent / "docs")
    assert "dividend.yield" in (mine.parent / "docs/H0XXDIV0.md").read_text(encoding="utf-8")


def test_the_programs_run_from_the_copy(mine: Path, tmp_path: Path) -> None:
    compiled = tmp_path / "mine.json"
    run("compile", "--spec", mine, "--output", compiled)
    topic = "kis/market/domestic_stock/krx/dividend/005930"
    with (
        Mosquitto.running(tmp_path) as broker,
        simulator("--spec", str(compiled), "--rate", "100") as (_, kis),
        Ear(broker.port, topic) as ear,
    ):
        config = bridge_toml(tmp_path, kis, broker.url)
        interest = "[[market.subscriptions]]\nchannel = 'H0XXDIV0'\nkeys = ['005930']\n"
        config.write_text(config.read_text() + interest)
        options = ("--config", str(config), "--spec", str(compiled))
        with Program(*KIS_BRIDGE, "run", "--json", *options):
            record = ear.until(topic).payload
        assert record["dividend"].keys() == {"amount", "yield", "kind"}
        assert record["dividend"]["kind"] in ("1", "2")
        workbook = [row for row in json.loads(ask("check", "--json", *options).stdout) if row]
        assert any("61 channels" in str(row) for row in workbook)
        assert not any("H0XXDIV0" in str(row) for row in workbook)
    frame = re.findall(r"```\n(0\|.+)\n```", PAGE)[0]
    done = subprocess.run(
        [*KIS_BRIDGE, "decode", "--spec", str(compiled)],
        *(),
        input=frame,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout)["topic"] == topic


@pytest.mark.parametrize(
    ("mended", "day", "moved"),
    [(True, "2026-11-25", True), (True, "2026-11-24", False), (False, "2026-11-25", False)],
)
async def test_a_mended_day_counts_for_the_feed_and_for_orders(
    mine: Path, tmp_path: Path, mended: bool, day: str, moved: bool
) -> None:
    calendar = Calendar((read(mine) if mended else load()).hours)
    early, late = (
        datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ZoneInfo("Asia/Seoul"))
        for clock in ("09:05", "15:45")
    )
    busy = [calendar.phase("domestic_stock", "krx", "trade", at) == "busy" for at in (early, late)]
    assert busy == [not moved, moved]
    async with bench(
        tmp_path,
        rules=Rules(paper=False, market_hours=True, pause_s=0.001, grace_s=0.05),
        calendar=calendar,
        clock=lambda: int(late.timestamp()) * 1_000_000,
    ) as b:
        ack = await b.place("late")
        assert ack["status"] == ("accepted" if moved else "refused")
        assert ack.get("reason") == (None if moved else "market_closed")


def test_its_records_come_out_as_the_page_says(mine: Path) -> None:
    frame, text = re.findall(r"```(?:json)?\n([0{].+)\n```", PAGE)
    expected = json.loads(text)
    channel = read(mine).channels["H0XXDIV0"]
    _, tr_id, count, body = frame.split("|", 3)
    assert tr_id == channel.tr_id
    found: list[Any] = []
    arrived = int(datetime.fromisoformat(expected["time"]).timestamp() * 1e6) + 40_000
    ChannelDecoder(channel, lambda c, v, s, z: Route(c, v, s, f"kis/{s}", z)).decode(
        body, int(count), arrived, lambda _, data: found.append(json.loads(data))
    )
    assert found == [expected | {"seq": 1, "received_at": arrived}]
