"""How long to look for trouble: `make soak` takes hours, `make test` minutes."""

from __future__ import annotations

import os

__all__ = ["SOAK"]

SOAK = os.environ.get("SOAK") == "1"
