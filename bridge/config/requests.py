"""The configuration of requests: ``[requests]``, who may ask for what."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from bridge.config.values import Alias, ClientName, Section
from bridge.mqtt.topics import REQUEST_VERBS
from bridge.runtime.suggestions import nearest

__all__ = ["RequestsConfig", "Rights"]


def _verb(value: str) -> str:
    if value not in REQUEST_VERBS:
        near = nearest(value, REQUEST_VERBS)
        hint = f"did you mean {near!r}?" if near else f"one of {', '.join(REQUEST_VERBS)}"
        raise ValueError(f"no request {value!r} ({hint})")
    return value


def _calls(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_/*?-]{1,100}", value):
        raise ValueError("must be a call of the workbook, with * for any part: domestic_stock/*")
    return value


class Rights(Section):
    """Rights of one client. A key that is missing is taken from `[requests]`."""

    verbs: tuple[Annotated[str, AfterValidator(_verb)], ...] | None = None
    """Requests that are served: `query`, `subscribe` … By default all."""
    query: tuple[Annotated[str, AfterValidator(_calls)], ...] | None = None
    """Calls that a `query` may make, by their names in the workbook. `*` stands for any part:
    `domestic_stock/*`. By default every call that only reads."""
    accounts: tuple[Alias, ...] | None = None
    """Aliases of the accounts that a `query` may name. By default those of `[orders.clients.NAME]`
    if it is there, otherwise all."""


class RequestsConfig(Rights):
    """What a request may do that comes without a client's name, or with a name that is not below.

    The name is the last level of `bridge/request/{verb}/{client}`. The broker's ACL vouches for it.
    """

    clients: dict[ClientName, Rights] = Field(default_factory=dict)
    """By MQTT user name."""
