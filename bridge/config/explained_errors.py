"""What is wrong with a configuration, in lines that name the place, the key and the mend."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from bridge.errors import ConfigError
from bridge.runtime.suggestions import nearest

__all__ = ["InvalidConfigError", "Origins", "at", "explain", "model_in"]

Loc = tuple[int | str, ...]

_PATTERNS = {
    r"^[A-Za-z0-9_-]{1,32}$": "must be 1 to 32 of A-Z a-z 0-9 _ -",
    r"^[A-Za-z0-9._@-]{1,64}$": "must be 1 to 64 of A-Z a-z 0-9 . _ @ -",
    r"^[a-z0-9_]{1,32}$": "must be 1 to 32 of a-z 0-9 _",
    r"^[^\x00-\x1f\x7f^|]{1,32}$": "must be 1 to 32 characters without '^' and '|'",
    r"^[0-9A-Z]([0-9A-Z./ -]{0,14}[0-9A-Z])?$": "must be a symbol such as 005930, AAPL or BRK/B",
    r"^[A-Z0-9]{8}$": "must be a TR id such as H0STCNT0",
}
_TYPES = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


class InvalidConfigError(ConfigError):
    """The values of a configuration are wrong; the text is about the first of ``problems``."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - 1
        super().__init__(problems[0] + (f" (and {more} more)" if more else ""))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where values came from."""

    file: str
    prefix: str
    variables: tuple[str, ...]

    def place(self, loc: Loc, kind: str) -> tuple[str, str]:
        """Return the variable that set this key, or the file, and the key as written there."""
        names = tuple(str(part).lower() for part in loc)
        for variable in self.variables:
            bare = variable.lower().removeprefix(self.prefix.lower())
            path = tuple(bare.split("__"))
            if names == (bare,):
                return variable, ""
            if names[: len(path)] == path:
                return variable, _dotted(loc[len(path) :])
            if kind.endswith("_type") and path[: len(names)] == names:
                return variable, ""
        return self.file, _dotted(loc)


def at(message: str, *loc: int | str) -> PydanticCustomError:
    """Return an error about a key below the model whose validator raises it."""
    return PydanticCustomError("at", "{message}", {"message": message, "at": loc})


_MOST = 1_000
"""Problems that are looked at; each unknown key is compared with those that there are."""


def explain(error: ValidationError, model: type[BaseModel], origins: Origins) -> list[str]:
    """Return one line a problem, unknown keys first: they are often why others are missing."""
    found = error.errors()[:_MOST]
    wrong = {detail["loc"] for detail in found}
    details = [
        detail
        for detail in found
        # A list that lost its bad items is not short, and a default not made is not wrong.
        if detail["type"] != "default_factory_not_called"
        and not (detail["type"] == "too_short" and any(_below(loc, detail["loc"]) for loc in wrong))
    ]
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    return [_line(detail, model, origins) for detail in details]


def _below(loc: Loc, above: Loc) -> bool:
    return len(loc) > len(above) and loc[: len(above)] == above


def _line(detail: ErrorDetails, model: type[BaseModel], origins: Origins) -> str:
    context: dict[str, Any] = detail.get("ctx", {})
    loc = (*(part for part in detail["loc"] if part != "[key]"), *context.get("at", ()))
    where, key = origins.place(loc, detail["type"])
    if detail["type"] == "extra_forbidden":
        text = "unknown key" + _suggestion(loc, model, origins, where if not key else "")
    else:
        text = _text(detail, context)
    if not key:
        return f"{where}: {text}"
    return f"{where}{key}: {text}" if key.startswith("[") else f"{where}: {key}: {text}"


def _text(detail: ErrorDetails, context: dict[str, Any]) -> str:
    kind = detail["type"]
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], "has characters that cannot stand there")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a table"
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in ("value_error", "at"):
        return str(context.get("error") or context.get("message"))
    return detail["msg"].replace("Input should be", "must be")


def _dotted(loc: Loc) -> str:
    """Write ``("kis", "apps", 0, "alias")`` as ``kis.apps[0].alias``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def _suggestion(loc: Loc, model: type[BaseModel], origins: Origins, variable: str) -> str:
    if variable:
        known = [origins.prefix + "__".join(path).upper() for path in _paths(model)]
        near = nearest(variable.upper(), known, cutoff=0.8)
        return f" (did you mean {near}?)" if near else ""
    keys = list(_model_at(model, loc[:-1]).model_fields)
    near = nearest(str(loc[-1]), keys, cutoff=0.5)
    return f" (did you mean {near!r}?)" if near else f" (one of {', '.join(keys)})"


def _paths(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is None or get_origin(field.annotation) in (tuple, dict):
            yield (*prefix, name)
        else:
            yield from _paths(inner, (*prefix, name))


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel]:
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = model_in(model.model_fields[part].annotation) or model
    return model


def model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model inside an annotation: ``Kis``, ``tuple[App, ...]``, ``dict[str, Kind]``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for a in get_args(annotation) if (found := model_in(a))), None)
