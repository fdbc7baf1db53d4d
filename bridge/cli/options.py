"""Groups of options that several commands share, and the decorator that gives them to a command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

__all__ = ["grouped"]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options.

    A group is a dataclass whose fields are annotated with their options. Where a parameter has
    such a type, the command line has an option for each of its fields, and the command gets the
    object.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            groups[name] = kind
        else:
            parameters.append(parameter.replace(annotation=kind))
    # At the end, so that a command's own options come first in its help.
    for kind in groups.values():
        parameters += _options(kind)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, kind in groups.items():
            if name in given:  # another command calls this one
                continue
            names = [field.name for field in dataclasses.fields(kind)]
            given[name] = kind(**{each: given.pop(each) for each in names})
        command(**given)

    # What typer looks at; __wrapped__ would lead it to the command itself.
    del run.__wrapped__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _options(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(group)
    ]
