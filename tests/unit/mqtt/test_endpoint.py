from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from bridge.errors import ConfigError
from bridge.mqtt.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "transport", "tls", "port", "shown"),
    [
        ("mqtt://localhost", "tcp", False, 1883, "localhost:1883"),
        ("mqtts://broker/", "tcp", True, 8883, "broker:8883"),
        ("ws://broker:9001", "ws", False, 9001, "broker:9001"),
        ("wss://broker", "ws", True, 443, "broker:443"),
        ("mqtt://[::1]:1884", "tcp", False, 1884, "[::1]:1884"),
    ],
)
def test_urls(url: str, transport: str, tls: bool, port: int, shown: str) -> None:
    endpoint = Endpoint.parse(url)
    assert (endpoint.transport, endpoint.tls, endpoint.port) == (transport, tls, port)
    assert str(endpoint) == shown


def test_the_path_of_a_websocket() -> None:
    assert Endpoint.parse("ws://broker/").path == "/mqtt"
    assert Endpoint.parse("ws://broker/own/way").path == "/own/way"


def test_user_and_password() -> None:
    in_url = Endpoint.parse("mqtt://al%40ice:p%2Fw@broker")
    assert (in_url.username, in_url.secret()) == ("al@ice", "p/w")
    beside = Endpoint.parse("mqtt://a:b@broker", username="bridge", password=SecretStr("x"))
    assert (beside.username, beside.secret()) == ("bridge", "x")


def test_a_password_is_never_shown() -> None:
    endpoint = Endpoint.parse("mqtt://alice:hunter2@broker")
    assert "hunter2" not in f"{endpoint} {endpoint!r}"
    with pytest.raises(ConfigError) as caught:
        Endpoint.parse("mqtt://alice:hunter2@broker:99999")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://broker", "begin it with"),
        ("broker:1883", "begin it with"),
        ("", "begin it with"),
        ("mqtt://", "host"),
        ("mqtt://a b", "host"),
        ("mqtt://broker:x", "Port could not be cast"),
        ("mqtt://broker:0", "port 0"),
        ("mqtt://broker/path", "nothing may follow"),
        ("mqtt://broker?x=1", "nothing may follow"),
        ("mqtt://[::1", "Invalid IPv6"),
    ],
)
def test_a_wrong_url_gets_one_line(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        Endpoint.parse(url)
    assert "\n" not in str(caught.value)


def test_certificate_and_key_belong_together() -> None:
    with pytest.raises(ConfigError, match="both"):
        Endpoint.parse("mqtts://broker", cert_file=Path("client.pem"))


def test_tls_files_that_cannot_be_used(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"ca_file .*no such file"):
        Endpoint.parse("mqtts://broker", ca_file=tmp_path / "gone.pem").ssl_context()
    with pytest.raises(ConfigError, match=r"ca_file .*no usable PEM"):
        Endpoint.parse("mqtts://broker", ca_file=nonsense).ssl_context()
    with pytest.raises(ConfigError, match=r"cert_file .*no usable PEM"):
        Endpoint.parse("mqtts://broker", cert_file=nonsense, key_file=nonsense).ssl_context()


def test_a_context_verifies_the_host() -> None:
    assert Endpoint.parse("mqtts://broker").ssl_context().check_hostname
