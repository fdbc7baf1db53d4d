"""Where a broker is and how to talk to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from bridge.errors import ConfigError

__all__ = ["Endpoint"]

_SCHEMES: dict[str, tuple[Literal["tcp", "ws"], bool, int]] = {
    "mqtt": ("tcp", False, 1883),
    "mqtts": ("tcp", True, 8883),
    "ws": ("ws", False, 80),
    "wss": ("ws", True, 443),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One broker; `parse` makes it of a URL."""

    host: str
    port: int
    transport: Literal["tcp", "ws"] = "tcp"
    tls: bool = False
    username: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    cert_file: Path | None = None
    key_file: Path | None = None
    version: Literal[5, 4] = 5
    """5, or 4 for MQTT 3.1.1; 5 falls back to 4 where the broker refuses it."""
    path: str = "/mqtt"
    """Of the WebSocket."""

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        username: str = "",
        password: SecretStr | None = None,
        ca_file: Path | None = None,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        version: Literal[5, 4] = 5,
    ) -> Endpoint:
        """Read ``mqtt://[user[:password]@]host[:port]``, also ``mqtts``, ``ws`` and ``wss``.

        User and password given beside the URL win over those in it.

        :raises ConfigError: in one line; it never repeats the user or password part of the URL.
        """
        shown = _without_credentials(url)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(f"broker URL {shown!r}: {error}") from None
        if parts.scheme not in _SCHEMES:
            raise ConfigError(
                f"broker URL {shown!r}: begin it with one of mqtt:// mqtts:// ws:// wss://"
            )
        transport, tls, default_port = _SCHEMES[parts.scheme]
        if not host or any(c.isspace() for c in host):
            raise ConfigError(f"broker URL {shown!r}: the host is missing or has blanks in it")
        if port == 0:
            raise ConfigError(f"broker URL {shown!r}: port 0 cannot be connected to")
        if parts.query or parts.fragment or (transport == "tcp" and parts.path not in ("", "/")):
            raise ConfigError(f"broker URL {shown!r}: nothing may follow the port")
        if (cert_file is None) != (key_file is None):
            raise ConfigError("mqtt.cert_file and mqtt.key_file belong together: give both")
        if password is None:
            password = SecretStr(unquote(parts.password or ""))
        return cls(
            host=host,
            port=port or default_port,
            transport=transport,
            tls=tls,
            username=username or unquote(parts.username or ""),
            password=password,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            version=version,
            path=parts.path if transport == "ws" and parts.path not in ("", "/") else "/mqtt",
        )

    def __str__(self) -> str:
        """``host:port``, fit for a message: no user, no password."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def secret(self) -> str:
        """Return the password in the clear, for the CONNECT packet only."""
        return self.password.get_secret_value()

    def ssl_context(self) -> ssl.SSLContext:
        """Return what verifies the broker and, with a certificate, says who this is.

        :raises ConfigError: a file is missing or holds no certificate or key.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ConfigError(f"mqtt.ca_file {self.ca_file}: {_why(error)}") from None
        if self.cert_file is not None and self.key_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
            except OSError as error:
                raise ConfigError(
                    f"mqtt.cert_file {self.cert_file}, mqtt.key_file {self.key_file}: {_why(error)}"
                ) from None
        return context


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _no_password() -> str:
    """Stand in for OpenSSL's question on the terminal, which would hang a daemon."""
    raise ConfigError("mqtt.key_file is encrypted: give one without a pass phrase")


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"no usable PEM in it ({error.reason or 'unreadable'})"
    return (error.strerror or str(error)).lower()
