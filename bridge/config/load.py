"""The configuration read: a file, and the environment laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from bridge.config.explained_errors import InvalidConfigError, Origins, explain
from bridge.config.models import ENV_PREFIX, Config
from bridge.config.sources import merge, read_file, references
from bridge.config.values import Reading, open_to_others
from bridge.runtime.bounded_json import JsonError, decode

__all__ = ["load", "secret_variables"]

_NOT_SETTINGS: Final = frozenset({"KIS_BRIDGE_DEBUG", "KIS_BRIDGE_MASTERS_URL"})


def load(path: Path | None, environ: Mapping[str, str], *, secrets: bool = True) -> Config:
    """Read a file, lay the environment over it, and validate.

    Without ``secrets`` the variables and files that hold them are not read; what is returned then
    can only tell where things are. Raises ConfigError: one line that names the place, the key and
    what is accepted.
    """
    reading = Reading(environ, path=path, secrets=secrets)
    data = {} if path is None else read_file(path)
    if path is not None:
        reading.folder = path.parent
        reading.private = not open_to_others(path)
    # A secret that the file asks for is no key of its own.
    variables = {name: environ[name] for name in sorted(_settings(environ) - set(references(data)))}
    if variables:
        from bridge.config.environment import override  # slow to import

        for name, value in variables.items():
            data = merge(data, override(name, value))
    try:
        return Config.model_validate(data, context=reading)
    except ValidationError as error:
        origins = Origins(str(path) if path else "environment", ENV_PREFIX, tuple(variables))
        raise InvalidConfigError(explain(error, Config, origins)) from None


def secret_variables(path: Path | None, environ: Mapping[str, str]) -> frozenset[str]:
    """Return the variables that secrets come from, or may come from.

    Settings count as well: one variable may hold a whole table.
    """
    found = set(references({} if path is None else read_file(path)))
    for name in _settings(environ):
        found.add(name)
        with suppress(JsonError):
            found |= set(references(decode(environ[name], len(environ[name]))))
    return frozenset(found)


def _settings(environ: Mapping[str, str]) -> frozenset[str]:
    return frozenset(
        name
        for name in environ
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in _NOT_SETTINGS
    )
