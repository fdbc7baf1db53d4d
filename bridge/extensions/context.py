"""What an extension may use of the bridge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bridge.calendar.hours import Calendar
from bridge.catalog.model import Catalog
from bridge.config.models import Config
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.kis.rest import RestClient
from bridge.mqtt.events import Events
from bridge.subscriptions.request import Wanted

__all__ = ["ExtensionContext"]


@dataclass(frozen=True, slots=True)
class ExtensionContext:
    """Handed to every extension; the order line is not in it."""

    config: Config
    catalog: Catalog
    calendar: Calendar
    clock: Callable[[], int]
    """µs since the epoch, as KIS's clock has it."""
    pump: Pump
    lane: Lane
    events: Events
    live: Callable[[], Iterable[Wanted]]
    """The market data that sessions deliver now."""
    rests: Mapping[str, RestClient]
    """KIS's REST calls, by the alias of the app key."""
