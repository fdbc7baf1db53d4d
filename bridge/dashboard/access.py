"""How the web page may be reached: by which names, over TLS, with which login."""

from __future__ import annotations

import base64
import binascii
import hmac
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from bridge.config.dashboard import DashboardConfig
from bridge.errors import ConfigError

__all__ = ["Access"]


@dataclass(frozen=True, slots=True)
class Access:
    """As the configuration says it; by default plain HTTP without a login, for this machine."""

    hosts: Iterable[str] = ()
    """Names beside addresses and ``localhost``."""
    username: str = ""
    password: SecretStr | None = None
    """None: everybody who comes as far may come in."""
    cert_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def of(cls, config: DashboardConfig) -> Access:
        """Take what the configuration says."""
        return cls(
            config.hosts, config.username, config.password, config.cert_file, config.key_file
        )

    def tls(self) -> ssl.SSLContext | None:
        """Return what serves TLS, None without a certificate.

        Raises :class:`ConfigError` when there is no usable certificate or key in the files.
        """
        if self.cert_file is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
        except OSError as error:
            why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigError(
                f"dashboard.cert_file {self.cert_file}, dashboard.key_file {self.key_file}: no "
                f"usable PEM ({(why or 'unreadable').lower()})"
            ) from None
        return context

    def admits(self, header: bytes) -> bool:
        """Tell whether an ``Authorization`` header (HTTP Basic) is that of the user."""
        if self.password is None:
            return True
        scheme, _, encoded = header.partition(b" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        expected = f"{self.username}:{self.password.get_secret_value()}".encode()
        # Compared to its end, and at one length: the time that it takes tells nothing.
        same = hmac.compare_digest(sha256(given).digest(), sha256(expected).digest())
        return same and scheme.lower() == b"basic"


def _no_password() -> str:
    """Stand in for OpenSSL's question on the terminal, which would hang a daemon."""
    raise ConfigError("dashboard.key_file is encrypted: give one without a pass phrase")
