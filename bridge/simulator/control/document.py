"""The OpenAPI document of the control interface (pure)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from bridge.simulator.control.actions import ControlAction

__all__ = ["document"]

_REF = "#/components/schemas/{model}"
_ERROR = {
    "description": "It was not done; the text says why.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {"error": {"type": "string"}},
            }
        }
    },
}


def document(actions: Mapping[str, type[ControlAction]], port: int) -> dict[str, Any]:
    """Return what describes every action and its body."""
    _, schemas = models_json_schema(
        [(kind, "validation") for kind in actions.values()], ref_template=_REF
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control interface of the KIS simulator",
            "version": "1",
            "description": "For tests, on the machine of the simulator alone.",
        },
        "servers": [{"url": f"http://127.0.0.1:{port}"}],
        "paths": {
            "/state": {"get": _operation("state", "How things stand.")},
            "/openapi.json": {"get": _operation("document", "This document.")},
            **{f"/{name}": {"post": _action(name, kind)} for name, kind in actions.items()},
        },
        "components": {"schemas": schemas["$defs"]},
    }


def _operation(name: str, summary: str) -> dict[str, Any]:
    done = {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": done, "4XX": _ERROR},
    }


def _action(name: str, kind: type[ControlAction]) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=kind.__name__)}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return _operation(name, inspect.getdoc(kind) or name) | {"requestBody": body}
