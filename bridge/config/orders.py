"""The configuration of trading: ``[orders]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from bridge.config.values import (
    Alias,
    Amount,
    ClientName,
    Count,
    Flag,
    Section,
    SigningKey,
    Symbol,
)

__all__ = ["ClientConfig", "LimitsConfig", "OrdersConfig"]

Currency = Literal["USD", "HKD", "JPY", "CNY", "VND", "EUR", "GBP", "SGD"]
TradedMarket = Literal["domestic_stock", "overseas_stock", "domestic_bond"]


class LimitsConfig(Section):
    """Limits of each order, and of each account a day. A key that is missing limits nothing.

    Money is in won. Orders in other currencies are converted with `orders.rates`.
    """

    quantity: Count | None = None
    """Largest quantity of an order."""
    notional: Amount | None = None
    """Largest price × quantity of an order. A sale counts with the last price if that is known and
    higher. An order that may trade at any price counts with the highest price of the day."""
    daily_notional: Amount | None = None
    """Largest sum of price × quantity in a day."""
    open_orders: Count | None = None
    """Most orders that are or may be open at once."""
    per_minute: Count | None = None
    """Most commands in a minute."""
    price_band: Annotated[Amount, Field(le=1)] | None = None
    """Largest distance from the last price, as a fraction of it: `0.05`."""
    price_limits: Flag = False
    """Refuse prices outside of the day's limits."""
    tick_size: Flag = False
    """Refuse prices that are no multiple of the symbol's tick size."""
    check_funds: Flag = False
    """Ask KIS for buying power or sellable quantity before each order."""
    symbols: tuple[Symbol, ...] | None = None
    """The only symbols that may be traded."""
    denied_symbols: tuple[Symbol, ...] = ()
    """Symbols that may not be traded."""


class ClientConfig(Section):
    """Who may trade which accounts: a second lock behind the broker's ACL."""

    accounts: Annotated[tuple[Alias, ...], Field(min_length=1)]
    """Aliases of the accounts that the client may trade."""
    credit: Flag = False
    """Let the client trade on credit: with borrowed money, or with borrowed shares."""
    limits: LimitsConfig = LimitsConfig()
    """Narrower limits for this client."""
    commands_per_second: Count | None = None
    """Instead of that of `[orders]`."""
    commands_at_once: Count | None = None
    """Instead of that of `[orders]`."""
    signing_key: SigningKey | None = None
    """The key that signs its commands: at least 32 characters, `openssl rand -hex 32`. Then nothing
    is taken from it unsigned, so that whoever has its password, or the broker, cannot trade."""


class OrdersConfig(Section):
    """Trading."""

    allow_real: Flag = False
    """Send real orders. The broker must also know who the bridge is."""
    markets: Annotated[tuple[TradedMarket, ...], Field(min_length=1)] = ("domestic_stock",)
    """Which markets stock accounts trade. Accounts of product 03 trade futures and options, those
    of product 08 futures and options overseas."""
    market_hours: Flag | None = None
    """Refuse orders while their market is closed. By default `true`, but not with the simulator."""
    rates: dict[Currency, Amount] = Field(default_factory=dict)
    """Won for one unit of a foreign currency. The limits of its orders are reckoned with it."""
    reconcile_s: Annotated[int, Strict(), Field(ge=1, le=3600)] = 60
    """Seconds between two comparisons of orders and positions with KIS."""
    proof_s: Annotated[int, Strict(), Field(ge=5, le=3600)] = 30
    """Seconds after a lost answer in which the order may still reach the exchange. A second bridge
    takes over when the first one was silent for 25 s more than that."""
    commands_per_second: Count = 100
    """Most commands a second of each client, for long. Cancellations are counted apart from what
    they cancel."""
    commands_at_once: Count = 300
    """Most commands of each client at once. What is more is refused as `rate_limited`, or not even
    read and told of in an event."""
    limits: LimitsConfig = LimitsConfig()
    """For each account."""
    clients: dict[ClientName, ClientConfig] = Field(default_factory=dict)
    """By MQTT user name. Who is not here may not trade. With the simulator everybody may, as long
    as nobody is here; real orders need somebody here."""

    def permits(self, client: str, account: str) -> bool:
        """Whether this client is named as one who may trade this account."""
        found = self.clients.get(client)
        return found is not None and account in found.accounts

    def permits_credit(self, client: str) -> bool:
        """Whether this client may trade on credit; nobody may who is not named."""
        found = self.clients.get(client)
        return found is not None and found.credit
