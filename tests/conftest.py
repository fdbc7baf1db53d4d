"""Fixtures shared by all tests: the brokers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.mqtt.embedded import EmbeddedBroker
from tests.brokers import Mosquitto, embedded


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A Mosquitto of this test's own."""
    with Mosquitto.running(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """An embedded broker of this test's own."""
    with embedded() as broker:
        yield broker
