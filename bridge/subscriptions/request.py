"""From what people ask for to the registration that KIS understands. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from bridge.catalog.model import Catalog, Channel
from bridge.errors import RequestError
from bridge.runtime.suggestions import nearest

__all__ = [
    "ByChannel",
    "ByTopic",
    "SubscriptionRequest",
    "Wanted",
    "resolve",
    "resolve_all",
    "split_key",
]

_KEY = re.compile(r"(?:(?![\^|])[ -~]){1,32}")
"""Printable ASCII; ``^`` and ``|`` part the values of a frame."""


class Wanted(NamedTuple):
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


SubscriptionRequest: TypeAlias = ByChannel | ByTopic


def resolve_all(
    catalog: Catalog, interests: Iterable[SubscriptionRequest], *, paper: bool
) -> list[Wanted]:
    """Return the registrations of many; raises :class:`RequestError` for the first wrong one."""
    known: dict[tuple[str, str, str], Channel] = {}
    found = []
    for interest in interests:
        match interest:
            case ByChannel():
                found.append(_by_channel(catalog, interest, paper))
            case ByTopic(market, venue, kind, _):
                # Most are of the same few channels, which takes longest to find.
                if (market, venue, kind) not in known:
                    known[market, venue, kind] = _channel(catalog, interest)
                found.append(_of_channel(known[market, venue, kind], interest, paper))
    return found


def resolve(catalog: Catalog, interest: SubscriptionRequest, *, paper: bool) -> Wanted:
    """Return the registration that KIS must be asked for.

    Raises :class:`RequestError` naming what is wrong and what it may be.
    """
    [wanted] = resolve_all(catalog, [interest], paper=paper)
    return wanted


def split_key(channel: Channel, key: str) -> tuple[str, str]:
    """Return venue and symbol of a registration: ``DNASAAPL`` → ``nas``, ``AAPL``.

    The first letter only says which data is paid for (``DNASAAPL``, ``RNASAAPL``). Both go to the
    same topic.
    """
    for venue in channel.venues:
        if key[1:].startswith(venue.prefix[1:]) and len(key) > len(venue.prefix):
            return venue.venue, key[len(venue.prefix) :]
    return channel.venue or "all", key


def _by_channel(catalog: Catalog, interest: ByChannel, paper: bool) -> Wanted:
    found = catalog.channel(interest.channel)
    if found is None:
        near = nearest(interest.channel, catalog.channels)
        hint = f" (did you mean {near}?)" if near else ""
        raise RequestError(
            "unknown_channel", f"no channel {interest.channel!r} in the workbook{hint}"
        )
    if found.encrypted:
        raise RequestError(
            "not_market_data",
            f"{interest.channel} is an account notice, which the bridge registers",
        )
    if not interest.key.strip():
        raise RequestError("invalid_request", f"{interest.channel} needs a key, such as a symbol")
    _check_key(interest.key)
    return Wanted(_wire(found, paper), interest.key, found.tr_id)


def _channel(catalog: Catalog, interest: ByTopic) -> Channel:
    channels = [channel for channel in catalog.channels.values() if not channel.encrypted]
    channels = _narrow(channels, "market", interest.market, lambda channel: [channel.market])
    channels = _narrow(channels, "venue", interest.venue, _venues)
    channels = _narrow(channels, "kind", interest.kind, lambda channel: [channel.kind])
    if len(channels) > 1:
        names = ", ".join(sorted(channel.tr_id for channel in channels))
        levels = f"{interest.market}/{interest.venue}/{interest.kind}"
        raise RequestError(
            "ambiguous_channel", f"{levels} is carried by {names}; name one as channel and key"
        )
    [channel] = channels
    return channel


def _of_channel(channel: Channel, interest: ByTopic, paper: bool) -> Wanted:
    if not interest.symbol.strip():
        raise RequestError("invalid_request", "a subscription needs a symbol")
    _check_key(interest.symbol)
    prefix = next((v.prefix for v in channel.venues if v.venue == interest.venue), "")
    return Wanted(_wire(channel, paper), f"{prefix}{interest.symbol}", channel.tr_id)


def _check_key(key: str) -> None:
    """Refuse what cannot be a key: it would hold a slot for a while and stay silent."""
    if _KEY.fullmatch(key) is None:
        raise RequestError(
            "invalid_request",
            f"{key[:32]!r} is no symbol of KIS's, such as 005930 or AAPL; look it up: "
            f"kis-bridge symbols search {key[:32]}",
        )


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
