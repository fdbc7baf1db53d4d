"""Fixtures shared by all tests: the brokers."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from bridge.embedded.broker import EmbeddedBroker
from bridge.runtime.redaction import known
from tests.brokers import Mosquitto, embedded

# A run in the background inherits SIGINT ignored, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure. The unit tests alone (`make unit`) are to be run all the time.
settings.register_profile("usual", max_examples=50, deadline=None)
settings.register_profile("quick", max_examples=10, deadline=None)
settings.load_profile("usual")


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> None:
    """What one test configures as a secret is a word like any other in the next one."""
    known().begin(())


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


# What is imported and collected is never garbage; looking at it again and again takes seconds.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on there is garbage, and all that was there before is none of it."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)  # little of what tests leave behind needs to be looked for
    gc.enable()
