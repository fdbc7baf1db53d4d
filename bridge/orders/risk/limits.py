"""The words of risk: limits, what is about to be sent, and what is known about it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

__all__ = ["MINUTE", "Context", "Limits", "Reference", "Refusal", "RiskRequest", "Scope"]

MINUTE = 60_000_000
"""µs"""


@dataclass(frozen=True, slots=True)
class Limits:
    """None does not limit; money is in won."""

    quantity: int | None = None
    notional: Decimal | None = None
    daily_notional: Decimal | None = None
    open_orders: int | None = None
    per_minute: int | None = None
    price_band: Decimal | None = None
    """Largest distance from the last price, as a fraction of it."""
    price_limits: bool = False
    """Hold prices against the highest and the lowest of the day."""
    tick_size: bool = False
    check_funds: bool = False
    """Ask KIS for buying power or sellable quantity before each order."""
    symbols: tuple[str, ...] | None = None
    """The only ones that may be traded."""
    denied_symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: ``reason`` is one of the contract's, ``message`` is for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RiskRequest:
    """What is about to be sent.

    ``quantity`` is what could trade because of it.
    """

    verb: Literal["place", "modify", "cancel"]
    symbol: str = ""
    quantity: int = 0
    price: Decimal | None = None
    """None: a market type."""
    replaces: Decimal | None = None
    """What a modification changes: the price of that quantity, which the day's sum holds."""
    side: str = ""
    becomes_market: bool = False
    """It may trade at any price later, whatever its limit is."""
    unit: Decimal | None = Decimal(1)
    """What one, at a price of 1, is worth in won; None: not known."""
    contract: bool = False
    """It is a contract of which KIS has to tell what it is worth."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of a symbol today."""

    last: Decimal | None = None
    """The last trade's price."""
    lower: Decimal | None = None
    upper: Decimal | None = None
    """Between these two every price of the day is."""
    tick: Decimal | None = None
    """Steps between prices, at the price of the request."""
    unit: Decimal | None = None
    """What one contract, at a price of 1, is worth in won, where KIS tells it."""

    @property
    def worst(self) -> Decimal | None:
        """The most that something can cost; 30 % above the last price where no limit is known."""
        if self.upper is not None:
            return self.upper
        return None if self.last is None else self.last * Decimal("1.3")


@dataclass(frozen=True, slots=True)
class Scope:
    """Limits, who they are for, and what has been used of them."""

    name: str
    """``account main``, ``client alice``."""
    limits: Limits
    day: Decimal = Decimal(0)
    """Notional sent today."""
    minute: int = 0
    """Orders sent in the last 60 seconds."""
    working: int = 0
    """Orders that are or may be open."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known when the order is about to be sent."""

    account_known: bool = True
    permitted: bool = True
    credit: Literal["", "paper", "client"] = ""
    """Who does not trade on credit: KIS's paper accounts, or this client; blank: it is none, or may
    be."""
    orders_allowed: bool = True
    """False in the real environment without ``orders.allow_real``."""
    unavailable: str = ""
    """Why the journal is not to be relied on; blank: it is."""
    not_owner: str = ""
    """Why another bridge may send for the account; blank: none can."""
    halt: Literal["", "halted", "reduce_only"] = ""
    halted_by: str = ""
    """For people: ``account main is halted``."""
    reducible: int | None = None
    """How much of it only makes a position smaller; None: not known."""
    clock: str = ""
    """Why no time may be trusted; blank: it may."""
    fenced: str = ""
    """The order of unknown outcome that fences the symbol."""
    closed: str = ""
    """Why the market is closed; blank while it is open."""
    reference: Reference = Reference()
    orderable: int | None = None
    """What funds or holdings suffice for; None: not known, or not asked."""
    scopes: tuple[Scope, ...] = ()
