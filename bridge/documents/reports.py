"""JSON Schema of what the bridge reports of itself, of orders and of accounts.

What it sends has the members of its type and no others; only rows in KIS's words have what the
workbook names beside them.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.catalog.schemas import Schema
from bridge.documents.generated import of_model, of_payload
from bridge.documents.refusals import REFUSALS
from bridge.mqtt.payloads import (
    BridgeState,
    CandleReport,
    Info,
    JournalMark,
    OwnerClaim,
    SymbolListing,
)
from bridge.mqtt.signatures import Envelope
from bridge.orders.publishing.reports import (
    AccountBalance,
    AccountOrders,
    AccountPositions,
    ExternalNotice,
    ExternalRow,
    OrderAck,
    OrderEvent,
    OrderState,
)
from bridge.status.overview import OverviewReport
from bridge.status.payloads import HealthReport, SessionReport
from bridge.subscriptions.quality_publisher import QualityReport

__all__ = ["REPORTS"]


def _ack() -> Schema:
    schema = of_payload(OrderAck)
    told = "; ".join(f"{reason}: {about.meaning}" for reason, about in REFUSALS.items())
    schema["properties"]["reason"] |= {
        "enum": [*REFUSALS, None],
        "description": f"Why it was refused; null: it was not. {told}",
    }
    return schema


REPORTS: Mapping[str, Schema] = {
    "bridge/state": of_payload(BridgeState),
    "bridge/info": of_model(Info),
    "bridge/health": of_payload(HealthReport),
    "bridge/overview": of_payload(OverviewReport),
    "bridge/journal": of_payload(JournalMark),
    "bridge/session": of_payload(SessionReport),
    "bridge/owner": of_payload(OwnerClaim),
    "quality": of_payload(QualityReport),
    "order/ack": _ack(),
    "order/event": of_payload(OrderEvent),
    "order/state": of_payload(OrderState),
    "account/external": {"oneOf": [of_payload(ExternalNotice), of_payload(ExternalRow)]},
    "account/balance": of_payload(AccountBalance),
    "account/positions": of_payload(AccountPositions),
    "account/orders": of_payload(AccountOrders),
    "candle": of_payload(CandleReport),
    "signed": of_payload(Envelope),
    "symbols": of_payload(SymbolListing),
}
"""What the bridge sends, by the name of its file."""
