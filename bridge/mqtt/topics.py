"""Topic names of the contract (section 2), as functions of the base topic.

A level is what stands between two slashes. Whatever a level cannot hold safely is percent-encoded
as UTF-8: the separators and wildcards ``/ + #``, ``%`` itself, blanks, and everything Unicode
calls a control, a format character or unassigned (brokers close the connection on those).
Hangul and the rest of non-ASCII text stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import quote, unquote

__all__ = ["REQUEST_VERBS", "RequestVerb", "Topics", "decode_level", "encode_level", "is_topic"]

RequestVerb: TypeAlias = Literal[
    "subscribe",
    "unsubscribe",
    "subscriptions",
    "channels",
    "snapshot",
    "query",
    "symbols",
    "halt",
    "resume",
    "resolve",
    "adopt",
]
"""What clients may ask the bridge for."""
REQUEST_VERBS: Final[tuple[RequestVerb, ...]] = get_args(RequestVerb)

_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")
"""Nearly all levels are like that."""
_LONGEST = 65_535
"""Bytes of UTF-8 that MQTT gives a topic."""


def _unsafe(character: str) -> bool:
    return character in "/+#%" or unicodedata.category(character)[0] in "ZC"


@lru_cache(maxsize=16_384)
def encode_level(text: str) -> str:
    """Return ``text`` as one topic level.

    :raises ValueError: ``text`` is empty or is not Unicode text (a lone surrogate).
    """
    if not text:
        raise ValueError("a topic level cannot be empty")
    if _PLAIN.fullmatch(text):
        return text
    return "".join(quote(c, safe="") if _unsafe(c) else c for c in text)


def decode_level(level: str) -> str:
    """Return the text that `encode_level` made ``level`` of.

    :raises ValueError: the escapes are not UTF-8.
    """
    return unquote(level, errors="strict")


def is_topic(topic: str) -> bool:
    """Tell whether a broker accepts ``topic`` for publishing, ``$SYS`` and its like excluded."""
    if not topic or topic.startswith("$") or "+" in topic or "#" in topic:
        return False
    if topic.isascii():
        return len(topic) <= _LONGEST and topic.isprintable()
    try:
        length = len(topic.encode())
    except UnicodeEncodeError:
        return False
    return length <= _LONGEST and not any(unicodedata.category(c) in ("Cc", "Cn") for c in topic)


class Topics:
    """The topics under one base topic, which may have several levels (``home/kis``)."""

    def __init__(self, base: str = "kis") -> None:
        if not is_topic(base) or "" in base.split("/") or any(c.isspace() for c in base):
            raise ValueError(
                f"base topic {base!r}: levels separated by '/', none empty, without blanks, "
                "'+', '#' or a leading '$'"
            )
        self.base = base
        self._bridge = f"{base}/bridge"
        self._orders = f"{base}/orders"
        self._accounts = f"{base}/accounts"

    def __repr__(self) -> str:
        return f"Topics({self.base!r})"

    # market data

    def market(self, market: str, venue: str, kind: str, symbol: str) -> str:
        """Return where records of one symbol go."""
        return _join(f"{self.base}/market", market, venue, kind, symbol)

    def quality(self, market_topic: str) -> str:
        """Return where it is told how good the values of a market topic are."""
        return f"{self.base}/quality/{market_topic.removeprefix(f'{self.base}/market/')}"

    # the bridge itself

    def state(self) -> str:
        """Return the retained topic that says ``online`` or ``offline``."""
        return f"{self._bridge}/state"

    def info(self) -> str:
        """Return the retained topic of version, environment and limits."""
        return f"{self._bridge}/info"

    def health(self) -> str:
        """Return the retained topic of the counters."""
        return f"{self._bridge}/health"

    def overview(self) -> str:
        """Return the retained topic of the newest values, in one message."""
        return f"{self._bridge}/overview"

    def journal(self, environment: str) -> str:
        """Return the retained topic of which journal was used."""
        return _join(f"{self._bridge}/journal", environment)

    def session(self, app: str) -> str:
        """Return the retained topic of one KIS session."""
        return _join(f"{self._bridge}/sessions", app)

    def owner(self, account: str) -> str:
        """Return the retained topic that says which bridge sends for an account."""
        return _join(f"{self._bridge}/owner", account)

    def owner_filter(self) -> str:
        """Return the filter of who sends for which account."""
        return f"{self._bridge}/owner/+"

    def event(self, kind: str) -> str:
        """Return where events of this kind go."""
        return _join(f"{self._bridge}/event", kind)

    def request(self, verb: str, client: str = "") -> str:
        """Return where a client asks the bridge for something; with its name, as that client."""
        return _join(f"{self._bridge}/request", verb, *([client] if client else []))

    def request_filter(self, verb: RequestVerb | None = None) -> str:
        """Return the filter of all requests, or of those of one verb."""
        return f"{self._bridge}/request/{f'{verb}/' if verb else ''}#"

    def parse_request(self, topic: str) -> tuple[str, str]:
        """Return verb and client of a request's topic; `ValueError` if it is none.

        A blank client is nobody in particular: who may publish under a name is the broker's ACL.
        """
        prefix = f"{self._bridge}/request"
        named = topic.count("/") - prefix.count("/") == 2
        verb, *client = self._levels(topic, prefix, 2 if named else 1)
        return verb, client[0] if client else ""

    def response(self, verb: str, *own: str) -> str:
        """Return where answers go; ``own`` is a further level that one client listens on."""
        return _join(f"{self._bridge}/response", verb, *own)

    def allows_response(self, topic: str, prefixes: Iterable[str] = (), client: str = "") -> bool:
        """Tell whether the bridge may answer on a topic that a client chose.

        Only where its own answers come, ``bridge/response/{verb}/{client}``, under its own name, or
        under one of ``prefixes``; those may not lead to where the bridge itself speaks or listens.
        The broker trusts the bridge there, and a client must not borrow that trust. Without a
        client's name nobody can tell whose the answers are.
        """
        if not is_topic(topic):
            return False
        if topic.startswith(answers := f"{self._bridge}/response/"):
            verb, *levels = topic.removeprefix(answers).split("/")
            named = bool(verb and levels and levels[0])
            return named and (not client or levels[0] == encode_level(client))
        if topic.startswith(f"{self.base}/"):
            spoken = ("market", "bridge", "orders", "accounts", "symbols", "quality")
            if topic.removeprefix(f"{self.base}/").split("/")[0] in spoken:
                return False
        elif client and topic.startswith(f"{encode_level(client)}/"):
            return True
        allowed = (prefix.rstrip("/") for prefix in prefixes)
        return any(topic.startswith(f"{prefix}/") for prefix in allowed if prefix)

    def symbols(self, market: str) -> str:
        """Return the retained topic of a symbol master: every symbol with its name."""
        return _join(f"{self.base}/symbols", market)

    # orders

    def command(self, account: str, client: str, verb: str) -> str:
        """Return where ``client`` commands orders of ``account``."""
        return _join(self._orders, account, client, "command", verb)

    def command_filter(self, client: str = "") -> str:
        """Return the filter of all commands, or of those of one client."""
        return f"{self._orders}/+/{encode_level(client) if client else '+'}/command/+"

    def parse_command(self, topic: str) -> tuple[str, str, str]:
        """Return account, client and verb of a command's topic; `ValueError` if it is none."""
        account, client, word, verb = self._levels(topic, self._orders, 4)
        if word != "command":
            raise ValueError(f"{topic!r} is not a command topic")
        return account, client, verb

    def order_ack(self, account: str, client: str, client_order_id: str) -> str:
        """Return where the one answer to a command goes."""
        return _join(self._orders, account, client, "ack", client_order_id)

    def order_event(self, account: str, client: str, client_order_id: str) -> str:
        """Return where the later steps of an order go."""
        return _join(self._orders, account, client, "event", client_order_id)

    def order_state(self, account: str, client: str, client_order_id: str) -> str:
        """Return the retained topic of a whole order."""
        return _join(self._orders, account, client, "state", client_order_id)

    # accounts

    def account(self, alias: str, what: str) -> str:
        """Return the retained topic of ``balance``, ``positions`` or ``orders``."""
        return _join(self._accounts, alias, what)

    def external(self, alias: str) -> str:
        """Return where fills and orders placed outside the bridge go."""
        return _join(self._accounts, alias, "event", "external")

    @staticmethod
    def _levels(topic: str, prefix: str, count: int) -> list[str]:
        levels = topic.removeprefix(f"{prefix}/").split("/")
        if not topic.startswith(f"{prefix}/") or len(levels) != count or "" in levels:
            raise ValueError(f"{topic!r} is not {count} levels under {prefix!r}")
        decoded = [decode_level(level) for level in levels]
        for level, text in zip(levels, decoded, strict=True):
            # The broker's ACL compares levels as they are: "%61lice" must not become alice.
            if "%" in level and encode_level(text) != level:
                raise ValueError(f"{level!r} in {topic!r} is not how {text!r} is written")
        return decoded


def _join(prefix: str, *levels: str) -> str:
    topic = "/".join((prefix, *map(encode_level, levels)))
    if len(topic) * 4 > _LONGEST and len(topic.encode()) > _LONGEST:
        raise ValueError(f"topic {topic[:40]!r}… is longer than MQTT's {_LONGEST} bytes")
    return topic
