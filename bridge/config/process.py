"""The configuration of the process itself: ``[process]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from bridge.config.values import Section

__all__ = ["ProcessConfig"]


class ProcessConfig(Section):
    """The process."""

    exit_when_frozen_s: Annotated[int, Strict(), Field(ge=0, le=86_400)] = 60
    """The bridge ends itself with exit code 1 when it could do nothing for so many seconds, so
    that whoever runs it starts it again. A suspended machine does not count. 0: never."""
