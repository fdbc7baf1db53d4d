"""Whom a ``halt`` or ``resume`` may name, and what it answers: who may trade how from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from bridge.config.kis import Environment
from bridge.errors import JournalError, RequestError
from bridge.mqtt.payloads import HaltRow
from bridge.orders.risk.halts import Mode
from bridge.requests.answers import Standing
from bridge.runtime.suggestions import nearest

__all__ = ["HaltAnswers"]

_LISTED = 20
"""Names of clients that an error lists."""
_LOOKED_UP_S = 0.5
"""How long the journal may take to say who has ever traded."""


class _Gate(Protocol):
    """The part of the order gateway that is used here."""

    @property
    def halted(self) -> bool: ...
    def halts(self) -> list[HaltRow]: ...
    def mode(self, account: str, client: str) -> Mode: ...
    async def clients(self) -> Collection[str]: ...


class HaltAnswers:
    """Checks names before a halt, and says what holds after it.

    ``accounts`` and ``clients`` are those of the configuration.
    """

    def __init__(
        self,
        gate: _Gate,
        accounts: Collection[str],
        clients: Collection[str],
        environment: Environment,
    ) -> None:
        self._environment = environment
        self._gate = gate
        self._accounts = accounts
        self._clients = clients

    def account(self, alias: str) -> None:
        """Refuse an account that the configuration does not have; blank means all of them."""
        if alias and alias not in self._accounts:
            known = ", ".join(self._accounts)
            hint = f"one of {known}" if known else "the configuration has no accounts"
            raise RequestError("unknown_account", f"no account {alias!r} ({hint})")

    async def client(self, name: str, *, force: bool) -> bool:
        """Tell whether anybody has this name; refuse it if not, unless it is forced.

        A halt of a mistyped name stops nobody, and whoever typed it believes that it does.
        """
        if not name or name in self._clients or self._is_halted(client=name):
            return True
        try:
            async with asyncio.timeout(_LOOKED_UP_S):
                known = sorted({*self._clients, *await self._gate.clients()})
        except (JournalError, TimeoutError):
            return True  # nobody can tell, and a halt must not wait for a sound disk
        if name in known or force:
            return name in known
        near = nearest(name, known)
        listed = ", ".join(known[:_LISTED]) + (" …" if len(known) > _LISTED else "")
        hint = f"did you mean {near!r}?" if near else f"known: {listed or 'nobody yet'}"
        raise RequestError(
            "unknown_client",
            f"no client {name!r} has traded or is configured ({hint}); nobody was halted. "
            "To halt it before its first order, force it (--force)",
        )

    def is_halted(self, account: str, client: str) -> bool:
        """Whether a halt of exactly this account and client holds."""
        return self._is_halted(account=account, client=client)

    def _is_halted(self, **named: str) -> bool:
        return any(
            all((halt.get(name) or "") == text for name, text in named.items())
            for halt in self._gate.halts()
        )

    def standing(self, account: str, client: str) -> Standing:
        """Return what holds now: for whom it was asked, and for everybody."""
        return {
            "halted": self._gate.halted,
            "environment": self._environment,
            "account": account or None,
            "client": client or None,
            "mode": self._gate.mode(account, client) or None,
            "halts": self._gate.halts(),
        }
