"""What a REST call came to, told apart by what is known about its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bridge.errors import BridgeError

__all__ = [
    "NOT_PROCESSED",
    "UNSURE",
    "Doubt",
    "KisError",
    "KisNotProcessedError",
    "KisNotSentError",
    "KisRefusedError",
    "KisUnknownError",
    "Reply",
]

NOT_PROCESSED = frozenset({"EGW00201", "EGW00215"})
"""Codes by which KIS says that it did nothing, since there were too many calls."""
UNSURE = frozenset(
    {
        "EGW00001",
        "EGW00002",
        "EGW00202",
        "EGW00203",
        "EGW00204",  # 204 and 300 are gateway and routing faults of which KIS does not say more:
        "EGW00300",  # whether the order went on is anybody's guess
        "EGW00301",
        "EGW00302",
    }
)
"""Codes of faults that pass, and leave open what was done."""


class Doubt(Enum):
    """What an answer tells against the token that the call was made with."""

    NONE = "none"
    DENIED = "denied"
    """The call was not let in, and the answer does not say why."""
    WORDED = "worded"
    """It reads as if the token was over, which proves nothing about what became of the call."""
    PROVEN = "proven"
    """A code by which KIS says that the token is over and that it did nothing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of KIS that can be read: a success (``rt_cd`` 0) or a business refusal."""

    rt_cd: str
    msg_cd: str
    msg1: str
    body: Mapping[str, Any] = field(repr=False)
    """The whole JSON object."""
    tr_cont: str = ""
    """``F`` or ``M``: another page follows."""
    tr_id: str = ""
    doubt: Doubt = Doubt.NONE

    @property
    def ok(self) -> bool:
        return self.rt_cd == "0"

    following: bool | None = None
    """Whether another page follows, where that was looked at; None: ``tr_cont`` has to say."""

    @property
    def more(self) -> bool:
        """Whether KIS has more rows than this page."""
        return self.tr_cont in ("F", "M") if self.following is None else self.following


class KisError(BridgeError):
    """A REST call did not come to a readable answer; ``msg_cd`` is KIS's code or blank."""

    def __init__(
        self, message: str, *, msg_cd: str = "", msg1: str = "", doubt: Doubt = Doubt.NONE
    ) -> None:
        super().__init__(message)
        self.msg_cd = msg_cd
        self.msg1 = msg1
        self.doubt = doubt


class KisNotSentError(KisError):
    """The request never left: no connection, no token, no slot in the throttle."""


class KisNotProcessedError(KisError):
    """KIS answered that it did not process the request (``EGW00201``, ``EGW00215``)."""


class KisRefusedError(KisError):
    """The gateway refused the request before any processing (keys, TR id, rights)."""


class KisUnknownError(KisError):
    """Sent, and no usable answer: time-out, broken connection, 5xx, ``EGW00301``/``EGW00302``."""
