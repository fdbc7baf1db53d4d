"""The life of a command and of the order it makes, as a table; pure.

A ``place`` lives through the whole table. A ``modify`` or ``cancel`` is a command of its own, whose
life ends with its answer. What it does to the order is a step of the order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, TypeAlias

from bridge.errors import BridgeError

__all__ = [
    "ANSWERS",
    "CLOSED",
    "OPEN",
    "TRANSITIONS",
    "AckStatus",
    "Event",
    "LifecycleError",
    "State",
    "Step",
]


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


AckStatus: TypeAlias = Literal[State.ACCEPTED, State.REJECTED, State.REFUSED, State.UNKNOWN]

ANSWERS: Mapping[Event, AckStatus] = MappingProxyType(
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

OPEN = frozenset({State.ACCEPTED, State.PARTIALLY_FILLED})
"""States of an order that can be changed or cancelled."""

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


_write = json.JSONEncoder(separators=(",", ":")).encode
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
        return _write(data)

    @classmethod
    def loads(cls, event: str, at: int, text: str) -> Step:
        """Undo :meth:`dumps`."""
        data = json.loads(text)
        for name in _DECIMAL:
            if name in data:
                data[name] = Decimal(data[name])
        return cls(Event(event), at, **data)
