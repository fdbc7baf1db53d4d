"""What the configuration subscribes: its market data, and the notices of its accounts; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bridge.catalog.model import Catalog
from bridge.config.models import SubscriptionConfig
from bridge.errors import RequestError
from bridge.subscriptions.request import (
    ByChannel,
    ByTopic,
    SubscriptionRequest,
    Wanted,
    resolve,
)

__all__ = ["market_data", "notice_channels"]

_NOTICES = {
    "domestic_stock": ("H0STCNI0",),
    "overseas_stock": ("H0GSCNI0",),
    "domestic_derivative": ("H0IFCNI0", "H0MFCNI0", "H0EUCNI0"),
}
"""Channels of execution notices, by the market in which an account trades."""


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
