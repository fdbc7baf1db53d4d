"""KIS's REST calls by workbook name, each answer sorted by what is known about its effect.

Nothing is ever sent twice, but for one case that KIS defines as not processed: the token has
expired. Whoever calls decides about everything else by the exception (:mod:`bridge.kis.replies`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import structlog
from pydantic import SecretStr

from bridge.catalog.model import Catalog
from bridge.kis.answers import read, refusals, said_rate
from bridge.kis.clock import KisClock
from bridge.kis.live_token import LiveToken, TokenSource
from bridge.kis.pages import next_page
from bridge.kis.replies import (
    KisError,
    KisNotProcessedError,
    KisNotSentError,
    KisRefusedError,
    KisUnknownError,
    Reply,
)
from bridge.kis.rest_request import RestRequest
from bridge.kis.throttle import Priority, Throttle
from bridge.kis.transport import BoundedTransport, StraightClient

__all__ = ["CallCounts", "RestClient", "ask_time", "open_http"]

log = structlog.get_logger()

for _name in ("httpx", "httpcore"):  # they log whole URLs, and an account number is in the query
    logging.getLogger(_name).setLevel(logging.WARNING)

CONNECT_S = 5.0
"""Nothing has left until then, so that giving up early costs nothing."""
ANSWER_S = 15.0
"""Long, because whoever gives up on an order does not know whether it was placed."""

# Some have seen KIS refuse requests without a browser-like one (docs/kis.md).
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)

_READ_AGAIN = 5
"""How often a reading call is made again that KIS had too many of at once (EGW00201)."""


@dataclass(slots=True)
class CallCounts:
    """What became of the calls so far; for health."""

    calls: int = 0
    """Requests sent or tried."""
    throttled: int = 0
    """Refused by KIS as one too many a second."""
    not_sent: int = 0
    refused: int = 0
    unknown: int = 0

    @property
    def errors(self) -> int:
        return self.not_sent + self.refused + self.unknown


def open_http() -> httpx.AsyncClient:
    """Return the client that calls KIS: HTTP/1.1, kept alive, blind to proxies in the environment.

    Redirects are not followed: they would carry the keys elsewhere.
    """
    # Idle connections are given up early: a server that is closing one may take a request on it
    # and never answer, which for an order is an unknown outcome.
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=8, keepalive_expiry=10)
    headers = {
        "user-agent": _USER_AGENT,
        "accept": "application/json, text/plain",
        "accept-encoding": "identity",  # what is packed has no bound until it is unpacked
    }
    transport = BoundedTransport(limits=limits, trust_env=False)
    return StraightClient(transport, headers=headers, trust_env=False)


async def ask_time(http: httpx.AsyncClient, rest_url: str, clock: KisClock, limit_s: float) -> None:
    """Have KIS tell its time, by a page that needs no key; raises :class:`httpx.HTTPError`."""
    sent = clock.steady()
    response = await http.get(rest_url, timeout=limit_s)
    clock.heard(response.headers, sent)


class RestClient:
    """The calls of one app. Deadlines are on the clock given, by default ``time.monotonic``.

    ``clock`` learns KIS's time from every answer.
    """

    def __init__(
        self,
        catalog: Catalog,
        http: httpx.AsyncClient,
        rest_url: str,
        app_key: SecretStr,
        app_secret: SecretStr,
        tokens: TokenSource,
        throttle: Throttle,
        *,
        paper: bool,
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
        monotonic: Callable[[], float] = time.monotonic,
        clock: KisClock | None = None,
    ) -> None:
        self.counts = CallCounts()
        self._catalog = catalog
        self._refused = refusals(catalog)
        self._http = http
        self._headers = http.headers.raw  # the same for all calls
        self._rest_url = rest_url.rstrip("/")
        self._app_key = app_key
        self._app_secret = app_secret
        self._token = LiveToken(tokens, monotonic)
        self._throttle = throttle
        self._paper = paper
        self._connect_s = connect_s
        self._answer_s = answer_s
        self._monotonic = monotonic
        self._clock = KisClock() if clock is None else clock
        self._urls: dict[str, httpx.URL] = {}

    @property
    def rate(self) -> float:
        """Calls a second that are allowed now."""
        return self._throttle.rate

    async def call(
        self,
        api: str,
        params: Mapping[str, str],
        *,
        variant: str = "",
        tr_cont: str = "",
        priority: Priority = Priority.QUERY,
        deadline: float | None = None,
        still: Callable[[], bool] = lambda: True,
        wanted: Callable[[], bool] = lambda: True,
        client: str = "",
    ) -> Reply:
        """Make one call and return KIS's answer, success or business refusal.

        ``params`` are named as on the wire (``PDNO``), see :mod:`bridge.kis.params`. Raises the
        errors of :mod:`bridge.kis.replies` only; :class:`KisRefusedError` also for a call that
        cannot be made as it is (no such call, a parameter missing), before anything is sent.
        Nothing is sent once ``deadline`` has passed; the answer to a call that changes something is
        waited for beyond it. Nor is anything sent once ``still`` says no: it is asked right before
        the first byte leaves; what is not ``wanted`` any more does not wait for its turn either.
        Where several wait, each ``client`` has its turn.
        Cancelled while waiting for the answer, the outcome is unknown.
        """
        try:
            request = RestRequest.build(self._catalog, api, variant, params, self._paper)
            until = _Until(deadline, still, wanted, client)
            # Reading again does no harm; whether an order is sent again is its sender's to decide.
            # A poll comes again anyway, and leaves the calls to others when they are too many.
            once = request.api.changes or priority is Priority.POLL
            for _ in range(0 if once else _READ_AGAIN):
                try:
                    return await self._carry(request, tr_cont, priority, until)
                except KisNotProcessedError as error:
                    log.info("call not processed, asking again", api=api, msg_cd=error.msg_cd)
                    self.counts.throttled += 1
                    self._throttle.slow_down()
            return await self._carry(request, tr_cont, priority, until)
        except KisNotSentError:
            self.counts.not_sent += 1
            raise
        except KisNotProcessedError:
            self.counts.throttled += 1
            self._throttle.slow_down()
            raise
        except KisRefusedError:
            self.counts.refused += 1
            raise
        except KisUnknownError:
            self.counts.unknown += 1
            raise

    async def pages(
        self,
        api: str,
        params: Mapping[str, str],
        *,
        variant: str = "",
        priority: Priority = Priority.QUERY,
        deadline: float | None = None,
        page_s: float | None = None,
        limit: int = 20,
        by_key: bool = False,
    ) -> AsyncIterator[Reply]:
        """Yield an answer and the pages that follow it, ``limit`` at most.

        ``by_key`` asks for another page also when only its key says that there is one. KIS may
        refuse that.

        ``deadline`` is for all of them; ``page_s`` is how many seconds each may take instead. Ends
        after a refusal too. When the last page yielded has ``more``, the limit cut it.
        """
        known = self._catalog.api(api)
        tr_cont = ""
        for _ in range(limit):
            if page_s is not None:
                deadline = self._monotonic() + page_s
            reply = await self.call(
                api,
                params,
                variant=variant,
                tr_cont=tr_cont,
                priority=priority,
                deadline=deadline,
            )
            following = None if known is None else next_page(known, params, reply, by_key=by_key)
            yield replace(reply, following=following is not None)
            if following is None:
                return
            params, tr_cont = following
        log.warning("answer cut at the page limit", api=api, pages=limit)

    async def _carry(
        self, request: RestRequest, tr_cont: str, priority: Priority, until: _Until
    ) -> Reply:
        api = request.api
        said, token = await self._attempt(request, tr_cont, priority, until)
        # KIS's maintenance can revoke a token that is still inside its day (docs/kis.md).
        if await self._token.instead(token, api, said, until.deadline) is not None:
            said, token = await self._attempt(request, tr_cont, priority, until)
        if isinstance(said, KisError):
            raise said
        self._token.answered(token, api, said)
        return said

    async def _attempt(
        self, request: RestRequest, tr_cont: str, priority: Priority, until: _Until
    ) -> tuple[Reply | KisError, SecretStr]:
        """Return what KIS said, and with which token it was asked."""
        token = await self._token.take(request.api, until.deadline)
        await self._throttle.acquire(priority, until.deadline, until.wanted, until.client)
        if not self._token.holds(token):  # it came into doubt while this waited for its turn
            token = await self._token.take(request.api, until.deadline)
        self.counts.calls += 1
        try:
            response = await self._send(request, tr_cont, until, token)
            if (said := said_rate(response)) is not None:
                self._throttle.said(said)
            secrets = [one.get_secret_value() for one in (self._app_key, self._app_secret, token)]
            return read(request.api, response, [*secrets, request.account], self._refused), token
        except KisError as error:
            return error, token

    async def _send(
        self, request: RestRequest, tr_cont: str, until: _Until, token: SecretStr
    ) -> httpx.Response:
        name, deadline = request.api.name, until.deadline
        if not until.still():
            raise KisNotSentError(f"{name}: called off")
        url, content = self._url(request.api.path), request.content
        headers = [
            (b"Host", url.netloc),
            *self._headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"authorization", f"Bearer {token.get_secret_value()}".encode("ascii")),
            (b"appkey", self._app_key.get_secret_value().encode("ascii")),
            (b"appsecret", self._app_secret.get_secret_value().encode("ascii")),
            (b"tr_id", request.tr_id.encode("ascii")),
            (b"tr_cont", tr_cont.encode("ascii")),
            (b"custtype", b"P"),
        ]
        if content is not None:
            headers.append((b"content-length", b"%d" % len(content)))
        left = math.inf if deadline is None else deadline - self._monotonic()
        if left <= 0:
            raise KisNotSentError(f"{name}: the deadline has passed")
        connect = min(self._connect_s, left)
        # The answer to a change is worth waiting for: without it the outcome is unknown.
        answer = self._answer_s if request.api.changes else min(self._answer_s, left)

        sent = self._clock.steady()

        # The last moment at which nothing has left. Before it lies the connecting, which may take
        # seconds: a halt that comes meanwhile must hold, and so must the deadline.
        async def hold(event: str, _: Mapping[str, Any]) -> None:
            nonlocal sent
            leaving = event == "http11.send_request_headers.started"
            if leaving and not until.still():
                raise KisNotSentError(f"{name}: called off while connecting")
            if leaving and deadline is not None and self._monotonic() >= deadline:
                raise KisNotSentError(f"{name}: the deadline passed while connecting")
            if leaving:
                sent = self._clock.steady()

        limits = {"connect": connect, "read": answer, "write": answer, "pool": connect}
        try:
            # Written out and sent as it is: what the client would find out for each call (cookies,
            # redirects, its own limits, how long the body is) is known here.
            asked = httpx.Request(
                request.api.method,
                url,
                params=request.query,
                headers=headers,
                stream=httpx.ByteStream(content or b""),
                extensions={"trace": hold, "timeout": limits},
            )
            asked.read()  # as with any other request, what it holds can be looked at
            # The outer limit is for an answer that trickles in: httpx counts from byte to byte.
            async with asyncio.timeout(connect + answer + 0.1):
                response = await self._http.send(asked)
        except _NEVER_LEFT as error:
            why = f"{name}: cannot connect to {self._rest_url} ({type(error).__name__})"
            raise KisNotSentError(why) from error
        except (httpx.HTTPError, TimeoutError) as error:
            why = f"{name}: sent, but no answer came ({type(error).__name__})"
            raise KisUnknownError(why) from error
        self._clock.heard(response.headers, sent)
        return response

    def _url(self, path: str) -> httpx.URL:
        if path not in self._urls:  # httpx would read it anew for each order
            self._urls[path] = httpx.URL(self._rest_url + path)
        return self._urls[path]


@dataclass(frozen=True, slots=True)
class _Until:
    """How long a call may still be sent."""

    deadline: float | None
    still: Callable[[], bool]
    wanted: Callable[[], bool]
    client: str
