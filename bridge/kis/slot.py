"""One registration of a session, and the request that asks KIS for it; pure."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from bridge.kis.events import Dropped, SlotRefused, SubscriptionState
from bridge.kis.frames import Acknowledgement

__all__ = ["HOLDING", "WAITING_FOR_ANSWER", "Slot", "asked", "held_before", "plain", "unasked"]

HOLDING = frozenset(
    {SubscriptionState.REQUESTED, SubscriptionState.LIVE, SubscriptionState.LEAVING}
)
"""States that take one of the registrations that KIS grants, as far as we know."""
WAITING_FOR_ANSWER = frozenset({SubscriptionState.REQUESTED, SubscriptionState.LEAVING})
_REGISTER, _UNREGISTER = "1", "2"


@dataclass(slots=True)
class Slot:
    """What a session knows of one subscription; times are the session's ``now``."""

    tr_id: str
    key: str
    order: tuple[int, int]
    """Priority, then insertion: the smaller goes first."""
    state: SubscriptionState = SubscriptionState.WANTED
    wanted: bool = True
    attempts: int = 0
    asked_at: float = 0.0
    serial: int = 0
    """Number of the request that left last: KIS handles them in this order."""
    not_before: float = 0.0
    told: bool = False
    """That it waits for a slot has been told."""
    code: str = ""
    """Why it is refused."""

    @property
    def unwanted(self) -> bool:
        """Whether it is live and nobody wants it any more."""
        return self.state is SubscriptionState.LIVE and not self.wanted

    def want(self) -> None:
        """Have it asked for anew."""
        self.state = SubscriptionState.WANTED
        self.attempts = 0
        self.not_before = 0.0
        self.told = False
        self.code = ""

    def refuse(self, code: str) -> SlotRefused:
        """Take a refusal that asking again does not change."""
        self.state = SubscriptionState.REFUSED
        self.code = code
        return SlotRefused(self.tr_id, self.key, code)

    def ask(self, now: float, serial: int) -> None:
        """Note that a request for it, or to let go of it, leaves now."""
        leave = self.state is SubscriptionState.LEAVING or not self.wanted
        if leave and self.state is not SubscriptionState.LEAVING:
            self.attempts = 0
        self.state = SubscriptionState.LEAVING if leave else SubscriptionState.REQUESTED
        self.attempts += 1
        self.asked_at = now
        self.told = False
        self.serial = serial

    def request(self, approval_key: str) -> str:
        """Return the request that :meth:`ask` has noted, as KIS wants it."""
        leave = self.state is SubscriptionState.LEAVING
        return json.dumps(
            {
                "header": {
                    "approval_key": approval_key,
                    "custtype": "P",
                    "tr_type": _UNREGISTER if leave else _REGISTER,
                    "content-type": "utf-8",
                },
                "body": {"input": {"tr_id": self.tr_id, "tr_key": self.key}},
            }
        )


def asked(
    ack: Acknowledgement,
    slots: Mapping[tuple[str, str], Slot],
    state: SubscriptionState,
    notices: Container[str],
) -> Slot | None:
    """Return whom an answer means among those waiting for one, by ``(tr_id, key)``.

    KIS leaves out the names in some refusals. Then it is the only one that fits, or the oldest of
    the ``notices`` when the code speaks of the HTS id (OPSP0017), which is a key of notices only.
    """
    slot = slots.get((ack.tr_id, ack.tr_key))
    if slot is not None:
        return slot if slot.state is state else None
    waiting = [slot for slot in slots.values() if slot.state is state]
    if ack.tr_id:
        waiting = [slot for slot in waiting if slot.tr_id == ack.tr_id]
    if ack.msg_cd == "OPSP0017":
        waiting = [slot for slot in waiting if slot.tr_id in notices]
        return min(waiting, key=lambda slot: slot.serial, default=None)
    return waiting[0] if len(waiting) == 1 and not ack.tr_key else None


def held_before(slot: Slot, slots: Iterable[Slot]) -> int:
    """Count what KIS held when it handled this slot's request.

    KIS handles requests in the order of sending, whatever the order of its answers.
    """
    return sum(
        other.state is SubscriptionState.LIVE
        or (other.state is SubscriptionState.REQUESTED and other.serial < slot.serial)
        or (other.state is SubscriptionState.LEAVING and other.serial > slot.serial)
        for other in slots
    )


def unasked(ack: Acknowledgement) -> Dropped:
    """Return the event of an answer that fits no request."""
    return Dropped(f"an answer to nothing asked: {plain(ack.msg_cd)}", plain(ack.tr_id))


def plain(name: str) -> str:
    """Return a code or TR id from the wire if it is one, since it goes into logs and topics."""
    return name if name.isascii() and name.isalnum() and len(name) <= 16 else ""
