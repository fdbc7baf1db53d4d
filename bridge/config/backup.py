"""The configuration of prices over REST where no record comes: ``[backup]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from bridge.config.values import Flag, Section

__all__ = ["BackupConfig"]


class BackupConfig(Section):
    """Prices over REST for what has no slot, or no session."""

    enabled: Flag = False
    """Ask REST for the prices of what no session brings, and publish them under `snapshot`."""
    after_s: Annotated[int, Strict(), Field(ge=1, le=3600)] = 10
    """Seconds without a slot or a session before REST is asked."""
    share: Annotated[float, Field(ge=0.01, le=0.5)] = 0.25
    """Part of each app key's REST calls a second that may be used for it."""
