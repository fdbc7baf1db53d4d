"""Which configuration a command uses: ``-c FILE``, else ``./bridge.toml``, else the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from bridge.errors import ConfigError
from bridge.runtime.own_process import forget_variables

if TYPE_CHECKING:
    from bridge.config.models import Config

__all__ = ["ConfigFile", "chosen", "configured", "forget_secrets", "is_configured"]

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        dir_okay=False,
        help="Configuration file.",
        show_default="./bridge.toml if it is there",
    ),
]

_HERE: Final = Path("bridge.toml")


def chosen(config: Path | None) -> Path | None:
    """Return the file to read: the one that was asked for, or that of this folder; None: none."""
    if config is not None:
        return config
    return _HERE if _HERE.is_file() else None


def is_configured(config: Path | None) -> bool:
    """Whether a file, or the environment alone, says how to reach KIS."""
    return chosen(config) is not None or any(
        name.upper().startswith("KIS_BRIDGE_KIS__") for name in os.environ
    )


def configured(config: Path | None, *, secrets: bool = True) -> Config:
    """Read the configuration; raises :class:`ConfigError`.

    Without ``secrets`` they are not looked up and may be missing. That is enough to find out where
    something is.
    """
    if not is_configured(config):
        raise ConfigError(
            "no configuration: there is no bridge.toml in this folder, and no variable "
            "KIS_BRIDGE_KIS__… is set; name a file with -c FILE"
        )
    from bridge.config.load import load  # slow to import, and many commands find no file

    return load(chosen(config), os.environ, secrets=secrets)


def forget_secrets(config: Path | None) -> None:
    """Take the variables that were read away from every program that is started from here."""
    from bridge.config.load import secret_variables

    forget_variables(secret_variables(chosen(config), os.environ))
