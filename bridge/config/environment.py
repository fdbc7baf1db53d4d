"""The environment as configuration: what one variable sets."""

from __future__ import annotations

import json
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from bridge.config.models import ENV_PREFIX, Config
from bridge.config.values import FromEnvironment
from bridge.errors import ConfigError
from bridge.runtime.bounded_json import JsonError, decode

__all__ = ["override"]

_LONGEST = 1 << 20
_MOST_NAMES = 10_000


class _Environment(Config, BaseSettings):
    """Tells pydantic-settings the shape of the variables; never instantiated.

    ``strict`` makes it turn the texts into the fields' types.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", strict=True, case_sensitive=False
    )


def override(name: str, value: str) -> dict[str, Any]:
    """Return what one environment variable sets, as nested tables.

    A name that fits no section becomes an unknown key, for the models to refuse.
    """
    key = name.lower()
    path = key.removeprefix(ENV_PREFIX.lower())
    if path.split("__")[0] not in Config.model_fields:
        return {path: value}
    if value.lstrip()[:1] in ("[", "{"):
        try:
            decode(value, _LONGEST, names=_MOST_NAMES)
        except JsonError:
            raise ConfigError(f"{name}: not valid JSON") from None
    source = EnvSettingsSource(_Environment)
    source.env_vars = {key: value}
    try:
        found = source()
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply") from None
    except SettingsError:
        if value[:1] in ("[", "{"):
            raise ConfigError(f"{name}: not valid JSON") from None
        # A plain text where a list or table could stand: one URL, or a mistake for the models.
        source.env_vars = {key: json.dumps(value)}
        try:
            found = source()
        except SettingsError:
            raise ConfigError(f"{name}: cannot be read as a list or table") from None
    return {part: _mark(item) for part, item in found.items()}


def _mark(value: object) -> object:
    match value:
        case str():
            return FromEnvironment(value)
        case dict():
            return {name: _mark(item) for name, item in value.items()}
        case list():
            return [_mark(item) for item in value]
        case _:
            return value
