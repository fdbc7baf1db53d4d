"""A command, and the order that it placed; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bridge.kis.listing import plain
from bridge.kis.markets import RESERVED, stands_at, told_of_fills
from bridge.mqtt.signatures import Seal
from bridge.orders.model.command import Cancel, CancelAll, Command, CommandVerb, Place
from bridge.orders.model.command_parser import parse
from bridge.orders.model.progress import Progress
from bridge.orders.model.records import CLIENT, Identity, NewRecord, Origin, Record

__all__ = ["ManagedOrder", "restore"]


# Equal only to itself: it changes, and is a key in many tables.
@dataclass(slots=True, eq=False, weakref_slot=True)
class ManagedOrder:
    """A command and, when it placed one, its order.

    Only the :class:`~bridge.orders.model.blotter.Blotter` changes it.
    """

    identity: Identity
    verb: CommandVerb
    command: Command
    digest: str
    received_at: int
    expires_at: int
    progress: Progress
    origin: Origin = CLIENT
    id: int = 0
    """In the journal; 0: not there yet; below 0: in memory only, because it cannot be written."""
    parts: Mapping[str, int] | None = None
    """What is left under each of its numbers, while that is not all under the last one; None: no
    list has said it."""

    overtaken: bool = False
    """A ``cancel_all`` came after it and before it was sent."""
    seal: Seal | None = None
    """Of one that was signed, until the journal has it."""

    @property
    def numbers(self) -> Collection[str]:
        """Under which numbers something may be left; none: the last one."""
        if self.parts is not None or not self.progress.split:
            return self.parts or ()
        return [plain(leg.order_no) for leg in self.progress.legs]

    @property
    def harmless(self) -> bool:
        """Whether it does nothing more when it is sent once more: it takes back all of something.

        What takes back a part would take back two.
        """
        whole = isinstance(self.command, Cancel) and self.command.quantity is None
        return whole or isinstance(self.command, CancelAll)

    @property
    def unheard(self) -> bool:
        """Whether only a list tells what becomes of it: bonds, and what is reserved."""
        leg, command = self.progress.leg, self.command
        if leg is None or not isinstance(command, Place):
            return False
        reserved = stands_at(command.place, leg.order_no)[1].endswith(RESERVED)
        return reserved or not told_of_fills(command.market)

    @property
    def since(self) -> int:
        """When it was sent; until then, when it came."""
        return self.progress.submitted_at or self.received_at

    @classmethod
    def received(
        cls,
        identity: Identity,
        verb: CommandVerb,
        command: Command,
        received_at: int,
        expires_at: int,
        origin: Origin = CLIENT,
    ) -> ManagedOrder:
        """Make one of a command that just came in."""
        progress = Progress()
        if isinstance(command, Place):
            progress = Progress(
                command.quantity, command.price, command.order_type, command.condition_price
            )
        digest = command.digest()
        return cls(identity, verb, command, digest, received_at, expires_at, progress, origin)

    def means(self, other: ManagedOrder) -> bool:
        """Tell whether two commands of one name have one content."""
        # The digests that an earlier bridge wrote have the deadline in them, so that those of two
        # equal commands may differ.
        return self.digest == other.digest or self.command.digest() == other.command.digest()

    def record(self) -> NewRecord:
        """Return what the journal writes down when it comes in."""
        return NewRecord(
            self.identity,
            self.verb,
            self.digest,
            self.command.canonical(),
            self.received_at,
            self.expires_at,
            self.origin,
            self.seal,
        )

    def admitted(self, record: Record) -> ManagedOrder:
        """Take over what the journal made of it."""
        self.id = record.id
        self.progress = self.progress.apply_all(record.steps)
        return self


def restore(record: Record) -> ManagedOrder:
    """Return a command as the journal knows it."""
    command = parse(record.verb, record.body.encode())
    managed = ManagedOrder.received(
        *(record.identity, record.verb, command, record.received_at, record.expires_at),
        record.origin,
    )
    managed.digest = record.digest
    return managed.admitted(record)
