"""Roles and the ACL file: who may what, and what the shipped files say."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from bridge.broker import acl_file
from bridge.broker.roles import Grant, checked_name, own_rules, rules
from bridge.errors import ConfigError
from bridge.mqtt.payloads import EventKind
from bridge.mqtt.topics import REQUEST_VERBS, Topics

ROOT = Path(__file__).parents[3]
TOPICS = Topics()
SAMPLE = {
    "bridge": frozenset([Grant("bridge")]),
    "alice": frozenset([Grant("trader", "main")]),
    "bob": frozenset([Grant("reader")]),
    "carol": frozenset([Grant("admin")]),
}


def matches(topic_filter: str, topic: str) -> bool:
    levels, found = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index >= len(found) or level not in ("+", found[index]):
            return False
    return len(levels) == len(found)


def may(name: str, access: str, topic: str) -> bool:
    found = [(rule.access, rule.topic_filter) for rule in rules(name, SAMPLE[name])]
    found += [(kind, where.replace("%u", name)) for kind, where in own_rules()]
    return any(kind == access and matches(where, topic) for kind, where in found)


BRIDGE_ONLY = [
    TOPICS.market("domestic_stock", "krx", "trade", "005930"),
    TOPICS.symbols("domestic_stock"),
    "kis/quality/domestic_stock/krx/trade/005930",
    TOPICS.state(),
    TOPICS.info(),
    TOPICS.health(),
    "kis/bridge/overview",
    TOPICS.session("app1"),
    TOPICS.owner("main"),
    TOPICS.journal("paper"),
    *(TOPICS.event(kind) for kind in get_args(EventKind)),
    *(TOPICS.response(verb, "alice") for verb in REQUEST_VERBS),
    TOPICS.response("query", "alice", "1"),
    TOPICS.order_ack("main", "alice", "a1"),
    TOPICS.order_event("main", "alice", "a1"),
    TOPICS.order_state("main", "alice", "a1"),
    "kis/orders/main/alice/approval/a1",
    TOPICS.account("main", "balance"),
    TOPICS.external("main"),
    "kis/bridge/check/x",
]


@pytest.mark.parametrize("topic", BRIDGE_ONLY)
def test_only_the_bridge_says_what_the_bridge_says(topic: str) -> None:
    assert [name for name in SAMPLE if may(name, "write", topic)] == ["bridge"]


@pytest.mark.parametrize("verb", ["place", "modify", "cancel", "cancel_all"])
def test_commands_are_written_by_their_trader_alone(verb: str) -> None:
    assert [n for n in SAMPLE if may(n, "write", TOPICS.command("main", "alice", verb))] == [
        "alice"
    ]
    for account, client in (("other", "alice"), ("main", "bob"), ("main", "bridge")):
        topic = TOPICS.command(account, client, verb)
        assert not any(may(name, "write", topic) for name in SAMPLE)


def test_every_request_has_a_role_that_may_ask_it_under_the_own_name_only() -> None:
    for verb in REQUEST_VERBS:
        assert may("carol", "write", TOPICS.request(verb, "carol"))
        for name in ("alice", "bob", "bridge"):
            assert not may(name, "write", TOPICS.request(verb, "carol"))
        assert not any(may(name, "write", TOPICS.request(verb)) for name in SAMPLE)


@pytest.mark.parametrize("verb", ["halt", "resume", "resolve", "adopt", "approve", "decline"])
def test_what_an_admin_decides_nobody_else_does(verb: str) -> None:
    for name in ("alice", "bob", "bridge"):
        assert not may(name, "write", TOPICS.request(verb, name))


def test_a_reader_reads_market_data_and_the_bridges_standing() -> None:
    for topic in BRIDGE_ONLY[:8]:
        assert may("bob", "read", topic)
    for topic in (
        TOPICS.account("main", "balance"),
        TOPICS.order_state("main", "alice", "a1"),
        TOPICS.command("main", "alice", "place"),
        TOPICS.response("query", "alice"),
        TOPICS.request("halt", "carol"),
        TOPICS.event("order_external"),
    ):
        assert not may("bob", "read", topic)


def test_a_trader_reads_its_account_and_orders() -> None:
    for topic in (
        TOPICS.account("main", "balance"),
        TOPICS.external("main"),
        TOPICS.order_ack("main", "alice", "a1"),
        TOPICS.response("query", "alice", "1"),
        TOPICS.event("halted"),
    ):
        assert may("alice", "read", topic)
    for topic in (TOPICS.account("other", "balance"), TOPICS.order_ack("main", "bob", "a1")):
        assert not may("alice", "read", topic)


def test_the_shipped_acl_is_what_the_roles_give() -> None:
    text = (ROOT / "mosquitto/acl").read_text()
    assert text == acl_file.render(SAMPLE)
    assert acl_file.parse(text, "acl") == (SAMPLE, "kis")


def test_no_pattern_lets_anybody_write() -> None:
    assert {access for access, _ in own_rules()} == {"read"}
    assert not [
        line for line in acl_file.render(SAMPLE).splitlines() if line.startswith("pattern write")
    ]


def test_roles_whose_rights_another_one_gives_are_kept() -> None:
    both = {"alice": frozenset([Grant("reader"), Grant("trader", "main"), Grant("trader", "b")])}
    assert acl_file.parse(acl_file.render(both, "home/kis"), "acl") == (both, "home/kis")
    none: dict[str, frozenset[Grant]] = {"alice": frozenset()}
    assert acl_file.parse(acl_file.render(none), "acl")[0] == none


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("user alice\ntopic readwrite #\n", "not written by kis-bridge users"),
        (acl_file.render(SAMPLE) + "topic write kis/#\n", "changed by hand"),
        ("topic write #\n" + acl_file.render(SAMPLE), "not written by kis-bridge users"),
    ],
)
def test_what_others_wrote_is_not_lost_in_silence(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        acl_file.parse(text, "acl")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "+", "#", "a" * 65, "kim\n", "김"])
def test_names_fit_into_a_topic(name: str) -> None:
    with pytest.raises(ConfigError, match="a name is"):
        checked_name(name)


@pytest.mark.parametrize("text", ["", "trader", "reader main", "root", "trader a b", "trader a/b"])
def test_roles_that_are_none_are_told(text: str) -> None:
    with pytest.raises(ConfigError):
        Grant.parse(text)
