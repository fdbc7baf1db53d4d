"""A command's way from the broker to its answer: read :meth:`Line.take` from top to bottom.

A command that has to wait for nothing is decided on first, and one commit writes down that it was
received and what it came to. Only what has to wait is written down as received before that.

Order is kept for each client (:mod:`bridge.orders.routing.sequencer`); clients do not wait for
each other. A ``cancel_all`` waits until the commands before it are in the journal, and for nothing
else: what was not sent before it is not sent at all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bridge.mqtt.message import Message
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.risk.intent import Intent
from bridge.orders.risk.limits import Refusal
from bridge.orders.risk.rules import Terms
from bridge.orders.routing.admission import Admission, Admitted
from bridge.orders.routing.door import Door
from bridge.orders.routing.intake import CommandSource, Intake
from bridge.orders.routing.mass_cancel import MassCancel
from bridge.orders.routing.sequencer import Sequencer, leave
from bridge.orders.routing.submitter import Submitter
from bridge.runtime.turns import News, Turn

__all__ = ["Line"]

_UNKNOWN_AGE = Refusal(
    "expired",
    "of unknown age: the bridge stood still while it was on its way, and the message expiry alone "
    "does not say how long; set expires_at",
)
_TOO_MANY = Refusal("rate_limited", "too many commands of this client: slow down")
_DOUBT_US = 60_000_000
"""What the journal gets to write down a command that another bridge may have sent."""
_SENT_ELSEWHERE = "the bridge that sent for this account before may have sent it, and fell silent"


@dataclass(frozen=True, slots=True)
class Line:
    """Brings each command to its answer in a task of its own, which ``start`` starts.

    ``news`` comes whenever something is answered or settled.
    """

    terms: Terms
    blotter: Blotter
    outbox: Outbox
    intake: Intake
    admission: Admission
    sequencer: Sequencer
    door: Door
    submitter: Submitter
    mass_cancel: MassCancel
    news: News
    start: Callable[[ManagedOrder, Coroutine[Any, Any, None]], None]
    _under_way: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Commands by account and client."""
    _carried: dict[ManagedOrder, asyncio.Event] = field(default_factory=dict)
    """What a task has in hand, and what happens when it is through."""
    _cancelling: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Cancellations that a ``cancel_all`` or a halt asked for, by account and client."""

    def take(self, message: Message) -> None:
        """Take a message of ``command/{verb}``: it has its place in the line when this returns."""
        if (read := self.intake.read(message)) is not None:
            managed, source = read
            turns = self.sequencer.stand(managed)
            since = self._sent_elsewhere(managed, message)
            if since is None:
                self.start(managed, self._take(managed, source, turns))
            else:
                self.start(managed, self._doubt(managed, source, turns, since))

    def take_up(self, managed: ManagedOrder) -> None:
        """Give a command from the journal its place in the line."""
        self.start(managed, self._carry(managed, None, self.sequencer.stand(managed)))

    async def _take(self, managed: ManagedOrder, source: CommandSource, turns: list[Turn]) -> None:
        """Write a command down, acknowledge it to the broker, and bring it to its answer."""
        client = managed.identity[:2]
        # A client that floods the bridge must still be able to get out: what cancels is let in
        # long after what adds.
        # And a cancellation of its own may stand behind each of those that it asked for at once.
        most = self.terms.rules.waiting
        if managed.verb not in ("place", "modify"):
            most = 4 * most + self._cancelling[client]
        full = self._under_way[client] >= most
        self._under_way[client] += 1
        try:
            refusal = self._overloaded() if full else _unseen(managed, source)
            decision = refusal or self._at_once(managed, turns)
            if isinstance(decision, Intent):
                self.submitter.prepare(managed, decision)
            admitted = await self.admission.admit(managed, *self._first_step(managed, decision))
            # The journal had that name already, or could not take it in time. What was reserved
            # for this delivery must not go on counting; the journal's command has its own decision.
            here = isinstance(admitted, Admitted) and admitted.managed is managed
            if isinstance(decision, Intent) and not here:
                self.door.give_back(managed, sent=False)
                decision = None
            if isinstance(admitted, Refusal):
                if admitted.reason == "expired":
                    self.intake.turn_away(source, managed.identity[2:], admitted)
                else:
                    # The broker first: when the client reads that it was refused, nobody may
                    # deliver it again.
                    source.message.ack()
                    self.submitter.turn_down(managed, admitted, source.message)
                return
            # Not before the commit: until then only the broker has it, and delivers it again after
            # a crash. Not after the answer either: the broker would wait for KIS. The order does
            # not wait for it.
            asyncio.get_running_loop().call_soon(source.message.ack)
            known, new = admitted
            if not known.means(managed):
                refusal = Refusal("duplicate_conflict", "that name stands for another content")
                self.intake.turn_away(source, managed.identity[2:], refusal)
            elif (over := self._carried.get(known)) is not None:  # another task has it in hand
                leave(turns)  # a repetition has nothing to send, so nobody need stand behind it
                if not full:
                    await over.wait()
                if known.progress.answer is not None:
                    await self.submitter.repeat(known, source.message, duplicate=True)
            elif known.progress.answer is not None:
                await self.submitter.repeat(known, source.message, duplicate=not new)
            else:
                await self._carry(known, source.message, turns, decision)
        finally:
            leave(turns)
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]

    def _sent_elsewhere(self, managed: ManagedOrder, message: Message) -> int | None:
        """Return since when another bridge may have sent a command; None: none can have.

        What does no harm twice is not asked about.
        """
        known = self.blotter.get(managed.identity) is not None
        if known or not message.again or managed.verb == "cancel_all" or self.door.whole(managed):
            return None
        return self.door.title.inherited

    async def _doubt(
        self, managed: ManagedOrder, source: CommandSource, turns: list[Turn], since: int
    ) -> None:
        """Write down that another bridge may have sent a command: the exchange's list has to say.

        That bridge got it from the broker and has not acknowledged it, and its journal is not here.
        """
        # To be refused as expired it would have to be certain that it was not sent.
        managed.expires_at = max(managed.expires_at, self.terms.clock() + _DOUBT_US)
        admitted = await self.admission.admit(managed, Step(Event.SUBMIT, since))
        if isinstance(admitted, Refusal):  # not written: the broker delivers it again
            leave(turns)
        elif admitted.managed is managed:
            leave(turns)
            source.message.ack()
            lost = Step(Event.LOSE, self.terms.clock(), message=_SENT_ELSEWHERE)
            await self.submitter.answer(managed, lost, source.message)
        else:  # the journal has it after all
            await self._take(managed, source, turns)

    def _at_once(self, managed: ManagedOrder, turns: list[Turn]) -> Intent | Refusal | None:
        """Decide on a command that nothing keeps waiting; None: it is decided on in its turn."""
        waits = (
            managed.verb == "cancel_all"
            or self.admission.over(managed)
            or self.blotter.get(managed.identity) is not None  # most likely a duplicate
            or self.outbox.failing  # nothing is decided that cannot be written down soon
            or not self.sequencer.free(managed, turns)
            or self.mass_cancel.waits(managed)
        )
        # From here until ``admit`` has put it into the blotter nothing is awaited: the next command
        # of anybody must see what this one has taken.
        decision = None if waits else self.door.decide_at_once(managed)
        if decision is not None:
            turns += self.sequencer.take_order(managed)
        return decision

    def _first_step(self, managed: ManagedOrder, decision: Intent | Refusal | None) -> list[Step]:
        match decision:
            case Intent():
                return [self.submitter.submitting(managed)]
            case Refusal():
                return [self.submitter.refusing(decision)]
        return []

    def _overloaded(self) -> Refusal:
        text = f"{self.terms.rules.waiting} commands are under way; slow down"
        return Refusal("overloaded", text)

    async def _carry(
        self,
        managed: ManagedOrder,
        message: Message | None,
        turns: list[Turn],
        decision: Intent | Refusal | None = None,
    ) -> None:
        """Bring a command to its answer; one task does it, however often it was delivered."""
        if managed in self._carried:  # a cancel_all that is taken up asks for what is under way
            leave(turns)
            return
        over, client = asyncio.Event(), managed.identity[:2]
        self._carried[managed] = over
        if managed.origin.kind != "client":
            self._cancelling[client] += 1
        try:
            if isinstance(decision, Intent):
                # The commit took a while. A cancel_all that came meanwhile has to call this off.
                await self.admission.hold(managed)
                await self.submitter.send(managed, decision, message)
                return
            await self.sequencer.come(managed, turns)
            while self.mass_cancel.waits(managed):
                # It may take long until the outcome is known. Whoever stood in the line meanwhile
                # would keep the client from cancelling that order by itself.
                leave(turns)
                await self.news.wait((managed.expires_at - self.terms.clock()) / 1_000_000)
                turns[:] = self.sequencer.stand(managed)
                await self.sequencer.come(managed, turns)
            if managed.verb == "modify":
                turns += await self.sequencer.change(managed)
            if managed.progress.answer is not None:  # it was called off meanwhile
                await self.submitter.repeat(managed, message)
            elif managed.verb == "cancel_all":
                await self.mass_cancel.command(managed, message)
            elif managed.progress.state is State.RECEIVED:
                await self.submitter.execute(managed, message)
        finally:
            leave(turns)
            del self._carried[managed]
            if managed.origin.kind != "client":
                self._cancelling[client] -= 1
                if not self._cancelling[client]:
                    del self._cancelling[client]
            over.set()


def _unseen(managed: ManagedOrder, source: CommandSource) -> Refusal | None:
    """Refuse what is one too many, or of which nobody can say whether it is still meant.

    The refusal goes into the journal, so that it holds: a broker may deliver the message again,
    when there is room or with an expiry that is right.
    """
    if source.message.surplus:
        return _TOO_MANY
    known = source.message.fresh or managed.command.expires_at is not None or managed.seal
    return None if known else _UNKNOWN_AGE
