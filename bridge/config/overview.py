"""The configuration of ``bridge/overview``: ``[overview]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from bridge.config.values import Section

__all__ = ["OverviewConfig"]


class OverviewConfig(Section):
    """The one small message for displays."""

    symbols: Annotated[int, Strict(), Field(ge=0, le=400)] = 100
    """Most symbols in it, about 130 bytes each. Those of the configuration come first. What is left
    out is counted in it."""
