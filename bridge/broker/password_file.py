"""The broker's password file, in Mosquitto's own format."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

from bridge.errors import ConfigError

__all__ = ["SHORTEST", "generate", "hashed", "matches", "parse", "render"]

SHORTEST: Final = 12
"""Characters of a password that a person chose."""
_LONGEST: Final = 256
_SALT: Final = 12
"""Bytes; Mosquitto 2.0 takes no other length."""
_ROUNDS: Final = 1_000
"""Mosquitto reckons them in the loop that serves everybody: a thousand take it under a millisecond.
More would let a flood of wrong passwords hold up the orders of others. Against guessing, a password
has to be long; those made by `generate` are."""


def generate() -> str:
    """Return a password nobody guesses: 192 bits."""
    return secrets.token_urlsafe(24)


def hashed(password: str) -> str:
    """Return ``$7$rounds$salt$hash`` of a password: PBKDF2 with SHA-512.

    :raises ConfigError: the password is too short, too long, or has characters that MQTT lacks.
    """
    if not SHORTEST <= len(password) <= _LONGEST:
        raise ConfigError(f"password: {SHORTEST} to {_LONGEST} characters, not {len(password)}")
    if "\0" in password or not password.isprintable():
        raise ConfigError("password: only characters that can be printed")
    salt = secrets.token_bytes(_SALT)
    return f"$7${_ROUNDS}${_text(salt)}${_text(_derived(password, salt, _ROUNDS))}"


def matches(password: str, hashed: str) -> bool:
    """Tell whether a password is the one of a hash that `hashed` made."""
    try:
        _, kind, rounds, salt, digest = hashed.split("$")
        derived = _derived(password, base64.b64decode(salt), int(rounds))
        return kind == "7" and hmac.compare_digest(derived, base64.b64decode(digest))
    except ValueError:
        return False


def parse(text: str, where: object) -> dict[str, str]:
    """Return the hash of each user; raises :class:`ConfigError`."""
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if line and not (name and colon and value.startswith("$")):
            # The line may be a password in the clear: it is not repeated.
            raise ConfigError(f"{where}:{number}: not NAME:HASH as mosquitto_passwd writes it")
        if line:
            users[name] = value
    return users


def render(users: dict[str, str]) -> str:
    """Return the file."""
    return "".join(f"{name}:{value}\n" for name, value in users.items())


def _derived(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
