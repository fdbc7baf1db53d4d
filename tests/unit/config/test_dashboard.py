"""Where the web page may be, and what it needs where others reach it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.config.dashboard import DashboardConfig
from bridge.config.load import load
from bridge.errors import ConfigError

KIS = """
[kis]
environment = "simulator"
[[kis.apps]]
alias = "app1"
app_key = { env = "KIS_APP_KEY" }
app_secret = { env = "KIS_APP_SECRET" }
[dashboard]
"""
KEYS = {"KIS_APP_KEY": "k", "KIS_APP_SECRET": "s", "PAGE": "a long pass phrase"}
PASSWORD = 'password = { env = "PAGE" }\n'
NAMES = "must be names without a port: kis.example.com"
TLS = 'cert_file = "cert.pem"\nkey_file = "key.pem"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch(mode=0o600)
    return tmp_path / "bridge.toml"


def refusal(config: Path, text: str) -> str:
    config.write_text(KIS + text)
    with pytest.raises(ConfigError) as caught:
        load(config, KEYS)
    return str(caught.value).removeprefix(f"{config}: ")


@pytest.mark.parametrize("listen", ["0.0.0.0:8780", "[::]:8780", "192.168.0.7:80", "kis.lan:8780"])
@pytest.mark.parametrize("lock", ["", PASSWORD, TLS])
def test_where_others_reach_it_it_needs_tls_and_a_login(
    config: Path, listen: str, lock: str
) -> None:
    assert refusal(config, f'listen = "{listen}"\n{lock}') == (
        f"dashboard.listen: whoever reaches {listen} could read orders and accounts: listen on "
        "127.0.0.1, or set dashboard.cert_file, dashboard.key_file and dashboard.password"
    )
    config.write_text(f'{KIS}listen = "{listen}"\n{PASSWORD}{TLS}')
    assert load(config, KEYS).dashboard.host in listen


@pytest.mark.parametrize("listen", ["127.0.0.1:8780", "[::1]:8780", "localhost:0", "127.9.9.9:1"])
def test_this_machine_needs_neither(config: Path, listen: str) -> None:
    config.write_text(f'{KIS}listen = "{listen}"\n')
    dashboard = load(config, KEYS).dashboard
    assert (dashboard.loopback, dashboard.password) == (True, None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('cert_file = "cert.pem"', "cert_file: needs dashboard.key_file"),
        ('key_file = "key.pem"', "key_file: needs dashboard.cert_file"),
        ('password = { env = "KIS_APP_KEY" }', "password: must have at least 12 characters"),
        ('hosts = ["kis.lan:80"]', f"hosts: {NAMES}"),
        ('hosts = ["https://kis.lan"]', f"hosts: {NAMES}"),
        ('username = "a:b"', "username: must be 1 to 64 of A-Z a-z 0-9 . _ @ -"),
    ],
)
def test_what_does_not_fit_is_told(config: Path, text: str, line: str) -> None:
    assert refusal(config, text) == f"dashboard.{line}"


def test_a_key_that_others_can_read_is_refused(config: Path) -> None:
    key = config.parent / "key.pem"
    key.chmod(0o644)
    assert refusal(config, TLS) == f"dashboard.key_file: others can read it: chmod 600 {key}"


def test_the_password_is_one_of_the_secrets(config: Path) -> None:
    config.write_text(KIS + PASSWORD)
    assert SecretStr(KEYS["PAGE"]) in load(config, KEYS).secrets()


def test_a_command_that_needs_no_secret_does_not_miss_it(config: Path) -> None:
    config.write_text(KIS + 'password = { file = "not-there" }\n')
    assert load(config, {}, secrets=False).dashboard.password is not None


def test_the_default_is_for_this_machine() -> None:
    default: Any = DashboardConfig()
    assert (default.listen, default.loopback, default.hosts) == ("127.0.0.1:8780", True, ())
