"""Events about prices that REST is asked for, as types."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

__all__ = ["BackupEvent"]


class BackupEvent(TypedDict):
    """REST is asked for prices that no session brings, or is not any more."""

    kind: Literal["backup"]
    state: Annotated[
        Literal["started", "ended", "given_up", "refused"],
        Field(description="refused: KIS refuses a call whatever the symbol; it is tried later"),
    ]
    reason: Annotated[str, Field(description="For people; blank where the state says it all")]
    topics: Annotated[
        list[str], Field(description="Where the prices are published; a hundred at most")
    ]
