"""What the configuration subscribes: its market data, and the notices of its accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bridge.catalog.model import Catalog
from bridge.config.models import Config, SubscriptionConfig
from bridge.errors import RequestError
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.subscriptions.interest import CONFIGURATION
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.request import (
    ByChannel,
    ByTopic,
    SubscriptionRequest,
    Wanted,
    resolve,
)

__all__ = ["configured_feeds", "market_data", "notice_channels", "subscribe_configured"]

_NOTICES_FIRST = -2
"""Priority of the execution notices: before any market data."""

_NOTICES = {
    "domestic_stock": ("H0STCNI0",),
    "overseas_stock": ("H0GSCNI0",),
    "domestic_derivative": ("H0IFCNI0", "H0MFCNI0", "H0EUCNI0"),
    "overseas_derivative": ("HDFFF1C0", "HDFFF2C0"),
    "domestic_bond": (),  # KIS has none: its list is read instead
}
"""Channels of execution notices, by the market in which an account trades."""


def subscribe_configured(
    pool: Pool,
    config: Config,
    catalog: Catalog,
    traded: Callable[[str], Iterable[str]],
    tell: Callable[[BridgeEvent], None],
) -> None:
    """Subscribe what the configuration wants; an event tells of what KIS does not have."""
    pins, found, problems = configured_feeds(config, catalog, traded)
    for tr_id, login, app in pins:
        pool.pin(tr_id, login, app, _NOTICES_FIRST)
    for problem in problems:
        tell({"kind": "config_warning", "message": problem})
    for rotate, wanted in found.items():
        pool.hold(wanted, CONFIGURATION, rotate=rotate)


def configured_feeds(
    config: Config, catalog: Catalog, traded: Callable[[str], Iterable[str]]
) -> tuple[list[tuple[str, str, str]], dict[bool, list[Wanted]], list[str]]:
    """Return the notices as (TR id, HTS login, app), the market data, and what KIS lacks.

    The market data is told apart by whether it takes turns. ``traded(app)`` are the markets in
    which the accounts of an app key trade.
    """
    paper = config.kis.paper
    pins: list[tuple[str, str, str]] = []
    for app in config.kis.apps:
        if app.hts_id is None:
            continue
        login = app.hts_id.get_secret_value()
        channels = notice_channels(catalog, traded(app.alias), paper=paper)
        pins += [(tr_id, login, app.alias) for tr_id in channels]
    found: dict[bool, list[Wanted]] = {}
    problems: list[str] = []
    # What is in both gets a slot for itself: that is wanted last, and so it counts.
    for rotate in (True, False):
        sections = [one for one in config.market.subscriptions if one.rotate is rotate]
        found[rotate], lacking = market_data(catalog, sections, paper=paper)
        problems += lacking
    return pins, found, problems


def market_data(
    catalog: Catalog, sections: Iterable[SubscriptionConfig], *, paper: bool
) -> tuple[list[Wanted], list[str]]:
    """Return what KIS can be asked for, and for each other registration why it cannot."""
    found, problems = [], []
    for section in sections:
        for request in _each(section):
            try:
                found.append(resolve(catalog, request, paper=paper))
            except RequestError as error:
                problems.append(str(error))
    return found, problems


def notice_channels(catalog: Catalog, markets: Iterable[str], *, paper: bool) -> Iterator[str]:
    """Yield the TR ids of the execution notices of some markets, as far as KIS has them."""
    for market in sorted(set(markets)):
        for name in _NOTICES[market]:
            channel = catalog.channels[name]
            tr_id = channel.tr_id_paper if paper else channel.tr_id
            if tr_id:
                yield tr_id


def _each(section: SubscriptionConfig) -> Iterator[SubscriptionRequest]:
    """Yield every registration that a section of the configuration asks for."""
    for key in section.keys or ():
        yield ByChannel(section.channel or "", key)
    market, venue = section.market or "", section.venue or ""
    for kind in section.kinds or ():
        for symbol in section.symbols or ():
            yield ByTopic(market, venue, kind, symbol)
