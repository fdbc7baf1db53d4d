"""What comes on the command topics, as far as it is only read."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.mqtt.message import Message
from bridge.mqtt.seals import Seals
from bridge.mqtt.topics import Topics
from bridge.orders.model.lifecycle import Step
from bridge.orders.routing import intake as module
from bridge.orders.routing.intake import Intake


class Terms:
    """As much of the terms as reading needs."""

    order_types: dict[str, Any] = {}  # noqa: RUF012 - never changed
    accounts: dict[str, Any] = {}  # noqa: RUF012

    @staticmethod
    def clock() -> int:
        return 1


class Publisher:
    """Takes refusals at once."""

    def __init__(self) -> None:
        self.refused: list[Step] = []

    def post(self, say: Any) -> None:
        say()

    def refuse(self, account: str, client: str, verb: str, name: Any, step: Step, _: Any) -> None:
        assert (account, client, verb, name) == ("main", "alice", "place", ("", ""))
        self.refused.append(step)


def test_a_bug_in_reading_one_command_refuses_it_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stumble(*_: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(module, "parse", stumble)
    terms: Any = Terms()
    publisher: Any = Publisher()
    acknowledged: list[bool] = []
    intake = Intake(terms, Topics(), publisher, Seals({}, lambda: 0), lambda identity, at: at)
    topic = "kis/orders/main/alice/command/place"
    message = Message(topic, b"{}", 1, False, "", b"", None, 0, lambda: acknowledged.append(True))
    with capture_logs() as logs:
        assert intake.read(message) is None
    (step,) = publisher.refused
    assert (step.reason, step.message) == (
        "invalid_payload",
        "a bug of the bridge, written to its log",
    )
    assert acknowledged == [True]
    (entry,) = (entry for entry in logs if entry["log_level"] == "error")
    assert entry["exc_info"], "the traceback is in the log"
