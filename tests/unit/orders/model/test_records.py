"""Who asked for a command, as the journal writes it down."""

from __future__ import annotations

import pytest

from bridge.orders.model.records import CLIENT, Origin


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (CLIENT, ""),
        (Origin("cancel_all", "all"), "cancel_all:all"),
        (Origin("halt", "1795395600000000"), "halt:1795395600000000"),
        (Origin("halt", "a:b"), "halt:a:b"),
    ],
)
def test_it_reads_back(origin: Origin, text: str) -> None:
    assert origin.dumps() == text
    assert Origin.loads(text) == origin


@pytest.mark.parametrize("text", ["somebody:else", "halted", ":"])
def test_what_an_origin_of_another_version_says_was_a_client(text: str) -> None:
    assert Origin.loads(text) == CLIENT


def test_what_a_client_names_cannot_be_taken_for_a_halt() -> None:
    assert Origin("client", "halt:1").dumps() == ""
