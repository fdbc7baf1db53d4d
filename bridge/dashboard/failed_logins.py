"""How often a login may fail from one address; pure."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

__all__ = ["FailedLogins"]

_AT_ONCE = 10
_AGAIN_S = 6.0
"""After that, one try in so many seconds."""
_MOST = 4096
"""Addresses that are remembered; the one that failed longest ago is forgotten."""


class FailedLogins:
    """Counts failures by address, and forgets one every six seconds; times are in seconds."""

    def __init__(self) -> None:
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When an address will have all of its tries again."""

    def wait_s(self, address: str, now: float) -> float:
        """Return how long this address has to wait for its next try; 0: not at all."""
        taken = self._full_at.get(_network(address), now) - now
        return max(0.0, taken - (_AT_ONCE - 1) * _AGAIN_S)

    def failed(self, address: str, now: float) -> None:
        """Take note of a failure."""
        network = _network(address)
        self._full_at[network] = max(self._full_at.get(network, now), now) + _AGAIN_S
        self._full_at.move_to_end(network)
        if len(self._full_at) > _MOST:
            self._full_at.popitem(last=False)


def _network(address: str) -> str:
    """Return who is behind an address: whoever has one of IPv6 has 2^64 of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((int(found), 64), strict=False))
