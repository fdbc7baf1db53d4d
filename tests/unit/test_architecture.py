"""Imports point one way; read from the source, so nothing has to be imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2] / "bridge"

_BELOW = {"bridge.runtime", "bridge.config", "bridge.calendar", "bridge.catalog"}
_OUTSIDE = {"bridge.kis", "bridge.mqtt"}
"""The two sides that the bridge connects."""

ALLOWED: Mapping[str, set[str]] = {
    "bridge": set(),
    "bridge.errors": set(),
    "bridge.runtime": set(),
    "bridge.config": {"bridge.mqtt.topics", "bridge.runtime"},
    "bridge.calendar": {"bridge.catalog", "bridge.runtime"},
    "bridge.catalog": {"bridge.runtime"},
    "bridge.kis": {"bridge.catalog", "bridge.runtime"},
    "bridge.mqtt": {"bridge.catalog", "bridge.runtime"},
    "bridge.broker": {"bridge.mqtt", "bridge.runtime"},
    "bridge.embedded": {"bridge.mqtt", "bridge.runtime"},
    "bridge.feed": _BELOW | _OUTSIDE,
    "bridge.subscriptions": _BELOW | _OUTSIDE | {"bridge.feed"},
    "bridge.orders": _BELOW | _OUTSIDE,
    "bridge.dashboard": _BELOW | _OUTSIDE,
    "bridge.status": _BELOW | _OUTSIDE | {"bridge.feed", "bridge.subscriptions"},
    "bridge.extensions": _BELOW | _OUTSIDE | {"bridge.feed", "bridge.subscriptions"},
    "bridge.requests": _BELOW
    | _OUTSIDE
    | {"bridge.feed", "bridge.subscriptions", "bridge.orders", "bridge.status"},
    "bridge.app": _BELOW
    | _OUTSIDE
    | {
        "bridge.dashboard",
        "bridge.embedded",
        "bridge.extensions",
        "bridge.feed",
        "bridge.orders",
        "bridge.requests",
        "bridge.status",
        "bridge.subscriptions",
    },
    "bridge.documents": _BELOW
    | _OUTSIDE
    | {"bridge.orders", "bridge.requests", "bridge.status", "bridge.subscriptions"},
    "bridge.simulator": {
        "bridge.calendar",
        "bridge.catalog",
        "bridge.kis.frames",
        "bridge.kis.crypto",
        "bridge.runtime.bounded_json",
        "bridge.runtime.clock",
        "bridge.runtime.regular_file",
    },
    "bridge.benchmark": _BELOW
    | _OUTSIDE
    | {"bridge.feed", "bridge.orders", "bridge.status", "bridge.subscriptions"},
    "bridge.cli": {"bridge"},
}
"""Folder or module of ``bridge/`` → what it may import besides itself and ``bridge.errors``.

Only the command line imports the simulator.
"""


_LISTED = {"bonds", "derivatives", "exchange"}
"""What can be traded in the simulator."""

SIMULATOR: Mapping[str, set[str]] = {
    "bonds": set(),
    "derivatives": set(),
    "exchange": {"derivatives"},
    "faults": set(),
    "settings": {"exchange", "faults"},
    "clients": {"settings"},
    "keys": {"clients", "settings"},
    "history": _LISTED,
    "off_book": _LISTED | {"history"},
    "board": _LISTED | {"history"},
    "stream": _LISTED | {"faults", "history", "keys", "off_book", "settings"},
    "rest": _LISTED
    | {"board", "clients", "faults", "history", "keys", "off_book", "settings", "stream"},
    "clock": set(),
    "listening": set(),
    "control": _LISTED | {"clients", "clock", "keys", "off_book", "settings", "stream"},
    "server": _LISTED
    | {"clients", "clock", "control", "faults", "history", "keys", "listening"}
    | {"off_book", "rest", "settings", "stream"},
}
"""Room of the simulator → what of the simulator it may import; each names only those above it."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


TEXTS = {module: path.read_text() for module, path in modules()}
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in (*ROOT.rglob("*.py"), *ROOT.rglob("*/"))
}
"""What can be imported as a module: files and folders."""


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements, also those inside of others; looking at expressions takes longer."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, block, ()):
            yield inner
            yield from _statements(inner)


def _imports(module: str) -> Iterator[str]:
    """Yield every module that a module imports, inside functions and for typing too."""
    for node in _statements(ast.parse(TEXTS[module])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            source = node.module or ""
            for alias in node.names:
                child = f"{source}.{alias.name}"
                yield child if child in MODULES else source


def within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


IMPORTS = {module: tuple(_imports(module)) for module in TEXTS}


def test_every_folder_and_module_of_the_root_has_its_row() -> None:
    assert {room_of(module) for module in IMPORTS} == set(ALLOWED)


def test_imports_point_one_way() -> None:
    assert [
        f"{module} may not import {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if within(target, "bridge")
        and room_of(target) not in (room_of(module), "bridge", "bridge.errors")
        and not any(within(target, allowed) for allowed in ALLOWED[room_of(module)])
    ] == []


def inner(module: str) -> str:
    return ".".join(module.split(".")[2:3])


SIMULATED = [module for module in IMPORTS if within(module, "bridge.simulator") and inner(module)]


def test_every_room_of_the_simulator_has_its_row_below_what_it_imports() -> None:
    assert {inner(module) for module in SIMULATED} == set(SIMULATOR)
    before: set[str] = set()
    for room, allowed in SIMULATOR.items():
        assert allowed <= before, room
        before.add(room)


def test_imports_inside_the_simulator_point_one_way() -> None:
    assert [
        f"{module} may not import {target}"
        for module in SIMULATED
        for target in IMPORTS[module]
        if within(target, "bridge.simulator")
        and inner(target) not in (inner(module), *SIMULATOR[inner(module)])
    ] == []


def test_no_module_of_the_simulator_imports_itself_over_others() -> None:
    above = {module: {t for t in IMPORTS[module] if t in SIMULATED} for module in SIMULATED}
    while leaves := {module for module, targets in above.items() if not targets & above.keys()}:
        above = {module: targets for module, targets in above.items() if module not in leaves}
    assert not above, "circles, and what imports them"


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


HOOK = ("bridge.extensions", "bridge.extensions.context", "bridge.extensions.hook")
CHOICE = "bridge.extensions.configured"
"""The one module that knows them all."""


def test_no_extension_imports_another() -> None:
    def feature(module: str) -> str:
        return ".".join(module.split(".")[:3])

    assert [
        f"{module} may not import {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if within(module, "bridge.extensions") and within(target, "bridge.extensions")
        if module != CHOICE
        if feature(target) not in (feature(module), *HOOK)
    ] == []


def test_only_the_application_imports_extensions() -> None:
    assert [
        f"{module} may not import {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if within(target, "bridge.extensions")
        and not within(module, "bridge.extensions")
        and not within(module, "bridge.app")
    ] == []


def test_paho_is_behind_the_connection() -> None:
    users = {
        module
        for module, targets in IMPORTS.items()
        if any(within(target, "paho") for target in targets)
    }
    assert users == {"bridge.mqtt.connection", "bridge.mqtt.paho_client"}


_OWN_JSON = {
    "bridge.benchmark.feeder",
    "bridge.benchmark.measure",
    "bridge.benchmark.orders",
    "bridge.catalog.compile",
    "bridge.cli.order_show",
    "bridge.cli.orders",
    "bridge.dashboard.orders",
    "bridge.embedded.broker",
    "bridge.embedded.proxy",
    "bridge.kis.masters",
    "bridge.orders.journal.audit",
    "bridge.orders.model.lifecycle",
    "bridge.orders.publishing.payloads",
    "bridge.requests.verbs",
}
"""Modules that read what the program itself has written."""


def test_json_from_outside_is_read_within_bounds() -> None:
    readers = {
        module
        for module, text in TEXTS.items()
        if re.search(r"\bjson\.loads?\(|(?<!_)response\.json\(|from_json\(|JSONDecoder\(", text)
    }
    assert readers - _OWN_JSON == {"bridge.runtime.bounded_json"}, (
        "use bridge.runtime.bounded_json for what others may have written"
    )


def test_excel_is_not_read_at_start() -> None:
    reachable: set[str] = set()
    waiting = {"bridge.catalog.compile"}
    while waiting:
        module = waiting.pop()
        reachable.add(module)
        waiting |= {target for target in IMPORTS.get(module, ()) if target not in reachable}
    assert "bridge.catalog.model" in reachable
    assert not any(within(module, "openpyxl") for module in reachable)


PAGE = (ROOT.parent / "docs/architecture.md").read_text()
ROOMS_OF_ORDERS = 27
LONGEST, LONGEST_OF_ORDERS = 400, 300


def test_the_page_about_the_architecture_has_every_room() -> None:
    rooms = {
        f"bridge/{path.name}"
        for path in ROOT.iterdir()
        if (path.is_dir() and path.name != "__pycache__") or path.name in ("app.py", "errors.py")
    }
    table = PAGE.partition("## Rooms")[2].partition("## Where is")[0]
    assert set(re.findall(r"^\| `(bridge/[a-z.]+)` \|", table, re.MULTILINE)) == rooms


WHERE = re.findall(r"^\| (.+?) \| `(bridge/[a-z_/]+\.py)` \| `(\w+)` \|$", PAGE, re.MULTILINE)


def test_thirty_behaviours_are_found_by_the_page() -> None:
    assert len(WHERE) >= 30


def test_what_the_page_names_is_there() -> None:
    assert [
        f"{behaviour}: {file} has no {name}"
        for behaviour, file, name in WHERE
        if not re.search(
            rf"^(?:class |def |async def )?{name}\b", (ROOT.parent / file).read_text(), re.MULTILINE
        )
    ] == []


def test_no_two_public_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for module, text in TEXTS.items():
        for name in re.findall(r"^class ([A-Z]\w*)", text, re.MULTILINE):
            places.setdefault(name, []).append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    assert [
        f"{module}: {lines} lines, at most {most}"
        for module, text in TEXTS.items()
        if (lines := len(text.splitlines()))
        > (most := LONGEST_OF_ORDERS if within(module, "bridge.orders") else LONGEST)
    ] == []


def test_the_rooms_of_orders_are_no_web() -> None:
    def room(module: str) -> str:
        return module.removeprefix("bridge.orders.").split(".")[0]

    arrows = {
        (room(module), room(target))
        for module, targets in IMPORTS.items()
        for target in targets
        if within(module, "bridge.orders") and within(target, "bridge.orders")
        if room(module) != room(target)
    }
    assert len(arrows) <= ROOMS_OF_ORDERS
    order = [
        *("model", "journal", "risk", "ownership", "publishing", "reconciliation", "routing"),
        *("wiring", "recovery", "gateway"),
    ]
    assert all(order.index(above) > order.index(below) for above, below in arrows)


def test_the_root_holds_nothing_but_rooms() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "app.py", "errors.py"}


def test_the_pages_that_comments_refer_to_are_there() -> None:
    named = {
        (module, page)
        for module, text in TEXTS.items()
        for page in re.findall(r"\bdocs/[\w-]+\.md", text)
    }
    assert any(page == "docs/kis.md" for _, page in named)
    assert {(module, page) for module, page in named if not (ROOT.parent / page).exists()} == set()


def test_the_tests_that_the_page_of_orders_names_are_there() -> None:
    named = re.findall(
        r"`(tests/[\w/]+\.py)::([\w.]+)`", (ROOT.parent / "docs/orders.md").read_text()
    )
    assert len(named) >= 10
    for path, name in named:
        text = (ROOT.parent / path).read_text()
        for part in name.split("."):
            assert re.search(rf"\b(?:def|class) {part}\b", text), f"{path} has no {name}"


def test_the_page_about_security_tells_the_bounds_that_hold() -> None:
    page = (ROOT.parent / "docs/security.md").read_text()
    units = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20}
    row = r"^\| .+ \| ([0-9,]+)(?: (KiB|MiB))? \| `(bridge/[a-z_/]+\.py)` `(\w+)` \|$"
    rows = re.findall(row, page, re.MULTILINE)
    assert len(rows) == sum(line.startswith("| ") for line in page.splitlines()) - 1
    for number, unit, file, name in rows:
        text = (ROOT.parent / file).read_text()
        found = re.search(rf"^{name}(?:: \w+)? = ([0-9_<* ]+)$", text, re.MULTILINE)
        assert found, f"{file} has no {name}"
        told = int(number.replace(",", "")) * units[unit or None]
        assert told == eval(found[1]), f"{file}: {name}"  # noqa: S307 - digits and operators
