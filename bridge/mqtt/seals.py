"""Opens signed payloads, and remembers which of them have come; no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pydantic import SecretStr

from bridge.mqtt.signatures import Seal, SealedPayload, SignatureError

__all__ = ["AHEAD_US", "Seals"]

AHEAD_US: Final = 300_000_000
"""How far ahead a signature may expire: so long is remembered what has come."""
_SKEW_US: Final = 5_000_000
"""What the clock of a client may be ahead of KIS's."""
_KEPT_US: Final = 60_000_000
"""Longer than it is good: the clock that judges it may be corrected."""
_MOST: Final = 10_000
"""Signed payloads of one client that are remembered at once."""


class Seals:
    """Knows the signing keys of clients; ``clock`` is µs since the epoch, by KIS's clock."""

    def __init__(self, keys: Mapping[str, SecretStr], clock: Callable[[], int]) -> None:
        self._keys = keys
        self._clock = clock
        self._used: defaultdict[str, dict[str, Seal]] = defaultdict(dict)

    @property
    def wanted(self) -> bool:
        """Whether any client has to sign."""
        return bool(self._keys)

    def resume(self, used: Iterable[tuple[str, Seal]]) -> None:
        """Take over what had come before a restart, by client."""
        for client, seal in used:
            self._used[client][seal.nonce] = seal

    def open(
        self, client: str, topic: str, payload: bytes, most: int, *, once: bool = False
    ) -> tuple[bytes, Seal | None]:
        """Return the payload that a client signed, and its seal; without a key as it came.

        The same payload may come again, whoever sends it, unless it may come but ``once``. Under
        its nonce nothing else may come.

        :raises SignatureError: nobody can be proved to have sent it, or it is good for too long.
        """
        key = self._keys.get(client)
        if key is None:
            return payload, None
        envelope = SealedPayload.read(payload, most)
        seal = envelope.verify(key, topic)
        now = self._clock()
        if seal.expires_at > now + AHEAD_US + _SKEW_US:
            raise SignatureError(
                f"expires_at: at most {AHEAD_US // 1_000_000} s ahead of KIS's clock"
            )
        self._use(client, seal, now, once=once)
        return envelope.payload, seal

    def _use(self, client: str, seal: Seal, now: int, *, once: bool) -> None:
        used = self._used[client]
        before = used.get(seal.nonce)
        if before is not None and before.content != seal.content:
            raise SignatureError("nonce: it was used for something else; take a new one each time")
        if once and before is not None:
            raise SignatureError("it came already")
        if len(used) >= _MOST and before is None:
            used = {n: one for n, one in used.items() if one.expires_at + _KEPT_US > now}
            self._used[client] = used
            if len(used) >= _MOST:
                raise SignatureError(f"more than {_MOST} signed in {AHEAD_US // 1_000_000} s")
        used[seal.nonce] = seal
