"""Requests of clients that sign: opened, and those that could do harm twice taken but once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, Self

from pydantic import SecretStr

from bridge.config.models import Config
from bridge.errors import JournalError, RequestError
from bridge.mqtt import payloads
from bridge.mqtt.message import Message
from bridge.mqtt.seals import Seals
from bridge.mqtt.signatures import Seal, SignatureError
from bridge.requests.permissions import READER

__all__ = ["SignedRequests"]

_REPEATABLE = frozenset({*READER, "halt"})
"""Whoever sends them once more does no harm; a halt comes twice, and must not wait for a disk."""


class _Journal(Protocol):
    """The part of the order journal that is used here."""

    async def nonces(self, since: int, *new: tuple[str, Seal]) -> list[tuple[str, Seal]]: ...


class SignedRequests:
    """Opens the requests of clients that have a signing key; ``clock`` is µs since the epoch."""

    def __init__(
        self, keys: Mapping[str, SecretStr], journal: _Journal, clock: Callable[[], int]
    ) -> None:
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._seals = Seals(keys, clock)
        self._resumed = False

    @classmethod
    def of(cls, config: Config, journal: _Journal, clock: Callable[[], int]) -> Self:
        """Make it for the clients of a configuration."""
        named = config.requests.clients.items()
        keys = {name: own.signing_key for name, own in named if own.signing_key is not None}
        return cls(keys, journal, clock)

    async def open(self, client: str, verb: str, message: Message) -> bytes:
        """Return the payload of a request, as it came if its client does not sign.

        What could do harm twice is on disk as having come when this returns, so that a restart
        changes nothing. Raises `RequestError`.
        """
        if client not in self._keys:
            return message.payload
        once = verb not in _REPEATABLE
        try:
            if once and not self._resumed:
                self._seals.resume(await self._journal.nonces(self._clock()))
                self._resumed = True
            payload, seal = self._seals.open(
                client, message.topic, message.payload, payloads.MAX_REQUEST, once=once
            )
            if seal is not None and seal.expires_at <= self._clock():
                raise SignatureError("it has expired")
            if once and seal is not None:
                await self._journal.nonces(self._clock(), (client, seal))
        except SignatureError as error:
            raise RequestError("bad_signature", str(error)) from None
        except JournalError as error:
            raise RequestError("not_written", str(error)) from error
        return payload
