"""What the simulated KIS serves beside its calls: masters, OpenAPI and Swagger UI."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bridge.catalog.model import Catalog
from bridge.catalog.openapi import openapi
from bridge.simulator.rest import masters

__all__ = ["routes"]

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>KIS Open API, simulated</title>
<link rel="stylesheet" href="/docs/ui/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/ui/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#page", docExpansion: "none", filter: true, deepLinking: true,
  validatorUrl: null  // else it asks a site on the internet, unless this is localhost
});
"""
_NO_UI = (
    "Swagger UI is not installed: pip install 'kis-mqtt-bridge[demo]'. The description is at "
    "/openapi.json."
)


def routes(catalog: Catalog, seed: int, day: Callable[[], date]) -> list[BaseRoute]:
    """Return the routes; the document is made when it is first asked for."""

    @lru_cache(maxsize=1)
    def document() -> bytes:
        content = openapi(catalog, [{"url": "/", "description": "This simulator"}])
        return json.dumps(content, ensure_ascii=False).encode()

    def serve_document(_: Request) -> Response:
        return Response(document(), media_type="application/json")

    def serve_page(_: Request) -> Response:
        return HTMLResponse(_PAGE) if interface else Response(_NO_UI, media_type="text/plain")

    def serve_start(_: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    def serve_master(request: Request) -> Response:
        data = masters.packed(catalog, request.path_params["file"], seed, day())
        if data is None:
            return Response(status_code=404)
        return Response(data, media_type="application/octet-stream")

    interface = _interface()
    return [
        Route("/openapi.json", serve_document),
        Route("/docs", serve_page),
        Route("/docs/start.js", serve_start),
        Route(f"{masters.FOLDER}{{file}}", serve_master),
        *([Mount("/docs/ui", StaticFiles(directory=interface))] if interface else []),
    ]


def _interface() -> Path | None:
    """Return the directory with the files of Swagger UI."""
    try:
        vendored = Path(str(files("swagger_ui_bundle").joinpath("vendor")))
    except ModuleNotFoundError:
        return None
    return next(vendored.glob("swagger-ui-*"), None)
