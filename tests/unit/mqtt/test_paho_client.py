from __future__ import annotations

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bridge.mqtt.paho_client import described


@pytest.mark.parametrize("payload", [b"", b"{}"])
@pytest.mark.parametrize("expiry_s", [None, 5])
@pytest.mark.parametrize("correlation", [b"", b"c"])
@pytest.mark.parametrize("response_topic", ["", "r"])
def test_properties_are_as_paho_writes_them(
    payload: bytes, expiry_s: int | None, correlation: bytes, response_topic: str
) -> None:
    wanted = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in (
        ("ContentType", "application/json" if payload else None),
        ("MessageExpiryInterval", expiry_s),
        ("CorrelationData", correlation or None),
        ("ResponseTopic", response_topic or None),
    ):
        if value is not None:
            setattr(wanted, name, value)
    found = described(payload, expiry_s, correlation, response_topic)
    assert found.pack() == wanted.pack()  # type: ignore[no-untyped-call]
