"""One WebSocket session with KIS as a state machine: texts and time in, events and texts out.

Every KIS rule about registrations lives here: pacing, answers by (TR id, key), the learned limit,
keys of the notices, PINGPONG, silence. Pure: no socket and no clock; ``now`` is monotonic seconds.
Source: KIS's protocol notes and what its servers have been seen to do.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import assert_never

from bridge.errors import FrameError
from bridge.kis.codes import Action, action
from bridge.kis.crypto import decrypt
from bridge.kis.events import (
    Dropped,
    Lost,
    Notice,
    SessionEvent,
    SlotRefused,
    Subscribed,
    SubscriptionState,
    Unsubscribed,
)
from bridge.kis.frames import Acknowledgement, DataFrame, PingPong, parse
from bridge.kis.slot import HOLDING, WAITING_FOR_ANSWER, Slot, asked, held_before, plain, unasked

__all__ = [
    "Dropped",
    "Lost",
    "Notice",
    "Session",
    "SessionEvent",
    "SlotRefused",
    "Subscribed",
    "SubscriptionState",
    "Unsubscribed",
]

IN_USE_WAIT_S = 20.0
"""Quiet that frees an app key which KIS still counts as connected. About 18 s have been enough, and
fast retries prolong it (docs/kis.md)."""
_LEFT = ("OPSP0001", "OPSP0003")
"""Unsubscribed, and was not subscribed: either way KIS holds nothing any more."""


class Session:
    """The registrations of one app key.

    Feed it with :meth:`connected`, :meth:`receive`, :meth:`tick`, :meth:`disconnected`; after each,
    send :meth:`data_to_send` in order and call :meth:`tick` no later than :meth:`next_deadline`.
    Subscriptions outlive connections. ``notices`` are the TR ids whose bodies must be encrypted.
    """

    def __init__(
        self,
        approval_key: str = "",
        *,
        notices: frozenset[str],
        slots: int = 41,  # in all, notices included; the 42nd is refused (docs/kis.md)
        spacing_s: float = 0.12,  # KIS wants 100 to 150 ms between requests (docs/kis.md)
        answer_s: float = 5.0,
        attempts: int = 3,
        silence_s: float = 120.0,
    ) -> None:
        self.approval_key = approval_key
        self.limit = slots
        """Registrations that KIS grants: ``slots`` at first, then learned downwards."""
        self.last_message_at = 0.0
        """When KIS last sent anything, or the connection began."""
        self._notices = notices
        self.spacing_s = spacing_s
        self._answer_s = answer_s
        self._attempts = attempts
        self._silence_s = silence_s
        self._mute_s: float | None = None
        self._heard_at = 0.0
        """When market data last came, or was first expected."""
        self._questions: deque[float] = deque(maxlen=8)
        """When KIS last asked whether we live."""
        self._slots: dict[tuple[str, str], Slot] = {}
        self._keys: dict[str, tuple[str, str]] = {}
        self._echoes: deque[str] = deque(maxlen=8)
        self._requests: deque[str] = deque()
        self._inserted = 0
        self._serial = 0
        self._open = False
        self._next_request_at = 0.0

    # What health wants to know.

    @property
    def slots_used(self) -> int:
        """Registrations that KIS holds or may hold."""
        return sum(slot.state in HOLDING for slot in self._slots.values())

    @property
    def live(self) -> int:
        """Registrations that KIS has confirmed."""
        return sum(slot.state is SubscriptionState.LIVE for slot in self._slots.values())

    def states(self) -> dict[tuple[str, str], SubscriptionState]:
        """Return every subscription, (TR id, key), with its state."""
        return {name: slot.state for name, slot in self._slots.items()}

    @property
    def ping_every_s(self) -> float | None:
        """Return the longest of the latest pauses between PINGPONGs; None: not known yet."""
        asked = list(self._questions)
        return max((b - a for a, b in pairwise(asked)), default=None)

    # What the shell tells.

    def expect(self, silence_s: float, mute_s: float | None, now: float) -> bool:
        """Say how long nothing at all, and how long no market data, may come; None: any time.

        Returns whether :meth:`next_deadline` has moved.
        """
        # The market has just become busy: the silence of the night before must not count.
        if mute_s is not None and self._mute_s is None:
            self._heard_at = now
        changed = (silence_s, mute_s) != (self._silence_s, self._mute_s)
        self._silence_s, self._mute_s = silence_s, mute_s
        return changed

    def allow(self, limit: int) -> None:
        """Try more slots than were learned; a refusal teaches the limit again."""
        self.limit = max(self.limit, limit)

    def connected(self, now: float) -> list[SessionEvent]:
        """Begin a connection; everything wanted will be requested."""
        self._open = True
        self._next_request_at = now
        self.last_message_at = self._heard_at = now
        self._questions.clear()
        return self._pump(now)

    def disconnected(self) -> list[SessionEvent]:
        """Forget what died with the connection: registrations, keys, unsent texts."""
        self._open = False
        self._keys.clear()
        self._echoes.clear()
        self._requests.clear()
        gone: list[SessionEvent] = []
        for slot in list(self._slots.values()):
            if not slot.wanted:
                gone.append(self._forget(slot))
            # A refusal is about the request and outlives the connection. A time-out is about the
            # connection.
            elif slot.state is not SubscriptionState.REFUSED or slot.code == "timeout":
                slot.want()
        return gone

    def subscribe(self, tr_id: str, key: str, now: float, priority: int = 0) -> list[SessionEvent]:
        """Want a subscription; idempotent, and the way to try a refused one again.

        The smaller ``priority`` is requested first.
        """
        slot = self._slots.get((tr_id, key))
        if slot is None:
            self._inserted += 1
            slot = self._slots[tr_id, key] = Slot(tr_id, key, (priority, self._inserted))
        slot.order = (priority, slot.order[1])
        slot.wanted = True
        if slot.state is SubscriptionState.LIVE:
            return [Subscribed(tr_id, key)]
        if slot.state is SubscriptionState.REFUSED:
            slot.want()
        return self._pump(now)

    def unsubscribe(self, tr_id: str, key: str, now: float) -> list[SessionEvent]:
        """Want a subscription no more; idempotent."""
        slot = self._slots.get((tr_id, key))
        if slot is None:
            return [Unsubscribed(tr_id, key)]
        slot.wanted = False
        if slot.state not in HOLDING:
            return [self._forget(slot), *self._pump(now)]
        return self._pump(now)

    def delivers(self, tr_id: str, key: str) -> list[SessionEvent]:
        """Take that data comes of what waits for its answer as that answer."""
        return self._granted(Acknowledgement(tr_id, key, "0", "OPSP0000", ""))

    def receive(self, text: str, now: float) -> DataFrame | list[SessionEvent]:
        """Take a text from KIS; return its frame of market data, or what it tells otherwise.

        Never raises, whatever the text is.
        """
        self.last_message_at = now
        try:
            frame = parse(text)
        except FrameError as error:
            return [Dropped(str(error), "")]
        if isinstance(frame, DataFrame):
            if frame.encrypted or frame.tr_id in self._notices:
                return self._open_frame(frame)
            self._heard_at = now
            return frame
        match frame:
            # The text itself goes back, not a WebSocket PONG: that is what long-running clients do.
            # Whoever does not answer is cut off after about 100 s (docs/kis.md).
            case PingPong():
                self._echoes.append(frame.text)
                self._questions.append(now)
                return []
            case Acknowledgement():
                return [*self._answered(frame, now), *self._pump(now)]
            case _:  # pragma: no cover
                assert_never(frame)

    def tick(self, now: float) -> list[SessionEvent]:
        """Let time pass: requests that are due, answers that are overdue, silence."""
        if not self._open:
            return []
        if now >= self.last_message_at + self._silence_s:
            return self._lost(Lost("silent"))
        if self._mute_s is not None and now >= self._heard_at + self._mute_s:
            return self._lost(Lost("mute"))
        return [*self._give_up(now), *self._pump(now)]

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` has something to do, or None while not connected."""
        if not self._open:
            return None
        deadlines = [self.last_message_at + self._silence_s]
        if self._mute_s is not None:
            deadlines.append(self._heard_at + self._mute_s)
        room = self.slots_used < self.limit
        for slot in self._slots.values():
            if slot.state in WAITING_FOR_ANSWER:
                deadlines.append(max(slot.asked_at + self._answer_s, self._next_request_at))
            elif (slot.state is SubscriptionState.WANTED and room) or slot.unwanted:
                deadlines.append(max(slot.not_before, self._next_request_at))
        return min(deadlines)

    def data_to_send(self) -> list[str]:
        """Take the texts to send, PINGPONG echoes first."""
        texts = [*self._echoes, *self._requests]
        self._echoes.clear()
        self._requests.clear()
        return texts

    # What KIS tells.

    def _open_frame(self, frame: DataFrame) -> DataFrame | list[SessionEvent]:
        # KIS's WebSocket is plain text, so that anybody on the way can write to it. Encryption is
        # what tells KIS's notices from a forger's (docs/kis.md).
        if not frame.encrypted:
            return [Dropped("a notice in plain text may be forged", frame.tr_id)]
        known = self._keys.get(frame.tr_id)
        if known is None:
            return [Dropped("no key yet", frame.tr_id)]
        try:
            body = decrypt(frame.body, *known)
        except FrameError as error:
            return [Dropped(str(error), frame.tr_id)]
        if frame.tr_id in self._notices:
            return [Notice(frame.tr_id, frame.count, body)]
        return DataFrame(frame.tr_id, False, frame.count, body)

    def _answered(self, ack: Acknowledgement, now: float) -> list[SessionEvent]:
        match action(ack.msg_cd, ack.msg1):
            case Action.ELSEWHERE:
                return self._lost(Lost(ack.msg_cd, IN_USE_WAIT_S))
            case Action.RENEW:
                return self._lost(Lost("OPSP0011"))
            case Action.DONE if ack.msg_cd in _LEFT:
                slot = asked(ack, self._slots, SubscriptionState.LEAVING, self._notices)
                return self._left(slot) if slot else [unasked(ack)]
            case Action.DONE:
                return self._granted(ack)
            case Action.LIMIT | Action.AGAIN | Action.MEND:
                slot = asked(ack, self._slots, SubscriptionState.REQUESTED, self._notices)
                return [self._refused(slot, ack.msg_cd, now)] if slot else [unasked(ack)]
            case never:  # pragma: no cover
                assert_never(never)

    def _granted(self, ack: Acknowledgement) -> list[SessionEvent]:
        # Answers come out of order and between data frames: the names tell whose it is, and not the
        # turn (docs/kis.md).
        slot = self._slots.get((ack.tr_id, ack.tr_key)) or asked(
            ack, self._slots, SubscriptionState.REQUESTED, self._notices
        )
        if slot is None:
            return [unasked(ack)]
        # It may come after the bridge has given up. KIS serves the slot then, and so it counts.
        late = slot.state is SubscriptionState.REFUSED and slot.code == "timeout"
        if slot.state not in HOLDING and not (late and self.slots_used < self.limit):
            return [unasked(ack)]
        if ack.key and ack.iv:
            self._keys[slot.tr_id] = (ack.key, ack.iv)
        if slot.state is SubscriptionState.LIVE or slot.state is SubscriptionState.LEAVING:
            return []
        slot.state = SubscriptionState.LIVE
        self.limit = max(self.limit, self.live)
        return [Subscribed(slot.tr_id, slot.key)] if slot.wanted else []

    def _refused(self, slot: Slot, code: str, now: float) -> SessionEvent:
        if not slot.wanted:
            return self._forget(slot)
        if action(code) is Action.LIMIT:
            before = held_before(slot, self._slots.values())
            slot.want()
            slot.told = True
            if before:
                self.limit = min(self.limit, before)
            else:  # full with nothing of ours in it: an older session has not gone yet
                slot.not_before = now + IN_USE_WAIT_S
            return SlotRefused(slot.tr_id, slot.key, code, self.limit)
        # An internal error of KIS's that passes: ask a few times before it counts as a refusal.
        if code == "OPSP0007" and slot.attempts < self._attempts:
            slot.state = SubscriptionState.WANTED
            slot.not_before = now + self._answer_s
            return Dropped(f"{code}, asking again later", slot.tr_id)
        return slot.refuse(plain(code))

    def _left(self, slot: Slot) -> list[SessionEvent]:
        if not slot.wanted:
            return [self._forget(slot)]
        slot.want()
        return []

    def _lost(self, lost: Lost) -> list[SessionEvent]:
        if not self._open:
            return []
        self._open = False
        return [lost]

    # What is due.

    def _give_up(self, now: float) -> list[SessionEvent]:
        """Settle what has been asked often enough without an answer."""
        events: list[SessionEvent] = []
        for slot in list(self._slots.values()):
            if self._overdue(slot, now) and slot.attempts >= self._attempts:
                if slot.state is SubscriptionState.LEAVING:
                    events += self._left(slot)
                elif slot.wanted:
                    events.append(slot.refuse("timeout"))
        return events

    def _pump(self, now: float) -> list[SessionEvent]:
        """Queue the next request when its time has come; tell who waits for a slot."""
        if not self._open:
            return []
        # Who leaves goes first and makes room. Who repeats goes before who enters, since a request
        # without an answer may hold a slot. One at a time, because KIS wants them spaced.
        if now >= self._next_request_at:
            due = sorted(self._slots.values(), key=lambda slot: slot.order)
            for rule in (self._must_leave, self._must_repeat, self._may_enter):
                slot = next((slot for slot in due if rule(slot, now)), None)
                if slot is not None:
                    self._request(slot, now)
                    break
        if self.slots_used < self.limit:
            return []
        return [
            SlotRefused(slot.tr_id, slot.key, "OPSP0008", self.limit) for slot in self._too_many()
        ]

    def _too_many(self) -> list[Slot]:
        """Return those, told once, who get no slot even when everybody has left who is to."""
        staying = sum(s.wanted and s.state in HOLDING for s in self._slots.values())
        waiting = [slot for slot in self._slots.values() if slot.state is SubscriptionState.WANTED]
        waiting.sort(key=lambda slot: slot.order)
        late = [slot for slot in waiting[max(0, self.limit - staying) :] if not slot.told]
        for slot in late:
            slot.told = True
        return late

    def _must_leave(self, slot: Slot, now: float) -> bool:
        # KIS may have granted what it never answered, and would hold the slot for nobody.
        asked_in_vain = slot.state is SubscriptionState.REQUESTED and self._overdue(slot, now)
        return not slot.wanted and (slot.state is SubscriptionState.LIVE or asked_in_vain)

    def _must_repeat(self, slot: Slot, now: float) -> bool:
        return self._overdue(slot, now)

    def _may_enter(self, slot: Slot, now: float) -> bool:
        return (
            slot.state is SubscriptionState.WANTED
            and now >= slot.not_before
            and self.slots_used < self.limit
        )

    def _overdue(self, slot: Slot, now: float) -> bool:
        return slot.state in WAITING_FOR_ANSWER and now >= slot.asked_at + self._answer_s

    def _request(self, slot: Slot, now: float) -> None:
        self._serial += 1
        slot.ask(now, self._serial)
        self._next_request_at = now + self.spacing_s
        self._requests.append(slot.request(self.approval_key))

    def _forget(self, slot: Slot) -> Unsubscribed:
        del self._slots[slot.tr_id, slot.key]
        return Unsubscribed(slot.tr_id, slot.key)
