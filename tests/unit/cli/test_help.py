"""Every command has a help that can be read, and takes the same options by the same names."""

from __future__ import annotations

from functools import cache

import pytest
from typer.testing import CliRunner

from bridge.cli import COMMANDS, app

ORDER = [("order", name) for name in ("place", "modify", "cancel", "cancel-all", "list", "show")]
SYMBOLS = [("symbols", name) for name in ("update", "search")]
SINGLE = [(name,) for name in COMMANDS if name not in ("order", "symbols", "spec")]
CONFIGURED = [
    *((name,) for name in ("run", "check", "watch", "orders", "subscribe", "unsubscribe")),
    *((name,) for name in ("query", "halt", "resume")),
    *(*ORDER, *SYMBOLS),
]
BROKER = ("--url", "--user", "--password", "--ca-file")


@cache
def text(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("words", CONFIGURED)
def test_a_configuration_file_is_named_by_c(words: tuple[str, ...]) -> None:
    assert "-c, --config" in text(*words)
    assert "./bridge.toml if it is there" in text(*words)


@pytest.mark.parametrize("words", [*SINGLE, *ORDER, *SYMBOLS])
def test_every_command_says_what_it_does(words: tuple[str, ...]) -> None:
    said = text(*words)
    assert said.startswith(f"Usage: {app.info.name} {' '.join(words)}")
    _, _, rest = said.partition(" ".join(words))
    assert ". " in rest  # a whole sentence


@pytest.mark.parametrize("words", [("halt",), ("query",), ("order", "place"), ("watch",)])
def test_whoever_talks_to_a_bridge_names_the_broker_alike(words: tuple[str, ...]) -> None:
    assert [option for option in BROKER if f" {option} " not in text(*words)] == []
