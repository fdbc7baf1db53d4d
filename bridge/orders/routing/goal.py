"""What a halt is to cancel and what came of it; pure."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass, field

from bridge.mqtt.event_payloads import HaltedMode, HaltOrderRow, HaltScope
from bridge.orders.model.lifecycle import CLOSED, State
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Control
from bridge.orders.routing.sweep import Working

__all__ = ["Goal", "outcome"]


_ASKEW = 2_000_000
"""How far (µs) ahead the time of an order may be that was there when the halt came."""


@dataclass(eq=False, slots=True)
class Goal:
    """What a halt is to cancel, and how far that has come; ``about`` has what was filled before."""

    account: str
    client: str
    mode: HaltedMode
    scope: HaltScope
    began: int
    about: dict[ManagedOrder, int]
    control: Control | None = None
    """In the journal; None: not there yet."""
    written: asyncio.Event = field(default_factory=asyncio.Event)
    attempts: int = 1
    """The first one are the cancellations in the journal."""
    first: dict[tuple[object, ...], Working] = field(default_factory=dict)
    """What the list had open, when it was seen first."""
    last: dict[tuple[object, ...], Working] = field(default_factory=dict)
    refused: dict[tuple[object, ...], str] = field(default_factory=dict)
    """Why KIS did not take the latest cancellation."""
    taken: dict[tuple[object, ...], int] = field(default_factory=dict)
    """When KIS took one."""
    told: frozenset[tuple[object, ...]] = frozenset()

    def open(self) -> list[Working]:
        """Return what the list had open when it was read last."""
        return [one for key, one in self.last.items() if key in self.first and one.row.remaining]

    def meant(self, working: Working) -> bool:
        """Tell whether it is to cancel what the list has."""
        owner, at = working.owner, working.row.at
        if owner is None:
            # Not what people place after it, by hand, to get out.
            return self.scope == "account" and (at is None or at <= self.began + _ASKEW)
        return self.client in ("", owner.identity.client) and self.covers(owner)

    def covers(self, order: ManagedOrder) -> bool:
        """Tell whether an order came before it; a full halt lets none come after it."""
        return self.mode == "halted" or order.received_at <= self.began


def outcome(
    goal: Goal, whole: Container[tuple[str, ...]], why: str
) -> tuple[list[HaltOrderRow], list[HaltOrderRow], list[HaltOrderRow]]:
    """Return what was cancelled, what was filled meanwhile, and what is left and why.

    ``whole`` are the orders of which KIS took a cancellation; ``why`` is why it ends early.
    """
    cancelled: list[HaltOrderRow] = []
    filled: list[HaltOrderRow] = []
    left: list[HaltOrderRow] = []
    open_now = {one.owner for one in goal.open()}
    for order, before in goal.about.items():
        progress = order.progress
        if progress.filled > before:
            filled.append(_ours(order, progress.filled - before))
        if progress.cancelled:
            cancelled.append(_ours(order, progress.cancelled))
        elif progress.state in CLOSED or order in open_now:
            continue
        elif (*order.identity[:3], "") in whole:  # KIS took it; the notice is on its way
            cancelled.append(_ours(order, progress.remaining))
        else:
            text = why or "the exchange's list does not have it"
            unknown = progress.state is State.UNKNOWN
            text = "nobody knows what became of it" if unknown else text
            left.append({**_ours(order, progress.remaining), "why": text})
    for key, first in goal.first.items():
        last = goal.last.get(key, first)
        remaining = last.row.remaining if key in goal.last else 0
        if remaining:
            left.append({**_row(last, remaining), "why": why or goal.refused.get(key, "")})
        if first.owner in goal.about:
            continue
        more = last.row.filled - first.row.filled
        if more > 0:
            filled.append(_row(first, more))
        if (gone := first.row.remaining - max(more, 0) - remaining) > 0:
            cancelled.append(_row(first, gone))
    return cancelled, filled, left


def _ours(order: ManagedOrder, quantity: int) -> HaltOrderRow:
    account, client, name, _ = order.identity
    leg, symbol = order.progress.leg, getattr(order.command, "symbol", "")
    return {
        "account": account,
        "client": client,
        "client_order_id": name,
        "order_no": leg.order_no if leg else None,
        "symbol": symbol,
        "quantity": quantity,
    }


def _row(working: Working, quantity: int) -> HaltOrderRow:
    owner = working.owner
    return {
        "account": working.account,
        "client": owner.identity.client if owner else None,
        "client_order_id": owner.identity.client_order_id if owner else None,
        "order_no": working.row.order_no,
        "symbol": working.row.symbol,
        "quantity": quantity,
    }
