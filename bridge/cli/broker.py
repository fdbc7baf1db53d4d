"""How the commands that talk to a running bridge find its broker: their options, read once here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import SecretStr

from bridge.errors import ConfigError
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.runtime import logs

__all__ = ["LOCAL", "AsJson", "Base", "CaFile", "Password", "Url", "User", "endpoints", "topics"]

LOCAL: Final = "mqtt://127.0.0.1:1883"

Url = Annotated[
    str,
    typer.Option(
        envvar="KIS_BRIDGE_MQTT__URL",
        help="Broker: mqtt:// mqtts:// ws:// or wss://; a JSON list is tried in turn.",
    ),
]
User = Annotated[str, typer.Option("--user", envvar="KIS_BRIDGE_MQTT__USERNAME", help="MQTT user.")]
Password = Annotated[
    str,
    typer.Option(
        envvar="KIS_BRIDGE_MQTT__PASSWORD",
        help="Its password; other users of this machine can read an option: set the variable.",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        envvar="KIS_BRIDGE_MQTT__CA_FILE",
        help="Certificates to trust instead of the system's.",
        dir_okay=False,
    ),
]
Base = Annotated[
    str, typer.Option("--base", envvar="KIS_BRIDGE_MQTT__BASE_TOPIC", help="Base topic.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def endpoints(url: str, user: str, password: str, ca_file: Path | None = None) -> list[Endpoint]:
    """Return the brokers that the options name, at least one.

    Silences the log: what goes wrong is the one line of the error. Raises :class:`ConfigError`.
    """
    secret = SecretStr(password) if password else None
    trusted = ca_file.expanduser() if ca_file else None
    found = []
    for one in _urls(url):
        tls = one.startswith(("mqtts:", "wss:"))
        found.append(
            Endpoint.parse(one, username=user, password=secret, ca_file=trusted if tls else None)
        )
    logs.configure("critical", "auto", [one.password for one in found if one.secret()])
    return found


def _urls(text: str) -> list[str]:
    """Read the option, which may hold all that the variable may hold for ``run``."""
    urls: object = text
    if text.lstrip().startswith("["):
        try:
            urls = json.loads(text)
        except (ValueError, RecursionError):
            raise ConfigError('broker URL: a list must be JSON, ["mqtt://a","mqtt://b"]') from None
    if isinstance(urls, str):
        urls = [urls]
    if not isinstance(urls, list) or not urls or not all(isinstance(one, str) for one in urls):
        raise ConfigError("broker URL: a list must hold one URL or more, and nothing else")
    if "embedded" in urls:
        raise ConfigError(
            f"broker URL 'embedded': that one starts with the bridge; say where, e.g. --url {LOCAL}"
        )
    return urls


def topics(base: str) -> Topics:
    """Return the topics under the base topic of the options; raises :class:`ConfigError`."""
    try:
        return Topics(base)
    except ValueError as error:
        raise ConfigError(f"--base: {error}") from None
