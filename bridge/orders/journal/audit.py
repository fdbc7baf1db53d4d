"""Everything that the journal has of a time, in the order in which it happened; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from bridge.orders.model.lifecycle import Step
from bridge.orders.model.managed_order import restore
from bridge.orders.model.records import Control, Record
from bridge.runtime.clock import seoul_text

__all__ = ["COLUMNS", "entries"]

COLUMNS = (
    *("time", "at", "event", "account", "client", "client_order_id", "command_id", "verb"),
    *("state", "market", "venue", "symbol", "side", "order_type", "quantity", "price"),
    *("condition_price", "value", "order_no", "reason", "message", "rt_cd", "msg_cd", "msg1"),
    "expires_at",
)
"""What an entry has, blank where it does not apply. ``at`` is µs since the epoch, ``time`` the same
in Korea. ``event`` is ``received``, a step of the life cycle, or what a halt says. ``value`` is the
worth of all fills together, where the exchange's list has said it."""

_ABOUT = ("market", "venue", "symbol", "side")
_TERMS = ("order_type", "quantity", "price", "condition_price")


def entries(
    records: Sequence[Record], controls: Iterable[Control], first: int, last: int
) -> Iterator[dict[str, str]]:
    """Yield what happened from ``first`` until before ``last`` (µs since the epoch), as texts.

    An account is its alias, as everywhere.
    """
    content = {record.identity: _content(record) for record in records}
    found: list[tuple[int, int, dict[str, str]]] = []
    for record in records:
        asked = content[record.identity]
        order = content.get(record.identity._replace(command_id=""), asked)
        about = {name: order.get(name, asked.get(name, "")) for name in _ABOUT}
        found += [(at, 1, about | fields) for at, fields in _life(record, asked)]
    for control in controls:
        what = {"event": control.mode or "resumed", "reason": control.reason}
        found.append((control.at, 0, what | {"account": control.account, "client": control.client}))
    # Sorting is stable: what happened to one command in the same microsecond stays in its order.
    for at, _, fields in sorted(found, key=lambda entry: entry[:2]):
        if first <= at < last:
            yield dict.fromkeys(COLUMNS, "") | {"time": seoul_text(at), "at": str(at)} | fields


def _content(record: Record) -> dict[str, str]:
    content = json.loads(record.body, parse_float=str, parse_int=str)
    return {name: str(value) for name, value in content.items()}


def _life(record: Record, asked: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    who = {**record.identity._asdict(), "verb": record.verb}
    terms = {name: asked[name] for name in _TERMS if name in asked}
    received = {"event": "received", "expires_at": seoul_text(record.expires_at)}
    yield record.received_at, {**who, **terms, **received}
    progress = restore(replace(record, steps=())).progress
    for step in record.steps:
        progress = progress.apply(step)
        yield step.at, {**who, **_step(step), "state": str(progress.state)}


def _step(step: Step) -> dict[str, str]:
    fields: dict[str, object] = {
        "event": step.event,
        "order_type": step.order_type,
        "quantity": step.quantity or "",
        "price": _plain(step.price),
        "condition_price": _plain(step.condition_price),
        "value": _plain(step.value),
        "order_no": step.order_no,
        "reason": step.reason,
        "message": step.message,
        **{name: step.kis.get(name, "") for name in ("rt_cd", "msg_cd", "msg1")},
    }
    return {name: str(value) for name, value in fields.items()}


def _plain(price: Decimal | None) -> str:
    return "" if price is None else format(price, "f")
