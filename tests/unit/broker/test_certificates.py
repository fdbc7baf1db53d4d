"""The private authority: what it signs, and what a TLS client says of it."""

from __future__ import annotations

import ssl
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.broker.certificates import Authority, default_hosts, read_certificates
from bridge.broker.folder import BrokerFolder
from bridge.errors import ConfigError


def handshake(trusted: Path, folder: Path, host: str) -> None:
    """Shake hands in memory as a client that trusts one file; raises what it says."""
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(folder / "tls/server.crt", folder / "tls/server.key")
    here = ssl.create_default_context(cafile=trusted)
    here.verify_flags |= ssl.VERIFY_X509_STRICT
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = here.wrap_bio(a, b, server_hostname=host)
    server = there.wrap_bio(b, a, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.fixture
def folder(tmp_path: Path) -> BrokerFolder:
    folder = BrokerFolder(tmp_path / "broker")
    Authority(folder).server(["broker.example", "192.0.2.7", "localhost"])
    return folder


def test_who_trusts_the_authority_trusts_the_broker_by_its_names(folder: BrokerFolder) -> None:
    for host in ("broker.example", "192.0.2.7", "localhost"):
        handshake(folder.tls / "ca.crt", folder.path, host)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(folder.tls / "ca.crt", folder.path, "elsewhere.example")


def test_another_authority_is_not_trusted(folder: BrokerFolder, tmp_path: Path) -> None:
    Authority(BrokerFolder(tmp_path / "other")).server(["localhost"])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path / "other/tls/ca.crt", folder.path, "localhost")


def test_a_new_certificate_is_of_the_same_authority(folder: BrokerFolder) -> None:
    before = {path.name: path.read_bytes() for path in folder.tls.iterdir()}
    again = Authority(folder)
    again.server(again.server_hosts())
    after = {path.name: path.read_bytes() for path in folder.tls.iterdir()}
    assert not again.made
    assert (after["ca.crt"], after["ca.key"]) == (before["ca.crt"], before["ca.key"])
    assert after["server.crt"] != before["server.crt"]
    handshake(folder.tls / "ca.crt", folder.path, "broker.example")


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_keys_are_the_owners_alone(folder: BrokerFolder) -> None:
    Authority(folder).client("alice")
    keys = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.tls.glob("*.key")}
    assert keys == {"ca.key": 0o600, "server.key": 0o600, "client-alice.key": 0o600}


def test_how_long_they_are_good(tmp_path: Path) -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    folder = BrokerFolder(tmp_path)
    authority = Authority(folder, now)
    assert authority.server(["localhost"]).days_left(now) == 397
    assert read_certificates(authority.crt)[0].days_left(now) == 3650
    old = Authority(folder, now + timedelta(days=3600))
    assert old.server(["localhost"]).days_left(now) == 3650  # no longer than who signed it
    with pytest.raises(ConfigError, match="ended on 2036-11-25"):
        Authority(folder, now + timedelta(days=3651)).server(["localhost"])


def test_the_key_that_signs_may_be_kept_elsewhere_until_it_is_needed(
    folder: BrokerFolder, tmp_path: Path
) -> None:
    away = (folder.tls / "ca.key").rename(tmp_path / "ca.key")
    with pytest.raises(ConfigError, match="bring it back"):
        Authority(folder)
    away.rename(folder.tls / "ca.key")
    Authority(folder)


def test_files_that_do_not_belong_together_are_told(folder: BrokerFolder, tmp_path: Path) -> None:
    Authority(BrokerFolder(tmp_path / "other"))
    (tmp_path / "other/tls/ca.key").replace(folder.tls / "ca.key")
    with pytest.raises(ConfigError, match="does not belong to"):
        Authority(folder)
    (folder.tls / "ca.crt").write_text("nothing")
    with pytest.raises(ConfigError, match="holds no certificate"):
        Authority(folder)


@pytest.mark.parametrize("host", ["a b", "https://x", "x:8883", "", "-x", "x" * 300, "호스트"])
def test_hosts_that_are_none(folder: BrokerFolder, host: str) -> None:
    with pytest.raises(ConfigError, match="a host name or an address"):
        Authority(folder).server([host])


def test_the_default_is_this_machine() -> None:
    assert {"localhost", "127.0.0.1"} <= set(default_hosts())
