"""How far a command and its order have come, folded from the steps that the journal has; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from operator import attrgetter
from typing import Any

from bridge.orders.model.lifecycle import (
    ANSWERS,
    CLOSED,
    TRANSITIONS,
    Event,
    LifecycleError,
    State,
    Step,
)

__all__ = ["Leg", "Progress", "fill_key", "same_number"]

_EXACT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Leg:
    """The order under one of its numbers: KIS gives a modified order a new one."""

    order_no: str
    org_no: str = ""
    price: Decimal | None = None
    order_type: str = ""
    condition_price: Decimal | None = None
    at: int = 0
    """Since when it has the number (µs since the epoch), as far as known."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A command and its order, folded from steps.

    ``filled <= quantity`` always: what is filled beyond it is not counted. ``seq`` counts the
    steps that come after the answer, the ones published as events.
    """

    quantity: int = 0
    price: Decimal | None = None
    order_type: str = ""
    condition_price: Decimal | None = None
    state: State = State.RECEIVED
    filled: int = 0
    value: Decimal = Decimal(0)
    """Sum of price x quantity of the fills, exact."""
    cancelled: int = 0
    told: int = 0
    """Sum of the fills that notices told; ``filled`` is more while notices are missing."""
    keys: frozenset[str] = frozenset()
    """The notices of fills that were counted."""
    legs: tuple[Leg, ...] = ()
    split: bool = False
    """A part was modified elsewhere: there may be something left under several numbers."""
    seq: int = 0
    steps: int = 0
    """How many steps it is folded from."""
    at: int = 0
    submitted_at: int | None = None
    notional: Decimal = Decimal(0)
    """What was reserved of the daily limits when it was submitted."""
    answer: Step | None = None
    """The first answer; the ack is made of it, today and for every duplicate."""

    @property
    def remaining(self) -> int:
        return 0 if self.state in CLOSED else self.quantity - self.filled - self.cancelled

    @property
    def average_price(self) -> Decimal | None:
        return self.value / self.filled if self.filled else None

    @property
    def leg(self) -> Leg | None:
        """The order as it stands at the exchange now."""
        return self.legs[-1] if self.legs else None

    def has_number(self, order_no: str) -> bool:
        return any(same_number(leg.order_no, order_no) for leg in self.legs)

    def fill(self, at: int, quantity: int, price: Decimal, key: str = "") -> Step | None:
        """Make the step of a fill that a notice tells.

        None: a notice just like it was counted already. KIS names no execution, so two equal
        fills in one second cannot be told from one notice delivered twice: the exchange's list
        has to say which it is (:meth:`listed`). A notice that the list was ahead of is a
        ``NOTE``. The order's quantity is the ceiling.
        """
        if quantity <= 0 or (key and key in self.keys):
            return None
        # Notices and list count the same fills: only what goes beyond both is new.
        more = min(self.told + quantity, self.quantity) - self.filled
        if more <= 0:
            ahead = self.told < self.filled
            return Step(Event.NOTE, at, told=quantity, key=key) if ahead else None
        return Step(self._filling(more), at, more, price, told=quantity, key=key)

    def listed(self, at: int, filled: int, value: Decimal) -> Step | None:
        """Make the step of what the exchange's list says is filled in all, worth ``value``.

        None: nothing new. The list may lag behind the notices, so less than is known is nothing.
        """
        if filled > self.quantity:  # counted twice, and so is what it is worth
            value = (value * self.quantity / filled).quantize(_EXACT)
            filled = self.quantity
        if filled < self.filled or not filled:
            return None
        more = filled - self.filled
        if value <= 0:  # KIS does not say: the order's own price is the best guess
            value = self.value + more * (self.price or 0)
        if not more:
            return Step(Event.CORRECT, at, value=value) if value != self.value else None
        event = self._filling(more)
        price = max(Decimal(0), value - self.value) / more
        return Step(event, at, more, price.quantize(_EXACT), value=value)

    def cancel(self, at: int, quantity: int, key: str = "") -> Step | None:
        """Make the step of a cancellation; 0 cancels the rest.

        None: nothing is left, or the cancellation of that ``key`` was counted already.
        """
        left = self.quantity - self.filled - self.cancelled
        if left <= 0 or (key and key in self.keys):
            return None
        quantity = min(quantity or left, left)
        event = Event.CANCEL_REST if quantity == left else Event.CANCEL_PART
        return Step(event, at, quantity, key=key)

    def _filling(self, more: int) -> Event:
        filled = self.filled + more
        if filled == self.quantity:
            return Event.FILL_REST
        return Event.FILL_LAST if filled + self.cancelled >= self.quantity else Event.FILL_PART

    def apply(self, step: Step) -> Progress:
        """Return the progress after ``step``; raises :class:`LifecycleError` when illegal."""
        state = TRANSITIONS.get((self.state, step.event))
        if state is None:
            raise LifecycleError(f"an order that is {self.state} cannot {step.event}")
        answer = self.answer
        later = step.event not in (Event.SUBMIT, Event.NOTE)
        if answer is None and step.event in ANSWERS:
            answer = step
            later = False
        changes: dict[str, Any] = {
            "state": state,
            "at": step.at,
            "answer": answer,
            "seq": self.seq + 1 if later else self.seq,
            "steps": self.steps + 1,
        }
        if step.event is Event.SUBMIT:
            changes["submitted_at"], changes["notional"] = step.at, step.notional or Decimal(0)
        elif step.event is Event.ACCEPT and step.order_no and not self.has_number(step.order_no):
            changes["legs"] = (self._first(step), *self.legs)
        after = self._with(changes)
        match step.event:
            case Event.NOTE | Event.CORRECT:
                return _told(after, step)
            case Event.FILL_PART | Event.FILL_REST | Event.FILL_LAST:
                filled = self.filled + step.quantity
                return replace(
                    _told(after, step),
                    filled=filled,
                    value=_value(self, step),
                    cancelled=min(self.cancelled, self.quantity - filled),
                )
            case Event.CANCEL_PART | Event.CANCEL_REST:
                return replace(_told(after, step), cancelled=self.cancelled + step.quantity)
            case Event.MODIFY:
                after = replace(after, split=after.split or step.quantity > 0)
                return _on_leg(after, _modified(after, step))
            case Event.DECLINE:
                kept = tuple(x for x in self.legs if not same_number(x.order_no, step.order_no))
                return _on_leg(after, kept)
        return after

    def _with(self, changes: Mapping[str, Any]) -> Progress:
        # ``replace`` asks each field whether it may be changed: every step of every order is here.
        values: dict[str, Any] = dict(zip(_FIELDS, _VALUES(self), strict=True))
        values.update(changes)
        return Progress(**values)

    def _first(self, step: Step) -> Leg:
        terms = (self.price, self.order_type, self.condition_price)
        return Leg(step.order_no, step.org_no, *terms, self.submitted_at or step.at)

    def apply_all(self, steps: Iterable[Step]) -> Progress:
        after = self
        for step in steps:
            after = after.apply(step)
        return after


_FIELDS = tuple(field.name for field in fields(Progress))
_VALUES = attrgetter(*_FIELDS)


def fill_key(order_no: str, time: str, quantity: int, price: Decimal) -> str:
    """Return what tells one fill notice from another, as far as KIS lets it."""
    return f"{order_no.strip().lstrip('0')}.{time}.{quantity}.{price.normalize():f}"


def _told(progress: Progress, step: Step) -> Progress:
    keys = progress.keys | {step.key} if step.key else progress.keys
    told = progress.told + step.told
    return replace(progress, keys=keys, told=told, value=_value(progress, step))


def _value(before: Progress, step: Step) -> Decimal:
    if step.value is not None:
        return step.value
    return before.value + step.quantity * (step.price or 0)


def _modified(progress: Progress, step: Step) -> tuple[Leg, ...]:
    new = Leg(
        step.order_no,
        step.org_no or (progress.legs[-1].org_no if progress.legs else ""),
        step.price,
        step.order_type or progress.order_type,
        step.condition_price,
        step.since or step.at,
    )
    if not progress.has_number(step.order_no):
        return (*progress.legs, new)
    if not step.order_type:
        return progress.legs
    # Told twice: the notice came first, and only the answer knows all of it.
    return tuple(
        replace(new, at=x.at) if same_number(x.order_no, new.order_no) else x for x in progress.legs
    )


def _on_leg(progress: Progress, legs: tuple[Leg, ...]) -> Progress:
    if not legs:
        return progress
    last = legs[-1]
    changes = {"legs": legs, "price": last.price, "order_type": last.order_type}
    return progress._with({**changes, "condition_price": last.condition_price})  # noqa: SLF001


def same_number(one: str, other: str) -> bool:
    """Tell whether two of KIS's order numbers are one; the padding with zeros varies."""
    return one.strip().lstrip("0") == other.strip().lstrip("0") != ""
