"""Imports point one way; read from the source, so nothing has to be imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "bridge"

_LEAVES = {"bridge", "bridge.errors", "bridge.filelock"}
_SETTINGS = {
    "bridge.config",
    "bridge.config_environment",
    "bridge.config_errors",
    "bridge.config_reference",
    "bridge.config_sources",
    "bridge.config_values",
}
_FROM_BELOW = {"bridge.kis", "bridge.mqtt", "bridge.catalog"}

ALLOWED: dict[str, set[str]] = {
    "bridge.errors": set(),
    "bridge.filelock": set(),
    "bridge.catalog": set(),
    "bridge.kis": {"bridge.catalog"},
    "bridge.mqtt": {"bridge.catalog"},
    "bridge.config": _SETTINGS | {"bridge.mqtt.topics"},
    "bridge.logs": set(),
    "bridge.feed": _FROM_BELOW | _SETTINGS,
    "bridge.orders": _FROM_BELOW | _SETTINGS | {"bridge.query"},
    "bridge.dashboard": _FROM_BELOW | _SETTINGS,
    "bridge.simulator": {"bridge.catalog", "bridge.kis.frames", "bridge.kis.crypto"},
}
"""Room → what it may import besides itself and the leaves; other rooms may import anything below.

``config_*`` belong to ``config``.
"""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, inside functions and for typing too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            for alias in node.names:
                child = ROOT.parent.joinpath(*module.split("."), alias.name)
                is_module = child.is_dir() or child.with_suffix(".py").is_file()
                yield f"{module}.{alias.name}" if is_module else module


def within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def room_of(module: str) -> str:
    room = ".".join(module.split(".")[:2])
    return "bridge.config" if room.startswith("bridge.config") else room


IMPORTS = {module: tuple(_imports(path)) for module, path in modules()}


def test_there_is_something_to_look_at() -> None:
    assert {"bridge.errors", "bridge.config", "bridge.cli"} <= set(IMPORTS)


@pytest.mark.parametrize("module", IMPORTS)
def test_imports_point_one_way(module: str) -> None:
    room = room_of(module)
    if room not in ALLOWED:
        return
    for target in IMPORTS[module]:
        if within(target, "bridge") and target not in _LEAVES and room_of(target) != room:
            assert any(within(target, allowed) for allowed in ALLOWED[room]), (
                f"{module} may not import {target}"
            )


def test_only_the_command_line_imports_the_command_line_and_the_simulator() -> None:
    for module, targets in IMPORTS.items():
        for target in targets:
            for room in ("bridge.cli", "bridge.simulator"):
                if within(target, room):
                    assert within(module, room) or within(module, "bridge.cli"), (
                        f"{module} may not import {target}"
                    )


def test_only_the_command_line_imports_the_application() -> None:
    for module, targets in IMPORTS.items():
        if any(within(target, "bridge.app") for target in targets):
            assert within(module, "bridge.cli") or within(module, "bridge.app"), module


def test_paho_has_one_user() -> None:
    users = [
        module
        for module, targets in IMPORTS.items()
        if any(within(target, "paho") for target in targets)
    ]
    assert len(users) <= 1
    assert all(within(module, "bridge.mqtt") for module in users)


def test_excel_is_not_read_at_start() -> None:
    reachable: set[str] = set()
    waiting = {"bridge.catalog.compile"}
    while waiting:
        module = waiting.pop()
        reachable.add(module)
        waiting |= {target for target in IMPORTS.get(module, ()) if target not in reachable}
    assert "bridge.catalog.model" in reachable
    assert not any(within(module, "openpyxl") for module in reachable)
