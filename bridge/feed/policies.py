"""How the records of each kind are published, as the configuration says."""

from __future__ import annotations

from bridge.catalog.model import Catalog
from bridge.config.models import Config
from bridge.feed.lane import KindPolicy

__all__ = ["REVISED", "policies"]

REVISED = "candle_revised"
"""Kind of a candle that is corrected when a newer one of its topic is retained already."""


def policies(config: Config, catalog: Catalog) -> dict[str, KindPolicy]:
    """Return the policy of every kind that the workbook has or the configuration names."""
    kinds = {channel.kind for channel in catalog.channels.values()} | set(config.market.kinds)
    kinds.add("snapshot")
    found = {kind: KindPolicy(**config.market.kind(kind).model_dump()) for kind in kinds}
    return found | {REVISED: KindPolicy(retain=False)}
