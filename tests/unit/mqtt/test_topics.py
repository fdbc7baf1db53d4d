from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mqtt.topics import Topics, decode_level, encode_level, is_topic

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
AWKWARD = st.text("/+#% $\t\n\0\u3000\ufffe한a", min_size=1, max_size=8)


@given(TEXT | AWKWARD)
def test_a_level_survives_the_round_trip_and_is_always_valid(text: str) -> None:
    level = encode_level(text)
    assert decode_level(level) == text
    assert "/" not in level
    assert is_topic(f"kis/{level}")
    assert not any(c.isspace() for c in level)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("005930", "005930"),
        ("BRK/B", "BRK%2FB"),
        ("OESH23 C3900", "OESH23%20C3900"),
        ("50%", "50%25"),
        ("a+b#c", "a%2Bb%23c"),
        ("삼성전자", "삼성전자"),
        ("\x00\x7f", "%00%7F"),
    ],
)
def test_levels_read_as_documented(text: str, level: str) -> None:
    assert encode_level(text) == level


def test_what_cannot_be_a_level() -> None:
    with pytest.raises(ValueError, match="empty"):
        encode_level("")
    with pytest.raises(ValueError, match="surrogates"):
        encode_level("\ud800")
    with pytest.raises(ValueError, match="utf-8"):
        decode_level("%ff")


@pytest.mark.parametrize(
    "topic", ["", "a/+", "#", "$SYS/x", "a\x00", "a\n", "\ud800", "x" * 65_536, "a\ufffe"]
)
def test_what_no_broker_takes(topic: str) -> None:
    assert not is_topic(topic)


def test_of_ascii_a_broker_takes_what_is_no_control_character() -> None:
    for number in range(128):
        wanted = number >= 32 and number != 127 and chr(number) not in "+#"
        assert is_topic(f"a/{chr(number)}") is wanted, number


@pytest.mark.parametrize("base", ["", "/kis", "kis/", "a//b", "k+s", "#", "$kis", "k s", "k\n"])
def test_a_wrong_base_topic_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="base topic"):
        Topics(base)


def test_the_topics_of_the_contract() -> None:
    topics = Topics()
    market = topics.market("domestic_stock", "krx", "trade", "005930")
    assert market == "kis/market/domestic_stock/krx/trade/005930"
    assert topics.market("overseas_stock", "nys", "quote", "BRK/B").endswith("/BRK%2FB")
    assert topics.state() == "kis/bridge/state"
    assert topics.info() == "kis/bridge/info"
    assert topics.health() == "kis/bridge/health"
    assert topics.session("app1") == "kis/bridge/sessions/app1"
    assert topics.event("gap") == "kis/bridge/event/gap"
    assert topics.request("query") == "kis/bridge/request/query"
    assert topics.request_filter() == "kis/bridge/request/#"
    assert topics.response("query") == "kis/bridge/response/query"
    assert topics.response("query", "ab/c") == "kis/bridge/response/query/ab%2Fc"
    assert topics.command_filter() == "kis/orders/+/+/command/+"
    assert topics.command("main", "alice", "place") == "kis/orders/main/alice/command/place"
    assert topics.order_ack("main", "alice", "a-1") == "kis/orders/main/alice/ack/a-1"
    assert topics.order_event("main", "alice", "a-1") == "kis/orders/main/alice/event/a-1"
    assert topics.order_state("main", "alice", "a-1") == "kis/orders/main/alice/state/a-1"
    assert topics.account("main", "balance") == "kis/accounts/main/balance"
    assert topics.external("main") == "kis/accounts/main/event/external"
    assert repr(topics) == "Topics('kis')"


@given(TEXT, TEXT, TEXT)
def test_a_command_topic_parses_back(account: str, client: str, verb: str) -> None:
    topics = Topics("home/kis")
    assert topics.parse_command(topics.command(account, client, verb)) == (account, client, verb)


@pytest.mark.parametrize(
    "topic",
    [
        "kis/orders/main/alice/ack/place",
        "kis/orders/main/alice/command",
        "kis/orders/main/alice/command/place/x",
        "kis/orders/main//command/place",
        "other/orders/main/alice/command/place",
        "main/alice/command/place",
    ],
)
def test_no_command(topic: str) -> None:
    with pytest.raises(ValueError, match=r"is not"):
        Topics().parse_command(topic)


def test_a_request_topic_parses_back() -> None:
    topics = Topics("home/kis")
    assert topics.parse_request(topics.request("a b")) == ("a b", "")
    assert topics.parse_request(topics.request("a b", "c/d")) == ("a b", "c/d")
    with pytest.raises(ValueError, match="request"):
        topics.parse_request(f"{topics.request('a', 'b')}/c")
    with pytest.raises(ValueError, match="is not"):
        topics.parse_request("home/kis/bridge/request")


@pytest.mark.parametrize("level", ["%61lice", "%41lice", "al%69ce", "a%2fb", "a%20%62"])
def test_a_name_has_one_way_to_be_written(level: str) -> None:
    """The broker's ACL compares what is written; another way would be another user's."""
    for topic, parse in (
        (f"kis/bridge/request/query/{level}", Topics().parse_request),
        (f"kis/orders/main/{level}/command/place", Topics().parse_command),
    ):
        with pytest.raises(ValueError, match="is not how"):
            parse(topic)
    assert Topics().parse_request("kis/bridge/request/query/a b") == ("query", "a b")


def test_a_topic_of_more_than_mqtt_allows_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        Topics().event("한" * 30_000)
    assert len(Topics().event("x" * 60_000)) > 60_000


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("kis/bridge/response/query/me", True),
        ("kis/bridge/response/query", False),
        ("kis/bridge/response/query/", False),
        ("kis/mine/1", False),
        ("kis/", False),
        ("kis//x", False),
        ("kis/market2/x", False),
        ("kis/symbols/kospi", False),
        ("kis/quality/domestic_stock/krx/trade/005930", False),
        ("kis/replies/1", True),
        ("clients/alice/1", True),
        ("clients", False),
        ("elsewhere/1", False),
        ("kis", False),
        ("kis/bridge/state", False),
        ("kis/bridge/response", False),
        ("kis/market/domestic_stock/krx/trade/005930", False),
        ("kis/orders/main/alice/command/place", False),
        ("kis/accounts/main/balance", False),
        ("kis/bridge/response/+", False),
        ("$SYS/x", False),
        ("", False),
    ],
)
def test_where_a_client_may_want_its_answer(topic: str, allowed: bool) -> None:
    assert Topics().allows_response(topic, ["clients/", "", "kis/replies"]) is allowed


@pytest.mark.parametrize("client", ["kis", "home", "kis/market"])
def test_no_name_makes_the_bridges_topics_a_clients_own(client: str) -> None:
    topics = Topics("home/kis" if client == "home" else "kis")
    for what in ("market/x", "orders/main/bob/command/place", "bridge/state", "symbols/kospi"):
        assert not topics.allows_response(f"{topics.base}/{what}", (), client)
    assert not Topics("kis").allows_response("kis/market/1", ("kis",), client)


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("kis/bridge/response/query/a%2Fb", True),
        ("kis/bridge/response/query/a%2Fb/1", True),
        ("kis/bridge/response/query/a%2Fb1", False),
        ("kis/bridge/response/query/bob", False),
        ("kis/bridge/response/query", False),
        ("kis/bridge/response/a%2Fb", False),
        ("kis/bridge/response//a%2Fb/1", False),
        ("kis/mine/1", False),
        ("a%2Fb/1", True),
        ("a/b/1", False),
        ("bob/1", False),
        ("kis/bridge/state", False),
    ],
)
def test_a_client_with_a_name_wants_its_answer_under_it(topic: str, allowed: bool) -> None:
    assert Topics().allows_response(topic, client="a/b") is allowed
