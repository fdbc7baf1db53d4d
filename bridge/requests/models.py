"""What requests say: one model for each verb's payload, beside its ``transaction``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

__all__ = [
    "EmptyRequest",
    "HaltRequest",
    "QueryRequest",
    "ResolveRequest",
    "ResumeRequest",
    "SnapshotRequest",
    "SubscribeRequest",
    "SubscriptionItem",
    "SubscriptionsRequest",
    "SymbolsRequest",
    "UnsubscribeRequest",
]

_MOST = 500
"""Subscriptions of one request."""

_FORMS: JsonValue = [
    {
        "required": ["market", "venue", "kind", "symbol"],
        "properties": {"channel": False, "key": False},
    },
    {
        "required": ["channel", "key"],
        "properties": dict.fromkeys(("market", "venue", "kind", "symbol"), False),
    },
]
_OUTCOMES: JsonValue = [
    {"properties": {"outcome": {"const": "placed"}}, "required": ["order_no"]},
    {"properties": {"outcome": {"const": "not_placed"}, "order_no": {"maxLength": 0}}},
]
"""What the validators below ask for, as JSON Schema says it."""

_WHOSE = "Whose orders; blank: every client's"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmptyRequest(_Request):
    """Of the verbs that need to know nothing."""


class SubscriptionItem(_Request):
    """Market data of one symbol: the levels of its topic, or channel and key."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _FORMS})

    market: str = ""
    venue: str = ""
    kind: str = ""
    symbol: str = ""
    channel: str = ""
    key: str = ""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.model_fields_set not in ({"market", "venue", "kind", "symbol"}, {"channel", "key"}):
            raise ValueError("give market, venue, kind and symbol; or channel and key")
        return self


class SubscribeRequest(_Request):
    """Market data that is wanted."""

    subscriptions: tuple[SubscriptionItem, ...] = Field(min_length=1, max_length=_MOST)
    priority: int = Field(default=0, ge=0, le=9)
    lease_s: int | None = Field(
        default=None,
        ge=10,
        le=7 * 86_400,
        description="Seconds until it ends, unless it is asked for again",
    )
    """None: it stays until it is unsubscribed."""
    client: str = Field(default="requests", min_length=1, max_length=64)
    rotate: bool = Field(
        default=False,
        description="Whether turns on the slots that nothing else needs are enough. Among these,"
        " priority says nothing",
    )


class UnsubscribeRequest(_Request):
    """Market data that is wanted no longer."""

    subscriptions: tuple[SubscriptionItem, ...] = Field(min_length=1, max_length=_MOST)
    client: str = Field(default="requests", min_length=1, max_length=64)


class SubscriptionsRequest(_Request):
    """Which of the subscriptions are wanted: the first thousand, unless something else is said."""

    skip: int = Field(default=0, ge=0, le=10**6, description="How many to leave out before")


class SnapshotRequest(_Request):
    """Topics whose newest record is wanted."""

    topics: tuple[str, ...] = Field(default=(), description="Only these; without it all topics")
    after: str = Field(
        default="",
        max_length=65_535,
        description="What ``next`` of the page before said; blank: from the first topic on",
    )
    limit: int = Field(
        default=1000,
        ge=1,
        le=1000,
        description="Most records in the answer, for those who cannot take 256 KiB at once",
    )


class QueryRequest(_Request):
    """A read-only call of KIS."""

    api: str = Field(description="Workbook name of the call, e.g. inquire_price or elw/volume_rank")
    account: str | None = Field(
        default=None, description="Alias of the account, for calls that are about one"
    )
    params: dict[str, str | int] = Field(
        default={}, description="Parameters by their English or KIS's name"
    )
    variant: str = Field(
        default="", description="Which one, of calls that the workbook has in several"
    )
    pages: int = Field(default=1, ge=1, le=20, description="How many pages to follow and join")


class SymbolsRequest(_Request):
    """Find symbols by their beginning or by a part of their name, or look some up."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["search"]}, {"required": ["symbols"]}]}
    )

    market: str = Field(
        default="", description="Id of a master (kospi) or market of the topics; blank: all"
    )
    search: str = Field(
        default="",
        max_length=100,
        description="Beginning of the symbol or a part of the name",
    )
    symbols: tuple[str, ...] = Field(default=(), max_length=500, description="Symbols to look up")
    limit: int = Field(default=50, ge=1, le=1000, description="Most symbols to find")
    details: bool = Field(default=False, description="Whether every column of the master is wanted")


class HaltRequest(_Request):
    """Who is to place no more orders; blank stands for all of them."""

    reason: str = Field(default="", max_length=200)
    account: str = Field(default="", max_length=64)
    client: str = Field(default="", max_length=128, description=_WHOSE)
    mode: Literal["halted", "reduce_only"] = Field(
        default="halted",
        description="halted: no new orders; reduce_only: those that make positions smaller",
    )
    cancel_all: bool = Field(
        default=False,
        description="Also cancel what is open, until the exchange's list has nothing open",
    )
    scope: Literal["ours", "account"] = Field(
        default="ours",
        description="What is cancelled. ours: what came through the bridge; account: whatever the"
        " account has open, also what was placed by hand",
    )
    force: bool = Field(
        default=False,
        description="Halt the client also if the bridge knows nobody of this name yet",
    )

    @model_validator(mode="after")
    def _scope_of_accounts(self) -> Self:
        if self.scope == "account" and (self.client or not self.cancel_all):
            raise ValueError("scope account is for cancel_all, and of no single client")
        return self


class ResumeRequest(_Request):
    """Whose halt is taken back."""

    reason: str = Field(default="", max_length=200)
    account: str = Field(default="", max_length=64)
    client: str = Field(default="", max_length=128, description=_WHOSE)


class ResolveRequest(_Request):
    """What a person found out about a command whose outcome is unknown."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _OUTCOMES})

    account: str = Field(min_length=1, description="Alias of the account")
    client: str = Field(min_length=1, description="Who sent the command")
    client_order_id: str = Field(min_length=1)
    command_id: str = Field(
        default="", description="Id of a modification or cancellation, as in its ack"
    )
    outcome: Literal["placed", "not_placed"]
    order_no: str = Field(
        default="",
        pattern=r"^[0-9A-Za-z]{0,20}$",
        description="KIS's number of what was placed",
    )

    @model_validator(mode="after")
    def _number(self) -> Self:
        if (self.outcome == "placed") is not bool(self.order_no.strip("0")):
            raise ValueError("give the order_no of what was placed, and of nothing else")
        return self
