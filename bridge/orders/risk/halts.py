"""Who may not trade now, by account and client; pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from bridge.mqtt.payloads import HaltRow
from bridge.orders.model.records import Control

__all__ = ["HaltOutcome", "Halts", "Mode"]

Mode = Literal["", "halted", "reduce_only"]
"""Blank: trades freely."""

_SEVERITY: dict[str, int] = {"": 0, "reduce_only": 1, "halted": 2}


class HaltOutcome(NamedTuple):
    """What a halt has come to when its request is answered."""

    cancelling: int
    """Open orders that are being cancelled."""
    written: bool
    """Whether it is on disk; until it is, it holds, but not after a restart."""


class Halts:
    """Who was halted since the last resumption: everybody, an account, a client, or one on another.

    What is said of a wider circle holds for whoever is in it. The severest word counts, of several
    circles and of one: only a resumption lets go, never a milder halt that came later.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Mode] = {}

    def take(self, control: Control) -> None:
        """Take what the journal says, oldest first."""
        self.say(control.account, control.client, _mode(control.mode))

    def __bool__(self) -> bool:
        return bool(self._said)

    def say(self, account: str, client: str, mode: Mode) -> Mode:
        """Halt or resume a circle; a blank account or client means all of them.

        Returns the mode that holds for it now, as far as it was named itself.
        """
        circle = account, client
        if not mode:
            self._said.pop(circle, None)
        elif _SEVERITY[mode] > _SEVERITY[self._said.get(circle, "")]:
            self._said[circle] = mode
        return self._said.get(circle, "")

    def named(self, account: str, client: str) -> bool:
        """Tell whether a halt of exactly this account and client holds."""
        return (account, client) in self._said

    def of(self, account: str, client: str) -> tuple[Mode, str]:
        """Return the mode that holds for a client on an account, and who is meant by it."""
        found: tuple[Mode, str] = ("", "")
        if not self._said:
            return found
        for circle in ((account, client), ("", client), (account, ""), ("", "")):
            mode = self._said.get(circle, "")
            if _SEVERITY[mode] > _SEVERITY[found[0]]:
                found = (mode, f"{_name(*circle)} {mode.replace('_', '-')}")
        return found

    def listing(self) -> list[HaltRow]:
        """Return every circle that may not trade freely, for people."""
        return [
            {"account": account or None, "client": client or None, "mode": mode}
            for (account, client), mode in sorted(self._said.items())
            if mode
        ]


def _name(account: str, client: str) -> str:
    parts = [f"account {account}"] if account else []
    parts += [f"client {client}"] if client else []
    return f"{' and '.join(parts)} is" if parts else "trading is"


def _mode(text: str) -> Mode:
    # A word of a later bridge is taken for the severest: nobody trades by misunderstanding.
    return text if text in ("", "halted", "reduce_only") else "halted"  # type: ignore[return-value]
