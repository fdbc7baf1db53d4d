"""``kis-bridge init`` as a newcomer runs it: on a terminal, and in a script."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.config.load import load
from bridge.errors import ConfigError

DEADLINE_S = 20.0
KIS_BRIDGE = [sys.executable, "-c", "from bridge.cli import main; main()"]
KEYS = {
    "KIS_APP_KEY": "PS" + "k" * 34,
    "KIS_APP_SECRET": "s" * 180,
    "KIS_ACCOUNT": "12345678-01",
    "KIS_HTS_ID": "trader",
}


def run(*args: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KIS_")}
    return subprocess.run(
        [*KIS_BRIDGE, "init", *args],
        cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=DEADLINE_S,
    )  # fmt: skip


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_script_gets_a_configuration_that_loads(tmp_path: Path) -> None:
    done = run("--no-check", "--symbol", "035420", "--user", "bridge", cwd=tmp_path, **KEYS,
               KIS_MQTT_PASSWORD='pass"word')  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "kis-bridge run" in done.stdout
    config = load(tmp_path / "bridge.toml", {})
    [app], [account] = config.kis.apps, config.kis.accounts
    assert config.kis.environment == "paper"
    assert app.app_key.get_secret_value() == KEYS["KIS_APP_KEY"]
    assert app.app_secret.get_secret_value() == KEYS["KIS_APP_SECRET"]
    assert account.number.get_secret_value() == KEYS["KIS_ACCOUNT"]
    assert config.mqtt.username == "bridge"
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == 'pass"word'
    assert config.market.subscriptions[0].symbols == ("035420",)
    assert not config.orders.clients, "nobody trades who was not named"


def test_keys_are_in_files_of_their_own_that_nobody_else_can_read(tmp_path: Path) -> None:
    assert run("--no-check", cwd=tmp_path, **KEYS).returncode == 0
    text = (tmp_path / "bridge.toml").read_text()
    for secret in KEYS.values():
        assert secret not in text
    assert mode(tmp_path / "secrets") == 0o700
    for path in (tmp_path / "secrets").iterdir():
        assert mode(path) == 0o600, path
    assert mode(tmp_path / "bridge.toml") == 0o600


def test_kis_own_file_is_taken_over(tmp_path: Path) -> None:
    theirs = tmp_path / "kis_devlp.yaml"
    theirs.write_text(
        f"my_app: {KEYS['KIS_APP_KEY']}\nmy_sec: {KEYS['KIS_APP_SECRET']}\n"
        "my_acct_stock: '12345678'\nmy_htsid: trader\nmy_prod: '01'\n"
    )
    theirs.chmod(0o644)
    options = ("--from", "kis_devlp.yaml", "--environment", "real", "--no-check")
    refused = run(*options, cwd=tmp_path)
    assert "--user" in refused.stderr, "with real money the broker has to know its users"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kis_devlp.yaml"]
    done = run(*options, "--user", "bridge", cwd=tmp_path, KIS_MQTT_PASSWORD="word")
    assert done.returncode == 0, done.stderr
    assert "chmod 600" in done.stderr
    config = load(tmp_path / "bridge.toml", {})
    assert config.kis.environment == "real"
    assert config.orders.allow_real is False
    assert config.kis.accounts[0].number.get_secret_value() == "12345678-01"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text("mine")
    done = run("--no-check", cwd=tmp_path, **KEYS)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is there already" in done.stderr
    assert (tmp_path / "bridge.toml").read_text() == "mine"
    assert not (tmp_path / "secrets").exists()
    other = tmp_path / "other"
    (other / "secrets").mkdir(parents=True)
    assert "secrets is there already" in run("--no-check", cwd=other, **KEYS).stderr
    assert not (other / "bridge.toml").exists()


@pytest.mark.parametrize(
    ("args", "change", "said"),
    [
        ((), {"KIS_APP_SECRET": ""}, "KIS_APP_SECRET"),
        ((), {"KIS_ACCOUNT": "123"}, "12345678-01"),
        ((), {"KIS_APP_KEY": "앱키"}, "app_key"),
        (("--environment", "virtual"), {}, "simulator, paper, real"),
        (("--symbol", "삼성전자"), {}, "005930"),
        (("--url", "http://127.0.0.1"), {}, "mqtt://"),
        (("--from", "nothing.yaml"), {}, "nothing.yaml"),
        (("--from", "."), {}, "."),
    ],
)
def test_a_bad_answer_is_one_line_and_leaves_nothing(
    tmp_path: Path, args: tuple[str, ...], change: dict[str, str], said: str
) -> None:
    done = run("--no-check", *args, cwd=tmp_path, **(KEYS | change))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_it_asks_again_after_a_bad_answer_and_shows_no_secret(
    tmp_path: Path,
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*KIS_BRIDGE, "init", "--no-check"],
        cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("KIS_")},
    )  # fmt: skip
    os.close(theirs)
    shown = ""
    deadline = time.monotonic() + DEADLINE_S

    def until(what: str) -> None:
        nonlocal shown
        while what not in shown:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([ours], [], [], max(left, 0))
            assert ready, f"{what!r} is not in {shown!r}"
            shown += os.read(ours, 4096).decode()

    for asked, answer in (
        ("Environment", "simulator"),
        ("App key", KEYS["KIS_APP_KEY"]),
        ("App secret: ", KEYS["KIS_APP_SECRET"]),
        ("Account", "12"),
        ("8 digits and 2", "12345678-01"),
        ("HTS login", ""),
        ("MQTT broker", ""),
        ("MQTT user", ""),
    ):
        until(asked)
        os.write(ours, f"{answer}\n".encode())
    until("kis-bridge run")
    assert process.wait(DEADLINE_S) == 0
    os.close(ours)
    assert KEYS["KIS_APP_SECRET"] not in shown
    config = load(tmp_path / "bridge.toml", {})
    assert (config.kis.environment, config.kis.apps[0].hts_id) == ("simulator", None)


def test_what_was_written_is_what_the_start_reads(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path / "bridge.toml", {})
    assert run("--no-check", "--url", "mqtt://127.0.0.1:1883", cwd=tmp_path, **KEYS).returncode == 0
    assert load(tmp_path / "bridge.toml", {}).mqtt.url == ("mqtt://127.0.0.1:1883",)
