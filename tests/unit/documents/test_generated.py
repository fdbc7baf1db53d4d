"""Schemas made of the types that payloads have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired, get_args

import pytest
from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from bridge.documents.generated import of_payload
from bridge.kis.events import SubscriptionState
from bridge.mqtt.shapes import Count, Microseconds, Number
from bridge.subscriptions.rows import SubscriptionWord

COUNT = {"type": "integer", "minimum": 0}


class Fruit(StrEnum):
    """What grows; the words are for programmers."""

    APPLE = "apple"
    PEAR = "pear"


class Basket(TypedDict):
    """A basket

    of fruit.
    """

    kind: Annotated[Fruit, Field(description="What is in it")]
    bought_at: Microseconds | None
    price: Number | None
    left: NotRequired[Count]


@with_config(ConfigDict(extra="allow"))
class Anything(TypedDict):
    name: str


def test_an_object_has_the_members_of_its_class_and_no_others() -> None:
    assert of_payload(Basket) == {
        "type": "object",
        "description": "A basket of fruit",
        "properties": {
            "kind": {"type": "string", "enum": ["apple", "pear"], "description": "What is in it"},
            "bought_at": {"type": ["integer", "null"], "description": "µs since the epoch"},
            "price": {"type": ["number", "null"]},
            "left": COUNT,
        },
        "required": ["kind", "bought_at", "price"],
        "additionalProperties": False,
    }


def test_an_object_whose_class_allows_more_is_open() -> None:
    schema = of_payload(list[Anything])["items"]
    assert "additionalProperties" not in schema
    assert schema["required"] == ["name"]


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str | int, {"type": ["string", "integer"]}),
        (
            Annotated[str | None, Field(description="x")],
            {"type": ["string", "null"], "description": "x"},
        ),
        (Literal["a", "b"] | None, {"type": ["string", "null"], "enum": ["a", "b", None]}),
        (dict[str, Count], {"type": "object", "additionalProperties": COUNT}),
        (
            Literal["a", "b"] | int,
            {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "integer"}]},
        ),
        (
            Count | Annotated[str, Field(max_length=3)],
            {"anyOf": [COUNT, {"type": "string", "maxLength": 3}]},
        ),
        (
            Basket | Fruit,
            {"anyOf": [of_payload(Basket), {"type": "string", "enum": ["apple", "pear"]}]},
        ),
    ],
)
def test_alternatives_of_plain_types_are_one_schema(kind: Any, schema: object) -> None:
    assert of_payload(kind) == schema


def test_the_states_of_subscriptions_are_those_of_the_session_and_waiting() -> None:
    assert get_args(SubscriptionWord) == (*(s.value for s in SubscriptionState), "waiting")
