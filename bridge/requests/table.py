"""The requests that the bridge serves, one row for each verb.

`Verbs` has a method for each row, called like its verb; the server, the documents and the
permissions take everything else from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel

from bridge.mqtt.topics import RequestVerb
from bridge.requests import answers, models

__all__ = ["REQUESTS", "RequestKind"]


@dataclass(frozen=True, slots=True)
class RequestKind:
    """What a verb takes and does."""

    verb: RequestVerb
    model: type[BaseModel]
    """The payload, beside ``transaction``, which every request may have."""
    answer: Any
    """The type of the answer's ``data``."""
    summary: str

    def keys(self) -> tuple[str, ...]:
        """Return every key that a payload may have; ``subscriptions.*.market`` is in a list."""
        return (*_keys(self.model), "transaction")


REQUESTS: Final = (
    RequestKind(
        "subscribe",
        models.SubscribeRequest,
        answers.SubscribeAnswer,
        "Want market data, until the lease ends or it is unsubscribed",
    ),
    RequestKind(
        "unsubscribe",
        models.UnsubscribeRequest,
        answers.UnsubscribeAnswer,
        "Want market data no longer; what others want goes on",
    ),
    RequestKind(
        "subscriptions",
        models.SubscriptionsRequest,
        answers.SubscriptionsAnswer,
        "List what is subscribed, where, and for whom: a thousand, in the order of service",
    ),
    RequestKind(
        "channels",
        models.EmptyRequest,
        answers.ChannelsAnswer,
        "List the channels that can be subscribed in this environment",
    ),
    RequestKind(
        "snapshot",
        models.SnapshotRequest,
        answers.SnapshotAnswer,
        "Get the newest record of each topic, or of some topics, in pages",
    ),
    RequestKind(
        "query",
        models.QueryRequest,
        answers.QueryAnswer,
        "Make a read-only REST call of KIS, in the workbook's English names",
    ),
    RequestKind(
        "symbols",
        models.SymbolsRequest,
        answers.SymbolsAnswer,
        "Find symbols by their beginning or a part of their name, or look some up",
    ),
    RequestKind(
        "halt",
        models.HaltRequest,
        answers.HaltAnswer,
        "Refuse new orders of everybody, an account or a client; cancellations go on",
    ),
    RequestKind(
        "resume",
        models.ResumeRequest,
        answers.ResumeAnswer,
        "Take back a halt of the same account and client",
    ),
    RequestKind(
        "resolve",
        models.ResolveRequest,
        answers.ResolveAnswer,
        "Settle a command whose outcome stayed unknown, as a person found out",
    ),
    RequestKind(
        "adopt",
        models.EmptyRequest,
        answers.AdoptAnswer,
        "Take orders again with a journal that lacks some, after the exchange's lists are read",
    ),
)


def _keys(model: type[BaseModel], place: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{place}{name}"
        for item in get_args(field.annotation):
            if isinstance(item, type) and issubclass(item, BaseModel):
                yield from _keys(item, f"{place}{name}.*.")
