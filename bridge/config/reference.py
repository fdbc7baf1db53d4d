"""The reference of the configuration as Markdown, made from its models."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from decimal import Decimal
from inspect import cleandoc, getsource
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bridge.config.explained_errors import model_in
from bridge.config.models import ENV_PREFIX, Config
from bridge.config.values import Several

__all__ = ["markdown", "reference"]

_INTRODUCTION = """\
# Configuration

<!-- made by: python -m bridge.config > docs/configuration.md -->

`kis-bridge` reads a TOML file: the one that `-c FILE` names, else `bridge.toml` in the folder where
it is started. The environment is laid over it, or stands alone where there is no file. Every key is
also a variable: `mqtt.url` is `{prefix}MQTT__URL`. There, lists and tables are written as JSON
(`{prefix}MQTT__URL='["mqtt://a:1883", "mqtt://b:1883"]'`) with names in lower case. An unknown key
or variable is refused.

A *secret* is one of
- `{{ env = "NAME" }}`: a variable; what the bridge starts does not inherit it;
- `{{ file = "PATH" }}`: a file that only its owner can read;
- `{{ credential = "NAME" }}`: a credential of systemd's, `$CREDENTIALS_DIRECTORY/NAME`;
- `{{ keyring = "SERVICE/USER" }}`: in the system's keyring
  (`pip install 'kis-mqtt-bridge[keyring]'`).

A plain text is accepted from a variable, and from a configuration file that only its owner can
read. Relative paths start at the folder of the configuration file. More in
[secrets.md](secrets.md).
"""
_NAMES = {
    bool: "`true` or `false`",
    int: "whole number",
    str: "text",
    Decimal: "number",
    Path: "path",
    SecretStr: "secret",
}


def reference() -> str:
    """Return the reference of every key as Markdown, made from the models."""
    return markdown(Config, ENV_PREFIX)


def markdown(model: type[BaseModel], prefix: str) -> str:
    """Return one section a table of the file, one row a key."""
    lines = [_INTRODUCTION.format(prefix=prefix)]
    for name, field in model.model_fields.items():
        lines += _section(name, field)
    return "\n".join(lines).rstrip() + "\n"


def _section(name: str, field: FieldInfo) -> Iterator[str]:
    model = model_in(field.annotation)
    if model is None:
        raise TypeError(f"{name} is no table")
    heading = f"[[{name}]]" if get_origin(field.annotation) is tuple else f"[{name}]"
    yield f"## `{heading}`\n\n{cleandoc(model.__doc__ or '')}\n"
    inner = {key: f for key, f in model.model_fields.items() if model_in(f.annotation)}
    plain = {key: f for key, f in model.model_fields.items() if key not in inner}
    if plain:
        yield "| key | accepts | default | meaning |\n|---|---|---|---|"
        docstrings = _docstrings(model)
        for key, each in plain.items():
            meaning = docstrings.get(key, "").replace("\n", " ")
            yield f"| `{key}` | {_accepts(each)} | {_default(each)} | {meaning} |"
        yield ""
    for key, each in inner.items():
        named = ".NAME" if get_origin(each.annotation) is dict else ""
        yield from _section(f"{name}.{key}{named}", each)


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return what the source says below each key.

    Pydantic can do so too, but then does at every start, which takes longer than all the models.
    """
    found: dict[str, str] = {}
    for one in model.__mro__[: model.__mro__.index(BaseModel)]:
        (definition,) = ast.parse(getsource(one)).body
        assert isinstance(definition, ast.ClassDef)  # noqa: S101
        for key, below in pairwise(definition.body):
            match key, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(text))):
                    found.setdefault(name, cleandoc(text))
    return found


def _accepts(field: FieldInfo) -> str:
    bounds = {type(item).__name__: item for item in field.metadata}
    text = _type(field.annotation)
    if Several in field.metadata:
        text = f"{text.removeprefix('list of ')}, or a {text}"
    low, high = getattr(bounds.get("Ge"), "ge", None), getattr(bounds.get("Le"), "le", None)
    return text if low is None or high is None else f"{text}, {low} to {high}"


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if annotation in _NAMES:
        return _NAMES[annotation]
    inner = [a for a in get_args(annotation) if a not in (type(None), Ellipsis)]
    if get_origin(annotation) is dict:
        return f"{_type(inner[1])} for each of {_type(inner[0])}"
    text = _type(inner[0]) if inner else "text"
    return f"list of {text}" if get_origin(annotation) is tuple else text


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if field.default_factory is not None or value is None or value == ():
        return ""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = value[0]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
