"""What ``check`` says of the way on which KIS's real-time feed comes."""

from __future__ import annotations

from urllib.parse import urlsplit

from bridge.cli.findings import Finding
from bridge.config.kis import KisConfig
from bridge.config.real_money import is_loopback

__all__ = ["feed"]


def feed(kis: KisConfig) -> list[Finding]:
    """Return a row where the feed is plain text on a network: nobody can mend it, but know it."""
    url = urlsplit(kis.ws_url)
    if kis.environment == "simulator" or url.scheme != "ws" or is_loopback(url.hostname or ""):
        return []
    return [
        Finding(
            "real-time feed",
            "ok",
            f"{kis.ws_url} is plain text, and KIS has no other: on the way there the approval key "
            "and the HTS id can be read, and prices and fills can be forged",
            "run it where you trust the network",
        )
    ]
