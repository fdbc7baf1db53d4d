"""KIS's two credentials, kept on disk so that KIS is asked as rarely as its rules demand.

The access token opens REST, the approval key the WebSocket. KIS issues a token at most once a
minute and tells the customer's phone each time; both live for a day. A file per app key holds the
credential and the time of the last attempt; a lock beside it keeps two processes from both asking.
Where nothing can be written, all that is kept in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import structlog
from pydantic import BaseModel, Field, SecretStr, ValidationError

from bridge.kis.answers import json_object
from bridge.kis.credential_file import CredentialFile, CredentialRecord
from bridge.kis.replies import (
    NOT_PROCESSED,
    UNSURE,
    KisError,
    KisNotSentError,
    KisRefusedError,
)
from bridge.runtime.clock import SEOUL
from bridge.runtime.filelock import try_lock
from bridge.runtime.redaction import known

__all__ = ["ApprovalKeys", "Tokens"]

log = structlog.get_logger()

DAY_S = 86_400.0
_TOO_OFTEN = "EGW00133"
_SECOND = 1.0
"""KIS's other rule for credentials, beside the minute: so many calls a second."""
_MINUTE = 60.0
_UNKNOWN_S = 20.0
"""Until KIS is asked again for an approval key when somebody else had the last one."""
_WRONG = {
    "EGW00102": "app_key",
    "EGW00103": "app_key",
    "EGW00104": "app_secret",
    "EGW00105": "app_secret",
    "EGW00304": "app_secret",
}
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)

_HeaderText = Annotated[str, Field(pattern=r"^[\x21-\x7e]+$", max_length=4096)]


class _TokenReply(BaseModel):
    access_token: _HeaderText
    expires_in: float = Field(default=DAY_S, gt=0, le=100 * DAY_S)
    access_token_token_expired: str = ""


class _ApprovalReply(BaseModel):
    approval_key: _HeaderText


class _Credential:
    """One credential of one app key at one address; base of the two below.

    ``clock`` is seconds since the epoch, ``monotonic`` the clock of deadlines.
    """

    kind: str
    path: str
    interval_s: float

    def __init__(
        self,
        http: httpx.AsyncClient,
        rest_url: str,
        app_key: SecretStr,
        app_secret: SecretStr,
        store: Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._rest_url = rest_url.rstrip("/")
        self._app_key = app_key
        self._app_secret = app_secret
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = asyncio.Lock()
        name = hashlib.sha256(f"{app_key.get_secret_value()}|{self._rest_url}".encode()).hexdigest()
        file = store / f"{self.kind.replace(' ', '-')}-{name[:24]}.json"
        self._file = CredentialFile(file, self.kind)

    async def _get(self, refused: SecretStr | None, deadline: float | None) -> SecretStr:
        """Return a credential other than ``refused``, issued by whoever needed it first."""
        if not self._fits(refused):
            async with self._alone(deadline):
                # Whoever held the lock before may have asked already, in another process as well.
                self._file.load()
                if not self._fits(refused):
                    await self._issue(deadline)
        return SecretStr(self._file.record.secret)

    def _fits(self, refused: SecretStr | None) -> bool:
        other = refused is None or refused.get_secret_value() != self._file.record.secret
        return other and self._file.record.usable(self._clock())

    @asynccontextmanager
    async def _alone(self, deadline: float | None) -> AsyncIterator[None]:
        """Be the only one, in this process and beside it, who may ask KIS."""
        try:
            async with asyncio.timeout(self._left(deadline)):
                await self._lock.acquire()
        except TimeoutError:
            raise self._too_late() from None
        # Tasks of this process queue up above. The file's lock is tried again and again instead of
        # waited for, since waiting would block the event loop.
        handle: int | None = None
        try:
            try:
                handle = self._file.open_lock()
                while not try_lock(handle):
                    await self._wait(0.1, deadline)
            except OSError as error:
                self._file.warn(error)  # two processes that both ask are the smaller evil
            yield
        finally:
            if handle is not None:
                os.close(handle)
            self._lock.release()

    async def _issue(self, deadline: float | None) -> None:
        """Ask KIS, after what is left of the interval since anybody's last attempt."""
        # Never longer than the interval: the clock may have been set back since the last attempt.
        rest = min(
            self._file.record.attempted_at + self.interval_s - self._clock(), self.interval_s
        )
        code = ""
        for _ in range(3):
            if rest > 0:
                log.info("waiting before asking KIS again", what=self.kind, seconds=round(rest, 1))
                await self._wait(rest, deadline)
            self._left(deadline)
            code = await self._ask()
            if not code:
                return
            rest = self._after_too_often() if code == _TOO_OFTEN else _SECOND
        raise KisNotSentError(
            f"KIS issues no {self.kind} for now, it has been asked too often; is another program "
            "using the same app key?",
            msg_cd=code,
        )

    def _after_too_often(self) -> float:
        """Return how long to wait after KIS said that it was asked too often."""
        return self.interval_s

    async def _ask(self) -> str:
        """Ask once; return KIS's code when it says that it was too early, else blank."""
        # Written down before the question: after a crash in between, the restart must not ask again
        # within the minute. Each token sends a message to the customer's phone (docs/kis.md).
        before = self._file.record
        now = self._clock()
        self._file.save(before.model_copy(update={"attempted_at": now}))
        try:
            status, body = await self._post(self.path, self._request())
        except _NEVER_LEFT as error:
            self._file.save(before)  # KIS heard nothing, so that no minute has to pass
            raise KisNotSentError(f"no {self.kind}: cannot connect to {self._rest_url}") from error
        except httpx.HTTPError as error:
            raise KisNotSentError(f"no {self.kind}: {type(error).__name__}") from error
        code = _code(body)
        if code == _TOO_OFTEN or code in NOT_PROCESSED:
            return code
        try:
            secret, expires_at = self._read(body, now)
        except ValidationError:
            secret, expires_at = "", 0.0  # its text would show what KIS sent: not in a traceback
        if not secret:
            self._refused(body, status)
        self._file.save(
            CredentialRecord(secret=secret, issued_at=now, expires_at=expires_at, attempted_at=now),
        )
        log.info("credential issued", what=self.kind, hours=round((expires_at - now) / 3600, 1))
        return ""

    async def _post(self, path: str, body: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        response = await self._http.post(self._rest_url + path, json=body, timeout=_TIMEOUT)
        answer = json_object(response)
        if answer is not None:
            return response.status_code, answer
        raise KisNotSentError(f"no {self.kind}: HTTP {response.status_code} without JSON")

    def _refused(self, body: Mapping[str, Any], status: int) -> NoReturn:
        """Tell a refusal, which stays one, from a fault that passes."""
        code = _code(body)
        message = _text(body, "error_description") or _text(body, "msg1")
        for secret in (self._app_key, self._app_secret):
            message = message.replace(secret.get_secret_value(), "***")
        code, message = known().text(code), known().text(message)
        if code in _WRONG:
            raise KisRefusedError(
                f"KIS refuses the {_WRONG[code]} ({code}): check it, and that it was issued for "
                f"{self._rest_url} (paper and real trading have their own)",
                msg_cd=code,
                msg1=message,
            )
        # KIS's status tells nothing where its own code does: refusals come with 500, too.
        passes = not code or code in UNSURE or (status >= 500 and not code.startswith("EGW"))
        fault: type[KisError] = KisNotSentError if passes else KisRefusedError
        reason = f"{code} {message}".strip() or "KIS's answer holds none"
        raise fault(f"no {self.kind}: {reason}", msg_cd=code, msg1=message)

    async def _wait(self, seconds: float, deadline: float | None) -> None:
        left = self._left(deadline)
        if left is not None and left < seconds:
            raise self._too_late()
        await self._sleep(seconds)

    def _left(self, deadline: float | None) -> float | None:
        if deadline is None:
            return None
        left = deadline - self._monotonic()
        if left <= 0:
            raise self._too_late()
        return left

    def _too_late(self) -> KisNotSentError:
        return KisNotSentError(f"the deadline passes before KIS may be asked for the {self.kind}")

    def _request(self) -> dict[str, str]:
        raise NotImplementedError

    def _read(self, body: Mapping[str, Any], now: float) -> tuple[str, float]:
        """Return the credential and when it ends; raise ``ValidationError`` for anything else."""
        raise NotImplementedError


class Tokens(_Credential):
    """The access token of one app key."""

    kind = "token"
    path = "/oauth2/tokenP"
    interval_s = 60.0

    async def token(
        self, *, refresh_of: SecretStr | None = None, deadline: float | None = None
    ) -> SecretStr:
        """Return a token; with ``refresh_of`` (KIS said it has expired) another than that one.

        ``deadline`` is on the monotonic clock. Raises :class:`KisRefusedError` when KIS does not
        accept the app key or secret, :class:`KisNotSentError` when there is no token in time.
        """
        return await self._get(refresh_of, deadline)

    def _request(self) -> dict[str, str]:
        return {"grant_type": "client_credentials"} | self._keys("appsecret")

    def _keys(self, secret_name: str) -> dict[str, str]:
        return {
            "appkey": self._app_key.get_secret_value(),
            secret_name: self._app_secret.get_secret_value(),
        }

    def _read(self, body: Mapping[str, Any], now: float) -> tuple[str, float]:
        reply = _TokenReply.model_validate(body)
        return reply.access_token, min(
            now + reply.expires_in, _korean_time(reply.access_token_token_expired, after=now)
        )


class ApprovalKeys(_Credential):
    """The approval key of one app key."""

    kind = "approval key"
    path = "/oauth2/Approval"
    interval_s = 1.0

    async def key(self, refresh: bool = False) -> SecretStr:
        """Return the key; with ``refresh`` (KIS refused it, ``OPSP0011``) another than the last.

        Raises as :meth:`Tokens.token`.
        """
        return await self._get(SecretStr(self._file.record.secret) if refresh else None, None)

    def _after_too_often(self) -> float:
        # KIS documents a second for approval keys, and has been seen to hold them to the minute of
        # the tokens. What counts then is its last answer that held one, and the data waits for it.
        issued_ago = self._clock() - self._file.record.issued_at
        return max(_SECOND, _MINUTE - issued_ago) if 0 <= issued_ago < _MINUTE else _UNKNOWN_S

    def _request(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "appkey": self._app_key.get_secret_value(),
            "secretkey": self._app_secret.get_secret_value(),
        }

    def _read(self, body: Mapping[str, Any], now: float) -> tuple[str, float]:
        return _ApprovalReply.model_validate(body).approval_key, now + DAY_S


def _korean_time(text: str, after: float) -> float:
    """Read KIS's wall time; endless when it is unreadable or, by our clock, already over."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SEOUL).timestamp()
    except ValueError:
        return float("inf")
    return moment if moment > after else float("inf")


def _code(body: Mapping[str, Any]) -> str:
    return _text(body, "error_code") or _text(body, "msg_cd")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value.strip() if isinstance(value, str) else ""
