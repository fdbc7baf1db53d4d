"""Signed payloads: who has a client's key, and not its password alone, sent exactly this; pure.

The form is docs/signing.md's. It is one envelope for MQTT 5 and 3.1.1, so that whatever carries a
payload carries its signature.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final, NamedTuple

from pydantic import Field, SecretStr
from typing_extensions import TypedDict

from bridge.errors import BridgeError
from bridge.mqtt.strict_json import JsonError, decode_object, encode

__all__ = ["Envelope", "Seal", "SealedPayload", "SignatureError", "seal", "seal_now"]

_FORM: Final = "kis-bridge-signature-1"
_MEMBERS: Final = frozenset({"payload", "nonce", "expires_at", "signature"})
_NONCE: Final = re.compile(r"[A-Za-z0-9._-]{16,64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_TIME: Final = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LONGEST_S: Final = 300.0
_ESCAPED: Final = 6
"""Bytes that JSON takes at most to write one, as ``\\u0022``."""
_REST: Final = 512
"""Bytes of an envelope beside its payload."""


class SignatureError(BridgeError):
    """A payload that nobody can be proved to have sent; the text says why."""


class Seal(NamedTuple):
    """What makes one signed payload differ from every other one of its client."""

    nonce: str
    expires_at: int
    """µs since the epoch."""
    content: str
    """SHA-256 of topic and payload, hexadecimal."""


class SignedText(TypedDict):
    """A payload and its signature."""

    payload: Annotated[str, Field(description="The request or command, as the text that is signed")]
    nonce: Annotated[str, Field(pattern=f"^{_NONCE.pattern}$", description="Another one each time")]
    expires_at: Annotated[str, Field(description="ISO 8601 with offset, 5 minutes ahead at most")]
    signature: Annotated[
        str,
        Field(pattern=f"^{_SIGNATURE.pattern}$", description="HMAC-SHA256: docs/signing.md"),
    ]


class Envelope(TypedDict):
    """What a client with a signing key sends instead of the payload."""

    signed: SignedText


@dataclass(frozen=True, slots=True)
class SealedPayload:
    """A payload in its envelope, as it came."""

    payload: bytes
    nonce: str
    expires_at: str
    signature: str

    @classmethod
    def read(cls, envelope: bytes, most: int) -> SealedPayload:
        """Read an envelope whose payload has at most ``most`` bytes.

        :raises SignatureError: it is none; the text says what is missing.
        """
        try:
            content = decode_object(envelope, most * _ESCAPED + _REST)
        except JsonError as error:
            raise SignatureError(str(error)) from None
        signed = content.get("signed")
        if len(content) != 1 or not isinstance(signed, dict):
            raise SignatureError(
                'it is not signed, and this client has a signing_key: send {"signed":{…}}'
            )
        if signed.keys() != _MEMBERS or not all(isinstance(one, str) for one in signed.values()):
            raise SignatureError(f"signed needs the texts {', '.join(sorted(_MEMBERS))}")
        if not _NONCE.fullmatch(signed["nonce"]):
            raise SignatureError("nonce: 16 to 64 of A-Z a-z 0-9 . _ -")
        if not _TIME.fullmatch(signed["expires_at"]):
            raise SignatureError("expires_at: a time such as 2026-11-22T09:00:05+09:00")
        if not _SIGNATURE.fullmatch(signed["signature"]):
            raise SignatureError("signature: 64 of 0-9 a-f")
        payload = signed["payload"].encode()
        if len(payload) > most:
            raise SignatureError(f"its payload has {len(payload)} bytes, at most {most} are read")
        return cls(payload, signed["nonce"], signed["expires_at"], signed["signature"])

    def verify(self, key: SecretStr, topic: str) -> Seal:
        """Return what it is told from others by, if it was signed with ``key`` for ``topic``.

        :raises SignatureError: it was not.
        """
        right = _signature(key, topic, self.payload, self.nonce, self.expires_at)
        if not hmac.compare_digest(right, self.signature):
            raise SignatureError("the signature is not that of this topic and payload by its key")
        try:
            moment = datetime.fromisoformat(self.expires_at).astimezone(UTC)
        except (ValueError, OverflowError):
            raise SignatureError("expires_at: there is no such time") from None
        at = int(moment.timestamp()) * 1_000_000 + moment.microsecond
        content = sha256(f"{topic}\n".encode() + self.payload).hexdigest()
        return Seal(self.nonce, at, content)


def seal(key: SecretStr, topic: str, payload: bytes, *, nonce: str, expires_at: str) -> bytes:
    """Return the envelope of a payload, which is UTF-8; ``expires_at`` is ISO 8601 with offset."""
    signature = _signature(key, topic, payload, nonce, expires_at)
    return encode(
        {
            "signed": {
                "payload": payload.decode(),
                "nonce": nonce,
                "expires_at": expires_at,
                "signature": signature,
            }
        }
    )


def seal_now(key: SecretStr, topic: str, payload: bytes, *, good_for_s: float) -> bytes:
    """Return the envelope of a payload that is sent now; ``good_for_s``: five minutes at most."""
    until = datetime.now(UTC) + timedelta(seconds=min(good_for_s, _LONGEST_S))
    nonce = secrets.token_hex(16)
    return seal(key, topic, payload, nonce=nonce, expires_at=until.isoformat())


def _signature(key: SecretStr, topic: str, payload: bytes, nonce: str, expires_at: str) -> str:
    # The payload comes last and nothing before it has a line end: no two messages are one text.
    head = "\n".join((_FORM, topic, nonce, expires_at, "")).encode()
    return hmac.new(key.get_secret_value().encode(), head + payload, sha256).hexdigest()
