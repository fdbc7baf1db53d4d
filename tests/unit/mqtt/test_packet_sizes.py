"""How large a packet a broker takes, announced and not."""

from __future__ import annotations

from bridge.mqtt.packet_sizes import PacketSizes

SMALL, LARGE, LARGER = 4_000, 50_000, 70_000


def connected(announced: int | None = None) -> PacketSizes:
    sizes = PacketSizes()
    sizes.connected(announced)
    return sizes


def broken(sizes: PacketSizes, *under_way: int, too_large: bool = False) -> None:
    """End a connection on which these were under way, and begin the next."""
    for size in under_way:
        assert sizes.takes(size, 0.0)
    sizes.ended(0.0, too_large=too_large)
    sizes.connected(None)


def test_what_a_broker_announces_is_its_limit() -> None:
    sizes = connected(1000)
    assert (sizes.takes(1000, 0.0), sizes.takes(1001, 0.0)) == (True, False)
    sizes.connected(None)
    assert sizes.takes(LARGE, 0.0)


def test_after_two_broken_connections_the_large_one_is_not_sent_again() -> None:
    sizes = connected()
    broken(sizes, SMALL, LARGE)
    broken(sizes, SMALL, LARGE)
    assert not sizes.takes(LARGE, 0.0)
    assert sizes.takes(LARGE - 1, 0.0)
    assert sizes.takes(SMALL, 0.0)


def test_other_large_ones_under_way_at_both_breaks_tell_the_same() -> None:
    sizes = connected()
    broken(sizes, LARGER)
    broken(sizes, LARGE)
    assert sizes.limit(0.0) == LARGE - 1


def test_a_broker_that_names_the_reason_is_believed_at_once() -> None:
    sizes = connected()
    broken(sizes, LARGE, too_large=True)
    assert not sizes.takes(LARGE, 0.0)


def test_a_line_that_flaps_says_nothing_about_ordinary_records() -> None:
    sizes = connected()
    for _ in range(5):
        broken(sizes, SMALL)
    assert sizes.limit(0.0) is None


def test_a_break_without_a_large_one_clears_the_suspicion() -> None:
    sizes = connected()
    broken(sizes, LARGE)
    broken(sizes, SMALL)
    broken(sizes, LARGE)
    assert sizes.limit(0.0) is None


def test_one_that_has_arrived_is_not_suspected() -> None:
    sizes = connected()
    broken(sizes, LARGE)
    assert sizes.takes(LARGE, 0.0)
    sizes.pinged()
    sizes.answered()
    broken(sizes, LARGE)
    assert sizes.limit(0.0) is None


def test_what_is_written_behind_a_ping_is_not_in_its_answer() -> None:
    sizes = connected()
    broken(sizes, LARGE)
    sizes.pinged()
    assert sizes.takes(LARGE, 0.0)
    sizes.answered()
    sizes.ended(0.0)
    assert sizes.limit(0.0) == LARGE - 1


def test_what_was_learned_is_tried_again_after_ten_minutes() -> None:
    sizes = connected()
    broken(sizes, LARGE)
    broken(sizes, LARGE)
    assert not sizes.takes(LARGE, 599.0)
    assert sizes.takes(LARGE, 600.0)
