"""What KIS's balances say of each position; pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

__all__ = ["public", "quantity", "rows_of", "traded"]


def rows_of(block: object) -> list[dict[str, Any]]:
    """Return the rows of a block, which may be one."""
    rows = block if isinstance(block, list) else [block]
    return [row for row in rows if isinstance(row, dict)]


def public(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without the account's number."""
    return {path: value for path, value in row.items() if not path.startswith("account")}


def traded(row: dict[str, Any]) -> dict[str, Any]:
    """Call a future or option what orders call it, and what is held of it as in other markets."""
    if isinstance(open_quantity := row.get("open_quantity"), Decimal):
        sells = row.get("side") == "01"
        return {**row, "quantity": -open_quantity if sells else open_quantity}
    short = row.get("short_symbol")
    return {**row, "symbol": short, "standard_symbol": row.get("symbol")} if short else row


def quantity(row: Mapping[str, Any]) -> int:
    """Return what is held; short positions are negative."""
    held = row.get("quantity")
    if not isinstance(held, Decimal):
        return 0
    sells = "매도" in str(row.get("side_name") or "")
    return -int(held) if sells else int(held)
