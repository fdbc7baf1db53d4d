"""How many subscriptions a client may hold."""

from __future__ import annotations

import pytest

from bridge.config.requests import RequestsConfig
from bridge.errors import RequestError
from bridge.subscriptions.interest import CONFIGURATION, NAMELESS, Interests
from bridge.subscriptions.quotas import Quotas
from bridge.subscriptions.request import Wanted


def held(**clients: int) -> Interests:
    interests = Interests()
    for client, count in clients.items():
        for number in range(count):
            name = NAMELESS if client == "nameless" else client
            interests.hold(Wanted("T", f"{client}{number}", "T"), name)
    return interests


def refusal(quotas: Quotas, interests: Interests, client: str, more: int) -> str:
    with pytest.raises(RequestError) as caught:
        quotas.check(interests, client, more)
    assert caught.value.code == "too_many_subscriptions"
    return str(caught.value)


def test_a_thousand_unless_something_else_is_said() -> None:
    quotas, interests = Quotas(), held(bob=990)
    quotas.check(interests, "bob", 10)
    text = refusal(quotas, interests, "bob", 11)
    assert "client 'bob' may hold 1000 subscriptions (requests.subscriptions)" in text
    assert "990 + 11 are more" in text
    assert quotas.refused == {"bob": 1}


def test_a_client_with_a_section_has_its_own_limit_and_its_own_room() -> None:
    config = RequestsConfig.model_validate(
        {
            "subscriptions": 5,
            "subscriptions_in_all": 8,
            "clients": {"alice": {"subscriptions": 7}, "carol": {}},
        }
    )
    quotas, interests = Quotas(config), held(bob=4, nameless=4, configuration=40)
    assert "all clients without a section" in refusal(quotas, interests, "bob", 1)
    assert "in_all" in refusal(quotas, interests, "dave", 1)
    quotas.check(interests, "alice", 7)
    assert "requests.clients.alice" in refusal(quotas, interests, "alice", 8)
    quotas.check(interests, "carol", 5)
    assert "(requests.subscriptions)" in refusal(quotas, interests, "carol", 6)
    assert not quotas.has_room(interests, "bob")
    assert quotas.has_room(interests, "carol")


def test_requests_without_a_name_are_one_client() -> None:
    interests = Interests()
    for number in range(1000):
        name = f"invented {number}"
        interests.hold(Wanted("T", name, "T"), name, client=NAMELESS)
    assert "without a client's name" in refusal(Quotas(), interests, NAMELESS, 1)


def test_names_that_somebody_invents_are_not_all_remembered() -> None:
    quotas = Quotas(RequestsConfig(subscriptions=0))
    for number in range(3000):
        refusal(quotas, Interests(), f"invented {number}", 1)
    assert len(quotas.refused) == 1000


def test_what_the_configuration_wants_is_nobodys_quota() -> None:
    assert Quotas().has_room(held(**{CONFIGURATION: 10_000}), "bob")
