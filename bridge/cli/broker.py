"""How the commands that talk to a running bridge find its broker: their options, read once here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import SecretStr

from bridge import logs
from bridge.errors import ConfigError
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics

__all__ = ["LOCAL", "AsJson", "Base", "CaFile", "Password", "Url", "User", "endpoint", "topics"]

LOCAL: Final = "mqtt://127.0.0.1:1883"

Url = Annotated[
    str,
    typer.Option(envvar="KIS_BRIDGE_MQTT__URL", help="Broker: mqtt:// mqtts:// ws:// or wss://."),
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


def endpoint(url: str, user: str, password: str, ca_file: Path | None = None) -> Endpoint:
    """Return the broker that the options name.

    Silences the log: what goes wrong is the one line of the error. Raises :class:`ConfigError`.
    """
    tls = url.startswith(("mqtts:", "wss:"))
    found = Endpoint.parse(
        url,
        username=user,
        password=SecretStr(password) if password else None,
        ca_file=ca_file.expanduser() if ca_file and tls else None,
    )
    logs.configure("critical", "auto", [found.password] if found.secret() else [])
    return found


def topics(base: str) -> Topics:
    """Return the topics under the base topic of the options; raises :class:`ConfigError`."""
    try:
        return Topics(base)
    except ValueError as error:
        raise ConfigError(f"--base: {error}") from None
