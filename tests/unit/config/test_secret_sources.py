"""Where secrets are kept, and that no error tells one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import SecretStr

from bridge.config.load import load, secret_variables
from bridge.config.models import Config
from bridge.errors import ConfigError

KIS = """
[kis]
environment = "paper"
[[kis.apps]]
alias = "app1"
app_key = {source}
app_secret = {{ env = "KIS_APP_SECRET" }}
"""
SECRET = "dist1nct-app-secret"


def read(folder: Path, source: str, **environ: str) -> Config:
    path = folder / "bridge.toml"
    path.write_text(KIS.format(source=source))
    path.chmod(0o644)
    return load(path, {"KIS_APP_SECRET": SECRET} | environ)


def key(folder: Path, source: str, **environ: str) -> str:
    return read(folder, source, **environ).kis.apps[0].app_key.get_secret_value()


def refusal(folder: Path, source: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, source, **environ)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{folder}/bridge.toml: kis.apps[0].app_key: ")
    return line.removeprefix(f"{folder}/bridge.toml: kis.apps[0].app_key: ")


# systemd


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes")
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440])
def test_a_credential_of_systemd(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "kis.app-key").write_text("the-key\n")
    (folder / "kis.app-key").chmod(mode)
    source = '{ credential = "kis.app-key" }'
    assert key(tmp_path, source, CREDENTIALS_DIRECTORY=str(folder)) == "the-key"


def test_a_credential_without_systemd_says_how_it_comes(tmp_path: Path) -> None:
    assert refusal(tmp_path, '{ credential = "app_key" }') == (
        "there is no credential app_key: $CREDENTIALS_DIRECTORY is not set; systemd sets it for "
        "LoadCredential=app_key:PATH"
    )


@pytest.mark.parametrize("name", ["../bridge.toml", "/etc/passwd", "..", "", ".hidden", "a b"])
def test_a_credential_is_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    line = refusal(tmp_path, f'{{ credential = "{name}" }}', CREDENTIALS_DIRECTORY=str(tmp_path))
    assert line == f"{name!r} is no name of a credential"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes")
def test_a_credential_that_everybody_can_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "app_key").write_text("x")
    (tmp_path / "app_key").chmod(0o444)
    source = '{ credential = "app_key" }'
    line = refusal(tmp_path, source, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert "can be read by others" in line


# files


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX owners")
def test_a_file_of_somebody_else_is_known_to_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").touch(0o600)
    os.chown(tmp_path / "key", 12345, -1) if os.geteuid() == 0 else None
    if os.geteuid() != 0:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "belongs to another user" in refusal(tmp_path, '{ file = "key" }')


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes")
@pytest.mark.timeout(10)
@pytest.mark.parametrize("place", ["/dev/zero", "/dev", "fifo"])
def test_what_is_no_file_is_one_line_at_once(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    line = refusal(tmp_path, f'{{ file = "{place}" }}')
    assert line.startswith("cannot read ")
    assert line.endswith((" and no file",))


# the keyring


class KeyringError(Exception):
    pass


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A keyring that is a table; the real one asks a desktop."""
    kept: dict[tuple[str, str], str] = {}
    module, errors = ModuleType("keyring"), ModuleType("keyring.errors")

    def get_password(service: str, user: str) -> str | None:
        if service == "locked":
            raise KeyringError(f"will not say {SECRET}")
        return kept.get((service, user))

    for name, value in (("get_password", get_password), ("errors", errors)):
        setattr(module, name, value)
    errors.KeyringError = KeyringError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return kept


def test_a_secret_in_the_keyring(tmp_path: Path, keyring: dict[tuple[str, str], str]) -> None:
    keyring["kis/bridge", "app_key"] = "the-key"
    assert key(tmp_path, '{ keyring = "kis/bridge/app_key" }') == "the-key"
    assert refusal(tmp_path, '{ keyring = "kis/other" }') == (
        "not in the keyring: keyring set kis other"
    )
    assert refusal(tmp_path, '{ keyring = "kis" }') == 'keyring must be "SERVICE/USER"'
    assert refusal(tmp_path, '{ keyring = "locked/x" }') == (
        "the keyring does not answer (KeyringError)"
    )


def test_the_real_keyring_is_asked_and_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend
    from keyring.backends.fail import Keyring as NoKeyring

    class Kept(KeyringBackend):
        priority = 1.0

        def get_password(self, service: str, username: str) -> str | None:
            return "the-key" if (service, username) == ("kis", "app_key") else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

    before = keyring.get_keyring()
    try:
        keyring.set_keyring(Kept())  # type: ignore[no-untyped-call]
        assert key(tmp_path, '{ keyring = "kis/app_key" }') == "the-key"
        assert refusal(tmp_path, '{ keyring = "kis/x" }').startswith("not in the keyring: ")
        keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
        line = refusal(tmp_path, '{ keyring = "kis/app_key" }')
        assert line == "the keyring does not answer (NoKeyringError)"
    finally:
        keyring.set_keyring(before)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert refusal(tmp_path, '{ keyring = "kis/app_key" }') == (
        "the keyring needs an extra: pip install 'kis-mqtt-bridge[keyring]'"
    )


def test_nobody_imports_the_keyring_who_has_no_use_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert key(tmp_path, '{ env = "KEY" }', KEY="the-key") == "the-key"


# what no protocol carries


@pytest.mark.parametrize("value", [f"{SECRET}\r\nx: y", f"{SECRET}\x00", f"{SECRET}\x7f"])
def test_a_control_character_is_refused_without_telling_the_secret(
    tmp_path: Path, value: str
) -> None:
    line = refusal(tmp_path, '{ env = "KEY" }', KEY=value)
    assert line == "has a line break or another control character in it"


@pytest.mark.parametrize("value", [f"{SECRET} x", f"{SECRET}é", "키"])
def test_a_key_that_no_header_carries_is_refused_without_telling_it(
    tmp_path: Path, value: str
) -> None:
    line = refusal(tmp_path, '{ env = "KEY" }', KEY=value)
    assert line == "must be plain ASCII without blanks, as KIS issued it"


def test_no_error_about_a_configuration_tells_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    for text in (
        KIS.format(source=f'"{SECRET}"') + "[mqtt]\nurl = 3\n",
        KIS.format(source=f'{{ key = "{SECRET}" }}'),
        KIS.format(source=f'["{SECRET}"]'),
        KIS.format(source='{ env = "KEY" }') + f'[[kis.accounts]]\nnumber = "{SECRET}"\n',
        KIS.format(source='{ env = "KEY" }') + f'[journal]\nurl = "{SECRET}://u:p@h"\n',
        KIS.format(source='{ env = "KEY" }') + f'[mqtt]\nurl = "mqtt://u:{SECRET}@h"\n',
    ):
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(ConfigError) as caught:
            load(path, {"KIS_APP_SECRET": SECRET, "KEY": "k"})
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_variables_that_hold_secrets_are_known(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(KIS.format(source='{ env = "KEY" }'))
    environ: Mapping[str, str] = {
        "KEY": "k",
        "PATH": "/bin",
        "KIS_APP_SECRET": SECRET,
        "KIS_BRIDGE_MQTT__PASSWORD": "p",
        "KIS_BRIDGE_JOURNAL__URL": '{"env": "OTHER"}',
        "KIS_BRIDGE_DEBUG": "1",
    }
    assert secret_variables(path, environ) == {
        "KEY",
        "KIS_APP_SECRET",
        "KIS_BRIDGE_MQTT__PASSWORD",
        "KIS_BRIDGE_JOURNAL__URL",
        "OTHER",
    }


def test_passwords_of_a_journal_are_secrets_in_every_form(tmp_path: Path) -> None:
    text = KIS.format(source='{ env = "KEY" }') + '[journal]\nurl = { env = "URL" }\n'
    for url, words in (
        ("postgresql+psycopg://u:p%40ssw0rd@h/d", ("p%40ssw0rd", "p@ssw0rd")),
        ("postgresql://h/d?user=u&password=p%40ssw0rd", ("p%40ssw0rd", "p@ssw0rd")),
        ("mariadb+pymysql://h/d?ssl_key_password=abcd", ()),
    ):
        (tmp_path / "bridge.toml").write_text(text)
        config = load(tmp_path / "bridge.toml", {"KIS_APP_SECRET": SECRET, "KEY": "k", "URL": url})
        for word in words:
            assert SecretStr(word) in config.secrets()
