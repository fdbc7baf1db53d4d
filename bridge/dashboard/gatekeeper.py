"""Who comes in: no foreign name, no foreign page, nobody without the login."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.dashboard.access import Access
from bridge.dashboard.failed_logins import FailedLogins

__all__ = ["Gatekeeper"]

log = structlog.get_logger()

_SAY_AGAIN_S = 60.0
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'"
)
_HEADERS: Final = tuple(
    (name.encode(), value.encode())
    for name, value in {
        # Nothing inline and nothing from elsewhere: a text that were taken for HTML runs nothing.
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }.items()
)


class Gatekeeper:
    """Stands before the application and answers itself what does not come through."""

    def __init__(
        self, app: ASGIApp, host: str, access: Access, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._access = access
        self._clock = clock
        self._names = {"localhost", host.lower(), *access.hosts}
        self._failed = FailedLogins()
        self.refused: Counter[str] = Counter(host=0, origin=0, login=0, too_many=0)
        """What did not come through, by what was wrong."""
        self._said: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        reason, answer = self._judge(scope)
        if answer is None:
            await self._app(scope, receive, _guarded(send))
            return
        self.refused[reason] += 1
        self._say(reason, scope)
        await answer(scope, receive, _guarded(send))

    def _judge(self, scope: Scope) -> tuple[str, PlainTextResponse | None]:
        headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
        host = headers.get(b"host", b"").decode("latin-1")
        # A name that an attacker owns can be made to point here (DNS rebinding), and then a page
        # of that name may read the answers. An address or ``localhost`` cannot.
        if not self._is_ours(host):
            text = "this name is not the bridge's; use its address, or set dashboard.hosts\n"
            return "host", PlainTextResponse(text, 421)
        if not _same_origin(headers, host):
            return "origin", PlainTextResponse("another page may not ask here\n", 403)
        if self._access.password is None:
            return "", None
        return self._login(headers.get(b"authorization", b""), _address(scope))

    def _login(self, header: bytes, address: str) -> tuple[str, PlainTextResponse | None]:
        now = self._clock()
        # Also for the right password: otherwise the answer would tell which one it is.
        if header and (wait := self._failed.wait_s(address, now)):
            text = "too many logins have failed\n"
            again = {"retry-after": str(int(wait) + 1)}
            return "too_many", PlainTextResponse(text, 429, headers=again)
        if self._access.admits(header):
            return "", None
        if header:  # a browser asks without one first
            self._failed.failed(address, now)
        asking = {"www-authenticate": 'Basic realm="kis-bridge", charset="UTF-8"'}
        return "login", PlainTextResponse("a login is needed\n", 401, headers=asking)

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            if name in self._names:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _say(self, reason: str, scope: Scope) -> None:
        """Log it, but once a minute for each reason: whoever knocks writes no log of any size."""
        now = self._clock()
        if now - self._said.get(reason, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
            self._said[reason] = now
            log.warning(
                "web page refused",
                reason=reason,
                address=_address(scope),
                count=self.refused[reason],
            )


def _same_origin(headers: dict[bytes, bytes], host: str) -> bool:
    """Tell whether a request comes from a page of ours, or from no page at all."""
    origin = headers.get(b"origin")
    if origin is not None:
        scheme, _, rest = origin.decode("latin-1").lower().partition("://")
        # A proxy before the bridge may speak TLS where the bridge does not.
        return scheme in ("http", "https") and rest == host.lower()
    foreign = headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin")
    # To follow a link to the page is no harm; to load it as a picture or script is no use.
    return not foreign or headers.get(b"sec-fetch-mode") == b"navigate"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _guarded(send: Send) -> Send:
    async def guarded(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return guarded
