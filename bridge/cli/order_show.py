"""What the journal has of one order, step by step."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bridge.cli.orders import described
from bridge.errors import JournalError
from bridge.orders.journal import audit
from bridge.orders.journal.reader import read
from bridge.orders.model.managed_order import restore
from bridge.orders.model.records import Record
from bridge.runtime.clock import seoul_moment

__all__ = ["written"]

_TERMS = ("side", "quantity", "symbol", "order_type", "price", "condition_price")
_DETAILS = (
    *("order_type", "quantity", "price", "condition_price", "value", "order_no", "expires_at"),
    *("reason", "msg_cd", "msg1", "message"),
)


def written(url: str, client_order_id: str, *, as_json: bool) -> Iterator[str]:
    """Yield the lines about an order: JSON lines, or what became of each command for people.

    Raises :class:`JournalError` when the journal has none of this name.
    """
    found = [record for record in read(url) if record.identity.client_order_id == client_order_id]
    if not found:
        raise JournalError(f"the journal has no order {client_order_id!r}")
    for record in found:
        if not as_json:
            yield from _life(record)
            continue
        managed = restore(record)
        yield described(managed) if managed.verb == "place" else managed.command.canonical()


def _life(record: Record) -> Iterator[str]:
    """Yield a command and what became of it, for people."""
    account, client, name, command_id = record.identity
    content = json.loads(record.body, parse_float=str, parse_int=str)
    terms = " ".join(str(content[term]) for term in _TERMS if content.get(term))
    yield "  ".join(
        filter(
            None, (record.verb, name, command_id, terms, f"client {client} on account {account}")
        )
    )
    yield f"  {'time (Seoul)':<23}  step"
    for entry in audit.entries([record], (), 0, 2**62):
        details = "  ".join(_detail(column, entry[column]) for column in _DETAILS if entry[column])
        yield f"  {seoul_moment(int(entry['at']))}  {entry['event']:<12}  {details}".rstrip()


def _detail(column: str, text: str) -> str:
    match column:
        case "msg_cd" | "msg1" | "message":
            return text  # speaks for itself
        case "expires_at":
            return f"expires {text[:23].replace('T', ' ')}"  # the same form as the time before
    return f"{column} {text}"
