"""The life of a command and of the order it makes, as a table; pure.

A ``place`` lives through the whole table. A ``modify`` or ``cancel`` is a command of its own and
uses the first part (until its answer); what it does to the order is a step of the order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from bridge.errors import BridgeError

__all__ = [
    "ANSWERS",
    "CLOSED",
    "TRANSITIONS",
    "Event",
    "Leg",
    "LifecycleError",
    "Progress",
    "State",
    "Step",
    "fill_key",
    "same_number",
]


_EXACT = Decimal("0.00000001")


class State(StrEnum):
    """Where a command or its order stands; the words of the contract and ``refused``."""

    RECEIVED = "received"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_PLACED = "not_placed"


class Event(StrEnum):
    """What can happen."""

    REFUSE = "refuse"
    """The bridge refuses it; certain that KIS never saw it."""
    SUBMIT = "submit"
    """From here on KIS may have seen it."""
    ACCEPT = "accept"
    REJECT = "reject"
    LOSE = "lose"
    """Sent, and no usable answer."""
    FILL_PART = "fill_part"
    FILL_REST = "fill_rest"
    FILL_LAST = "fill_last"
    """What was not cancelled has filled, and the cancellation was told first."""
    CANCEL_PART = "cancel_part"
    CANCEL_REST = "cancel_rest"
    MODIFY = "modify"
    """The rest lives on under another order number, price or type."""
    DECLINE = "decline"
    """The exchange refuses a modification or cancellation that KIS had taken."""
    SETTLE = "settle"
    """A modification or cancellation without an answer is settled; it does nothing by itself."""
    EXPIRE = "expire"
    NOTE = "note"
    """A notice of a fill that the exchange's list had told before; changes nothing."""
    CORRECT = "correct"
    """The exchange's list tells another value of the same fills."""
    PROVE_ABSENT = "prove_absent"
    """Proof that the exchange never had it."""


class LifecycleError(BridgeError):
    """Something happened that cannot happen in this state."""


ANSWERS: Mapping[Event, State] = MappingProxyType(
    {
        Event.REFUSE: State.REFUSED,
        Event.ACCEPT: State.ACCEPTED,
        Event.REJECT: State.REJECTED,
        Event.LOSE: State.UNKNOWN,
    }
)
"""Events that answer a command, and the status its ack carries."""

CLOSED = frozenset(
    {
        State.FILLED,
        State.CANCELLED,
        State.EXPIRED,
        State.REJECTED,
        State.REFUSED,
        State.NOT_PLACED,
    }
)
"""States in which nothing is left to trade."""

TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.RECEIVED, Event.REFUSE): State.REFUSED,
        (State.RECEIVED, Event.SUBMIT): State.SUBMITTING,
        # The answer. A refusal here means that the request never left the bridge.
        (State.SUBMITTING, Event.REFUSE): State.REFUSED,
        (State.SUBMITTING, Event.ACCEPT): State.ACCEPTED,
        (State.SUBMITTING, Event.REJECT): State.REJECTED,
        (State.SUBMITTING, Event.LOSE): State.UNKNOWN,
        # A notice may overtake the answer.
        (State.SUBMITTING, Event.FILL_PART): State.PARTIALLY_FILLED,
        (State.SUBMITTING, Event.FILL_REST): State.FILLED,
        (State.SUBMITTING, Event.FILL_LAST): State.CANCELLED,
        (State.SUBMITTING, Event.CANCEL_PART): State.ACCEPTED,
        (State.SUBMITTING, Event.CANCEL_REST): State.CANCELLED,
        (State.PARTIALLY_FILLED, Event.ACCEPT): State.PARTIALLY_FILLED,
        (State.FILLED, Event.ACCEPT): State.FILLED,
        (State.CANCELLED, Event.ACCEPT): State.CANCELLED,
        (State.PARTIALLY_FILLED, Event.LOSE): State.PARTIALLY_FILLED,
        (State.FILLED, Event.LOSE): State.FILLED,
        (State.CANCELLED, Event.LOSE): State.CANCELLED,
        # Settling what was unknown.
        (State.UNKNOWN, Event.ACCEPT): State.ACCEPTED,
        (State.UNKNOWN, Event.PROVE_ABSENT): State.NOT_PLACED,
        # At the exchange.
        (State.ACCEPTED, Event.REJECT): State.REJECTED,
        (State.ACCEPTED, Event.FILL_PART): State.PARTIALLY_FILLED,
        (State.ACCEPTED, Event.FILL_REST): State.FILLED,
        (State.ACCEPTED, Event.FILL_LAST): State.CANCELLED,
        (State.ACCEPTED, Event.CANCEL_PART): State.ACCEPTED,
        (State.ACCEPTED, Event.CANCEL_REST): State.CANCELLED,
        (State.ACCEPTED, Event.MODIFY): State.ACCEPTED,
        (State.ACCEPTED, Event.DECLINE): State.ACCEPTED,
        (State.ACCEPTED, Event.EXPIRE): State.EXPIRED,
        (State.PARTIALLY_FILLED, Event.FILL_PART): State.PARTIALLY_FILLED,
        (State.PARTIALLY_FILLED, Event.FILL_REST): State.FILLED,
        (State.PARTIALLY_FILLED, Event.FILL_LAST): State.CANCELLED,
        (State.PARTIALLY_FILLED, Event.CANCEL_PART): State.PARTIALLY_FILLED,
        (State.PARTIALLY_FILLED, Event.CANCEL_REST): State.CANCELLED,
        (State.PARTIALLY_FILLED, Event.MODIFY): State.PARTIALLY_FILLED,
        (State.PARTIALLY_FILLED, Event.DECLINE): State.PARTIALLY_FILLED,
        (State.PARTIALLY_FILLED, Event.EXPIRE): State.EXPIRED,
        # A fill is a fact even when a cancellation was told first; so is a late word about a
        # modification or cancellation that lost its race.
        (State.CANCELLED, Event.FILL_PART): State.CANCELLED,
        (State.CANCELLED, Event.FILL_REST): State.FILLED,
        (State.CANCELLED, Event.FILL_LAST): State.CANCELLED,
        (State.CANCELLED, Event.MODIFY): State.CANCELLED,
        (State.CANCELLED, Event.DECLINE): State.CANCELLED,
        (State.EXPIRED, Event.FILL_PART): State.EXPIRED,
        (State.EXPIRED, Event.FILL_REST): State.FILLED,
        (State.EXPIRED, Event.FILL_LAST): State.EXPIRED,
        (State.EXPIRED, Event.CANCEL_REST): State.CANCELLED,
        (State.EXPIRED, Event.MODIFY): State.EXPIRED,
        (State.EXPIRED, Event.DECLINE): State.EXPIRED,
        (State.FILLED, Event.MODIFY): State.FILLED,
        (State.FILLED, Event.DECLINE): State.FILLED,
        **{
            (state, event): state
            for event in (Event.NOTE, Event.CORRECT, Event.SETTLE)
            for state in (
                State.SUBMITTING,
                State.ACCEPTED,
                State.PARTIALLY_FILLED,
                State.FILLED,
                State.CANCELLED,
                State.EXPIRED,
            )
        },
    }
)


_TEXTS = ("order_no", "org_no", "order_type", "reason", "message", "key")
_NUMBERS = ("quantity", "since", "told")
_DECIMAL = ("price", "condition_price", "value", "notional")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the journal: what happened, when (µs since the epoch), and its particulars."""

    event: Event
    at: int
    quantity: int = 0
    """Of this fill or cancellation; 0 in a cancellation means all that is left. Of a modification
    when it was of a part only."""
    price: Decimal | None = None
    order_no: str = ""
    """As KIS wrote it, leading zeros kept."""
    org_no: str = ""
    order_type: str = ""
    condition_price: Decimal | None = None
    reason: str = ""
    message: str = ""
    kis: Mapping[str, str] = field(default_factory=dict)
    since: int = 0
    """When the exchange's list says that a modification was ordered; 0: just now."""
    told: int = 0
    """What the notice said was filled; more than ``quantity`` when the list had told a part."""
    key: str = ""
    """What tells this notice from others; see :func:`fill_key`."""
    value: Decimal | None = None
    """Of all fills together, when the exchange's list says so."""
    notional: Decimal | None = None
    """What a command takes of the daily limits, when it is submitted."""

    def dumps(self) -> str:
        """Return everything but ``event`` and ``at`` as ASCII JSON, blanks left out."""
        data: dict[str, object] = {}
        for name in (*_TEXTS, *_NUMBERS):
            if value := getattr(self, name):
                data[name] = value
        for name in _DECIMAL:
            if (price := getattr(self, name)) is not None:
                data[name] = str(price)
        if self.kis:
            data["kis"] = dict(self.kis)
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def loads(cls, event: str, at: int, text: str) -> Step:
        """Undo :meth:`dumps`."""
        data = json.loads(text)
        for name in _DECIMAL:
            if name in data:
                data[name] = Decimal(data[name])
        return cls(Event(event), at, **data)


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
        more = min(self.told + quantity, self.quantity) - self.filled
        if more <= 0:
            ahead = self.told < self.filled
            return Step(Event.NOTE, at, told=quantity, key=key) if ahead else None
        return Step(self._filling(more), at, more, price, told=quantity, key=key)

    def listed(self, at: int, filled: int, value: Decimal) -> Step | None:
        """Make the step of what the exchange's list says is filled in all, worth ``value``.

        None: nothing new. The list may lag behind the notices, so less than is known is nothing.
        """
        filled = min(filled, self.quantity)
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
        after = replace(
            self,
            state=state,
            at=step.at,
            answer=answer,
            seq=self.seq + 1 if later else self.seq,
            steps=self.steps + 1,
        )
        match step.event:
            case Event.SUBMIT:
                notional = step.notional or Decimal(0)
                return replace(after, submitted_at=step.at, notional=notional)
            case Event.ACCEPT if step.order_no and not after.has_number(step.order_no):
                return replace(after, legs=(self._first(step), *after.legs))
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

    def _first(self, step: Step) -> Leg:
        terms = (self.price, self.order_type, self.condition_price)
        return Leg(step.order_no, step.org_no, *terms, self.submitted_at or step.at)

    def apply_all(self, steps: Iterable[Step]) -> Progress:
        after = self
        for step in steps:
            after = after.apply(step)
        return after


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
    return replace(
        progress,
        legs=legs,
        price=last.price,
        order_type=last.order_type,
        condition_price=last.condition_price,
    )


def same_number(one: str, other: str) -> bool:
    """Tell whether two of KIS's order numbers are one; the padding with zeros varies."""
    return one.strip().lstrip("0") == other.strip().lstrip("0") != ""
