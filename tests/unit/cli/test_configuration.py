"""Which configuration a command uses: -c FILE, ./bridge.toml, the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.cli.broker import BridgeOptions
from bridge.cli.configuration import chosen, configured
from bridge.cli.journal import JournalOptions
from bridge.errors import ConfigError

FILE = """
[kis]
environment = "simulator"
state_dir = "{state}"
[[kis.apps]]
alias = "app1"
app_key = {{ env = "NOT_SET_HERE" }}
app_secret = {{ file = "not-there" }}
[[kis.accounts]]
alias = "main"
app = "app1"
number = {{ env = "NOT_SET_HERE" }}
[mqtt]
url = ["mqtt://one:1", "mqtt://two:2"]
base_topic = "home/kis"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, a home without demos, and no variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in os.environ:
        if name.startswith("KIS_BRIDGE_"):
            monkeypatch.delenv(name)
    return tmp_path


def write(path: Path, state: str = "state") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(FILE.format(state=state))
    return path


def test_the_file_that_is_named_goes_before_the_one_of_the_folder(folder: Path) -> None:
    assert chosen(None) is None
    write(folder / "bridge.toml", "here")
    other = write(folder / "etc" / "other.toml", "there")
    assert chosen(None) == Path("bridge.toml")
    assert configured(None, secrets=False).kis.state_dir == Path("here")
    assert configured(other, secrets=False).kis.state_dir == folder / "etc" / "there"


def test_an_error_says_which_one_was_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^no configuration: there is no bridge\.toml in this"):
        configured(None)
    with pytest.raises(ConfigError, match=r"^none\.toml: No such file"):
        configured(Path("none.toml"))
    monkeypatch.setenv("KIS_BRIDGE_KIS__ENVIRONMENT", "paper")
    with pytest.raises(ConfigError, match=r"^environment: kis\.apps: is missing"):
        configured(None)
    write(folder / "bridge.toml")
    with pytest.raises(
        ConfigError, match=r"^bridge\.toml: kis\.apps\[0\]\.app_key: environment var"
    ):
        configured(None)


def test_where_the_journal_is_needs_no_secrets(folder: Path) -> None:
    write(folder / "bridge.toml")
    assert JournalOptions().url() == "sqlite:///state/orders.db"
    assert JournalOptions(journal="sqlite:///other.db").url() == "sqlite:///other.db"
    (folder / "bridge.toml").unlink()
    with pytest.raises(ConfigError, match="no demo is running; name a configuration with -c FILE"):
        JournalOptions().url()


def test_plain_secrets_that_others_can_read_are_refused_all_the_same(folder: Path) -> None:
    path = write(folder / "bridge.toml")
    path.write_text(path.read_text().replace('{ env = "NOT_SET_HERE" }', '"plain"', 1))
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="a plain secret in a file that others can read"):
        JournalOptions().url()


def test_the_broker_is_the_files_unless_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [str(one) for one in BridgeOptions().endpoints()] == ["127.0.0.1:1883"]
    assert BridgeOptions().topics().base == "kis"
    path = write(folder / "bridge.toml")
    assert [str(one) for one in BridgeOptions().endpoints()] == ["one:1", "two:2"]
    assert BridgeOptions().topics().base == "home/kis"
    assert [str(one) for one in BridgeOptions(url="mqtt://c").endpoints()] == ["c:1883"]
    assert BridgeOptions(base="b").topics().base == "b"
    path.write_text(path.read_text().replace('["mqtt://one:1", "mqtt://two:2"]', '"embedded"'))
    assert [str(one) for one in BridgeOptions().endpoints()] == ["127.0.0.1:1883"]
