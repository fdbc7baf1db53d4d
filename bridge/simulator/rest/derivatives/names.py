"""Words of KIS's for orders and positions of futures and options (pure data)."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.simulator.exchange.order_book import Side
from bridge.simulator.off_book.tickets import OffBookTicket

__all__ = ["ACCOUNT_NAME", "KINDS", "SIDES", "kind_of", "traded", "traded_class"]

ACCOUNT_NAME = "모의계좌"
SIDES = {Side.SELL: "매도", Side.BUY: "매수"}
_ACTIONS = {"place": "", "modify": "정정", "cancel": "취소"}


def traded(ticket: OffBookTicket) -> str:
    """Return what an order does, in words."""
    return f"{SIDES[ticket.side]}{_ACTIONS[ticket.action]}"


def traded_class(quantity: int) -> dict[str, str]:
    """Return the side of a position, as code and in words."""
    side = Side.BUY if quantity > 0 else Side.SELL
    return {
        "sll_buy_dvsn_name": SIDES[side],
        "sll_buy_dvsn_cd": side.value,
        "trad_dvsn_name": SIDES[side],
    }


KINDS: Mapping[str, tuple[str, str]] = {
    "01": ("01", "0"),
    "02": ("02", "0"),
    "03": ("03", "0"),
    "04": ("04", "0"),
    "10": ("01", "3"),
    "11": ("01", "4"),
    "12": ("02", "3"),
    "13": ("02", "4"),
    "14": ("04", "3"),
    "15": ("04", "4"),
}
"""Order division → type and condition."""
_TYPES = {"01": "지정가", "02": "시장가", "03": "조건부지정가", "04": "최유리지정가"}
_CONDITIONS = {"0": "", "3": "(IOC)", "4": "(FOK)"}


def kind_of(division: str) -> tuple[str, str]:
    """Return the type of an order division, as code and in words."""
    kind, condition = KINDS[division]
    return kind, f"{_TYPES[kind]}{_CONDITIONS[condition]}"
