"""The configuration of the web page, and who may reach it: ``[dashboard]``."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from bridge.config.explained_errors import at
from bridge.config.values import ExistingFile, KeyFile, Reading, Secret, Section

__all__ = ["DashboardConfig"]

_SHORTEST = 12
_OPEN = (
    "whoever reaches {host} could read orders and accounts: listen on 127.0.0.1, or set "
    "dashboard.cert_file, dashboard.key_file and dashboard.password"
)


class DashboardConfig(Section):
    """The web page, `/metrics` and `/health`."""

    listen: str = "127.0.0.1:8780"
    """Address and port: `127.0.0.1:8780`, `[::1]:8780`. Where others can reach it, it needs
    `cert_file`, `key_file` and `password`."""
    cert_file: ExistingFile | None = None
    """Certificate of the page, with those between it and the CA: then it is `https://`."""
    key_file: KeyFile | None = None
    """Key of the certificate."""
    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$")] = "kis-bridge"
    """Who logs in with `password`: a browser asks for both, Prometheus has them in `basic_auth`."""
    password: Secret | None = None
    """Password of the page, of 12 characters or more. Without one there is no login."""
    hosts: tuple[str, ...] = ()
    """Names by which browsers reach the page, as behind a proxy: `kis.example.com`. Addresses and
    `localhost` always work; any other name is refused, since it may be an attacker's."""

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(f"//{value}")
            good = bool(parts.hostname and parts.port is not None and parts.netloc == value)
        except ValueError:
            good = False
        if not good or "@" in value or re.search(r"\s", value):
            raise ValueError("must be HOST:PORT")
        return value

    @field_validator("hosts")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", name):
                raise ValueError("must be names without a port: kis.example.com")
        return tuple(name.lower() for name in value)

    @field_validator("password")
    @classmethod
    def _long(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        reading: Reading | None = info.context
        looked_up = reading is None or reading.secrets
        if looked_up and value is not None and len(value.get_secret_value()) < _SHORTEST:
            raise ValueError(f"must have at least {_SHORTEST} characters")
        return value

    @model_validator(mode="after")
    def _closed(self) -> Self:
        for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if getattr(self, key) is not None and getattr(self, other) is None:
                raise at(f"needs dashboard.{other}", key)
        if not self.loopback and (self.cert_file is None or self.password is None):
            raise at(_OPEN.format(host=self.listen), "listen")
        return self

    @property
    def host(self) -> str:
        return urlsplit(f"//{self.listen}").hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(f"//{self.listen}").port or 0

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it; a name may point anywhere, but for one."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
