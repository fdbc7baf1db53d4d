"""The configuration of the order journal: ``[journal]``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

from pydantic import SecretStr, field_validator

from bridge.config.values import Secret, Section

__all__ = ["JournalConfig", "passwords"]

# As SQLAlchemy reads it: the password goes up to the last @ before the host, whatever is in it.
_LOGIN = re.compile(r"^[\w+]+://[^:/]*:([^@]*)@")
_SECRET_NAME = re.compile(r"password|passwd|secret|token", re.IGNORECASE)


class JournalConfig(Section):
    """The order journal."""

    url: Secret = SecretStr("sqlite:///orders.db")
    """SQLAlchemy URL. SQLite files are relative to `state_dir`. With a password it is a secret."""

    @field_validator("url", mode="before")
    @classmethod
    def _harmless(cls, value: object) -> object:
        """Let a URL without a password stand in a file that others can read."""
        if isinstance(value, str) and not any(True for _ in passwords(value)):
            return SecretStr(value)
        return value

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: SecretStr) -> SecretStr:
        if not re.match(r"(sqlite|postgresql|mysql|mariadb)(\+\w+)?://", value.get_secret_value()):
            raise ValueError("must be sqlite:///FILE, postgresql+psycopg://…, mariadb+…://…")
        return value


def passwords(url: str) -> Iterator[str]:
    """Yield each password of a database's URL, as it is written and as it is sent."""
    login = _LOGIN.match(url)
    found = [login[1]] if login else []
    for pair in url.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if _SECRET_NAME.search(name):
            found.append(value)
    for written in found:
        yield from {written, unquote(written), unquote_plus(written)} - {""}
