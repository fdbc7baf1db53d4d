"""The request ``snapshot``: the newest record of each topic, in pages; pure.

Records are put into the answer as they were published. To read and write them again would hold up
market data and orders for a second at a few thousand topics.
"""

from __future__ import annotations

from typing import cast

from bridge.feed.pump import Pump
from bridge.mqtt.payloads import Page
from bridge.mqtt.strict_json import Written
from bridge.requests.answers import SnapshotAnswer
from bridge.requests.models import SnapshotRequest

__all__ = ["newest"]

_MOST_BYTES = 256 * 1024
"""Of a page, where the broker takes that much: far below the 1 MiB of the one that is shipped."""
_OTHERS = 4096
"""Bytes of an answer beside its records, at most."""


def newest(pump: Pump, asked: SnapshotRequest, broker_takes: int) -> Page[SnapshotAnswer]:
    """Return the records behind ``asked.after``, in the order of their topics.

    ``broker_takes`` is in bytes. One record is in a page at least, so that the next one goes on.
    """
    most_bytes = min(_MOST_BYTES, broker_takes - _OTHERS)
    topics = set(asked.topics) or (route.topic for route in pump.routes())
    found: dict[str, Written] = {}
    size, last, more = 0, "", False
    for topic in sorted(topic for topic in topics if topic > asked.after):
        route = pump.route(topic)
        if route is None or not route.last:
            continue
        size += len(topic.encode()) + len(route.last) + 4
        if found and (size > most_bytes or len(found) == asked.limit):
            more = True
            break
        found[topic] = Written(route.last.decode(errors="replace"))
        last = topic
    return Page(cast("SnapshotAnswer", found), last if more else None)
