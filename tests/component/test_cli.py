"""The command line as a user meets it: processes, exit codes, one line on standard error."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
import typer

from bridge import cli
from bridge.cli.access import access
from bridge.cli.check import findings
from bridge.cli.feed import feed
from bridge.cli.findings import Finding
from bridge.config.kis import KisConfig
from bridge.config.models import Config
from bridge.errors import BridgeError, ConfigError, WorkbookError
from tests.brokers import free_port

KIS_BRIDGE = [sys.executable, "-c", "from bridge.cli import main; main()"]
CONFIG = """
[kis]
environment = "simulator"
state_dir = "state"
[[kis.apps]]
alias = "app1"
app_key = { env = "KIS_APP_KEY" }
app_secret = { env = "KIS_APP_SECRET" }
"""


def run(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KIS_BRIDGE, *args],
        env={**os.environ, "COLUMNS": "200", **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# the skeleton


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys\nfrom bridge.cli import main\nsys.argv = ['kis-bridge', '--help']\n"
        "try:\n    main()\nfinally:\n"
        "    print(sorted({m.split('.')[0] for m in sys.modules} & {'pydantic', 'httpx', 'paho',"
        " 'uvicorn', 'sqlalchemy', 'structlog', 'openpyxl', 'rich'}),"
        " [m for m in sys.modules if m.startswith('bridge.cli.')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    for name, (_, text) in cli.COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert text in done.stdout
    assert done.stdout.splitlines()[-1] == "[] []"


def test_run_imports_nothing_that_a_start_does_not_need() -> None:
    unwanted = (
        *("pydantic_settings", "sqlalchemy.dialects.mysql", "openpyxl", "iotcore", "yaml"),
        *("uvicorn", "starlette", "bridge.dashboard.server", "bridge.documents"),
    )
    code = f"import sys, bridge.cli.run\nprint([m for m in {unwanted} if m in sys.modules])\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_order_is_sent_and_trading_halted_without_what_only_others_need() -> None:
    unwanted = ("sqlalchemy", "bridge.simulator", "bridge.documents", "bridge.config.models")
    code = (
        "import sys, bridge.cli.order, bridge.cli.requests, bridge.cli.watch\n"
        f"print([m for m in {unwanted} if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


def test_import_is_fast() -> None:
    best = min(
        float(
            subprocess.run(
                [sys.executable, "-c", ("import time; t = time.perf_counter(); import bridge.cli;"
                 " print(time.perf_counter() - t)")],
                capture_output=True, text=True, timeout=30, check=True,
            ).stdout
        )
        for _ in range(3)
    )  # fmt: skip
    assert best < 0.3


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "kis-bridge 0.1.0\n", "")


def test_without_a_command_it_helps() -> None:
    done = run()
    assert done.returncode == 2
    assert "Usage: kis-bridge" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["chek"], "No such command 'chek'. Did you mean 'check'? (see kis-bridge --help)"),
        (["--nope"], "No such option: --nope (see kis-bridge --help)"),
        (["check", "--xyz"], "No such option: --xyz (see kis-bridge check --help)"),
    ],
)
def test_wrong_usage(args: list[str], line: str) -> None:
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"kis-bridge: {line}\n"


def test_help_of_a_command_is_its_own() -> None:
    done = run("check", "--help")
    assert done.returncode == 0
    assert "--config" in done.stdout


# what commands raise


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], int]:
    """Run a function as a command through `main` and return the exit code."""

    def call(function: Callable[[], None]) -> int:
        monkeypatch.setitem(
            sys.modules, "probe", cast("ModuleType", SimpleNamespace(command=function))
        )
        monkeypatch.setitem(cli.COMMANDS, "check", ("probe:command", ""))
        monkeypatch.setattr(sys, "argv", ["kis-bridge", "check"])
        monkeypatch.setattr(cli, "hide_secrets_in_tracebacks", lambda: None)  # pytest has its own
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert isinstance(caught.value.code, int)
        return caught.value.code

    return call


def raiser(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("b.toml: x"), 2, "b.toml: x"),
        (WorkbookError("fields!C14"), 2, "fields!C14"),
        (BridgeError("no broker"), 1, "no broker"),
        (
            ExceptionGroup("tasks", [ExceptionGroup("inner", [BridgeError("no broker")])]),
            1,
            "no broker",
        ),
        (
            ValueError("first\nsecond"),
            1,
            (
                "internal error: ValueError: first second "
                "(run with KIS_BRIDGE_DEBUG=1 for the traceback)"
            ),
        ),
        (
            ExceptionGroup("tasks", [BridgeError("no broker"), KeyError("bug")]),
            1,
            "internal error: KeyError: 'bug' (run with KIS_BRIDGE_DEBUG=1 for the traceback)",
        ),
        (typer.BadParameter("must be 3"), 2, "Invalid value: must be 3"),
    ],
)
def test_errors_are_one_line(
    command: Callable[[Callable[[], None]], int],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    assert command(raiser(error)) == code
    captured = capsys.readouterr()
    assert captured.err.partition(" (see ")[0].rstrip("\n") == f"kis-bridge: {line}"
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (typer.Abort(), 130), (typer.Exit(1), 1), (typer.Exit(), 0)],
)
def test_quiet_ends(
    command: Callable[[Callable[[], None]], int],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    assert command(raiser(error)) == code
    assert capsys.readouterr().err == ""


def test_a_bug_shows_its_traceback_when_asked(
    command: Callable[[Callable[[], None]], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KIS_BRIDGE_DEBUG", "1")
    assert command(raiser(ValueError("bug"))) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("\nValueError: bug\n")


def process(body: str) -> subprocess.Popen[str]:
    """Start a process whose command `check` has this body."""
    code = (
        "import sys, time, types\nfrom bridge import cli\n"
        f"def probe():\n    {body}\n"
        "sys.modules['probe'] = types.SimpleNamespace(command=probe)\n"
        "cli.COMMANDS['check'] = ('probe:command', '')\n"
        "sys.argv = ['kis-bridge', 'check']\ncli.main()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_reader_that_leaves() -> None:
    with process("print('x', flush=True); sys.stdin.readline()\n"
                 "    while True: print('y' * 1000)") as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "x\n"
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait(20) == 1


def test_interrupt() -> None:
    with process("print('x', flush=True)\n    while True: time.sleep(1)") as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.stderr.read() == ""
        assert child.wait(20) == 130


# check


def test_check_says_what_is_wrong_with_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(CONFIG + "[log]\nlevl = 'x'\n")
    done = run("check", "--config", str(path), "--json", KIS_APP_SECRET="secret")
    assert done.returncode == 2
    assert [row["detail"] for row in json.loads(done.stdout)] == [
        f"{path}: log.levl: unknown key (did you mean 'level'?)",
        f"{path}: kis.apps[0].app_key: environment variable KIS_APP_KEY is not set",
    ]
    table = run("check", "--config", str(tmp_path / "none.toml"))
    assert table.returncode == 2
    assert "No such file or directory" in table.stdout


def test_check_finds_nobody_home(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    broker = f"[mqtt]\nurl = 'mqtt://127.0.0.1:{free_port()}'"
    rest = f"[[kis.apps]]\n{CONFIG.partition('[[kis.apps]]')[2]}{broker}"
    url = f"rest_url = 'http://127.0.0.1:{free_port()}'\n"
    path.write_text(CONFIG.partition("[[")[0] + url + rest)
    done = run("check", "-c", str(path), "--json", KIS_APP_KEY="the-key", KIS_APP_SECRET="the-sec")
    assert done.returncode == 1
    assert done.stderr == ""
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert rows["configuration"]["status"] == "ok"
    for what in ("broker", "clock", "credentials app1"):
        assert rows[what]["status"] == "problem", rows
    assert "the-key" not in done.stdout
    assert "the-sec" not in done.stdout


@asynccontextmanager
async def fake_kis(answers: dict[str, Any], ahead: timedelta = timedelta()) -> AsyncIterator[str]:
    """Answer each path with its JSON object, by a clock that is ahead."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(
            (int(line[15:]) for line in head.splitlines() if line.startswith("content-length:")), 0
        )
        await reader.readexactly(length)
        path = head.split()[1].partition("?")[0]
        body = json.dumps(answers.get(path, {})).encode()
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        writer.write(
            f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[str]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is missing: apt-get install mosquitto")
        pytest.skip("apt-get install mosquitto")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text("\n".join([f"listener {port} 127.0.0.1", "allow_anonymous true", *lines]))
    with subprocess.Popen(
        [program, "-v", "-c", str(config)], stderr=subprocess.PIPE, text=True
    ) as broker:
        assert broker.stderr is not None
        try:
            for line in broker.stderr:
                if "running" in line:
                    break
            yield f"mqtt://127.0.0.1:{port}"
        finally:
            broker.terminate()
            broker.stderr.read()


def config(tmp_path: Path, rest_url: str, mqtt_url: str, **market: Any) -> Config:
    app = {"alias": "app1", "app_key": "the-key", "app_secret": "the-sec", "hts_id": "someone"}
    return Config.model_validate(
        {
            "kis": {
                "environment": "paper",
                "rest_url": rest_url,
                "state_dir": tmp_path / "state",
                "apps": [app],
                "accounts": [{"alias": "main", "app": "app1", "number": "12345678-01"}],
            },
            "mqtt": {"url": mqtt_url},
            "orders": {"clients": {"alice": {"accounts": ["main"]}}},
            "market": market,
        }
    )


TOKEN = {"/oauth2/tokenp": {"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400}}
BALANCE = "/uapi/domestic-stock/v1/trading/inquire-balance"


async def test_check_all_is_well(tmp_path: Path) -> None:
    answers = TOKEN | {BALANCE: {"rt_cd": "0", "msg_cd": "x", "msg1": "ok"}}
    trade = {"market": "domestic_stock", "venue": "krx", "kinds": ["trade"], "symbols": ["005930"]}
    rules = tmp_path / "acl"
    rules.touch(mode=0o600)
    rules.write_text("topic read #\ntopic write kis/bridge/check/#\n")
    lines = ("set_tcp_nodelay true", f"acl_file {rules}", f"user {getpass.getuser()}")
    with mosquitto(tmp_path, *lines) as broker:
        async with fake_kis(answers) as rest:
            rows = await findings(config(tmp_path, rest, broker, subscriptions=[trade]))
    assert {row.what: row for row in rows if row.status != "ok"} == {}
    assert [row.what for row in rows] == [
        *(
            "secrets",
            "state directory",
            "access",
            "workbook",
            "broker",
            "strangers",
            "bridge",
            "clock",
            "real-time feed",
        ),
        "credentials app1",
        "account main",
    ]
    assert row_of(rows, "access").detail == "alice may trade; nobody may halt"
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("environment", "url", "said"),
    [
        ("paper", None, "ws://ops.koreainvestment.com:31000 is plain text, and KIS has no other"),
        ("real", None, "ws://ops.koreainvestment.com:21000 is plain text, and KIS has no other"),
        ("simulator", "ws://simulator.example.com", ""),
        ("paper", "wss://proxy.example.com", ""),
        ("paper", "ws://localhost:9000", ""),
    ],
)
def test_check_says_that_the_feed_can_be_read_on_its_way(
    environment: Any, url: str | None, said: str
) -> None:
    app = {"alias": "app1", "app_key": "the-key", "app_secret": "the-sec"}
    there = {"ws_url": url} if url else {}
    kis = KisConfig.model_validate({"environment": environment, "apps": [app]} | there)
    assert [row.detail[: len(said)] for row in feed(kis)] == ([said] if said else [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"kis": {"environment": "simulator"}, "orders": {"clients": {}}},
            "whoever the broker lets in may trade; whoever the broker lets in may halt and read ",
        ),
        ({"kis": {"environment": "real"}}, "nobody may trade: orders.allow_real is false; "),
        (
            {"requests": {"verbs": ["halt"], "clients": {"ops": {"role": "admin"}, "bob": {}}}},
            "alice may trade; bob, ops, whoever the broker lets in may halt",
        ),
    ],
)
def test_check_says_who_may_do_what(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    settings = config(tmp_path, "http://127.0.0.1:1", "mqtt://127.0.0.1:1").model_dump()
    del settings["kis"]["ws_url"]  # the default of paper
    settings["mqtt"] |= {"username": "b", "password": "p"}
    for section, values in change.items():
        settings[section] = settings[section] | values if section == "kis" else values
    assert access(Config.model_validate(settings)).detail.startswith(said)


async def test_check_names_the_setting_of_a_broker_that_waits(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with fake_kis(TOKEN) as rest:
            rows = await findings(config(tmp_path, rest, broker))
    slow = row_of(rows, "broker")
    assert slow.status == "problem", slow.detail
    assert "set_tcp_nodelay true" in slow.mend


async def test_check_problems_and_their_mends(tmp_path: Path) -> None:
    answers = TOKEN | {BALANCE: {"rt_cd": "7", "msg_cd": "APBK1", "msg1": "no such account  "}}
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    state.chmod(0o755)
    wanted = [
        {"market": "domestic_stock", "venue": "krx", "kinds": ["nonsense"], "symbols": ["005930"]},
        {"channel": "H0STMKO0", "keys": ["005930"]},
    ]
    async with fake_kis(answers, ahead=timedelta(seconds=30)) as rest:
        rows = await findings(config(tmp_path, rest, "embedded", subscriptions=wanted))
    assert row_of(rows, "state directory").mend == f"chmod 700 {state}"
    assert row_of(rows, "clock").detail == "30 s behind KIS; no new orders are sent"
    assert row_of(rows, "account main").detail == "KIS refuses: APBK1 no such account"
    assert row_of(rows, "market.subscriptions[0]").detail == (
        "no channel domestic_stock/krx/nonsense"
    )
    assert row_of(rows, "market.subscriptions[1]").detail == (
        "H0STMKO0 does not exist in paper trading"
    )
    assert row_of(rows, "broker").status == "ok"


def row_of(rows: list[Finding], what: str) -> Finding:
    return next(row for row in rows if row.what == what)


# what comes of standard output


def closed_pipe() -> int:
    """Return the writing end of a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


FULL = Path("/dev/full")
DEMO = ("demo", "--json", "--for", "5", *(f"--{of}-port=0" for of in ("mqtt", "mqtt-ws")))


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("spec", "show", "H0STCNT0"),
        (*DEMO, "--kis-rest-port=0", "--kis-ws-port=0"),  # writes inside a task group
    ],
)
def test_a_reader_that_has_left_is_no_fault_of_ours(args: tuple[str, ...]) -> None:
    writer = closed_pipe()
    done = subprocess.run(
        [*KIS_BRIDGE, *args], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert done.returncode == 1
    assert b"kis-bridge:" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp949"])
def test_an_output_that_lacks_letters_loses_none(encoding: str) -> None:
    usual = json.loads(run("spec", "show", "H0STCNT0", "--json").stdout)
    assert usual["korean"]
    done = subprocess.run(
        [*KIS_BRIDGE, "spec", "show", "H0STCNT0", "--json"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.decode(encoding)) == usual
    plain = run("spec", "show", "\N{GRINNING FACE}é")
    assert "\N{GRINNING FACE}" in plain.stderr
    escaped = run("spec", "show", "\N{GRINNING FACE}é", PYTHONIOENCODING="ascii")
    assert (escaped.returncode, escaped.stderr.count("\n")) == (2, 1)
    assert r"'\ud83d\ude00\u00e9'" in escaped.stderr


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_behind_standard_output_is_told() -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [*KIS_BRIDGE, "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
        again = subprocess.run([*KIS_BRIDGE, "spec", "show", "none"], stderr=full, check=False)
    assert (done.returncode, again.returncode) == (1, 2)
    assert done.stderr == b"kis-bridge: No space left on device\n"


def test_no_standard_output_at_all() -> None:
    done = subprocess.run(
        [*KIS_BRIDGE, "--version"], preexec_fn=lambda: os.close(1), timeout=30, check=False
    )
    assert done.returncode == 0
