"""The client ids of the bridge: names that nobody else at the broker can know.

Whoever connects under another's client id takes that session over, with the commands that wait in
it. So a part of ours is secret. It is made of what only the bridge has, and of nothing that is on
this machine alone: a second bridge that takes the orders over has to find the session of the first
one, with what that one had not acknowledged.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Self

from pydantic import SecretStr

__all__ = ["ClientIds"]

_DIGITS = 20
"""Hexadecimal, of the secret part: 80 bits, which nobody guesses by connecting."""


@dataclass(frozen=True, slots=True)
class ClientIds:
    """What the bridge calls itself at the broker."""

    public: str
    """Fit for logs and events; no connection has it."""
    secret: str = field(repr=False)

    @classmethod
    def of(cls, base_topic: str, key: SecretStr) -> Self:
        """Make them for a base topic; nobody learns from them what ``key`` is."""
        public = f"kis-bridge-{base_topic.replace('/', '-')}"
        text = f"MQTT client id {base_topic}".encode()
        digest = hmac.new(key.get_secret_value().encode(), text, "sha256").hexdigest()
        return cls(public, digest[:_DIGITS])

    def name(self, what: str = "") -> str:
        """Return the client id of one connection; without ``what`` that of the orders."""
        return "-".join(filter(None, (self.public, self.secret, what)))
