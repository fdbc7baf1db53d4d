"""What the journal has of commands; times in µs since the epoch; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from bridge.mqtt.signatures import Seal
from bridge.orders.model.command import CommandVerb
from bridge.orders.model.lifecycle import State, Step

__all__ = [
    "CLIENT",
    "Control",
    "Identity",
    "JournalStep",
    "NewRecord",
    "Origin",
    "Record",
    "TradingEnvironment",
]


TradingEnvironment: TypeAlias = Literal["", "simulator", "paper", "real"]
"""Whose money orders are about; blank: nobody has said."""


class Identity(NamedTuple):
    """What names a command; ``command_id`` is blank for the one that places the order."""

    account: str
    client: str
    client_order_id: str
    command_id: str


class Origin(NamedTuple):
    """Who asked for a command."""

    kind: Literal["client", "cancel_all", "halt"] = "client"
    name: str = ""
    """Which ``cancel_all`` or halt it was; blank for what a client sent."""

    def dumps(self) -> str:
        """Return it as the journal writes it: blank for what a client sent."""
        return "" if self.kind == "client" else f"{self.kind}:{self.name}"

    @classmethod
    def loads(cls, text: str) -> Origin:
        """Read what :meth:`dumps` wrote."""
        kind, _, name = text.partition(":")
        match kind:
            case "cancel_all" | "halt":
                return cls(kind, name)
        return cls()


CLIENT = Origin()


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A command as it was received."""

    identity: Identity
    verb: CommandVerb
    digest: str
    body: str
    received_at: int
    expires_at: int
    origin: Origin = CLIENT
    seal: Seal | None = None
    """Of a client that signs."""


@dataclass(frozen=True, slots=True)
class Record:
    """A command in the journal and everything that happened to it since."""

    id: int
    identity: Identity
    verb: CommandVerb
    digest: str
    body: str
    received_at: int
    expires_at: int
    steps: tuple[Step, ...] = ()
    origin: Origin = CLIENT


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One step to append, its number in the life of its command, and the state it leads to.

    The number makes it safe to append again what may have been written already: a commit can fail
    after it has reached the disk.
    """

    command: int
    number: int
    step: Step
    state: State


@dataclass(frozen=True, slots=True)
class Control:
    """Who is halted from then on; a blank account or client means all of them."""

    at: int
    account: str
    client: str
    mode: str
    """Blank: no more."""
    reason: str
    scope: Literal["", "ours", "account"] = ""
    """What it has to cancel; blank: nothing, or all is done."""
