"""The configuration of trading: ``[orders]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from bridge.config.values import Alias, Amount, ClientName, Count, Flag, Section, Symbol

__all__ = ["ClientConfig", "LimitsConfig", "OrdersConfig"]

Currency = Literal["USD", "HKD", "JPY", "CNY", "VND"]
TradedMarket = Literal["domestic_stock", "overseas_stock"]


class LimitsConfig(Section):
    """What one order, and one account a day, may come to; a missing key does not limit.

    Money is in won; orders in other currencies count with `orders.rates`.
    """

    quantity: Count | None = None
    """Largest quantity of an order."""
    notional: Amount | None = None
    """Largest price × quantity of an order. A sale counts with the last price where that is known
    and higher, what may trade at any price with the highest of the day."""
    daily_notional: Amount | None = None
    """Largest sum of that in a day."""
    open_orders: Count | None = None
    """Most orders that are or may be open at once."""
    per_minute: Count | None = None
    """Most commands in a minute."""
    price_band: Annotated[Amount, Field(le=1)] | None = None
    """Largest distance from the last price, as a fraction: `0.05`."""
    price_limits: Flag = False
    """Refuse prices outside of the day's limits."""
    tick_size: Flag = False
    """Refuse prices that are no multiple of the symbol's tick."""
    check_funds: Flag = False
    """Ask KIS for buying power or sellable quantity before each order."""
    symbols: tuple[Symbol, ...] | None = None
    """The only symbols that may be traded."""
    denied_symbols: tuple[Symbol, ...] = ()
    """Symbols that may not be traded."""


class ClientConfig(Section):
    """Who may trade where; a second lock behind the broker's ACL."""

    accounts: Annotated[tuple[Alias, ...], Field(min_length=1)]
    """Aliases of the accounts that the client may trade."""
    limits: LimitsConfig = LimitsConfig()
    """Narrower limits for this client."""


class OrdersConfig(Section):
    """Trading."""

    allow_real: Flag = False
    """Real orders go out only when this is `true`, and the broker knows the bridge."""
    markets: Annotated[tuple[TradedMarket, ...], Field(min_length=1)] = ("domestic_stock",)
    """Where stock accounts trade: `domestic_stock`, `overseas_stock`. Accounts of product 03 trade
    futures and options."""
    market_hours: Flag | None = None
    """Refuse orders while their market is closed; by default not with the simulator."""
    rates: dict[Currency, Amount] = Field(default_factory=dict)
    """Won for one unit of a foreign currency, to hold its orders against the limits."""
    reconcile_s: Annotated[int, Strict(), Field(ge=1, le=3600)] = 60
    """Seconds between two comparisons of orders and positions with KIS."""
    proof_s: Annotated[int, Strict(), Field(ge=5, le=3600)] = 30
    """Seconds after a lost answer in which the order may still reach the exchange."""
    limits: LimitsConfig = LimitsConfig()
    """For each account."""
    clients: dict[ClientName, ClientConfig] = Field(default_factory=dict)
    """By MQTT user name; without any, whoever the broker lets in may trade."""

    def permits(self, client: str, account: str) -> bool:
        """Whether this client may trade this account."""
        if not self.clients:
            return True
        found = self.clients.get(client)
        return found is not None and account in found.accounts
