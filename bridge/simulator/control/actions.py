"""What can be asked of the control interface: the body of each request."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridge.simulator.settings import MOST_CLIENTS

__all__ = [
    "ControlAction",
    "ControlMarket",
    "DropClients",
    "FillOrder",
    "HaltSymbol",
    "MoveClock",
    "MuteChannel",
    "RefuseNext",
    "ResumeSymbol",
    "RevokeTokens",
    "SetHoliday",
    "SetPrice",
    "SetSession",
    "TriggerVi",
]

ControlMarket = Literal[
    "domestic_stock",
    "domestic_derivative",
    "domestic_bond",
    "overseas_stock",
    "overseas_derivative",
]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9/. _-]{1,20}$", examples=["005930"])]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
ClientNumber = Annotated[int, Field(ge=1, le=MOST_CLIENTS, strict=True)]


class ControlAction(BaseModel):
    """What all bodies have in common: nothing is taken that is not named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _OfSymbol(ControlAction):
    market: ControlMarket = "domestic_stock"
    symbol: Symbol


class SetPrice(ControlAction):
    """Move a symbol to a price: whatever waits for it fills, and the market goes on from there."""

    market: ControlMarket | Literal["domestic_index"] = "domestic_stock"
    symbol: Symbol

    price: Annotated[
        Decimal,
        Field(gt=0, max_digits=18, decimal_places=8, allow_inf_nan=False, examples=[271500]),
    ]
    hold: Annotated[bool, Field(description="Stay there until it is moved again without this.")] = (
        False
    )


class FillOrder(ControlAction):
    """Let an open order trade, out of its turn in the queue."""

    order: Annotated[str, Field(pattern=r"^[0-9]{1,10}$", examples=["0000001869"])]
    quantity: Annotated[
        int | None, Field(ge=1, strict=True, description="Not given: all that is left.")
    ] = None


class RefuseNext(_OfSymbol):
    """Let the exchange refuse the next order for a symbol, after KIS has taken it."""


class HaltSymbol(_OfSymbol):
    """Halt a symbol: no trades, no orders but cancellations."""


class ResumeSymbol(_OfSymbol):
    """Let a halted symbol trade again."""


class TriggerVi(ControlAction):
    """Trigger the volatility interruption of a domestic stock: a call auction, then trading."""

    symbol: Symbol
    for_s: Seconds = 120.0


class SetHoliday(ControlAction):
    """Close the domestic exchanges on a day."""

    date: date
    closed: Annotated[bool, Field(description="false takes it back.")] = True


class MoveClock(ControlAction):
    """Set KIS's clock: ahead of this machine's, or to a moment from which on it runs."""

    ahead_s: Annotated[float | None, Field(ge=-(10**8), le=10**8, allow_inf_nan=False)] = None
    at: Annotated[
        datetime | None, Field(description="With its zone.", examples=["2026-11-27T08:59:50+09:00"])
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.ahead_s is None) == (self.at is None):
            raise ValueError("give ahead_s or at")
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("at needs a zone, such as +09:00")
        return self


class SetSession(ControlAction):
    """Set the state of the domestic exchanges, whatever the clock says."""

    session: Annotated[
        Literal["open", "before", "after", "holiday"] | None,
        Field(description="null: as the clock says."),
    ]


class _OfClient(ControlAction):
    client: Annotated[
        ClientNumber | None, Field(description="Counted from 1. Not given: all of them.")
    ] = None


class DropClients(_OfClient):
    """Cut WebSocket connections without a closing handshake."""


class RevokeTokens(_OfClient):
    """Revoke tokens; new ones are issued at once."""


class MuteChannel(ControlAction):
    """Send nothing of a channel, as KIS does when it has lost a registration."""

    channel: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$", examples=["H0STCNT0"])]
    key: Annotated[str, Field(max_length=20, description="Not given: all keys.")] = ""
    for_s: Seconds
