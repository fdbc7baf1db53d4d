"""Two small channels for tests of what comes after decoding."""

from __future__ import annotations

from bridge.catalog.model import Channel, Field, Layout

__all__ = ["QUOTE", "TRADE"]


def _channel(tr_id: str, kind: str) -> Channel:
    fields = (Field("CODE", "symbol", "code"), Field("PRICE", "price", "int"))
    return Channel(
        tr_id=tr_id,
        tr_id_paper=tr_id,
        market="domestic_stock",
        venue="krx",
        kind=kind,
        english=kind,
        korean="",
        layouts=(Layout(tr_id, 2, fields),),
        symbol="CODE",
    )


TRADE = _channel("T0", "trade")
QUOTE = _channel("Q0", "quote")
