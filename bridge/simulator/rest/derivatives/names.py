"""Words of KIS's for orders and positions of futures and options (pure data)."""

from __future__ import annotations

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.tickets import OffBookTicket

__all__ = ["ACCOUNT_NAME", "SIDES", "traded"]

ACCOUNT_NAME = "모의계좌"
SIDES = {Side.SELL: "매도", Side.BUY: "매수"}
_ACTIONS = {"place": "", "modify": "정정", "cancel": "취소"}


def traded(ticket: OffBookTicket) -> str:
    """Return what an order does, in words."""
    return f"{SIDES[ticket.side]}{_ACTIONS[ticket.action]}"
