"""How much is known of a command without an answer, and when that is proof; pure.

docs/orders.md has the table of what proves what, and why. Times are µs since the epoch; KIS writes
whole seconds, and its clock may be a second off.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from bridge.kis.listing import ListedOrder, plain
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.progress import Progress
from bridge.orders.reconciliation.sightings import OrderKey

__all__ = ["Evidence", "ProofWindow"]

_ANSWER = 15_000_000
"""How long the REST client waits for an answer: after a crash nobody wrote down when it gave up."""
_EARLY = 4_000_000
"""How much earlier than ours the exchange's clock may say it was: cutting to whole seconds takes up
to one, KIS's clock is known to two (:mod:`bridge.kis.clock`), and its servers may be one apart."""
_AHEAD = 1_000_000
"""How much later than ours the exchange's clock may say it was."""


@dataclass(frozen=True, slots=True)
class ProofWindow:
    """What time says about a command without an answer.

    ``asked`` is when the list was asked for, ``proof`` how long after the answer was given up a
    command may still reach the exchange. While time is not ``trusted``, it proves nothing.
    """

    asked: int
    proof: int
    trusted: bool = True

    def covers(self, managed: ManagedOrder, at: int | None) -> bool:
        """Tell whether something ordered ``at`` may be this command."""
        if at is None:
            return True
        return managed.since - _EARLY <= at <= _given_up(managed.progress) + self.proof

    def tight(self, managed: ManagedOrder, at: int | None) -> bool:
        """Tell whether it was ordered while this command was under way.

        After a crash nobody knows when the bridge gave up; then ``covers`` reaches much further.
        """
        latest = min(_given_up(managed.progress), managed.since + _ANSWER) + _AHEAD
        return at is not None and managed.since - _EARLY <= at <= latest

    def over(self, managed: ManagedOrder) -> bool:
        """Tell whether what is not in the list by now never gets there."""
        return self.trusted and self.asked >= _given_up(managed.progress) + self.proof


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a command without an answer beside the rows that may be it.

    docs/orders.md has the table of what proves what, and why.
    """

    owned: Container[OrderKey] = ()
    """Keys of the rows that are other orders'."""
    earlier: Container[OrderKey] = ()
    """Keys of the rows that a list or a notice had before the command was sent."""
    heard: Collection[str] = ()
    """Numbers that notices told meanwhile and that no order explains."""
    complete: bool = True
    """Whether the list has every page that KIS announced."""
    missed: int | None = None
    """When a list was asked for first that did not have it, µs since the epoch."""
    listened: tuple[int, int] | None = None
    """Since and until when notices were heard without a gap, µs; None: nobody listened."""

    def missing(
        self, managed: ManagedOrder, rows: Sequence[ListedOrder], window: ProofWindow
    ) -> bool:
        """Tell whether a command is missing in whole lists for as long as it may be under way."""
        return (
            self.complete
            and self._twice(window)
            and window.over(managed)
            and not set(self.heard) - {plain(row.order_no) for row in rows}
        )

    def absent(
        self, managed: ManagedOrder, rows: Sequence[ListedOrder], window: ProofWindow
    ) -> bool:
        """Tell whether the exchange never had an order that none of the rows can be.

        A list that lags behind misses it, too. So it takes one thing more that a late list does not
        have: an order that came after this one, or notices that would have told of it.
        """
        if not self.missing(managed, rows, window):
            return False
        later = _given_up(managed.progress) + _EARLY
        if any(row.at is not None and row.at > later for row in rows):
            return True
        if self.listened is None or self.listened[0] > managed.since:
            return False
        return self.listened[1] >= _given_up(managed.progress) + window.proof

    def waits(self, managed: ManagedOrder, window: ProofWindow) -> bool:
        """Tell whether time alone may bring more proof, so that nobody need be called yet."""
        if not window.over(managed) or (self.complete and not self._twice(window)):
            return True
        if self.listened is None or self.listened[0] > managed.since:
            return False
        return self.listened[1] < _given_up(managed.progress) + window.proof

    def _twice(self, window: ProofWindow) -> bool:
        return self.missed is not None and window.asked >= self.missed + window.proof


def _given_up(progress: Progress) -> int:
    return progress.answer.at if progress.answer is not None else progress.at
