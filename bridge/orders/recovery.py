"""What a restart does: everything that the journal left open is brought to its end."""

from __future__ import annotations

from functools import partial

from bridge.orders.model.command import CancelAll
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.managed_order import ManagedOrder, restore
from bridge.orders.wiring import Parts
from bridge.runtime.clock import seoul_day_start

__all__ = ["recover"]


async def recover(parts: Parts) -> None:
    """Fill the blotter from the journal and take up its open ends.

    A command that was not submitted yet gets its place in the line. One that was, and has no
    answer, may have reached KIS: it is ``unknown`` and never sent again. Raises
    :class:`bridge.errors.JournalError`.
    """
    # Halts before anything else: nothing that is taken up below may slip past one.
    now = parts.terms.clock()
    # KIS may not have told its time yet. By a clock that is slow it would seem long ago that an
    # answer was given up, and what shows now would have been there before: both prove an order
    # absent.
    latest = await parts.journal.latest()
    controls = await parts.journal.controls()
    for control in controls:
        parts.halts.take(control)
    if parts.seals.wanted:  # what was signed before the restart is not to be taken for new
        parts.seals.resume(await parts.journal.nonces(now))
    # From the last day on which something happened: its states are still to be cleared.
    since = min(seoul_day_start(now), seoul_day_start(latest))
    for record in await parts.journal.replay(since):
        parts.blotter.add(restore(record))
    # Limits of the day hold for the day, not for the life of a process.
    parts.ledger.recount(parts.blotter)
    parts.admission.resume(max((one.received_at for one in parts.blotter), default=0))
    _tell_again(parts, now)
    open_ends = [one for one in parts.blotter if one.progress.answer is None]
    _call_off(parts, open_ends)
    # A cancel_all comes last: what it is about has to stand in the line before it.
    for managed in sorted(open_ends, key=lambda one: one.verb == "cancel_all"):
        if managed.progress.submitted_at is None or managed.verb == "cancel_all":
            parts.line.take_up(managed)
        else:
            text = "the bridge stopped before KIS's answer was written down"
            lost = Step(Event.LOSE, max(now, latest), message=text)
            await parts.submitter.answer(managed, lost, None)
    parts.halt_control.recover(controls)


def _tell_again(parts: Parts, now: int) -> None:
    """Say again how it stands: what was said waited in memory, and nobody knows what of it left."""
    for managed in parts.blotter:
        progress = managed.progress
        if progress.state is State.UNKNOWN:
            parts.publisher.post(partial(parts.publisher.unknown, managed, now))
        if managed.verb == "place" and progress.submitted_at is not None:
            parts.publisher.post(parts.outbox.state(managed))
        if progress.answer is not None:
            parts.submitter.acknowledge(managed, None, duplicate=True)


def _call_off(parts: Parts, open_ends: list[ManagedOrder]) -> None:
    """Let no command go that came before a ``cancel_all`` which is not answered."""
    for every in (one for one in open_ends if isinstance(one.command, CancelAll)):
        for one in open_ends:
            if parts.blotter.overtakes(every, one):
                parts.blotter.call_off(one)
