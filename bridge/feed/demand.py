"""What users want to see, as the registrations that KIS understands. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from bridge.catalog.model import Catalog, Channel
from bridge.errors import RequestError

__all__ = ["Wanted", "by_channel", "by_topic"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One registration: it takes one slot of a session."""

    tr_id: str
    """As on the wire of this environment."""
    key: str
    channel: str
    """The real TR id, as the workbook names the channel."""


def by_channel(catalog: Catalog, channel: str, key: str, *, paper: bool) -> Wanted:
    """Return the registration of ``{channel, key}``.

    Raises :class:`RequestError` when there is no such channel here.
    """
    found = catalog.channel(channel)
    if found is None:
        near = difflib.get_close_matches(channel, catalog.channels, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise RequestError("unknown_channel", f"no channel {channel!r} in the workbook{hint}")
    if found.encrypted:
        raise RequestError(
            "not_market_data", f"{channel} is an account notice; the bridge subscribes it itself"
        )
    if not key.strip():
        raise RequestError("invalid_request", f"{channel} needs a key, such as a symbol")
    return Wanted(_wire(found, paper), key, found.tr_id)


def by_topic(
    catalog: Catalog, market: str, venue: str, kind: str, symbol: str, *, paper: bool
) -> Wanted:
    """Return the registration behind ``kis/market/{market}/{venue}/{kind}/{symbol}``.

    Raises :class:`RequestError` naming the level that is wrong and what it may be.
    """
    channels = [channel for channel in catalog.channels.values() if not channel.encrypted]
    channels = _narrow(channels, "market", market, lambda channel: [channel.market])
    channels = _narrow(channels, "venue", venue, _venues)
    channels = _narrow(channels, "kind", kind, lambda channel: [channel.kind])
    if not symbol.strip():
        raise RequestError("invalid_request", "a subscription needs a symbol")
    if len(channels) > 1:
        names = ", ".join(sorted(channel.tr_id for channel in channels))
        raise RequestError(
            "ambiguous_channel",
            f"{market}/{venue}/{kind} is carried by {names}; name one as channel and key",
        )
    [channel] = channels
    prefix = next((v.prefix for v in channel.venues if v.venue == venue), "")
    return Wanted(_wire(channel, paper), f"{prefix}{symbol}", channel.tr_id)


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
