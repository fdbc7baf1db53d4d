"""How the commands that talk to a running bridge find its broker: their options, read once here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer
from pydantic import SecretStr

from bridge.cli.configuration import ConfigFile, chosen, configured
from bridge.errors import ConfigError
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.topics import Topics
from bridge.runtime import logs
from bridge.runtime.bounded_json import JsonError, decode

if TYPE_CHECKING:
    from bridge.config.models import MqttConfig

__all__ = ["LOCAL", "AsJson", "BridgeOptions", "BrokerOptions", "TopicOptions", "endpoint_of"]

LOCAL: Final = "mqtt://127.0.0.1:1883"
_BASE: Final = "kis"

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Which broker to use, and as whom.

    Where the options and their variables are silent, the configuration file names the broker. The
    bridge's own user and password in it are not used: whoever types a command is somebody else.
    """

    config: ConfigFile = None
    url: Annotated[
        str | None,
        typer.Option(
            envvar="KIS_BRIDGE_MQTT__URL",
            help="Broker: an mqtt://, mqtts://, ws:// or wss:// URL. A JSON list is tried in turn.",
            show_default=f"mqtt.url of the configuration file, else {LOCAL}",
        ),
    ] = None
    user: Annotated[
        str,
        typer.Option(
            "--user", envvar="KIS_BRIDGE_MQTT__USERNAME", help="MQTT user.", show_default="none"
        ),
    ] = ""
    password: Annotated[
        str,
        typer.Option(
            envvar="KIS_BRIDGE_MQTT__PASSWORD",
            help="Password of that user. Set the variable rather than the option: other users of"
            " this machine can read the options of a command.",
            show_default=False,
        ),
    ] = field(default="", repr=False)
    password_file: Annotated[
        Path | None,
        typer.Option(
            help="File with that password instead; - is standard input.",
            allow_dash=True,
            show_default=False,
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        typer.Option(
            envvar="KIS_BRIDGE_MQTT__CA_FILE",
            help="Certificates to trust instead of the system's.",
            dir_okay=False,
        ),
    ] = None

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the brokers to try in turn, at least one.

        Silences the log: what goes wrong is the one line of the error. Raises
        :class:`ConfigError`.
        """
        mqtt = self._mqtt() if self.url is None else None
        ca_file = self.ca_file
        urls: Sequence[str] = (LOCAL,)
        if self.url is not None:
            urls = _urls(self.url)
        elif mqtt is not None and not mqtt.embedded:
            urls, ca_file = mqtt.url, ca_file or mqtt.ca_file
        password = self.password
        if self.password_file is not None:
            from bridge.cli.new_password import from_file

            password = from_file(self.password_file)
        secret = SecretStr(password) if password else None
        trusted = ca_file.expanduser() if ca_file else None
        found = []
        for one in urls:
            tls = one.startswith(("mqtts:", "wss:"))
            found.append(
                Endpoint.parse(
                    one, username=self.user, password=secret, ca_file=trusted if tls else None
                )
            )
        logs.configure("critical", "auto", [one.password for one in found if one.secret()])
        return found

    def _mqtt(self) -> MqttConfig | None:
        """Return what the configuration file, if there is one, says about the broker."""
        if chosen(self.config) is None:
            return None
        return configured(self.config, secrets=False).mqtt


@dataclass(frozen=True, slots=True)
class TopicOptions(BrokerOptions):
    """Which broker to use, and where the bridge's topics are there."""

    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            envvar="KIS_BRIDGE_MQTT__BASE_TOPIC",
            help="Base topic of the bridge.",
            show_default=f"mqtt.base_topic of the configuration file, else {_BASE}",
        ),
    ] = None

    def topics(self) -> Topics:
        """Return the bridge's topics; raises :class:`ConfigError`."""
        base = self.base
        if base is None:
            mqtt = self._mqtt()
            base = mqtt.base_topic if mqtt else _BASE
        try:
            return Topics(base)
        except ValueError as error:
            raise ConfigError(f"--base: {error}") from None


@dataclass(frozen=True, slots=True)
class BridgeOptions(TopicOptions):
    """Which bridge to talk to, and how."""

    wait: Annotated[
        float,
        typer.Option("--wait", min=0.1, help="Seconds to wait for the answer."),
    ] = 10.0
    as_json: AsJson = False
    signing_key_file: Annotated[
        Path | None,
        typer.Option(
            "--signing-key-file",
            envvar="KIS_SIGNING_KEY_FILE",
            dir_okay=False,
            help="File with the key that signs it, readable for its owner alone.",
            show_default="unsigned",
        ),
    ] = None

    def signing_key(self) -> SecretStr | None:
        """Return the key to sign with, if there is to be one; raises :class:`ConfigError`."""
        if self.signing_key_file is None:
            return None
        from bridge.config.secret_sources import look_up

        try:
            return SecretStr(look_up({"file": str(self.signing_key_file)}, {}, Path))
        except ValueError as error:
            raise ConfigError(f"--signing-key-file: {error}") from None


def endpoint_of(mqtt: MqttConfig, url: str) -> Endpoint:
    """Return one of the brokers of a configuration, with the bridge's own name there."""
    return Endpoint.parse(
        url,
        username=mqtt.username or "",
        password=mqtt.password,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
    )


def _urls(text: str) -> list[str]:
    """Read the option, which may hold all that the variable may hold for ``run``."""
    urls: object = text
    if text.lstrip().startswith("["):
        try:
            urls = decode(text, 64 * 1024)
        except JsonError:
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
