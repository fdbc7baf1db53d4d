"""How much each client may send, judged by the topic alone, before anything is decoded.

The client is the level of the topic that the broker's ACL vouches for. One that sends too much is
told so a few times a second, and what it sends beyond that is skipped and counted: neither its
messages nor the answers to them take the time of others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from bridge.mqtt.packets import Bounds, Ruling, Skipped
from bridge.mqtt.token_buckets import Rate, TokenBuckets
from bridge.mqtt.topics import Topics, encode_level

__all__ = ["ANSWERS", "BOUNDS", "Arrivals", "RateLimiter", "Rates", "What"]

What: TypeAlias = Literal["requests", "commands"]

BOUNDS: Final = Bounds(packet=256 * 1024)
"""Four times the longest request: what is a little too long is still told so."""
ANSWERS: Final = Rate(2, 10)
"""Refusals for being too many, to one client."""
_LONGEST = 512
"""Bytes of a client's name, of which none that may do anything has so many."""
_REMEMBERED = 1_000
OTHERS: Final = "(others)"
"""Stands for clients for whose names there is no room."""
_WAYS_OUT = (b"cancel", b"cancel_all")
_HALTS = (b"halt", b"resume")


@dataclass(frozen=True, slots=True)
class Rates:
    """How much each client may send, and who may more or less."""

    usual: Rate
    own: Mapping[str, Rate] = field(default_factory=dict)

    def buckets(self) -> TokenBuckets:
        """Return full buckets."""
        own = {encode_level(name).encode(): rate for name, rate in self.own.items()}
        return TokenBuckets(self.usual, own)


@dataclass(slots=True)
class Arrivals:
    """What came and was not taken, since the start."""

    refused: Counter[tuple[What, str]] = field(default_factory=Counter)
    """Too many of a client's, by what they were and by whom."""
    unanswered: Counter[tuple[What, str]] = field(default_factory=Counter)
    """Those among them that were skipped, without an answer."""
    dropped: Counter[str] = field(default_factory=Counter)
    """What could not be decoded, by reason."""
    latest: Skipped | None = None
    """The last of those."""

    def count(self, what: What, client: bytes, *, answered: bool) -> None:
        """Count one that was too many."""
        key = (what, client.decode(errors="replace"))
        if key not in self.refused and len(self.refused) >= _REMEMBERED:
            key = (what, OTHERS)
        self.refused[key] += 1
        if not answered:
            self.unanswered[key] += 1


class RateLimiter:
    """The packet filter of one connection; several may count in the same ``arrivals``.

    Cancellations have buckets of their own, so that who floods the bridge can still get out, and so
    have halts.
    """

    def __init__(
        self,
        topics: Topics,
        arrivals: Arrivals,
        *,
        requests: Rates | None = None,
        commands: Rates | None = None,
        elsewhere: Iterable[str] = (),
        bounds: Bounds = BOUNDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; without rates nothing is too many.

        :param elsewhere: clients whose commands come over connections of their own, so that they
            are skipped here.
        """
        self._elsewhere = frozenset(encode_level(name).encode() for name in elsewhere)
        self.bounds = bounds
        self._arrivals = arrivals
        self._clock = clock
        # Up to the level after which the client's comes.
        self._orders = topics.command("a", "c", "place").removesuffix("a/c/command/place").encode()
        self._requests = topics.request("v").removesuffix("v").encode()
        self._tables: dict[What, tuple[TokenBuckets, TokenBuckets, TokenBuckets]] = {}
        whats: tuple[tuple[What, Rates | None], ...] = (
            ("requests", requests),
            ("commands", commands),
        )
        for what, rates in whats:
            if rates is not None:
                answers = TokenBuckets(ANSWERS)
                self._tables[what] = (rates.buckets(), rates.buckets(), answers)

    def judge(self, topic: bytes) -> Ruling:
        """Decide on a message by its topic."""
        what: What
        if topic.startswith(self._orders):
            levels = topic[len(self._orders) :].split(b"/", 4)
            what, client = "commands", levels[1] if len(levels) == 4 else b""
            if client in self._elsewhere:
                return Ruling.SKIP
            apart = levels[-1] in _WAYS_OUT
        elif topic.startswith(self._requests):
            verb, _, client = topic[len(self._requests) :].partition(b"/")
            what, apart = "requests", verb in _HALTS
        else:
            return Ruling.TAKE
        tables = self._tables.get(what)
        if tables is None:
            return Ruling.TAKE
        if len(client) > _LONGEST:
            client = b""
        now = self._clock()
        if tables[apart].take(client, now):
            return Ruling.TAKE
        answered = tables[2].take(client, now)
        self._arrivals.count(what, client, answered=answered)
        return Ruling.ANSWER if answered else Ruling.SKIP

    def skipped(self, what: Skipped) -> None:
        """Count what could not be decoded."""
        self._arrivals.dropped[what.reason] += 1
        self._arrivals.latest = what
