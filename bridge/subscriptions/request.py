"""What users want to see, as the registrations that KIS understands. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from bridge.catalog.model import Catalog, Channel
from bridge.errors import RequestError

__all__ = ["ByChannel", "ByTopic", "Wanted", "Wish", "resolve", "split_key"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One registration: it takes one slot of a session."""

    tr_id: str
    """As on the wire of this environment."""
    key: str
    channel: str
    """The real TR id, as the workbook names the channel."""


class ByChannel(NamedTuple):
    """A registration in KIS's words."""

    channel: str
    key: str


class ByTopic(NamedTuple):
    """A registration by the topic ``kis/market/{market}/{venue}/{kind}/{symbol}``."""

    market: str
    venue: str
    kind: str
    symbol: str


Wish: TypeAlias = ByChannel | ByTopic


def resolve(catalog: Catalog, wish: Wish, *, paper: bool) -> Wanted:
    """Return the registration that KIS must be asked for.

    Raises :class:`RequestError` naming what is wrong and what it may be.
    """
    match wish:
        case ByChannel():
            return _by_channel(catalog, wish, paper)
        case ByTopic():
            return _by_topic(catalog, wish, paper)


def split_key(channel: Channel, key: str) -> tuple[str, str]:
    """Return venue and symbol of a registration: ``DNASAAPL`` → ``nas``, ``AAPL``.

    The first letter only tells what is paid for (``RNASAAPL``); the records go to the same topic.
    """
    for venue in channel.venues:
        if key[1:].startswith(venue.prefix[1:]) and len(key) > len(venue.prefix):
            return venue.venue, key[len(venue.prefix) :]
    return channel.venue or "all", key


def _by_channel(catalog: Catalog, wish: ByChannel, paper: bool) -> Wanted:
    found = catalog.channel(wish.channel)
    if found is None:
        near = difflib.get_close_matches(wish.channel, catalog.channels, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise RequestError("unknown_channel", f"no channel {wish.channel!r} in the workbook{hint}")
    if found.encrypted:
        raise RequestError(
            "not_market_data",
            f"{wish.channel} is an account notice, which the bridge registers",
        )
    if not wish.key.strip():
        raise RequestError("invalid_request", f"{wish.channel} needs a key, such as a symbol")
    return Wanted(_wire(found, paper), wish.key, found.tr_id)


def _by_topic(catalog: Catalog, wish: ByTopic, paper: bool) -> Wanted:
    channels = [channel for channel in catalog.channels.values() if not channel.encrypted]
    channels = _narrow(channels, "market", wish.market, lambda channel: [channel.market])
    channels = _narrow(channels, "venue", wish.venue, _venues)
    channels = _narrow(channels, "kind", wish.kind, lambda channel: [channel.kind])
    if not wish.symbol.strip():
        raise RequestError("invalid_request", "a subscription needs a symbol")
    if len(channels) > 1:
        names = ", ".join(sorted(channel.tr_id for channel in channels))
        levels = f"{wish.market}/{wish.venue}/{wish.kind}"
        raise RequestError(
            "ambiguous_channel", f"{levels} is carried by {names}; name one as channel and key"
        )
    [channel] = channels
    prefix = next((v.prefix for v in channel.venues if v.venue == wish.venue), "")
    return Wanted(_wire(channel, paper), f"{prefix}{wish.symbol}", channel.tr_id)


def _venues(channel: Channel) -> list[str]:
    return [venue.venue for venue in channel.venues] if channel.venues else [channel.venue]


def _narrow(
    channels: list[Channel], level: str, wanted: str, offered: Callable[[Channel], list[str]]
) -> list[Channel]:
    left = [channel for channel in channels if wanted in offered(channel)]
    if not left:
        names = sorted({name for channel in channels for name in offered(channel)})
        raise RequestError("unknown_channel", f"{level} {wanted!r} is none of {', '.join(names)}")
    return left


def _wire(channel: Channel, paper: bool) -> str:
    if not paper:
        return channel.tr_id
    if not channel.tr_id_paper:
        raise RequestError(
            "not_in_paper", f"paper trading has no {channel.tr_id} ({channel.english})"
        )
    return channel.tr_id_paper
