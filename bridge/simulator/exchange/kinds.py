"""The kinds of order that KIS takes for domestic stocks (pure data): its ``ORD_DVSN``.

Sources: the code lists of ``order_cash``, and for 27-29 and 41-47 KIS's notice of 2026-09-09. Which
kinds an auction or an hour outside the regular session takes is in the rules of KRX and NXT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KINDS", "OrderKind", "Pricing", "Slot", "in_auction", "of_venue"]

Pricing = Literal["limit", "market", "conditional", "best", "top", "stop", "middle", "fixed"]
"""How an order comes to its price; ``fixed``: a close, at which alone it trades."""
Slot = Literal["main", "pre_open", "post_close", "after_market", "pre_market"]
"""The hours that a kind is for."""


@dataclass(frozen=True, slots=True)
class OrderKind:
    """One order division."""

    code: str
    name: str
    """As KIS's lists name it."""
    pricing: Pricing
    lasts: Literal["day", "ioc", "fok"] = "day"
    slot: Slot = "main"

    @property
    def rests(self) -> bool:
        return self.lasts == "day"

    @property
    def priced(self) -> bool:
        """Its price is the user's own."""
        return self.pricing in ("limit", "conditional", "stop")


KINDS: dict[str, OrderKind] = {
    kind.code: kind
    for kind in (
        OrderKind("00", "지정가", "limit"),
        OrderKind("01", "시장가", "market"),
        OrderKind("02", "조건부지정가", "conditional"),
        OrderKind("03", "최유리지정가", "best"),
        OrderKind("04", "최우선지정가", "top"),
        OrderKind("05", "장전 시간외", "fixed", slot="pre_open"),
        OrderKind("06", "장후 시간외", "fixed", slot="post_close"),
        OrderKind("11", "IOC지정가", "limit", "ioc"),
        OrderKind("12", "FOK지정가", "limit", "fok"),
        OrderKind("13", "IOC시장가", "market", "ioc"),
        OrderKind("14", "FOK시장가", "market", "fok"),
        OrderKind("15", "IOC최유리", "best", "ioc"),
        OrderKind("16", "FOK최유리", "best", "fok"),
        OrderKind("21", "중간가", "middle"),
        OrderKind("22", "스톱지정가", "stop"),
        OrderKind("23", "중간가IOC", "middle", "ioc"),
        OrderKind("24", "중간가FOK", "middle", "fok"),
        OrderKind("27", "NXT GTP지정가", "limit", slot="pre_market"),
        OrderKind("28", "NXT GTP최유리", "best", slot="pre_market"),
        OrderKind("29", "NXT GTP최우선", "top", slot="pre_market"),
        OrderKind("41", "KRX애프터마켓지정가", "limit", slot="after_market"),
        OrderKind("42", "KRX애프터마켓지정가IOC", "limit", "ioc", "after_market"),
        OrderKind("43", "KRX애프터마켓지정가FOK", "limit", "fok", "after_market"),
        OrderKind("44", "KRX애프터마켓최유리지정가", "best", slot="after_market"),
        OrderKind("45", "KRX애프터마켓최유리지정가IOC", "best", "ioc", "after_market"),
        OrderKind("46", "KRX애프터마켓최유리지정가FOK", "best", "fok", "after_market"),
        OrderKind("47", "KRX애프터마켓최우선지정가", "top", slot="after_market"),
    )
}
"""By code. The after-hours single price (07) went with the after-market of 2026-09-14."""

_SLOTS: dict[str, set[Slot]] = {
    "KRX": {"main", "pre_open", "post_close", "after_market"},
    "NXT": {"main", "pre_market"},
    "SOR": {"main"},
}
_NOT: dict[str, set[str]] = {
    "KRX": set(),
    "NXT": {"01", "02"},
    "SOR": {"02", "21", "22", "23", "24"},
}


def of_venue(venue: str, code: str) -> OrderKind | None:
    """Return a kind as a venue takes it; None: it does not."""
    kind = KINDS.get(code)
    if kind is None or kind.slot not in _SLOTS.get(venue, ()) or code in _NOT[venue]:
        return None
    return kind


def in_auction(kind: OrderKind, *, closing: bool) -> bool:
    """Tell whether a call auction takes a kind: those that name a price or want any."""
    return kind.rests and kind.pricing in (
        ("limit", "market") if closing else ("limit", "market", "conditional")
    )
