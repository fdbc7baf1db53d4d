"""What a value of the configuration may be: secrets, numbers, paths, URLs, names."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    Strict,
    StringConstraints,
    ValidationInfo,
)

from bridge.config.secret_sources import (
    FORMS,
    fit_for_a_header,
    is_source,
    look_up,
    without_controls,
)
from bridge.mqtt.topics import Topics
from bridge.runtime.bounded_json import DIGITS, within_bounds

__all__ = [
    "Alias",
    "Amount",
    "BrokerUrl",
    "ClientName",
    "Count",
    "ExistingFile",
    "Flag",
    "FromEnvironment",
    "HeaderSecret",
    "Key",
    "KeyFile",
    "Level",
    "Location",
    "Reading",
    "RestUrl",
    "Secret",
    "Section",
    "Several",
    "SigningKey",
    "Topic",
    "TrId",
    "WsUrl",
    "open_to_others",
]


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(slots=True)
class Reading:
    """What validators need to know about where the values come from (pydantic's context)."""

    environ: Mapping[str, str]
    folder: Path = field(default_factory=Path)
    """Relative paths start here: the folder of the file."""
    private: bool = True
    """Nobody but the owner can read the file, so it may hold secrets."""
    path: Path | None = None
    secrets: bool = True
    """Whether they are looked up where they are kept."""


_NOT_READ: Final = "00000000-00"
"""Stands for every secret that is not looked up; an account number, because one may stand there."""


_SHORTEST_KEY: Final = 32
"""Characters of a signing key: 128 bits in hexadecimal."""
_LONGEST_KEY: Final = 1024


class FromEnvironment(str):
    """A text that came from an environment variable: private, whatever the file's mode."""

    __slots__ = ()


def open_to_others(path: Path) -> bool:
    """Tell whether others can read a file; on Windows its mode does not say that."""
    return sys.platform != "win32" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _secret(value: object, info: ValidationInfo) -> object:
    """Look a secret up where it is kept; take a plain text from private places only."""
    reading: Reading | None = info.context
    if isinstance(value, str) and reading is not None and not isinstance(value, FromEnvironment):
        if not reading.private:
            raise ValueError(
                "a plain secret in a file that others can read "
                f'(chmod 600 {reading.path}, or {{ env = "NAME" }})'
            )
    elif isinstance(value, Mapping) and reading is not None:
        # A journal's URL is a secret only where it has a password; it says where something is.
        if is_source(value) and not reading.secrets and info.field_name != "url":
            value = _NOT_READ
        else:
            value = look_up(
                value, reading.environ, lambda name: reading.folder / _at_home(Path(name))
            )
    elif not isinstance(value, str | SecretStr):
        raise ValueError(f"{FORMS}, or a text")
    found = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if not found:
        raise ValueError("must not be empty")
    without_controls(found)
    return str(value) if isinstance(value, str) else value


def _header(value: SecretStr) -> SecretStr:
    fit_for_a_header(value.get_secret_value())
    return value


def _long_enough(key: SecretStr) -> SecretStr:
    length = len(key.get_secret_value())
    if not _SHORTEST_KEY <= length <= _LONGEST_KEY and key.get_secret_value() != _NOT_READ:
        raise ValueError(
            f"must have {_SHORTEST_KEY} to {_LONGEST_KEY} characters: openssl rand -hex 32"
        )
    return key


def _number(value: object, info: ValidationInfo) -> object:
    """Keep numbers from being written as text in the file; the environment has only text."""
    text = isinstance(value, str) and not isinstance(value, FromEnvironment)
    if isinstance(value, bool) or (text and info.context is not None):
        raise ValueError("must be a number")
    value = str(value) if isinstance(value, str) else value
    number: object = value
    with suppress(ArithmeticError):  # no number: said by the type of the field
        number = Decimal(value) if isinstance(value, str) else value
    endless = isinstance(number, Decimal) and not number.is_finite()  # said there as well
    if isinstance(number, int | Decimal) and not endless and not within_bounds(number):
        raise ValueError(f"must have at most {DIGITS} digits")
    return value


def _path(value: Path, info: ValidationInfo) -> Path:
    reading: Reading | None = info.context
    return (reading.folder if reading else Path()) / _at_home(value)


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: there is no such home directory; write the whole path") from None


def _existing(path: Path) -> Path:
    try:
        found = path.is_file()
    except OSError as error:
        raise ValueError(f"no usable path ({error.strerror})") from None
    if not found:
        raise ValueError(f"no such file: {path}")
    return path


def _closed(path: Path) -> Path:
    """Refuse a key that everybody can read; a group may be there to read keys (``ssl-cert``)."""
    if sys.platform != "win32" and path.stat().st_mode & stat.S_IRWXO:
        raise ValueError(f"others can read it: chmod 600 {path}")
    return path


def _url(schemes: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise ValueError(f"must be a URL ({', '.join(schemes)})") from None
        if parts.scheme not in schemes or not parts.hostname or port == 0:
            raise ValueError(f"must be {' or '.join(f'{s}://HOST:PORT' for s in schemes)}")
        if parts.username is not None:
            raise ValueError("must not hold a user name or password; they have keys of their own")
        if parts.query or parts.fragment or re.search(r"\s", value):
            raise ValueError("must not hold blanks, '?' or '#'")
        if parts.scheme.startswith("mqtt") and parts.path.strip("/"):
            raise ValueError("nothing may follow the port")
        return value.rstrip("/")

    return check


def _topic(value: str) -> str:
    try:
        Topics(value)
    except ValueError:
        raise ValueError(
            "must be levels separated by '/', none empty, without blanks, '+', '#' or a leading '$'"
        ) from None
    return value


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(gt=0)]
Amount = Annotated[Decimal, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
HeaderSecret = Annotated[Secret, AfterValidator(_header)]
SigningKey = Annotated[SecretStr, BeforeValidator(_secret), AfterValidator(_long_enough)]
Location = Annotated[Path, AfterValidator(_path)]
ExistingFile = Annotated[Path, AfterValidator(_path), AfterValidator(_existing)]
KeyFile = Annotated[ExistingFile, AfterValidator(_closed)]
Alias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
ClientName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
Level = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,32}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f^|]{1,32}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]([0-9A-Z./ -]{0,14}[0-9A-Z])?$")]
RestUrl = Annotated[str, AfterValidator(_url(("https", "http")))]
WsUrl = Annotated[str, AfterValidator(_url(("wss", "ws")))]
BrokerUrl = Annotated[
    str,
    AfterValidator(
        lambda url: url if url == "embedded" else _url(("mqtt", "mqtts", "ws", "wss"))(url)
    ),
]
Topic = Annotated[str, AfterValidator(_topic)]
TrId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{8}$")]
Several = BeforeValidator(_one_or_several)
"""Takes one value where a list may stand."""
