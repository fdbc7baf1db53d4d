from __future__ import annotations

import pytest

from bridge.cli.broker import BrokerOptions
from bridge.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mqtt://a", ["a:1883"]),
        ('["mqtt://a","mqtts://b:9"]', ["a:1883", "b:9"]),
        (' [ "ws://a/other" ] ', ["a:80"]),
    ],
)
def test_one_url_or_a_json_list(url: str, found: list[str]) -> None:
    assert [str(one) for one in BrokerOptions(url=url).endpoints()] == found


def test_each_broker_gets_the_user() -> None:
    both = BrokerOptions(
        url='["mqtt://a","mqtt://x:y@b"]', user="me", password="secret"
    ).endpoints()
    assert [(one.username, one.secret()) for one in both] == [("me", "secret")] * 2


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("embedded", "starts with the bridge; say where"),
        ('["embedded"]', "starts with the bridge; say where"),
        ("[mqtt://a]", "a list must be JSON"),
        ("[]", "one URL or more"),
        ("[1]", "one URL or more"),
        ("[" * 100_000, "a list must be JSON"),
        ('["mqtt://a","http://b"]', "broker URL 'http://b': begin it with"),
        ("", "begin it with"),
    ],
)
def test_anything_else_is_told(url: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        BrokerOptions(url=url).endpoints()
