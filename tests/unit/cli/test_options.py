"""Groups of options, as a command with them behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from bridge.cli.options import grouped


@dataclass(frozen=True, slots=True)
class Where:
    url: Annotated[str, typer.Option(help="Which broker.")] = "mqtt://a"


@dataclass(frozen=True, slots=True)
class More(Where):
    wait: Annotated[float, typer.Option("--wait", "-w")] = 1.5


def app() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @grouped
    def command(where: More, word: Annotated[str, typer.Argument()], again: bool = False) -> None:
        """Do something."""
        print(where, word, again)

    return app


def test_a_group_becomes_its_options_and_the_command_gets_the_object() -> None:
    done = CliRunner().invoke(app(), ["x", "--url", "mqtt://b", "-w", "2", "--again"])
    assert done.output == f"{More('mqtt://b', 2.0)} x True\n"
    assert CliRunner().invoke(app(), ["x"]).output == f"{More()} x False\n"


def test_the_help_has_them_after_the_commands_own() -> None:
    text = CliRunner().invoke(app(), ["--help"]).output
    assert "Do something." in text
    assert text.index("--again") < text.index("--url") < text.index("--wait")
    assert "Which broker." in text


def test_a_command_can_call_another() -> None:
    said = []

    @grouped
    def inner(where: Where, word: str = "w") -> None:
        said.append((where, word))

    inner(where=Where("mqtt://c"))
    assert said == [(Where("mqtt://c"), "w")]
