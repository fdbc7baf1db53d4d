"""Halts and resumptions in the journal, and what each halt has to cancel."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from sqlalchemy import Connection, insert, select

from bridge.orders.journal import tables
from bridge.orders.model.records import Control

__all__ = ["add", "fulfil", "read"]

_DONE = "done"


def add(connection: Connection, control: Control) -> None:
    """Write down that somebody is halted, or no more."""
    values = asdict(control)
    scope = values.pop("scope")
    connection.execute(insert(tables.controls), values)
    if scope:
        connection.execute(insert(tables.goals), {"control": control.at, "word": scope})


def fulfil(connection: Connection, control: Control) -> None:
    """Write down that a halt has nothing to cancel any more."""
    connection.execute(insert(tables.goals), {"control": control.at, "word": _DONE})


def read(connection: Connection) -> list[Control]:
    """Return every halt and resumption, oldest first."""
    goals: dict[int, str] = {}
    for row in connection.execute(select(tables.goals).order_by(tables.goals.c.id)):
        goals[row.control] = "" if row.word == _DONE else row.word
    return [
        Control(row.at, row.account, row.client, row.mode, row.reason, _scope(goals.get(row.at)))
        for row in connection.execute(select(tables.controls).order_by(tables.controls.c.id))
    ]


def _scope(word: str | None) -> Literal["", "ours", "account"]:
    match word:
        case "ours" | "account":
            return word
    return ""
