"""What the gateway has to know: accounts, how they reach KIS, what the configuration allows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from pydantic import SecretStr

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.kis.markets import OrderTypes, order_types, traded
from bridge.kis.replies import Reply
from bridge.kis.throttle import Priority
from bridge.orders.model.records import TradingEnvironment
from bridge.orders.risk.limits import Limits

__all__ = ["RestApi", "Rules", "Terms", "TradingAccount"]


class RestApi(Protocol):
    """The part of the KIS REST client that orders need."""

    async def call(
        self,
        api: str,
        params: Mapping[str, str],
        *,
        variant: str = "",
        tr_cont: str = "",
        priority: Priority = Priority.QUERY,
        deadline: float | None = None,
        still: Callable[[], bool] = ...,
        wanted: Callable[[], bool] = ...,
        client: str = "",
    ) -> Reply: ...

    def pages(
        self,
        api: str,
        params: Mapping[str, str],
        *,
        variant: str = "",
        priority: Priority = Priority.QUERY,
        deadline: float | None = None,
        page_s: float | None = None,
        limit: int = 20,
        by_key: bool = False,
    ) -> AsyncIterator[Reply]: ...


@dataclass(frozen=True, slots=True)
class TradingAccount:
    """An account and the REST client of the app key that trades it."""

    number: SecretStr
    """As in ``12345678-01``."""
    rest: RestApi
    listened: Callable[[str], tuple[int, int] | None] = lambda market: None
    """Since and until when execution notices of a market were heard without a gap, µs since the
    epoch; None: nobody listens."""

    def markets(self, configured: Sequence[str]) -> tuple[str, ...]:
        """Return where it trades; ``configured`` is where stock accounts do.

        KIS has futures and options in accounts of their own.
        """
        return traded(self.number.get_secret_value().rpartition("-")[2], configured)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about orders."""

    paper: bool
    """The paper servers take orders for some markets only."""
    environment: TradingEnvironment = ""
    """Told in each ack; blank: it is not told."""
    orders_allowed: bool = True
    """False in the real environment without ``orders.allow_real``."""
    limits: Limits = field(default_factory=Limits)
    """For each account."""
    client_limits: Mapping[str, Limits] = field(default_factory=dict)
    """For a client on each account."""
    permits: Callable[[str, str], bool] = lambda client, account: True
    """``(client, account)``: may this client trade that account?"""
    permits_credit: Callable[[str], bool] = lambda client: False
    """May this client trade on credit?"""
    signing_keys: Mapping[str, SecretStr] = field(default_factory=dict)
    """Of the clients that have to sign their commands."""
    markets: Sequence[str] = ("domestic_stock",)
    """Where stock accounts trade."""
    market_hours: bool = False
    """Refuse what comes while the market is closed."""
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """Won for one unit of a currency, to hold foreign orders against limits in won."""
    response_prefixes: Sequence[str] = ()
    """Where MQTT 5 response topics may lie, besides the base topic and the client's own name."""
    waiting: int = 100
    """Commands of one client on one account that may be under way at once."""
    pause_s: float = 0.2
    """Before something that certainly had no effect is tried again."""
    grace_s: float = 8.0
    """What commands in flight get when the bridge stops."""
    proof_s: float = 30.0
    """After a lost answer, how long the command may still reach the exchange. On paper, orders
    that were accepted have been missing from the list at first (docs/kis.md)."""
    reconcile_s: float = 60.0
    """Between two comparisons with the exchange's own list, when nothing else asks for one."""
    unheard_s: float = 5.0
    """The same while an order is open of whose fills KIS sends no notices."""
    unknown_s: float = 1.0
    """The same while something has no answer."""
    settle_s: float = 0.5
    """Between a fill and the question what the account holds now."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the order line has to know, and what does not change while it runs."""

    catalog: Catalog
    accounts: Mapping[str, TradingAccount]
    """By alias."""
    rules: Rules
    order_types: Mapping[str, OrderTypes]
    """By account: what the places where it trades take."""
    calendar: Calendar
    clock: Callable[[], int]
    """µs since the epoch, by KIS's clock: all that the order line has times of is compared with
    KIS's lists and days, and this machine's clock may be wrong or be set at any moment."""
    clock_problem: Callable[[], str]
    """Why no time may be trusted now, for people; blank: it may."""

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        accounts: Mapping[str, TradingAccount],
        rules: Rules,
        calendar: Calendar,
        clock: Callable[[], int],
        clock_problem: Callable[[], str],
    ) -> Terms:
        """Make them, with the order types that the workbook has for each account."""
        known = order_types(catalog, paper=rules.paper)
        offered: dict[str, OrderTypes] = {}
        for alias, account in accounts.items():
            markets = account.markets(rules.markets)
            offered[alias] = {place: types for place, types in known.items() if place[0] in markets}
        return cls(catalog, accounts, rules, offered, calendar, clock, clock_problem)
