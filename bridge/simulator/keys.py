"""App keys, access tokens and approval keys of the simulated KIS (pure, seeded)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from bridge.simulator.clients import Clients
from bridge.simulator.settings import SimulatorSettings

__all__ = ["Approval", "KeyRefused", "Keys", "Token"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
_SAME_TOKEN = timedelta(hours=6)
_APPROVAL_LIFETIME = timedelta(hours=24)
_MOST_KEPT = 10_000
"""App keys, tokens or approval keys."""
_Kept = TypeVar("_Kept")


class KeyRefused(Exception):  # noqa: N818 - an answer, not a fault
    """Keys or tokens that KIS would not take; ``code`` is KIS's.

    ``text`` blank: what KIS says with this code. Both blank: ``status`` has to say it all.
    """

    def __init__(self, code: str, text: str = "", status: int = 500) -> None:
        super().__init__(code)
        self.code, self.text, self.status = code, text, status


@dataclass(slots=True)
class Token:
    text: str
    app_key: str
    issued: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    app_key: str
    client: str
    issued: datetime


class Keys:
    """Issues and checks; time is an argument."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self.clients = Clients(settings)
        """Who has which keys."""
        self._random = Random(f"keys {settings.seed}")  # noqa: S311 - opens only this simulator
        self._tokens: dict[str, Token] = {}
        self._asked: dict[str, datetime] = {}
        self._approvals: dict[str, Approval] = {}
        self._revoked: dict[str, tuple[str, str, int]] = {}
        """Token → what a call with it is answered."""
        self._forgotten: dict[str, tuple[str, str]] = {}
        self.issued = 0
        """Answers of the token endpoint that held one."""
        self._calls: dict[str, list[float]] = {}

    def check(self, app_key: str, app_secret: str) -> None:
        """Raise :class:`KeyRefused` unless this is a pair that opens the simulator."""
        settings = self._settings
        if not app_key:
            raise KeyRefused("EGW00102")
        if not app_secret:
            raise KeyRefused("EGW00104")
        if (holder := self.clients.holder(app_key)) is not None:
            if app_secret != holder.app_secret:
                raise KeyRefused("EGW00105")
        elif not settings.any_key or len(app_key) != 36:
            raise KeyRefused("EGW00103")
        elif len(app_secret) != 180:
            raise KeyRefused("EGW00105")

    def token(self, app_key: str, now: datetime) -> Token:
        """Issue a token, or the same one within six hours; at most once a minute and app key."""
        asked = self._asked.get(app_key)
        # The clock can be set back, and what is to come has not been asked yet.
        if asked and 0 <= (now - asked).total_seconds() < self._settings.token_interval_s:
            raise KeyRefused("EGW00133")
        _keep(self._asked, app_key, now)
        newest = max(
            (token for token in self._tokens.values() if token.app_key == app_key),
            key=lambda token: token.issued,
            default=None,
        )
        self.issued += 1
        if newest and now - newest.issued < _SAME_TOKEN and now < newest.expires:
            return newest
        lifetime = timedelta(seconds=self._settings.token_lifetime_s)
        token = Token("eyJ0eXAi." + self._letters(330), app_key, now, now + lifetime)
        _keep(self._tokens, token.text, token)
        return token

    def revoke(self, text: str) -> None:
        self._tokens.pop(text, None)

    def revoke_all_of(self, app_key: str) -> int:
        """Forget the tokens of one app key, which gets new ones at once; return how many."""
        own = [text for text, token in self._tokens.items() if token.app_key == app_key]
        for text in own:
            del self._tokens[text]
        self._asked.pop(app_key, None)
        return len(own)

    def revoke_all(self, code: str = "", text: str = "", status: int = 500) -> None:
        """Forget every token, as maintenance has been seen to do; new ones are issued at once.

        Calls with an old one are answered as told: ``EGW00121`` unless anything is.
        """
        if code or text or status != 500:
            self._revoked |= dict.fromkeys(self._tokens, (code, text, status))
        self._tokens.clear()
        self._asked.clear()

    def authorize(self, authorization: str, app_key: str, now: datetime) -> None:
        """Check an ``Authorization`` header."""
        if not authorization:
            raise KeyRefused("EGW00122")
        kind, _, text = authorization.partition(" ")
        if kind != "Bearer":
            raise KeyRefused("EGW00205")
        token = self._tokens.get(text.strip())
        if told := self._revoked.get(text.strip()):
            raise KeyRefused(*told)
        if token is None or token.app_key != app_key:
            raise KeyRefused("EGW00121")
        if now >= token.expires:
            raise KeyRefused("EGW00123")

    def approve(self, app_key: str, client: str, now: datetime) -> str:
        """Issue an approval key for the WebSocket; ``client`` is the User-Agent that asked."""
        digits = "".join(self._random.choice("0123456789abcdef") for _ in range(32))
        cuts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        key = "-".join(cuts)
        _keep(self._approvals, key, Approval(app_key, client, now))
        return key

    def approved(self, key: str, now: datetime) -> Approval | None:
        """Return what an approval key stands for, unless it is unknown or a day old."""
        found = self._approvals.get(key)
        return found if found and now - found.issued < _APPROVAL_LIFETIME else None

    def forget_approvals(self, code: str = "", text: str = "") -> None:
        """Forget every approval key; registrations with one are answered as told."""
        if code:
            self._forgotten |= dict.fromkeys(self._approvals, (code, text))
        self._approvals.clear()

    def forgotten(self, key: str) -> tuple[str, str]:
        """Return code and text for a key that is not known (any more)."""
        return self._forgotten.get(key, ("OPSP0011", ""))

    def count_call(self, app_key: str, now: datetime) -> None:
        """Count a REST call; raise ``EGW00201`` when there were too many within the second."""
        limit = self._settings.rest_limit
        if not limit:
            return
        # A client that paces itself to the limit must not fail by the jitter of the way.
        at = now.timestamp()
        window = 0.95 * max(1.0, 1 / limit)
        recent = [call for call in self._calls.get(app_key, []) if 0 <= at - call < window]
        _keep(self._calls, app_key, recent)
        if len(recent) >= max(1, int(limit)):
            raise KeyRefused("EGW00201")
        recent.append(at)

    def _letters(self, length: int) -> str:
        return "".join(self._random.choice(_LETTERS) for _ in range(length))


def _keep(kept: dict[str, _Kept], key: str, value: _Kept) -> None:
    """Keep what is newest, whatever a client asks for."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]
