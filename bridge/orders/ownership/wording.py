"""Claims as payloads, and as people read them; pure."""

from __future__ import annotations

import re
from typing import cast

from bridge.mqtt.event_payloads import OwnerConflictEvent
from bridge.mqtt.payloads import OwnerClaim
from bridge.mqtt.strict_json import JsonError, decode_object, encode
from bridge.orders.ownership.claim import Claim
from bridge.runtime.clock import seoul_moment

__all__ = ["conflict", "dumps", "loads", "named"]

_LONGEST = 4096
"""Bytes of a claim."""
_LATEST = 10**17
"""µs since the epoch, in the year 5138: what is later has no date."""
_HIGHEST = 2**62
"""Of the numbers that a database takes, with room for those who come after."""
_NAME = re.compile(r"[\x20-\x7e]{0,255}")


def dumps(claim: Claim) -> bytes:
    """Return the payload of a claim."""
    payload: OwnerClaim = {
        "owner": claim.owner or None,
        "host": claim.host,
        "since": claim.since,
        "at": claim.at,
        "fence": claim.fence,
    }
    return encode(payload)


def loads(payload: bytes) -> Claim | None:
    """Return the claim in a payload; None: there is none, and nobody can be told so."""
    try:
        said = cast("OwnerClaim", decode_object(payload, _LONGEST))
        owner, host = said["owner"] or "", said["host"]
        claim = Claim(owner, host, said["since"], said["at"], said["fence"])
    except (JsonError, KeyError):
        return None
    bounds = ((claim.since, _LATEST), (claim.at, _LATEST), (claim.fence, _HIGHEST))
    right = all(isinstance(name, str) and _NAME.fullmatch(name) for name in (owner, host))
    counts = all(type(number) is int and 0 <= number < most for number, most in bounds)
    return claim if right and counts else None


def named(other: Claim | None) -> str:
    """Return another bridge as people find it."""
    if other is None or not other.host:
        return "another bridge"
    return f"another bridge ({other.host}, since {seoul_moment(other.since)})"


def conflict(scope: str, rival: Claim | None, silent_s: float) -> OwnerConflictEvent:
    """Return the event that tells of another bridge."""
    return {
        "kind": "owner_conflict",
        "account": scope,
        "owner": rival.owner if rival else None,
        "host": rival.host or None if rival else None,
        "since": rival.since or None if rival else None,
        "message": f"{named(rival)} sends for {scope}: this one sends no orders until that one "
        f"was silent for {silent_s:.0f} s",
    }
