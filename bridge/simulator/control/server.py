"""The control interface over HTTP, for this machine alone."""

from __future__ import annotations

import structlog
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.runtime.bounded_json import JsonError, decode_object
from bridge.simulator.control.actions import ControlAction
from bridge.simulator.control.desk import ControlDesk, ControlRefused
from bridge.simulator.control.document import document

__all__ = ["ControlServer"]

log = structlog.get_logger()

_LONGEST = 16 * 1024
_NAMES = ("127.0.0.1", "localhost", "[::1]")


class ControlServer:
    """Answers ``POST /ACTION``, ``GET /state`` and ``GET /openapi.json``."""

    def __init__(self, desk: ControlDesk) -> None:
        self._desk = desk
        self.app = Starlette(
            routes=[
                Route("/openapi.json", self._document, methods=["GET"]),
                Route("/state", self._state, methods=["GET"]),
                Route("/{action}", self._act, methods=["POST"]),
            ],
            exception_handlers={404: _unknown, 405: _unknown},
        )

    async def _document(self, request: Request) -> Response:
        port = request.scope["server"][1]
        return _alien(request) or JSONResponse(document(self._desk.actions, port))

    async def _state(self, request: Request) -> Response:
        return _alien(request) or JSONResponse(self._desk.state())

    async def _act(self, request: Request) -> Response:
        if alien := _alien(request):
            return alien
        name = request.path_params["action"]
        kind = self._desk.actions.get(name)
        if kind is None:
            return _error(404, f"no action {name[:40]!r} (one of {', '.join(self._desk.actions)})")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _error(415, "the body must be application/json")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST:
                return _error(413, f"the body is longer than {_LONGEST} bytes")
        try:
            action = _read(kind, bytes(body))
            result = self._desk.do(action)
        except ControlRefused as refused:
            return _error(refused.status, str(refused))
        log.info("control", action=name)
        return JSONResponse(result)


def _alien(request: Request) -> Response | None:
    """Turn away what comes from a web page, or by a name that is not this machine's.

    A page that a browser shows can reach loopback, and a name that its owner lets point here makes
    it look like one of ours. Programs name no origin and ask for a loopback address.
    """
    name, _, port = request.headers.get("host", "").rpartition(":")
    server = request.scope.get("server") or ("", 0)
    if name not in _NAMES or port != str(server[1]):
        return _error(403, "ask for 127.0.0.1 or localhost and the port of the control interface")
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
        return _error(403, "web pages have no access")
    return None


def _read(kind: type[ControlAction], body: bytes) -> ControlAction:
    try:
        return kind.model_validate(decode_object(body, _LONGEST))
    except JsonError as error:
        raise ControlRefused(400, f"the body is no JSON object: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ControlRefused(400, f"{place}: {first['msg']}" if place else first["msg"]) from None


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)


async def _unknown(request: Request, error: Exception) -> Response:
    return _error(404, "there are POST /ACTION, GET /state and GET /openapi.json")
