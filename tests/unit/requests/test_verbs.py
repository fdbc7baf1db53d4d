"""In whose name subscriptions are held."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.catalog.compile import load
from bridge.config.orders import OrdersConfig
from bridge.config.requests import RequestsConfig
from bridge.errors import RequestError
from bridge.mqtt.message import Message
from bridge.mqtt.topics import Topics
from bridge.requests.permissions import Permissions
from bridge.requests.verbs import Verbs
from bridge.subscriptions.request import Wanted

NOT_FOR_BOTH = ("rotate", "unsubscribe")
WANTED = {"subscriptions": [{"channel": "H0STCNT0", "key": "005930"}]}


class Pool:
    """Keeps in whose name something was wanted and dropped; and nothing is prepared."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.released: list[str] = []
        self.turns: dict[str, float] = {}
        """Key → when its turn comes."""

    def hold(self, wanted: object, holder: str, *_: object, rotate: bool) -> None:
        self.held.append(holder)

    def release(self, wanted: object, holder: str, client: str) -> int:
        self.released.append(holder)
        return 0

    def is_waiting(self, wanted: object) -> bool:
        return False

    def next_turn(self, wanted: Wanted) -> float | None:
        return self.turns.get(wanted.key)

    def prepare(self, tr_id: str) -> None: ...


@pytest.fixture
def pool() -> Pool:
    return Pool()


async def ask(pool: Pool, client: str, more: dict[str, object]) -> Any:
    """Return the answer to the first request, to subscribe."""
    verbs: Any = Verbs.__new__(Verbs)
    verbs._catalog, verbs._paper = load(), True
    verbs._pool = verbs._pump = pool
    verbs._topics = Topics("home/kis")
    verbs._permissions = Permissions(
        RequestsConfig.model_validate({"clients": {"alice": {}}}), OrdersConfig()
    )
    answers = []
    for verb in ("subscribe", "unsubscribe"):
        topic = verbs._topics.request(verb, client)
        message = Message(topic, b"", 1, False, "", b"", None, 0, lambda: None)
        asked = {name: value for name, value in more.items() if (name, verb) != NOT_FOR_BOTH}
        answers.append(await getattr(verbs, verb)(WANTED | asked, message))
    return answers[0]


@pytest.mark.parametrize(
    ("client", "more", "holder"),
    [
        ("", {}, "requests"),
        ("", {"client": "desk"}, "desk"),
        ("bob", {}, "bob"),
        ("bob", {"client": "bob"}, "bob"),
        ("a b/c", {}, "a b/c"),
    ],
)
async def test_the_holder(pool: Pool, client: str, more: dict[str, object], holder: str) -> None:
    await ask(pool, client, more)
    assert pool.held == pool.released == [holder]


@pytest.mark.parametrize(
    ("client", "more", "code"),
    [
        ("bob", {"client": "alice"}, "not_permitted"),
        ("bob", {"client": ""}, "not_permitted"),
        ("", {"client": "alice"}, "not_permitted"),
        ("", {"client": "configuration"}, "invalid_request"),
        ("orders", {}, "invalid_request"),
    ],
)
async def test_a_name_that_is_not_theirs(
    pool: Pool, client: str, more: dict[str, object], code: str
) -> None:
    with pytest.raises(RequestError) as caught:
        await ask(pool, client, more)
    assert (caught.value.code, pool.held) == (code, [])


@pytest.mark.parametrize(
    ("client", "more"), [("bob", {"client": 5}), ("", {"client": ""}), ("b" * 65, {})]
)
async def test_a_name_that_is_none(pool: Pool, client: str, more: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="client"):
        await ask(pool, client, more)
    assert pool.held == []


async def test_who_is_content_with_turns_is_told_when_they_come(pool: Pool) -> None:
    assert await ask(pool, "bob", {}) == {"subscribed": 1, "waiting": 0}
    pool.turns["005930"] = 440.2
    answer = await ask(pool, "bob", {"rotate": True})
    assert answer == {"subscribed": 1, "waiting": 0, "rotating": 1, "within_s": 441}
    pool.turns.clear()
    pool.is_waiting = lambda wanted: True  # type: ignore[method-assign]
    answer = await ask(pool, "bob", {"rotate": True})
    assert answer == {"subscribed": 1, "waiting": 1, "rotating": 0, "within_s": None}
