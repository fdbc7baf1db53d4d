"""What is kept of subscriptions over a restart: small JSON files in the state directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import structlog

from bridge.runtime.bounded_json import JsonError, decode_object
from bridge.runtime.folders import make_private
from bridge.runtime.private_files import replace_private
from bridge.runtime.regular_file import read_regular

__all__ = ["SubscriptionStore"]

log = structlog.get_logger()

_LARGEST = 16 << 20
_MOST_NAMES = 10_000
"""Trading days of more than a lifetime."""


class SubscriptionStore:
    """Reads files, logs and ignores those that are damaged, and replaces each in one step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def limits(self) -> dict[str, int]:
        """Return the slots that KIS was found to grant, by app alias."""
        found = self._load("limits.json")
        return {app: n for app, n in found.items() if type(n) is int and n > 0}

    def save_limits(self, limits: Mapping[str, int]) -> None:
        self.write("limits.json", json.dumps(limits))

    def trading_days(self) -> dict[date, bool]:
        """Return KRX's days as KIS told them."""
        days = {}
        for text, trades in self._load("trading-days.json").items():
            try:
                days[date.fromisoformat(text)] = bool(trades)
            except ValueError:
                log.warning("trading day ignored, it is none", day=text)
        return days

    def days_learned_at(self) -> float:
        """Return when the trading days were written down, seconds since the epoch; 0: never."""
        try:
            return (self._folder / "trading-days.json").stat().st_mtime
        except OSError:
            return 0.0

    def save_trading_days(self, days: Mapping[date, bool]) -> None:
        self.write("trading-days.json", json.dumps({d.isoformat(): t for d, t in days.items()}))

    def read(self, name: str) -> str:
        """Return a file's text, blank when there is none."""
        try:
            return read_regular(self._folder / name, _LARGEST).decode()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            log.warning("file ignored", file=name, reason=str(error))
            return ""

    def write(self, name: str, text: str) -> None:
        """Replace a file; a failure is only logged, since the feed works without it."""
        try:
            make_private(self._folder)
            # Written beside it and renamed: whoever dies half-way leaves the old file whole. There
            # is no fsync, since a list that is a minute old does no harm after a power cut.
            replace_private(self._folder / name, text.encode())
        except OSError as error:
            log.warning("not written down", file=name, reason=str(error))

    def _load(self, name: str) -> dict[str, object]:
        text = self.read(name)
        try:
            return decode_object(text or "{}", _LARGEST, names=_MOST_NAMES)
        except JsonError:
            log.warning("file ignored, it is damaged", file=name)
            return {}
