"""What KIS's WebSocket answers mean, and what is done about each. Pure data.

Source: KIS's code table and what its servers have been seen to send.
"""

from __future__ import annotations

from enum import Enum

from bridge.kis.wording import approval_over

__all__ = ["UNKNOWN_KEY", "Action", "action", "meaning"]


class Action(Enum):
    """What an answer asks for."""

    DONE = "done"
    """The request is fulfilled, or was before."""
    LIMIT = "limit"
    """No slot is free: the session has learned its limit."""
    AGAIN = "again"
    """KIS stumbled; the same request may succeed later."""
    RENEW = "renew"
    """The approval key is not accepted: one new key, then patience."""
    ELSEWHERE = "elsewhere"
    """The app key has a session elsewhere: keep quiet for a while."""
    MEND = "mend"
    """The request is wrong, or not permitted; asking again soon is of no use."""


_CODES: dict[str, tuple[Action, str]] = {
    "OPSP0000": (Action.DONE, "subscribed"),
    "OPSP0001": (Action.DONE, "unsubscribed"),
    "OPSP0002": (Action.DONE, "already subscribed"),
    "OPSP0003": (Action.DONE, "was not subscribed"),
    "OPSP0007": (Action.AGAIN, "internal error of KIS"),
    "OPSP0008": (Action.LIMIT, "no slot is free"),
    "OPSP0009": (Action.MEND, "no right to this data, or an unknown key"),
    "OPSP0010": (Action.RENEW, "the app key of the approval key is not accepted"),
    "OPSP0011": (Action.RENEW, "the approval key is not accepted"),
    "OPSP0017": (Action.MEND, "the HTS id is wrong"),
    "OPSP8991": (Action.MEND, "unknown TR id"),
    "OPSP8992": (Action.MEND, "unknown key"),
    "OPSP8993": (Action.MEND, "unknown key"),
    "OPSP8994": (Action.MEND, "a personal secret is missing"),
    "OPSP8995": (Action.MEND, "the app secret is missing"),
    "OPSP8996": (Action.ELSEWHERE, "the app key is in use by another session"),
    "OPSP8997": (Action.MEND, "wrong request type"),
    "OPSP8998": (Action.MEND, "wrong customer type"),
    "OPSP8999": (Action.AGAIN, "KIS has no resource for it"),
    "OPSP9990": (Action.MEND, "the request has no key"),
    "OPSP9991": (Action.MEND, "the request has no input"),
    "OPSP9992": (Action.MEND, "the request has no body"),
    "OPSP9993": (Action.AGAIN, "internal error of KIS"),
    "OPSP9994": (Action.MEND, "the app key is not accepted"),
    "OPSP9995": (Action.AGAIN, "KIS has no resource for it"),
    "OPSP9996": (Action.MEND, "the app key is missing"),
    "OPSP9997": (Action.MEND, "the customer type is missing"),
    "OPSP9998": (Action.MEND, "the request has no header"),
    "OPSP9999": (Action.MEND, "the request is no JSON"),
    # The bridge's own.
    "timeout": (Action.AGAIN, "KIS does not answer the request"),
    "silent": (Action.AGAIN, "nothing came any more, not even PINGPONG"),
    "mute": (Action.AGAIN, "no market data came while the market is busy"),
    "stalled": (Action.AGAIN, "KIS does not read any more"),
    "approval": (Action.AGAIN, "no approval key was to be had"),
    "unreachable": (Action.AGAIN, "no connection"),
}


UNKNOWN_KEY = frozenset({"OPSP8992", "OPSP8993"})
"""Of a key that no change of rights or time makes one."""


def action(code: str, text: str = "") -> Action:
    """Return what is done about a code; an unknown one may pass, so it is tried again.

    Of an unknown one the ``text`` tells whether the approval key is meant.
    """
    if code in _CODES:
        return _CODES[code][0]
    return Action.RENEW if approval_over(text) else Action.AGAIN


def meaning(code: str) -> str:
    """Return a code in words, blank for one that nobody knows."""
    return _CODES[code][1] if code in _CODES else ""
