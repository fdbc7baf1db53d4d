"""Who may ask for what, with and without a name, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.catalog.compile import load
from bridge.config.models import Config
from bridge.config.orders import OrdersConfig
from bridge.config.requests import RequestsConfig
from bridge.errors import RequestError
from bridge.mqtt.topics import REQUEST_VERBS
from bridge.requests.permissions import Permissions

ORDERS = OrdersConfig.model_validate(
    {"clients": {"alice": {"accounts": ["main"]}, "carol": {"accounts": ["other"]}}}
)
PRICE, BALANCE = "domestic_stock/inquire_price", "domestic_stock/inquire_balance"


def permissions(
    orders: OrdersConfig = ORDERS, *, everything: bool = False, **requests: Any
) -> Permissions:
    return Permissions(RequestsConfig.model_validate(requests), orders, everything=everything)


def refusal(allowed: Permissions, *asked: str) -> str:
    with pytest.raises(RequestError) as caught:
        allowed.verb(*asked) if len(asked) == 2 else allowed.query(*asked)
    assert caught.value.code == "not_permitted"
    return str(caught.value)


READER = ("subscribe", "unsubscribe", "subscriptions", "channels", "snapshot", "query", "symbols")


def test_who_is_not_named_gets_market_data_and_nothing_else() -> None:
    for allowed in (
        permissions(OrdersConfig()),
        permissions(clients={"ops": {"role": "admin"}, "bob": {}}),
    ):
        for client in ("", "stranger", "bob"):
            for verb in READER:
                allowed.verb(client, verb)
            for verb in {*REQUEST_VERBS} - {*READER}:
                assert "may not" in refusal(allowed, client, verb)
            allowed.query(client, PRICE, "")
            assert f"about account {'main'!r}" in refusal(allowed, client, BALANCE, "main")


def test_an_admin_may_everything_and_a_refusal_says_how_to_become_one() -> None:
    allowed = permissions(
        clients={"ops": {"role": "admin"}, "eve": {"role": "reader"}}, role="admin"
    )
    for client in ("ops", "", "stranger"):
        for verb in REQUEST_VERBS:
            allowed.verb(client, verb)
        allowed.query(client, BALANCE, "main")
    assert refusal(allowed, "eve", "halt").endswith(
        '; to permit it: [requests.clients.eve] role = "admin", or verbs = ["halt", …]'
    )
    assert '[requests.clients.eve] accounts = ["main"]' in refusal(allowed, "eve", BALANCE, "main")
    assert refusal(permissions(), "", "halt").endswith(
        '; to permit it: [requests.clients.NAME] role = "admin", or verbs = ["halt", …]'
        " and ask under that name (--user NAME)"
    )


def test_an_account_and_nobody_who_may_trade_it_is_told() -> None:
    kis = {
        "environment": "paper",
        "apps": [{"alias": "a", "app_key": "k", "app_secret": "s"}],
        "accounts": [{"alias": "main", "app": "a", "number": "12345678-01"}],
    }
    catalog = load()
    told = Permissions.of(Config.model_validate({"kis": kis})).problems(catalog)
    assert [place for place, _ in told] == ["orders.clients"]
    named = {"clients": {"alice": {"accounts": ["main"]}}}
    for config in (
        {"kis": kis, "orders": named},
        {"kis": kis | {"environment": "simulator"}},
        {"kis": kis | {"accounts": []}},
    ):
        assert [*Permissions.of(Config.model_validate(config)).problems(catalog)] == []


def test_whoever_the_broker_lets_in_may_do_everything_with_the_simulator() -> None:
    allowed = permissions(OrdersConfig(), everything=True)
    for client in ("", "alice"):
        for verb in REQUEST_VERBS:
            allowed.verb(client, verb)
        allowed.query(client, BALANCE, "main")


def test_verbs() -> None:
    allowed = permissions(
        verbs=["query", "channels"], clients={"alice": {"verbs": ["halt"]}, "bob": {"verbs": []}}
    )
    allowed.verb("", "query")
    allowed.verb("stranger", "channels")
    allowed.verb("alice", "halt")
    assert refusal(allowed, "", "halt").startswith(
        "a request without a client's name in its topic may not halt; permitted: query, channels; "
    )
    assert refusal(allowed, "stranger", "halt").startswith("client 'stranger' may not halt;")
    assert "'alice' may not query; permitted: halt; " in refusal(allowed, "alice", "query")
    assert "permitted: none; " in refusal(allowed, "bob", "query")


def test_calls_by_pattern() -> None:
    allowed = permissions(
        query=["*/inquire_price"],
        clients={"alice": {"query": ["domestic_stock/*", "overseas_stock/price"]}, "bob": {}},
    )
    for client in ("", "stranger", "bob"):  # what a client's table leaves out holds as above
        allowed.query(client, PRICE, "")
        assert BALANCE in refusal(allowed, client, BALANCE, "")
    allowed.query("alice", BALANCE, "")
    allowed.query("alice", "overseas_stock/price", "")
    assert refusal(allowed, "alice", "overseas_stock/price_detail", "") == (
        "client 'alice' may not call 'overseas_stock/price_detail'; "
        "permitted: domestic_stock/*, overseas_stock/price"
    )
    assert refusal(allowed, "alice", "Domestic_stock/x", "")  # case is kept


@pytest.mark.parametrize(
    ("requests", "client", "account", "permitted"),
    [
        ({}, "alice", "main", True),  # whom orders.clients names
        ({}, "alice", "other", False),
        ({}, "stranger", "other", False),
        ({}, "", "other", False),
        ({"role": "admin"}, "", "other", True),
        ({"role": "admin"}, "alice", "other", False),  # whom orders.clients names, as before
        ({"clients": {"alice": {"role": "admin"}}}, "alice", "other", True),
        ({"clients": {"alice": {"role": "reader"}}, "role": "admin"}, "alice", "main", True),
        ({"clients": {"alice": {"role": "reader"}}, "role": "admin"}, "alice", "other", False),
        ({"accounts": ["main"]}, "", "other", False),
        ({"accounts": ["main"]}, "stranger", "other", False),
        ({"accounts": ["main"]}, "carol", "other", True),  # the nearer table wins
        ({"accounts": []}, "", "", True),  # about nobody's account
        ({"clients": {"alice": {"accounts": ["other"]}}}, "alice", "other", True),
        ({"clients": {"alice": {"accounts": ["other"]}}}, "alice", "main", False),
        ({"clients": {"alice": {}}, "accounts": ["other"]}, "alice", "main", True),
    ],
)
def test_accounts(requests: dict[str, Any], client: str, account: str, permitted: bool) -> None:
    allowed = permissions(**requests)
    if permitted:
        allowed.query(client, BALANCE, account)
    else:
        assert f"about account {account!r}" in refusal(allowed, client, BALANCE, account)


def test_nobody_asks_in_the_name_of_another() -> None:
    allowed = permissions(clients={"alice": {}})
    allowed.holder("alice", "alice")
    allowed.holder("", "desk 3")  # a name that nobody vouches for, as before
    allowed.holder("", "")
    trading = permissions(
        OrdersConfig.model_validate({"clients": {"dora": {"accounts": ["main"]}}})
    )
    with pytest.raises(RequestError, match="may not ask as client 'dora'"):
        trading.holder("", "dora")
    for client, asked in (("bob", "alice"), ("bob", "desk"), ("alice", ""), ("", "alice")):
        with pytest.raises(RequestError, match=f"may not ask as client {asked!r}"):
            allowed.holder(client, asked)


def test_patterns_that_permit_nothing_are_told() -> None:
    right = ["*", "domestic_stock/*", "*/inquire_price", PRICE]
    wrong = ["inquire_price", "domestic_stock/inquire_prise", "order*", "domestic_stock/order_cash"]
    allowed = permissions(query=right, clients={"alice": {"query": [*right, *wrong]}, "bob": {}})
    told = dict(allowed.problems(load()))
    assert list(told) == [f"requests.clients.alice.query[{n}]" for n in range(4, 8)]
    short, typed, pattern, order = told.values()
    assert short == f"'inquire_price': no such read-only call (did you mean {PRICE!r}?)"
    assert typed.endswith(f"(did you mean {PRICE!r}?)")
    assert pattern == "'order*': no such read-only call"
    assert order == "'domestic_stock/order_cash': no such read-only call"
    assert [place for place, _ in permissions(query=["x/*"]).problems(load())] == [
        "requests.query[0]"
    ]


def test_the_clients_of_both_tables_are_known() -> None:
    orders = OrdersConfig.model_validate({"clients": {"alice": {"accounts": ["main"]}}})
    allowed = permissions(orders, clients={"bob": {"verbs": []}})
    assert set(allowed.clients()) == {"alice", "bob"}
