"""PUBACKs leave in the order of arrival."""

from __future__ import annotations

from bridge.mqtt.pubacks import PubAcks


class Sent(list[tuple[int, ...]]):
    def __init__(self) -> None:
        super().__init__()
        self.pubacks = PubAcks(lambda mids: self.append(tuple(mids)))


def test_one_waits_for_those_before_it_until_they_are_let_by() -> None:
    sent = Sent()
    first, second, third = (sent.pubacks.hold(mid) for mid in (1, 2, 3))
    sent.pubacks.acknowledge(third)
    sent.pubacks.acknowledge(second)
    assert sent == []
    sent.pubacks.let_by(first)
    assert sent == [(2,), (3,)]
    sent.pubacks.acknowledge(first)
    sent.pubacks.acknowledge(first)
    assert sent == [(2,), (3,), (1,)]


def test_what_becomes_ready_in_one_turn_is_written_at_once() -> None:
    sent = Sent()
    with sent.pubacks.together():
        for mid in (1, 2, 3):
            sent.pubacks.acknowledge(sent.pubacks.hold(mid))
        assert sent == []
    assert sent == [(1, 2, 3)]
    with sent.pubacks.together():
        pass
    sent.pubacks.acknowledge(sent.pubacks.hold(4))
    assert sent == [(1, 2, 3), (4,)]
