"""The configuration of KIS: ``[kis]``, its app keys and accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, Strict, ValidationInfo, field_validator, model_validator

from bridge.config.explained_errors import at
from bridge.config.values import (
    Alias,
    Count,
    HeaderSecret,
    Location,
    RestUrl,
    Secret,
    Section,
    WsUrl,
)

__all__ = [
    "SIMULATOR_REST_PORT",
    "SIMULATOR_WS_PORT",
    "AccountConfig",
    "AppConfig",
    "Environment",
    "KisConfig",
]

SIMULATOR_REST_PORT: Final = 8790
SIMULATOR_WS_PORT: Final = 8791

Environment = Literal["simulator", "paper", "real"]


@dataclass(frozen=True, slots=True)
class _Servers:
    rest_url: str
    ws_url: str
    rest_per_second: int


_SERVERS: Final[Mapping[Environment, _Servers]] = {
    "simulator": _Servers(
        f"http://127.0.0.1:{SIMULATOR_REST_PORT}", f"ws://127.0.0.1:{SIMULATOR_WS_PORT}", 1000
    ),
    "paper": _Servers(
        "https://openapivts.koreainvestment.com:29443", "ws://ops.koreainvestment.com:31000", 1
    ),
    "real": _Servers(
        "https://openapi.koreainvestment.com:9443", "ws://ops.koreainvestment.com:21000", 18
    ),
}
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class AppConfig(Section):
    """One app key of KIS; it gives one WebSocket session."""

    alias: Alias
    """Name in topics, logs and accounts."""
    app_key: HeaderSecret
    """The app key that KIS issued."""
    app_secret: HeaderSecret
    """The app secret that KIS issued."""
    hts_id: Secret | None = None
    """Login of the HTS. Without it no execution notices arrive."""
    slots: Annotated[int, Strict(), Field(ge=1, le=41)] = 41
    """Most subscriptions of the session. Where KIS grants fewer, the bridge learns it."""


class AccountConfig(Section):
    """One account, traded and read through one app key."""

    alias: Alias
    """Name in topics. The number never appears there."""
    app: Alias
    """Alias of the app key that may use the account."""
    number: Secret
    """Account number, `12345678-01`."""

    @field_validator("number")
    @classmethod
    def _normalise(cls, value: SecretStr) -> SecretStr:
        found = re.fullmatch(r"([0-9]{8})-?([0-9]{2})", value.get_secret_value())
        if found is None:
            raise ValueError("must be an account number: 12345678-01 (10 digits)")
        return SecretStr("-".join(found.groups()))

    @property
    def cano(self) -> SecretStr:
        """The first eight digits, KIS's ``CANO``."""
        return SecretStr(self.number.get_secret_value()[:8])

    @property
    def product_code(self) -> str:
        """The last two digits, KIS's ``ACNT_PRDT_CD``."""
        return self.number.get_secret_value()[-2:]


class KisConfig(Section):
    """How to reach KIS, and as whom."""

    environment: Environment
    """Sets the URLs and the TR ids. KIS's real-time feed is `ws://`, plain text, for `paper` and
    `real`: see `ws_url`."""
    simulates: Literal["paper", "real"] = "paper"
    """Which of KIS's servers the simulator stands for. With `kis-bridge simulate --environment
    real` it is `real`: real TR ids, and every channel. Only for a simulator on this machine."""
    rest_url: RestUrl = Field(default_factory=lambda data: _SERVERS[data["environment"]].rest_url)
    """REST server. By default that of the environment; only for a simulator or proxy elsewhere."""
    ws_url: WsUrl = Field(default_factory=lambda data: _SERVERS[data["environment"]].ws_url)
    """WebSocket server, without a path. By default that of the environment; see `rest_url`. KIS's
    own is `ws://`, and it has no other: on the way there the approval key and the HTS id can be
    read, and market data can be forged. Execution notices are encrypted, with a key that comes the
    same way."""
    rest_per_second: Count = Field(
        default_factory=lambda data: _SERVERS[data["environment"]].rest_per_second
    )
    """REST calls a second for each app key. By default 18 (real), 1 (paper) or 1000 (simulator).
    Fewer are made where the server says so, as the simulator does."""
    state_dir: Location = Field(default=Path("~/.local/state/kis-bridge"), validate_default=True)
    """Folder for tokens, learned limits and the journal. It is made for its owner alone, and
    refused where others can write in it or where it is somebody else's."""
    apps: Annotated[tuple[AppConfig, ...], Field(min_length=1)]
    """The app keys, at least one."""
    accounts: tuple[AccountConfig, ...] = ()
    """The accounts. Without any, there is market data only."""

    @field_validator("simulates")
    @classmethod
    def _simulated(cls, value: str, info: ValidationInfo) -> str:
        if value == "real" and info.data.get("environment") != "simulator":
            raise ValueError('real is for environment = "simulator" alone')
        return value

    @property
    def paper(self) -> bool:
        """Whether KIS takes the TR ids of paper trading, and has the channels of that."""
        if self.environment == "simulator":
            return self.simulates == "paper"
        return self.environment == "paper"

    @field_validator("rest_url")
    @classmethod
    def _private(cls, value: str, info: ValidationInfo) -> str:
        host = urlsplit(value).hostname
        if info.data.get("simulates") == "real" and host not in _LOOPBACK:
            # These are the TR ids that move money, and a simulator's orders need no consent.
            raise ValueError('must be on this machine with simulates = "real"')
        if info.data.get("environment") in ("paper", "real") and not (
            value.startswith("https:") or host in _LOOPBACK
        ):
            raise ValueError("must be https:// (app keys travel there), or on this machine")
        return value

    @model_validator(mode="after")
    def _aliases(self) -> Self:
        apps = [app.alias for app in self.apps]
        for key, aliases in (("apps", apps), ("accounts", [a.alias for a in self.accounts])):
            for index, alias in enumerate(aliases):
                if alias in aliases[:index]:
                    raise at(f"{alias!r} is already taken", key, index, "alias")
        for index, account in enumerate(self.accounts):
            if account.app not in apps:
                raise at(
                    f"no app {account.app!r} (one of {', '.join(apps)})", "accounts", index, "app"
                )
        return self
