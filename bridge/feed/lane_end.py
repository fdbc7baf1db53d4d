"""Where the lane ends: the connection that carries market data to the broker."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.feed.lane import Lane
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.lane import LaneWriter
from bridge.mqtt.lane_messages import MessageWriter

__all__ = ["lane_writer"]


def lane_writer(
    lane: Lane, endpoints: Sequence[Endpoint], client_id: str, version: str
) -> LaneWriter | MessageWriter:
    """Return the end that suits a broker; ``version`` is the one the control connection found."""
    fast = version == "5" and all(each.transport == "tcp" for each in endpoints)
    return (LaneWriter if fast else MessageWriter)(
        endpoints,
        client_id,
        on_ready=lane.on_ready,
        on_lost=lane.on_lost,
        on_ping=lane.on_ping,
        on_pong=lane.on_pong,
        on_too_large=lane.on_too_large,
    )
