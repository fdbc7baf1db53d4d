"""OpenAPI 3.1 of KIS's REST calls, from the workbook; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from bridge.catalog.model import Api, Catalog, Field, Param
from bridge.catalog.schemas import codes_text

__all__ = ["openapi"]

Json: TypeAlias = dict[str, Any]

_SERVERS = [
    {"url": "https://openapi.koreainvestment.com:9443", "description": "Real trading"},
    {"url": "https://openapivts.koreainvestment.com:29443", "description": "Paper trading"},
]
_GROUPS = {
    "auth": "Tokens and keys",
    "domestic_stock": "Domestic stock",
    "domestic_bond": "Domestic bond",
    "domestic_futureoption": "Domestic futures and options",
    "elw": "ELW",
    "etfetn": "ETF and ETN",
    "overseas_stock": "Overseas stock",
    "overseas_futureoption": "Overseas futures and options",
}
_WITHOUT_HEADERS = ("auth/auth_token", "auth/auth_ws_token", "auth/revoke_token")
_JSON_NUMBERS = frozenset([("auth/auth_token", "expires_in"), ("auth/revoke_token", "code")])
"""Everything else is text."""
_OBJECTS = frozenset([("auth/hashkey", "BODY")])


def openapi(catalog: Catalog, servers: Iterable[Json] = _SERVERS) -> Json:
    """Return the document of every call in the workbook."""
    used = {api.category for api in catalog.apis.values()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "KIS Open API (REST)",
            "version": catalog.version,
            "description": "The REST calls of Korea Investment & Securities as the workbook of"
            " kis-mqtt-bridge knows them. Every value is text unless said otherwise; the English"
            " name that the bridge gives a value stands before its description. Generated.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": list(servers),
        "tags": [
            {"name": name, "description": text} for name, text in _GROUPS.items() if name in used
        ],
        "paths": {
            api.path: {api.method.lower(): _operation(api, catalog)}
            for _, api in sorted(catalog.apis.items())
        },
        "components": _components(),
    }


def _operation(api: Api, catalog: Catalog) -> Json:
    operation: Json = {
        "operationId": api.name.replace("/", "."),
        "tags": [api.category],
        "summary": f"{api.english} ({api.korean})",
    }
    notes = []
    if api.changes:
        notes.append("Changes something.")
    if api.pages:
        notes.append(f"Comes in pages: {api.pages}.")
    if api.tr_ids and not any(ids.paper for ids in api.tr_ids):
        notes.append("Not offered in paper trading.")
    notes += [
        f"{ids.variant}: {ids.real}, paper {ids.paper or 'not offered'}."
        for ids in api.tr_ids
        if ids.variant
    ]
    if notes:
        operation["description"] = " ".join(notes)
    parameters = _headers(api)
    parameters += [_query(param, catalog) for param in api.params if param.where == "query"]
    if parameters:
        operation["parameters"] = parameters
    if api.method == "POST":
        operation["requestBody"] = _body(api, catalog)
    operation["responses"] = {
        "200": {
            "description": "KIS's answer, a success or a refusal",
            "content": {"application/json": {"schema": _answer(api, catalog)}},
        },
        "default": {"$ref": "#/components/responses/Gateway"},
    }
    return operation


def _headers(api: Api) -> list[Json]:
    if api.name in _WITHOUT_HEADERS:
        return []
    names = ["appkey", "appsecret"]
    if api.tr_ids:
        names = ["authorization", *names, "tr_cont", "custtype"]
    found: list[Json] = [{"$ref": f"#/components/parameters/{name}"} for name in names]
    if api.tr_ids:
        ids = [name for tr in api.tr_ids for name in (tr.real, tr.paper) if name]
        schema = {"type": "string", "enum": list(dict.fromkeys(ids))}
        found.append({"name": "tr_id", "in": "header", "required": True, "schema": schema})
    return found


def _query(param: Param, catalog: Catalog) -> Json:
    return {
        "name": param.name,
        "in": "query",
        "required": param.required,
        "description": _text(param, catalog),
        "schema": _param(param, catalog),
    }


def _body(api: Api, catalog: Catalog) -> Json:
    schema: Json = {"type": "object"}
    if api.params:
        schema["properties"] = {
            param.name: _param(param, catalog) | {"description": _text(param, catalog)}
            for param in api.params
        }
    required = [param.name for param in api.params if param.required]
    if required:
        schema["required"] = required
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _param(param: Param, catalog: Catalog) -> Json:
    schema: Json = {"type": "string"}
    if param.codes:
        blank = [] if param.required else [""]
        schema["enum"] = [code.code for code in catalog.codes[param.codes]] + blank
    if param.default:
        schema["default"] = param.default
    return schema


def _text(param: Param, catalog: Catalog) -> str:
    codes = f"; {codes_text(param.codes, catalog)}" if param.codes else ""
    return f"{param.path}: {param.description} ({param.korean}){codes}"


def _answer(api: Api, catalog: Catalog) -> Json:
    properties: Json = {}
    for output in api.outputs:
        members = {field.name: _member(api, field, catalog) for field in output.fields}
        if not output.name:
            properties |= members
            continue
        block: Json = {"type": "object", "properties": members}
        properties[output.name] = {"type": "array", "items": block} if output.array else block
    answer: Json = {"type": "object", "properties": properties}
    if api.tr_ids:
        return {"allOf": [{"$ref": "#/components/schemas/Envelope"}, answer]}
    return answer


def _member(api: Api, field: Field, catalog: Catalog) -> Json:
    kind = "string"
    if (api.name, field.name) in _JSON_NUMBERS:
        kind = "integer"
    elif (api.name, field.name) in _OBJECTS:
        kind = "object"
    text = f"{field.path}: {field.description} ({field.korean})"
    if field.unit:
        text += f"; {field.unit}"
    if field.codes:
        text += f"; {codes_text(field.codes, catalog)}"
    return {"type": kind, "description": text}


def _components() -> Json:
    def header(name: str, text: str, required: bool, default: str = "") -> Json:
        schema: Json = {"type": "string"} | ({"default": default} if default else {})
        return {
            "name": name,
            "in": "header",
            "required": required,
            "description": text,
            "schema": schema,
        }

    envelope = {
        "rt_cd": {"type": "string", "description": "0 success, 1 gateway, 7 refusal"},
        "msg_cd": {"type": "string", "description": "Code of the message"},
        "msg1": {"type": "string", "description": "The message, padded with blanks"},
    }
    oauth = {
        "error_code": {"type": "string"},
        "error_description": {"type": "string"},
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}
    return {
        "parameters": {
            "authorization": header("authorization", "Bearer and the token", False),
            "appkey": header("appkey", "App key", True),
            "appsecret": header("appsecret", "App secret", True),
            "tr_cont": header("tr_cont", "Blank at first, N for the next page", False),
            "custtype": header("custtype", "P person, B corporation", False, "P"),
        },
        "schemas": {
            "Envelope": {
                "type": "object",
                "properties": envelope,
                "required": ["rt_cd", "msg_cd", "msg1"],
            },
            "Fault": {
                "anyOf": [
                    {"$ref": "#/components/schemas/Envelope"},
                    {"type": "object", "properties": oauth, "required": list(oauth)},
                ]
            },
        },
        "responses": {"Gateway": {"description": "The gateway refused it", "content": content}},
    }
