"""``kis-bridge orders`` on journals that a bridge has written, is writing, or has not."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bridge.kis.replies import KisRefusedError
from tests.component.gateway_fixture import bench, taken

TODAY = f"{datetime.now(ZoneInfo('Asia/Seoul')):%Y-%m-%d}"


async def orders(journal: str, *args: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from bridge.cli import main; main()", "orders"),
        *("--journal", journal, *args),
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_what_a_running_bridge_has_written(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/orders.db"
    async with bench(tmp_path) as b:
        b.kis.script += [taken(1), KisRefusedError("refused", msg_cd="APBK0952", msg1="=1+1")]
        await b.place("a-1")
        await b.place("a-2", symbol="000660")
        await b.gateway.halt("reduce_only", client="alice", reason="lunch")
        await b.gateway.halt("", client="alice", reason="\uff1d1+1")
        await b.gateway.halt("halted", reason="-1+1")
        (code, table, err), (_, lines, _), (_, text, _), (_, one, _) = await asyncio.gather(
            orders(journal),
            orders(journal, "--json", "--day", TODAY),
            orders(journal, "--csv"),
            orders(journal, "--json", "--state", "rejected", "--client", "alice"),
        )
        assert (code, err) == (0, "")
        assert table.split()[:3] == ["account", "client", "id"]
        assert "0000000001" in table
        assert [json.loads(line)["state"] for line in lines.splitlines()] == [
            *("accepted", "rejected"),
        ]
        assert json.loads(one)["symbol"] == "000660"
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["client_order_id"], row["price"]) for row in rows] == [
            *(("a-1", "71900"), ("a-2", "71900")),
        ]
        (_, told, _), (_, sheet, _), (_, nobody, _) = await asyncio.gather(
            orders(journal, "--audit"),
            orders(journal, "--audit", "--csv"),
            orders(journal, "--audit", "--client", "bob"),
        )
        events = [json.loads(line) for line in told.splitlines()]
        assert [event["event"] for event in events] == [
            *("received", "submit", "accept", "received", "submit", "reject"),
            *("reduce_only", "resumed", "halted"),
        ]
        assert events[5]["msg_cd"] == "APBK0952"
        assert not any("12345678" in line for line in told.splitlines())
        sheet_rows = list(csv.DictReader(io.StringIO(sheet)))
        assert [row["event"] for row in sheet_rows] == [event["event"] for event in events]
        assert sheet_rows[5]["msg1"] == "'=1+1"  # no formula in a spreadsheet
        assert [row["reason"] for row in sheet_rows[7:]] == ["'\uff1d1+1", "'-1+1"]
        assert "\r\n" in sheet
        # What stops everybody stops bob, too.
        assert [json.loads(line)["event"] for line in nobody.splitlines()] == ["halted"]


async def test_files_other_days_and_mistakes(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/orders.db"
    async with bench(tmp_path) as b:
        await b.place()
    day, file = "2020-02-29", tmp_path / "day.csv"
    done = await orders(journal, "--audit", "--csv", "--day", day, "--output", str(file))
    assert done == (0, "", "")
    assert file.read_text(encoding="utf-8").startswith("time,at,event,account,")
    assert file.read_text(encoding="utf-8").count("\n") == 1
    assert file.stat().st_mode & 0o077 == 0
    for args, code, says in (
        (("--day", "yesterday"), 2, "--day 'yesterday': write a date"),
        (("--json", "--csv"), 2, "choose one"),
        (("--state", "gone"), 2, "gone"),
        (("--output", str(tmp_path)), 2, "output"),
    ):
        said = await orders(journal, *args)
        assert (said[0], said[1], said[2].count("\n")) == (code, "", 1), said
        assert says in said[2]
    nowhere = await orders(f"sqlite:///{tmp_path}/none.db")
    assert nowhere == (1, "", f"kis-bridge: there is no journal at {tmp_path}/none.db\n")


async def test_a_password_on_the_command_line_is_refused_without_being_repeated() -> None:
    for journal in ("postgresql://kis:t0p-secret@h/d", "postgresql://h/d?password=t0p-secret"):
        code, out, err = await orders(journal)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "name a configuration that has journal.url with -c FILE" in err
        assert "t0p-secret" not in err
