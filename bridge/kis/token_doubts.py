"""When an answer of KIS costs a token its life; pure, time is an argument.

Each token sends a message to the customer's phone, so that none is asked for in vain again and
again: a new one that is refused as well is given time before it is replaced, and the wording of one
call is believed once an hour unless it was right.
"""

from __future__ import annotations

import math

from pydantic import SecretStr

from bridge.kis.replies import Doubt

__all__ = ["TokenDoubts"]

_DENIALS = 3
"""Refusals in a row that name no reason, after which the token may be it."""
_AGAIN_S = 120.0
"""Before a token is replaced that was refused from its first call on, as the one before it was;
doubled each time. Until then nothing is waited for but KIS's own minute."""
_LONGEST_S = 300.0
_VAIN_S = 3_600.0
"""For how long the wording of a call is not believed after a new token has not helped it."""


class TokenDoubts:
    """What is known about the token of one app key."""

    def __init__(self) -> None:
        self._newest: SecretStr | None = None
        self._dying: SecretStr | None = None
        """The one that is to be replaced."""
        self._answered = False
        """KIS has taken the newest one for a call."""
        self._refused = 0
        """Tokens in a row that were replaced before KIS took them for anything."""
        self._renewed_at = -math.inf
        self._denials = 0
        self._believed: dict[str, float] = {}
        """Call → when its wording cost a token its life; gone when the call was answered since."""

    def uses(self, token: SecretStr) -> None:
        """Take note of the token that calls are made with now."""
        if token != self._newest:
            self._newest, self._answered = token, False

    def answered(self, token: SecretStr, api: str) -> None:
        """Take note that KIS's systems have answered a call with this token."""
        self._denials = 0
        if token == self._newest:
            self._answered, self._refused = True, 0
            self._believed.pop(api, None)

    def stands(self, token: SecretStr) -> bool:
        """Tell whether no call should be made with this token any more."""
        return token == self._dying

    def holds(self, token: SecretStr) -> bool:
        """Tell whether a token is the newest one and in no doubt."""
        return token == self._newest and not self.stands(token)

    def failed(self, token: SecretStr, api: str, doubt: Doubt, now: float) -> bool:
        """Take note of a refusal; return whether the call needs another token."""
        if doubt is Doubt.DENIED:
            self._denials += 1
            if self._denials < _DENIALS:
                return False
        # Of many calls that are refused at once, the first has seen to it.
        if self.stands(token) or token != self._newest:
            return True
        if not self._answered and now < self._renewed_at + self._patience():
            return False
        if doubt is not Doubt.PROVEN:
            if now < self._believed.get(api, -math.inf) + _VAIN_S:
                return False
            self._believed[api] = now
        self._dying = token
        return True

    def renewed(self, old: SecretStr, new: SecretStr, now: float) -> None:
        """Take note of the token that was issued instead; KIS may give the same one again."""
        if self.stands(old):
            self._dying = None
            self._refused = 0 if self._answered else self._refused + 1
            self._newest, self._answered = new, False
            self._renewed_at, self._denials = now, 0

    def spared(self, token: SecretStr) -> None:
        """Take note that the token was good after all."""
        if self.stands(token):
            self._dying = None

    def _patience(self) -> float:
        again = self._refused - 2
        return min(_AGAIN_S * 2 ** min(again, 8), _LONGEST_S) if again >= 0 else 0.0
