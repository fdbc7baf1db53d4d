"""The configuration read: a file, and the environment laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from bridge.config.explained_errors import InvalidConfigError, Origins, explain
from bridge.config.models import ENV_PREFIX, Config
from bridge.config.sources import merge, read_file, references
from bridge.config.values import Reading, open_to_others

__all__ = ["load"]

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
    referenced = set(references(data))
    variables = {
        name: value
        for name, value in sorted(environ.items())
        if name.upper().startswith(ENV_PREFIX)
        and name.upper() not in _NOT_SETTINGS
        and name not in referenced  # a secret that the file asks for, and no key of its own
    }
    if variables:
        from bridge.config.environment import override  # slow to import

        for name, value in variables.items():
            data = merge(data, override(name, value))
    try:
        return Config.model_validate(data, context=reading)
    except ValidationError as error:
        origins = Origins(str(path) if path else "environment", ENV_PREFIX, tuple(variables))
        raise InvalidConfigError(explain(error, Config, origins)) from None
