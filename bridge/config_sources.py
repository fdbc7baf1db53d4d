"""Where the configuration comes from: the file, and the environment laid over it."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from bridge.config_values import FromEnvironment
from bridge.errors import ConfigError

__all__ = ["merge", "override", "read_file", "references"]


def read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode(), parse_float=Decimal)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


def references(value: object) -> list[str]:
    """Return the variables that the file itself asks for: they are secrets, not settings."""
    match value:
        case {"env": str(name)}:
            return [name]
        case dict():
            return [name for item in value.values() for name in references(item)]
        case list():
            return [name for item in value for name in references(item)]
        case _:
            return []


def override(name: str, value: str, settings: type[BaseSettings]) -> dict[str, Any]:
    """Return what one environment variable sets, as nested tables.

    A name that fits no section becomes an unknown key, for the models to refuse.
    """
    prefix = settings.model_config["env_prefix"].lower()
    key = name.lower()
    section = key.removeprefix(prefix).split("__")[0]
    if section not in settings.model_fields:
        return {key.removeprefix(prefix): value}
    source = EnvSettingsSource(settings)
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


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one set of nested tables over another; lists and values replace."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[name] = merge(merged[name], value) if both else value
    return merged
