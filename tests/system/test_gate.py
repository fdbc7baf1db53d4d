"""Who gets in where the configuration names nobody, and where answers may be led to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.programs import World, answer, ask, publish


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A paper bridge whose configuration says nothing of requests, and that alice may trade."""
    with World.running(tmp_path_factory.mktemp("world"), environment="paper") as world:
        yield world


@pytest.mark.parametrize("client", ["", "alice", "stranger"])
@pytest.mark.parametrize(
    ("verb", "content"),
    [
        ("halt", {}),
        ("halt", {"cancel_all": True}),
        ("resume", {}),
        ("adopt", {}),
        (
            "resolve",
            {"account": "main", "client": "a", "client_order_id": "1", "outcome": "not_placed"},
        ),
    ],
)
def test_who_is_not_named_stops_and_settles_nothing(
    paper: World, client: str, verb: str, content: dict[str, object]
) -> None:
    said = answer(paper, verb, content, client)
    assert said["code"] == "not_permitted"
    assert f'[requests.clients.{client or "NAME"}] role = "admin"' in said["message"]


def test_who_is_not_named_reads_no_account_but_market_data(paper: World) -> None:
    funds = {"api": "domestic_stock/inquire_psbl_order", "account": "main", "params": {}}
    for client in ("", "stranger"):
        assert answer(paper, "query", funds, client)["code"] == "not_permitted"
        price = {"api": "inquire_price", "params": {"symbol": "005930"}}
        assert answer(paper, "query", price, client)["status"] == "ok"
        assert answer(paper, "channels", {}, client)["status"] == "ok"


def test_who_is_not_named_does_not_trade_on_paper(paper: World) -> None:
    order = paper.resting() | {"client_order_id": "g-1"}
    after = paper.command("place", order, client="stranger")
    ack = paper.ack("g-1", after, client="stranger")
    assert (ack["status"], ack["reason"]) == ("refused", "not_permitted")
    assert ack["environment"] == "paper"
    assert "[orders.clients.NAME] accounts" in ack["message"]


def test_a_halt_from_the_command_line_without_a_name_says_the_mend_in_one_line(
    paper: World,
) -> None:
    done = ask("halt", "--url", paper.broker.url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert '[requests.clients.NAME] role = "admin"' in done.stderr


def test_a_bridge_says_whom_it_lets_in(paper: World) -> None:
    info = paper.ear.until("kis/bridge/info").payload
    assert info["access"] == {"trading": "named", "requests": "named"}


def test_an_ack_goes_to_no_topic_of_another(paper: World) -> None:
    order = paper.resting() | {"symbol": "nothing"}
    for number, wanted in enumerate(
        ("kis/bridge/response/query/bob/1", "kis/symbols/kospi", "kis/market2/x", "bob/1")
    ):
        name = f"r-{number}"
        after = paper.command(
            "place",
            order | {"client_order_id": name},
            *("-D", "publish", "response-topic", wanted),
        )
        message = paper.ack(name, after)["message"]
        assert message.startswith("symbol: ")
        assert f"not answered on '{wanted}'" in message
        assert "mqtt.response_prefixes" in message
        assert wanted not in {heard.topic for heard in paper.ear.heard}
    own = "kis/bridge/response/place/alice/7"
    after = paper.command(
        "place", order | {"client_order_id": "r-9"}, "-D", "publish", "response-topic", own
    )
    assert "not answered" not in paper.ear.until(own, after=after).payload["message"]


def test_a_request_is_not_answered_elsewhere_and_is_told_so(paper: World) -> None:
    for wanted in ("kis/symbols/kospi", "kis/", "kis//x", "kis/market2/x", "bob/1"):
        before = len(paper.ear.heard)
        topic = "kis/bridge/request/channels/alice"
        publish(paper.broker.port, topic, {}, "-D", "publish", "response-topic", wanted)
        said = paper.ear.until("kis/bridge/response/channels/alice", after=before).payload
        assert said["code"] == "invalid_response_topic"
        assert "mqtt.response_prefixes" in said["message"]
        assert wanted not in {heard.topic for heard in paper.ear.heard[before:]}


def test_whatever_is_refused_is_counted(paper: World) -> None:
    after = paper.command("place", paper.resting() | {"client_order_id": "c-1"}, client="stranger")
    assert paper.ack("c-1", after, client="stranger")["reason"] == "not_permitted"
    assert answer(paper, "halt", {}, "stranger")["code"] == "not_permitted"

    def counted(health: Any) -> bool:
        refused = health["refused"]
        return all("not_permitted" in refused[what] for what in ("commands", "requests"))

    paper.ear.until("kis/bridge/health", counted)
