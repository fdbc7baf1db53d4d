"""Gaps: from the first loss to the next service."""

from __future__ import annotations

from bridge.subscriptions.gaps import Gap, Gaps
from bridge.subscriptions.request import Wanted

ONE, TWO = (Wanted("T", key, "T") for key in "12")


def test_a_gap_lasts_from_the_first_loss_to_the_next_service() -> None:
    gaps = Gaps()
    gaps.close(ONE, 1)
    assert gaps.take() == []
    gaps.open(ONE, 5, "silent")
    gaps.open(ONE, 7, "closed 1006")
    gaps.open(TWO, 6, "mute")
    assert len(gaps) == 2
    gaps.close(ONE, 9)
    gaps.forget(TWO)
    assert len(gaps) == 0
    assert gaps.take() == [Gap(ONE, "silent", 5, 9)]
    assert gaps.take() == []
