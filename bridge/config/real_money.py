"""What must be safe before real money is at stake, as far as the configuration tells."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bridge.config.explained_errors import at
from bridge.config.values import open_to_others

if TYPE_CHECKING:
    from bridge.config.models import Config

__all__ = ["is_loopback", "real_money"]

_SERVERS: Final = {
    "openapi.koreainvestment.com:9443": "real",
    "openapivts.koreainvestment.com:29443": "paper",
    "ops.koreainvestment.com:21000": "real",
    "ops.koreainvestment.com:31000": "paper",
}
"""KIS's own servers, and for which trading they are."""


def real_money(config: Config) -> None:
    """Refuse what would put real money, or an account's secrets, at risk.

    A real app key without accounts carries market data alone, and may do so on any broker.
    """
    _right_servers(config)
    if not config.real_money:
        return
    mqtt = config.mqtt
    if mqtt.embedded:
        raise at("real accounts need a broker of your own, not 'embedded'", "mqtt", "url")
    if not mqtt.authenticated:
        raise at(
            "kis.environment = 'real' needs an authenticated broker: set mqtt.username and "
            "mqtt.password, or mqtt.cert_file and mqtt.key_file",
            *("mqtt", "username"),
        )
    for index, url in enumerate(mqtt.url):
        parts = urlsplit(url)
        if parts.scheme in ("mqtt", "ws") and not is_loopback(parts.hostname or ""):
            raise at(
                f"{parts.scheme}:// to another machine is plain text, the password too: with "
                f"kis.environment = 'real' use {parts.scheme}s://",
                *("mqtt", "url", index),
            )
    if mqtt.key_file is not None and open_to_others(mqtt.key_file):
        raise at(f"can be read by others: chmod 600 {mqtt.key_file}", "mqtt", "key_file")
    if config.orders.allow_real and not config.orders.clients:
        raise at(
            "real orders need the names of those who may trade: "
            '[orders.clients.NAME] accounts = ["ALIAS"]',
            *("orders", "clients"),
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _right_servers(config: Config) -> None:
    kis = config.kis
    for key, url in (("rest_url", kis.rest_url), ("ws_url", kis.ws_url)):
        parts = urlsplit(url)
        known = _SERVERS.get(f"{parts.hostname}:{parts.port}")
        if known is not None and known != kis.environment:
            raise at(
                f"is KIS's server for {known} trading, and kis.environment is "
                f"{kis.environment!r}: leave it out, or set the other one",
                *("kis", key),
            )
