"""What the guides of a deployment say can be typed and followed."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli import app

ROOT = Path(__file__).parents[2]
GUIDES = ["SECURITY.md", "docs/deployment.md", "docs/dependencies.md", "docs/security.md"]


def anchors(file: Path) -> set[str]:
    """Return the names by which headings are linked to."""
    titles = re.findall(r"(?m)^#+ (.+)$", file.read_text())
    return {
        re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-")
        for title in titles
    }


@pytest.mark.parametrize("name", GUIDES)
def test_every_link_leads_somewhere(name: str) -> None:
    guide = ROOT / name
    text = guide.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        file = guide.parent / path if path else guide
        assert file.exists(), f"{name}: {target}"
        assert not anchor or anchor in anchors(file), f"{name}: {target}"


def commands() -> Iterator[list[str]]:
    """Return what is typed of ``kis-bridge`` in the blocks of the guide, as its words."""
    text = (ROOT / "docs/deployment.md").read_text()
    for block in re.findall(r"(?s)```(?:ba)?sh\n(.*?)```", text):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(
                r"(?:^|/|\s)(?:kis-bridge|run --rm admin) ((?:check|tls|users).*)", line
            )
            if found is not None:
                yield shlex.split(found[1], comments=True)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_of_the_guide_is_one(words: list[str]) -> None:
    names = list(itertools.takewhile(lambda word: not word.startswith("--"), words))
    command = names[:1] if names[0] == "check" else names[:2]
    done = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    for option in {word for word in words if word.startswith("--")}:
        assert f" {option} " in done.output


def test_the_guide_has_commands() -> None:
    assert len(list(commands())) >= 9


def test_the_files_that_the_guide_copies_are_there() -> None:
    text = (ROOT / "docs/deployment.md").read_text()
    named = set(re.findall(r"(?:examples/deploy|mosquitto)/[\w.-]+\.\w+", text))
    assert {"examples/deploy/kis-bridge.service", "mosquitto/mosquitto.conf"} <= named
    for name in named:
        assert (ROOT / name).is_file(), name
