"""How often a login may fail."""

from __future__ import annotations

import ipaddress

from bridge.dashboard.failed_logins import FailedLogins


def failing(logins: FailedLogins, address: str, now: float) -> int:
    """Return how many tries an address has until it has to wait."""
    for tries in range(1000):
        if logins.wait_s(address, now):
            return tries
        logins.failed(address, now)
    return 1000


def test_ten_at_once_and_then_ten_a_minute() -> None:
    logins = FailedLogins()
    assert failing(logins, "192.0.2.1", 100.0) == 10
    assert logins.wait_s("192.0.2.1", 100.0) == 6.0
    assert logins.wait_s("192.0.2.1", 105.0) == 1.0
    assert failing(logins, "192.0.2.1", 106.0) == 1
    assert failing(logins, "192.0.2.1", 166.0) == 10
    assert failing(logins, "192.0.2.1", 10_000.0) == 10


def test_one_address_has_nothing_to_do_with_another() -> None:
    logins = FailedLogins()
    failing(logins, "192.0.2.1", 0.0)
    assert not logins.wait_s("192.0.2.2", 0.0)


def test_a_network_of_ipv6_counts_as_one() -> None:
    logins = FailedLogins()
    failing(logins, "2001:db8::1", 0.0)
    assert logins.wait_s("2001:db8::2:3:4:5", 0.0)
    assert not logins.wait_s("2001:db8:0:1::1", 0.0)


def test_many_addresses_take_no_more_room() -> None:
    logins = FailedLogins()
    for number in range(20_000):
        logins.failed(str(ipaddress.IPv4Address(number)), 0.0)
    assert len(logins._full_at) == 4096
