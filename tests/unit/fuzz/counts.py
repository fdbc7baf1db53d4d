"""How many inputs are tried, and how many were."""

from __future__ import annotations

import os
from collections import Counter

__all__ = ["COUNTS", "SCALE"]

SCALE = max(1, int(os.environ.get("FUZZ", "1")))
"""`make fuzz` tries many times as many inputs as `make test`, and others every time."""

COUNTS: Counter[str] = Counter()
"""Inputs that were fed, by door; counted where they are fed."""
