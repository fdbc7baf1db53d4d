"""The client ids of the bridge."""

from __future__ import annotations

from pydantic import SecretStr

from bridge.mqtt.client_ids import ClientIds

KEY = SecretStr("an app secret of KIS")


def test_a_part_of_each_client_id_is_secret() -> None:
    ids = ClientIds.of("home/kis", KEY)
    assert ids.public == "kis-bridge-home-kis"
    assert len(ids.secret) == 20
    assert ids.name() == f"kis-bridge-home-kis-{ids.secret}"
    assert ids.name("halt") == f"{ids.name()}-halt"
    assert ids.secret not in repr(ids)
    assert KEY.get_secret_value() not in ids.name()


def test_they_are_the_same_wherever_a_bridge_with_that_key_runs_and_nowhere_else() -> None:
    assert ClientIds.of("kis", KEY) == ClientIds.of("kis", KEY)
    assert ClientIds.of("kis", KEY).secret != ClientIds.of("kis", SecretStr("another")).secret
    assert ClientIds.of("kis", KEY).secret != ClientIds.of("kis2", KEY).secret
