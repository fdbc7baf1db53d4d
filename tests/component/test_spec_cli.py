"""``kis-bridge spec``: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.catalog.compile import load, loads
from bridge.cli.spec import app
from bridge.errors import WorkbookError
from bridge.simulator.rest.call_table import BEGIN, END
from tests.unit.catalog.books import book, change, write

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, WorkbookError):
        raise result.exception
    return result.exit_code, result.stdout


def test_check_says_ok_with_counts(tmp_path: Path) -> None:
    path = write(book(), tmp_path / "own.xlsx")
    code, output = run("check", "--spec", path)
    assert code == 0
    assert output.startswith(
        f"ok: {path}: version 1, 3 channels, 4 layouts, 4 calls, 3 masters, 4 code lists, digest "
    )
    assert output.count("\n") == 1


def test_check_tells_every_problem_in_a_line(tmp_path: Path) -> None:
    sheets = book()
    change(sheets, "fields!E2", "NUM")
    change(sheets, "codes!C3", "Buy!")
    code, output = run("check", "--spec", write(sheets, tmp_path / "own.xlsx"))
    assert code == 1
    assert output.splitlines() == [
        "codes!C3: 'Buy!' is no snake_case name",
        "fields!E2: unknown type 'NUM' (one of int, decimal, string, code, date, time, sign)",
    ]


def test_compile_writes_what_can_be_loaded(tmp_path: Path) -> None:
    path = write(book(), tmp_path / "own.xlsx")
    code, output = run("compile", "--spec", path, "--output", tmp_path / "own.json")
    assert code == 0
    assert "3 channels" in output
    compiled = loads((tmp_path / "own.json").read_text(encoding="utf-8"))
    assert set(compiled.channels) == {"H0STCNT0", "HDFSCNT0", "H0STCNI0"}


def test_compile_of_a_broken_workbook_writes_nothing(tmp_path: Path) -> None:
    sheets = book()
    change(sheets, "fields!E2", "NUM")
    path = write(sheets, tmp_path / "own.xlsx")
    with pytest.raises(WorkbookError, match=r"^fields!E2: unknown type 'NUM'"):
        run("compile", "--spec", path, "--output", tmp_path / "own.json")
    assert not (tmp_path / "own.json").exists()


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = write(book(), tmp_path / "own.xlsx")
    missing = tmp_path / "none" / "own.json"
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    for arguments in (
        ("compile", "--spec", path, "--output", missing),
        ("check", "--spec", missing),
        ("show", "H0STCNT0", "--spec", missing),
        ("show", "H0STCNT0", "--spec", tmp_path / "bytes.json"),
    ):
        with pytest.raises(WorkbookError, match=str(arguments[-1])):
            run(*arguments)


@pytest.mark.parametrize("name", ["H0STCNT0", "h0stcnt0"])
def test_show_a_channel(name: str) -> None:
    code, output = run("show", name)
    assert code == 0
    assert "market/domestic_stock/krx/trade/<symbol>" in output
    assert "STCK_PRPR" in output
    assert "stock_trade_krx_46: 46 values, the first 46 of stock_trade_krx_47" in output


def test_show_tells_what_is_special_about_a_channel() -> None:
    assert "never published as market data" in run("show", "H0STCNI9")[1]
    assert "nas: DNAS<symbol>, America/New_York" in run("show", "HDFSCNT0")[1]
    assert "and 8 values without a name" in run("show", "H0MFASP0")[1]


def test_show_the_trading_hours() -> None:
    _, output = run("show", "hours")
    assert "09:00:30-15:20" in output
    assert "College entrance exam: an hour later" in output
    shown = json.loads(run("show", "hours", "--json")[1])
    assert shown["sessions"][0]["venues"] == ["krx", "unified", "sor"]
    assert shown["special_days"][0]["opens"] == "closed"


def test_show_a_call() -> None:
    code, output = run("show", "order_cash")
    assert code == 0
    assert "buy: TTTC0012U, paper VTTC0012U" in output
    assert "ORD_DVSN" in output
    assert "changes something" in output
    assert "pages by tr_cont+ctx_area" in run("show", "domestic_stock/inquire_balance")[1]


def test_show_for_a_program(tmp_path: Path) -> None:
    shown = json.loads(run("show", "H0STCNT0", "--json")[1])
    assert shown["layouts"][0]["width"] == load().channels["H0STCNT0"].layouts[0].width
    path = write(book(), tmp_path / "own.xlsx")
    run("compile", "--spec", path, "--output", tmp_path / "own.json")
    for spec in (path, tmp_path / "own.json"):
        assert json.loads(run("show", "H0STCNT0", "--json", "--spec", spec)[1])["kind"] == "trade"


def test_show_what_is_not_there_suggests_the_nearest() -> None:
    with pytest.raises(WorkbookError, match=r"'H0STCNTO' in the workbook \(did you mean H0STCNT0"):
        run("show", "H0STCNTO")
    with pytest.raises(WorkbookError, match=r"named 'zzzzzzzz' in the workbook$"):
        run("show", "zzzzzzzz")


def test_check_holds_layouts_against_captured_frames(tmp_path: Path) -> None:
    path = write(book(), tmp_path / "own.xlsx")
    frames = tmp_path / "frames.jsonl"

    def check(*raw: str) -> tuple[int, list[str]]:
        frames.write_text("\n".join(json.dumps({"raw": one}) for one in raw), encoding="utf-8")
        code, output = run("check", "--spec", path, "--frames", frames)
        return code, output.splitlines()

    fits = ("0|H0STCNT0|001|1^2^3^4^5^6", "0|H0STCNT0|002|1^2^3^4^5^1^2^3^4^5", "0|H0XXXXX0|001|1")
    assert check(*fits)[0] == 0
    assert check("0|H0STCNT0|001|1^2^3^4^5^6^1^2^3^4^5^6")[0] == 0
    assert check("1|H0STCNI0|001|aGVsbG8=")[0] == 0
    code, lines = check(*fits, "0|H0STCNT0|001|1^2^3^4^5^6^7")
    assert (code, lines) == (1, [f"{frames}:4: H0STCNT0 has 7 values, not 6, 5"])
    for text in ("oops", "{}", '{"raw":"0|H0STCNT0"}', "[]"):
        frames.write_text(text)
        with pytest.raises(WorkbookError, match="no captured frames"):
            run("check", "--spec", path, "--frames", frames)
    with pytest.raises(WorkbookError, match="none"):
        run("check", "--spec", path, "--frames", tmp_path / "none")


def test_documents_are_written(tmp_path: Path) -> None:
    path = write(book(), tmp_path / "own.xlsx")
    run("asyncapi", "--spec", path, "--output", tmp_path / "new" / "asyncapi.yaml")
    assert (tmp_path / "new/asyncapi.yaml").read_text().startswith("asyncapi: 3.0.0\n")
    shown = json.loads(run("openapi", "--spec", path, "--output", "-", "--json")[1])
    assert list(shown["paths"]) == ["/token", "/order", "/balance", "/price"]
    assert "80 files" not in run("schema", "--spec", path, "--output", tmp_path / "schema")[1]
    assert (tmp_path / "schema/market/H0STCNT0.json").is_file()
    assert run("docs", "--spec", path, "--output", tmp_path / "docs")[1].endswith(": 5 files\n")
    with pytest.raises(WorkbookError, match=r"own\.xlsx"):
        run("docs", "--spec", path, "--output", path)
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    run("simulator", "--spec", path, "--output", readme)
    table = readme.read_text()
    assert "old" not in table
    assert "| price | HHDFS00000300 | – |  | `charts.overseas_charts` |" in table
    assert (table[:6], table[-6:]) == ("above\n", "below\n")
    readme.write_text("no marks")
    with pytest.raises(WorkbookError, match=r"README\.md: .* are missing"):
        run("simulator", "--spec", path, "--output", readme)
