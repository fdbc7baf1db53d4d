"""The configuration: ``bridge.toml`` and the environment as frozen models.

The attribute docstrings are the reference: ``python -m bridge.config > docs/configuration.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    Strict,
    field_validator,
    model_validator,
)

from bridge.config.backup import BackupConfig
from bridge.config.candles import MOST_CANDLES, CandlesConfig, too_many
from bridge.config.dashboard import DashboardConfig
from bridge.config.explained_errors import at
from bridge.config.journal import JournalConfig, passwords
from bridge.config.kis import (
    SIMULATOR_REST_PORT,
    SIMULATOR_WS_PORT,
    AccountConfig,
    AppConfig,
    Environment,
    KisConfig,
)
from bridge.config.orders import ClientConfig, LimitsConfig, OrdersConfig
from bridge.config.overview import OverviewConfig
from bridge.config.process import ProcessConfig
from bridge.config.quality import QualityConfig, QualityKindConfig
from bridge.config.real_money import real_money
from bridge.config.requests import RequestsConfig
from bridge.config.values import (
    BrokerUrl,
    ExistingFile,
    Flag,
    Key,
    KeyFile,
    Level,
    Secret,
    Section,
    Several,
    Topic,
    TrId,
)

__all__ = [
    "ENV_PREFIX",
    "SIMULATOR_REST_PORT",
    "SIMULATOR_WS_PORT",
    "AccountConfig",
    "AppConfig",
    "BackupConfig",
    "CandlesConfig",
    "ClientConfig",
    "Config",
    "DashboardConfig",
    "Environment",
    "HomeAssistantConfig",
    "JournalConfig",
    "KindConfig",
    "KisConfig",
    "LimitsConfig",
    "LogConfig",
    "MarketConfig",
    "MqttConfig",
    "OrdersConfig",
    "OverviewConfig",
    "QualityConfig",
    "QualityKindConfig",
    "RequestsConfig",
    "SubscriptionConfig",
]

ENV_PREFIX: Final = "KIS_BRIDGE_"
_CONFLATED: Final = frozenset({"quote", "expected", "snapshot"})
_SNAPSHOT_S: Final = 3600
"""A price over REST is taken back when a session brings it again; where nobody is left to do so,
it must not stand for long."""


class MqttConfig(Section):
    """The broker."""

    url: Annotated[tuple[BrokerUrl, ...], Several, Field(min_length=1)] = ("mqtt://127.0.0.1:1883",)
    """`mqtt`, `mqtts`, `ws` or `wss` URL. A list is tried in turn. `embedded` starts a broker."""
    base_topic: Topic = "kis"
    """First levels of every topic."""
    username: Annotated[str, Field(min_length=1)] | None = None
    """The bridge's user at the broker."""
    password: Secret | None = None
    """Its password."""
    ca_file: ExistingFile | None = None
    """Certificates to trust instead of the system's."""
    cert_file: ExistingFile | None = None
    """Client certificate."""
    key_file: KeyFile | None = None
    """Key of the client certificate."""
    response_prefixes: tuple[Topic, ...] = ()
    """Where the MQTT 5 response topics of clients may be, besides their own:
    `BASE/bridge/response/VERB/CLIENT/…` and `CLIENT/…`."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if "embedded" in self.url and len(self.url) > 1:
            raise at("'embedded' stands alone", "url")
        if self.password is not None and self.username is None:
            raise at("needs mqtt.username", "password")
        for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if getattr(self, key) is not None and getattr(self, other) is None:
                raise at(f"needs mqtt.{other}", key)
        if not any(url.startswith(("mqtts:", "wss:")) for url in self.url):
            for key in ("ca_file", "cert_file"):
                if getattr(self, key) is not None:
                    raise at("needs an mqtts:// or wss:// mqtt.url", key)
        return self

    @property
    def embedded(self) -> bool:
        return self.url == ("embedded",)

    @property
    def authenticated(self) -> bool:
        """Whether the bridge proves who it is to a broker of its own."""
        return not self.embedded and (self.password is not None or self.cert_file is not None)


class SubscriptionConfig(Section):
    """What to subscribe at start.

    Either `market`, `venue`, `kinds` and `symbols`, or `channel` and `keys`.
    """

    market: (
        Literal[
            "domestic_stock",
            "domestic_index",
            "domestic_elw",
            "domestic_etf",
            "domestic_derivative",
            "domestic_bond",
            "overseas_stock",
            "overseas_derivative",
        ]
        | None
    ) = None
    """Market."""
    venue: Level | None = None
    """`krx`, `nxt`, `unified`, `krx_night`, or an overseas exchange: `nas`, `nys` …"""
    kinds: Annotated[tuple[Level, ...], Field(min_length=1)] | None = None
    """`trade`, `quote`, `expected` …"""
    symbols: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    """Symbols."""
    channel: TrId | None = None
    """TR id of a channel: `H0STCNT0`."""
    keys: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    """Keys as KIS writes them: `005930`, `DNASAAPL`."""
    rotate: Flag = False
    """Let these take turns on the slots that nothing else needs, for more symbols than slots."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        named = {"market", "venue", "kinds", "symbols"}
        if self.model_fields_set - {"rotate"} not in (named, {"channel", "keys"}):
            raise ValueError("needs market, venue, kinds and symbols; or channel and keys")
        return self


class KindConfig(Section):
    """How records of one kind are published."""

    qos: Annotated[int, Strict(), Field(ge=0, le=1)] = 0
    """MQTT QoS."""
    retain: Flag = True
    """A late subscriber gets the last value at once."""
    expire_s: Annotated[int, Strict(), Field(ge=1, lt=2**32)] = 86400
    """Seconds after which the broker forgets a record. By default 3600 for `snapshot`."""
    conflate: Flag = False
    """Keep only the newest record of a topic when they come faster than they can be published.
    By default `true` for `quote`, `expected` and `snapshot`."""


class MarketConfig(Section):
    """Market data."""

    subscriptions: tuple[SubscriptionConfig, ...] = ()
    """What to subscribe at start."""
    turn_s: Annotated[int, Strict(), Field(ge=1, le=3600)] = 60
    """Seconds that a subscription with `rotate` keeps its slot at least. It is longer where so many
    changes would take more than half of the requests that KIS allows: 20 s with 41 slots."""
    kinds: dict[Level, KindConfig] = Field(default_factory=dict)
    """How each kind is published."""
    names: Flag = False
    """Put the symbol's name into each record. `kis-bridge symbols update` fetches the names."""

    @field_validator("kinds", mode="before")
    @classmethod
    def _conflation(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {
            name: _usual(name) | kind if isinstance(kind, dict) else kind
            for name, kind in value.items()
        }

    def kind(self, name: str) -> KindConfig:
        """Return how a kind is published, configured or by default."""
        return self.kinds.get(name) or KindConfig.model_validate(_usual(name))


def _usual(kind: str) -> dict[str, object]:
    """Return what is usual for a kind and for no other."""
    usual: dict[str, object] = {"conflate": True} if kind in _CONFLATED else {}
    return usual | {"expire_s": _SNAPSHOT_S} if kind == "snapshot" else usual


class HomeAssistantConfig(Section):
    """Home Assistant."""

    enabled: Flag = False
    """Publish discovery messages."""


class LogConfig(Section):
    """Logs, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important level that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """`auto` means console on a terminal, and json otherwise."""


class Config(Section):
    """The whole configuration."""

    kis: KisConfig
    mqtt: MqttConfig = MqttConfig()
    market: MarketConfig = MarketConfig()
    quality: QualityConfig = QualityConfig()
    overview: OverviewConfig = OverviewConfig()
    candles: Annotated[tuple[CandlesConfig, ...], Field(max_length=64)] = ()
    backup: BackupConfig = BackupConfig()
    orders: OrdersConfig = OrdersConfig()
    requests: RequestsConfig = RequestsConfig()
    journal: JournalConfig = JournalConfig()
    dashboard: DashboardConfig = DashboardConfig()
    homeassistant: HomeAssistantConfig = HomeAssistantConfig()
    log: LogConfig = LogConfig()
    process: ProcessConfig = ProcessConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        aliases = [account.alias for account in self.kis.accounts]
        named: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
            (("orders", "clients", name), client.accounts)
            for name, client in self.orders.clients.items()
        ]
        named.append((("requests",), self.requests.accounts or ()))
        named += [
            (("requests", "clients", name), client.accounts or ())
            for name, client in self.requests.clients.items()
        ]
        for place, given in named:
            for index, alias in enumerate(given):
                if alias not in aliases:
                    known = f"one of {', '.join(aliases)}" if aliases else "kis.accounts is empty"
                    raise at(f"no account {alias!r} ({known})", *place, "accounts", index)
        if too_many(self.candles):
            raise at(f"more than {MOST_CANDLES} symbols times intervals", "candles")
        real_money(self)
        return self

    @property
    def real_money(self) -> bool:
        """Whether a real account is at stake."""
        return self.kis.environment == "real" and bool(self.kis.accounts or self.orders.allow_real)

    @property
    def trading_is_open(self) -> bool:
        """Whether whoever the broker lets in may trade: with the simulator nothing is at stake."""
        return self.kis.environment == "simulator" and not self.orders.clients

    @property
    def requests_are_open(self) -> bool:
        """Whether whoever the broker lets in may ask for everything."""
        return self.kis.environment == "simulator" and not self.requests.decided

    def may_trade(self, client: str, account: str) -> bool:
        """Tell whether this client may trade this account."""
        return self.trading_is_open or self.orders.permits(client, account)

    @property
    def market_hours(self) -> bool:
        """Whether orders are refused while their market is closed: the simulator never is."""
        asked = self.orders.market_hours
        return self.kis.environment != "simulator" if asked is None else asked

    @property
    def orders_allowed(self) -> bool:
        """Whether orders may go to KIS: real ones only when the user said so."""
        return self.kis.environment != "real" or self.orders.allow_real

    @property
    def journal_url(self) -> SecretStr:
        """The journal's URL with a relative SQLite file placed in ``state_dir``."""
        scheme, slashes, name = self.journal.url.get_secret_value().partition(":///")
        if scheme.startswith("sqlite") and slashes and name and not name.startswith(("/", ":")):
            return SecretStr(f"{scheme}:///{self.kis.state_dir / name}")
        return self.journal.url

    def secrets(self) -> frozenset[SecretStr]:
        """Every value that must not appear in a log, in each form in which it is used."""
        found: set[SecretStr | None] = {self.mqtt.password, self.dashboard.password}
        found |= {client.signing_key for client in self.orders.clients.values()}
        found |= {client.signing_key for client in self.requests.clients.values()}
        for app in self.kis.apps:
            found |= {app.app_key, app.app_secret, app.hts_id}
        for account in self.kis.accounts:
            joined = SecretStr(account.number.get_secret_value().replace("-", ""))
            found |= {account.number, account.cano, joined}
        url = self.journal.url.get_secret_value()
        if inside := [SecretStr(password) for password in passwords(url)]:
            found |= {self.journal.url, *inside}
        return frozenset(secret for secret in found if secret is not None)
