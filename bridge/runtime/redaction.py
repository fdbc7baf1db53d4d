"""Secrets taken out of texts, in every form in which a library may write them.

What is known is the process's own: the log, a traceback and the last line of a command share it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = ["Redactor", "known"]

_HIDDEN: Final = "***"
_KEY: Final = 30
"""Characters of the shortest key that KIS issues."""
_WHOLE: Final = 4
"""Characters of a secret that is hidden where it is the whole value of a field."""
_SHORT: Final = 6
"""Characters of a secret that is looked for in other forms than its own; shorter ones would hide
too much."""


class Redactor:
    """Knows secrets, and hides them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._configured: frozenset[str] = frozenset()
        self._learned: dict[str, tuple[str, ...]] = {}
        self._words: tuple[str, ...] = ()
        self._whole: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.begin(secrets)

    def begin(self, secrets: Iterable[str]) -> None:
        """Hide these, and what was known before no more."""
        self._configured, self._learned = frozenset(secrets) - {""}, {}
        self._prepare()

    def learn(self, source: str, *secrets: str) -> None:
        """Hide these, too, and the one that the same source had before: it may still be good."""
        had = self._learned.get(source, ())
        new = tuple(secret for secret in secrets if secret and secret not in had)
        if new:
            self._learned[source] = (*had[-1:], *new)
            self._prepare()

    def _prepare(self) -> None:
        secrets = self._configured.union(*self._learned.values())
        words = {word for secret in secrets for word in _forms(secret)}
        # The longest first: an account number before its first eight digits.
        ordered = sorted(words, key=len, reverse=True)
        text = "|".join(map(re.escape, ordered))
        self._pattern = re.compile(text, re.IGNORECASE) if ordered else None
        self._words = tuple({word.lower() for word in words})
        self._whole = frozenset(one.lower() for one in secrets if len(one) >= _WHOLE)

    def __bool__(self) -> bool:
        return self._pattern is not None

    def finds(self, text: str) -> bool:
        """Tell whether a secret is in a text."""
        low = text.lower()
        return any(word in low for word in self._words)

    def value(self, value: str) -> str:
        """Return a value of a table with each key in it as ``***``, and ``***`` for a secret.

        A short secret may be a part of any word. It is hidden where it is the whole value.
        """
        if value.strip().lower() in self._whole:
            return _HIDDEN
        return self.text(value) if len(value) >= _KEY else value

    def text(self, text: str) -> str:
        """Return a text with each secret as ``***``."""
        # To look for words is many times faster than the pattern, and nearly no text has one.
        if self._pattern is None or not self.finds(text):
            return text
        return self._pattern.sub(_HIDDEN, text)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    if len(secret) < _SHORT:
        return
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(secret.encode())[2:-1]
    yield secret.encode().hex()
    # In base64 a text looks different by where it begins; the ends depend on its neighbours.
    data = secret.encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data)
        after = (before + len(data)) % 3
        inner = encoded[(before * 8 + 5) // 6 : len(encoded) - (4 if after else 0)].decode()
        if len(inner) >= _SHORT:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")


_PROCESS: Final = Redactor()


def known() -> Redactor:
    """Return what knows the secrets of this process."""
    return _PROCESS
