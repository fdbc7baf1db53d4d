"""The REST side of the simulated KIS: the gateway's rules, then the call itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.runtime.bounded_json import JsonError, decode_object
from bridge.simulator.faults.plan import Fault
from bridge.simulator.keys import KeyRefused, Keys
from bridge.simulator.rest.answers import GATEWAY, Answer, gateway
from bridge.simulator.rest.calls import HandlerCall
from bridge.simulator.rest.handlers import Handlers
from bridge.simulator.rest.params import CHANNEL, account_of
from bridge.simulator.rest.spoiled import order_no, spoiled
from bridge.simulator.settings import SimulatorSettings

__all__ = ["RATE_HEADER", "RestServer"]

_LONGEST = 1 << 20
_SLASHES = re.compile("//+")

RATE_HEADER = "X-Rate-Limit-Per-Second"
"""The simulator's own: KIS does not say how many calls a second it takes.

With capitals, since KIS's published client reads every header that is all lower case.
"""

log = structlog.get_logger()


class RestServer:
    """Answers KIS's paths.

    ``publish`` sends the notices that have come up, before or after the answer as ``early`` says.
    """

    def __init__(
        self,
        handlers: Handlers,
        keys: Keys,
        settings: SimulatorSettings,
        *,
        clock: Callable[[], datetime],
        early: Callable[[], bool],
        publish: Callable[[], None],
        fault: Callable[[str], Fault | None] = lambda tr_id: None,
    ) -> None:
        self._fault = fault
        self._handlers, self._keys, self._settings = handlers, keys, settings
        self._clock, self._early, self._publish = clock, early, publish
        self._requests = 0
        self._numbers: deque[str] = deque(maxlen=10_000)
        """Order numbers that were answered."""
        self.calls: deque[tuple[str, str]] = deque(maxlen=10_000)
        """(TR id, path) of the latest calls that passed the gateway, for tests."""
        self.app = Starlette(
            routes=[
                Route("/oauth2/tokenP", self._oauth(self._token), methods=["POST"]),
                Route("/oauth2/Approval", self._oauth(self._approval), methods=["POST"]),
                Route("/oauth2/revokeP", self._oauth(self._revoke), methods=["POST"]),
                Route("/uapi/hashkey", self._oauth(self._hash), methods=["POST"]),
            ],
        )
        # One route for all: the patterns of as many as KIS has calls would take a while to compile.
        self.app.router.default = request_response(self._call)
        self.app.add_middleware(_Dated, clock=clock)

    # -- keys and tokens

    def _oauth(
        self, handler: Callable[[Request, dict[str, Any]], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if (fault := self._fault("")) is not None and fault.kind == "http":
                return _broken(fault.status)
            try:
                return handler(request, await _json(request))
            except KeyRefused as refused:
                log.info("keys refused", path=request.url.path, code=refused.code)
                text = GATEWAY[refused.code]
                return _response(
                    {"error_description": text, "error_code": refused.code}, status=403
                )

        return endpoint

    def _token(self, request: Request, body: dict[str, Any]) -> Response:
        app_key = _text(body, "appkey")
        self._keys.check(app_key, _text(body, "appsecret"))
        if _text(body, "grant_type") != "client_credentials":
            raise KeyRefused("EGW00116")
        now = self._clock()
        token = self._keys.token(app_key, now)
        return _response(
            {
                "access_token": token.text,
                "access_token_token_expired": token.expires.strftime("%Y-%m-%d %H:%M:%S"),
                "token_type": "Bearer",
                "expires_in": int((token.expires - now).total_seconds()),
            }
        )

    def _approval(self, request: Request, body: dict[str, Any]) -> Response:
        app_key = _text(body, "appkey")
        secret = _text(body, "secretkey") or _text(body, "appsecret")
        self._keys.check(app_key, secret)
        client = request.headers.get("user-agent", "")
        return _response({"approval_key": self._keys.approve(app_key, client, self._clock())})

    def _revoke(self, request: Request, body: dict[str, Any]) -> Response:
        self._keys.check(_text(body, "appkey"), _text(body, "appsecret"))
        self._keys.revoke(_text(body, "token"))
        return _response({"code": 200, "message": "접근토큰 폐기에 성공하였습니다"})

    def _hash(self, request: Request, body: dict[str, Any]) -> Response:
        self._keys.check(request.headers.get("appkey", ""), request.headers.get("appsecret", ""))
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return _response({"BODY": body, "HASH": hashlib.sha256(text.encode()).hexdigest()})

    # -- everything else

    async def _call(self, request: Request) -> Response:
        # KIS takes a path with a slash too many, and a client in use sends one.
        path = _SLASHES.sub("/", request.url.path)
        call = self._handlers.calls.get(path)
        if call is None:
            return _absent(404)
        if request.method not in ("GET", "POST"):
            return _absent(405)
        # KIS looks for the parameters where the call has them: with the other method it finds none.
        posted = call.api.method == "POST"
        content = await _json(request) if request.method == "POST" and posted else {}
        body = content if posted else dict(request.query_params)
        now = self._clock()
        tr_id = request.headers.get("tr_id", "")
        fault = self._fault(tr_id)
        if fault is not None and fault.kind == "http":
            return _broken(fault.status)
        try:
            if fault is not None and fault.kind == "rate":
                raise KeyRefused("EGW00201")
            variant = self._admit(request.headers, call, tr_id, now)
        except KeyRefused as refused:
            log.info("call refused", path=path, tr_id=tr_id, code=refused.code)
            if not refused.code and not refused.text:
                return _broken(refused.status)
            answer = gateway(refused.code, refused.text, refused.status)
            return self._reply(answer, tr_id)
        params = {str(name).upper(): _plain(value) for name, value in body.items()}
        if channel := request.headers.get(CHANNEL, "")[:20]:
            params[CHANNEL] = channel
        tr_cont = request.headers.get("tr_cont", "").strip()
        self.calls.append((tr_id, path))
        own = self._keys.clients.of(request.headers.get("appkey", "")).accounts
        if "CANO" in params and account_of(params) not in own:
            # KIS looks at this before the call itself, and tells nobody whose account it is.
            answer = Answer("2", "OPSQ2000", "ERROR : INPUT INVALID_CHECK_ACNO")
        else:
            unsound = self._handlers.refused(call, params)
            answer = unsound or self._handlers.answer(call, variant, params, tr_cont, now)
        number = order_no(answer)
        if fault is not None:
            answer = spoiled(answer, fault, self._numbers, now)
        if number:
            self._numbers.append(number)
        log.debug("call", path=path, tr_id=tr_id, msg_cd=answer.msg_cd)
        # A fill notice may overtake the answer to its own order, as it does at KIS.
        if self._early():
            self._publish()
        if fault is not None and fault.kind == "hang":
            await asyncio.sleep(fault.for_s)
        response = self._reply(answer, tr_id)
        response.background = BackgroundTask(self._publish_later)
        return response

    async def _publish_later(self) -> None:
        self._publish()

    def _admit(
        self, headers: Mapping[str, str], call: HandlerCall, tr_id: str, now: datetime
    ) -> str:
        """Check keys, token, rate and TR id; return the variant of the call."""
        app_key = headers.get("appkey", "")
        self._keys.check(app_key, headers.get("appsecret", ""))
        self._keys.authorize(headers.get("authorization", ""), app_key, now)
        self._keys.count_call(app_key, now)
        paper = self._settings.environment == "paper"
        own, other = (call.paper, call.real) if paper else (call.real, call.paper)
        if tr_id in own:
            return own[tr_id]
        if tr_id in other:
            raise KeyRefused("EGW02006" if paper else "EGW02004")
        if paper and tr_id[:1] == "V" and tr_id[1:] in {name[1:] for name in call.real}:
            # Made up by the rule for the others, but the paper server has no such call.
            raise KeyRefused("OPSQ0002", GATEWAY["OPSQ0002"], 200)
        raise KeyRefused("EGW00310")

    def _reply(self, answer: Answer, tr_id: str) -> Response:
        self._requests += 1
        headers = {
            "tr_id": tr_id,
            "tr_cont": answer.tr_cont,
            "gt_uid": f"{self._requests:032d}",
        }
        if limit := self._settings.rest_limit:
            headers[RATE_HEADER] = f"{limit:g}"
        return _response(answer.body, status=answer.http, headers=headers)


class _Dated:
    """Says KIS's time in every answer, as every web server does."""

    def __init__(self, app: ASGIApp, clock: Callable[[], datetime]) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._clock().astimezone(UTC), usegmt=True)
                message["headers"] = [*message["headers"], (b"Date", date.encode())]
            await send(message)

        await self._app(scope, receive, dated)


def _absent(status: int) -> Response:
    """Answer what no call of KIS is: 404, or 405 where the path wants the other method."""
    body = {"rt_cd": "1", "msg_cd": "EGW00101", "msg1": GATEWAY["EGW00101"]}
    return _response(body, status=status)


def _broken(status: int) -> Response:
    """Answer as a gateway does that has nothing behind it."""
    return Response(f"{status}\n", status_code=status, media_type="text/plain")


async def _json(request: Request) -> dict[str, Any]:
    """Read a body whatever its content type says; something else than an object is empty."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _LONGEST:
            return {}
    try:
        return decode_object(bytes(content), _LONGEST)
    except JsonError:
        return {}


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _plain(value: object) -> str:
    return "" if value is None else str(value).strip()


def _response(
    body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Write the headers with KIS's capitals: its own are lower case, the standard ones are not.

    KIS's published client keeps exactly the header names that are all lower case, and stumbles over
    one that is no Python name, such as ``content-type``.
    """
    content = json.dumps(body, ensure_ascii=False).encode()
    response = Response(status_code=status)
    response.body = content
    response.raw_headers = [
        (b"Content-Type", b"application/json; charset=utf-8"),
        (b"Content-Length", str(len(content)).encode()),
        *((name.encode(), value.encode()) for name, value in (headers or {}).items()),
    ]
    return response
