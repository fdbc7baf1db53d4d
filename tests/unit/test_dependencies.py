"""What is installed is bounded, explained and, in the image, nothing but what its hash names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    name: [Requirement(text) for text in texts]
    for name, texts in PROJECT["optional-dependencies"].items()
    if name != "dev"
}
TO_RUN = [Requirement(text) for text in PROJECT["dependencies"]]
DECLARED = [*TO_RUN, *(each for extra in EXTRAS.values() for each in extra)]
DATA_ONLY = {"tzdata"}
"""Nothing in it can break, and a new release is what one wants."""


def pinned(file: str) -> dict[str, str]:
    found = re.findall(r"(?m)^([\w.-]+)==([\w.]+)", (ROOT / file).read_text())
    return {canonicalize_name(name): version for name, version in found}


def explained() -> dict[str, str]:
    """Return the rows of the tables, package → range."""
    text = (ROOT / "docs/dependencies.md").read_text()
    return dict(re.findall(r"(?m)^\| `([\w.-]+)` \| `([^`]+)` \|", text))


def bounds(range_: str) -> set[str]:
    return set(range_.split(","))


def test_every_dependency_has_its_reason_and_its_range_in_the_documentation() -> None:
    rows = explained()
    declared = {each.name: str(each.specifier) for each in DECLARED}
    assert set(rows) == set(declared), "docs/dependencies.md: a row for each, and for no other"
    for name, range_ in declared.items():
        assert bounds(rows[name]) == bounds(range_), f"docs/dependencies.md: range of {name}"


@pytest.mark.parametrize("requirement", DECLARED, ids=lambda each: each.name)
def test_every_dependency_has_both_bounds(requirement: Requirement) -> None:
    operators = {each.operator for each in requirement.specifier}
    assert operators == ({">="} if requirement.name in DATA_ONLY else {">=", "<"})


def test_what_the_tests_ran_with_is_in_the_range() -> None:
    versions = pinned("constraints.txt")
    for requirement in DECLARED:
        version = versions.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in constraints.txt: make constraints"
        assert version in requirement.specifier, f"{requirement.name}=={version}"


@pytest.mark.parametrize("file", ["requirements.image.txt", "requirements.build.txt"])
def test_the_image_takes_no_file_without_a_hash(file: str) -> None:
    for block in re.split(r"(?m)^(?=[\w.-]+==)", (ROOT / file).read_text())[1:]:
        assert "--hash=sha256:" in block, block.partition(" ")[0]


def test_the_image_has_what_the_tests_ran_with_and_nothing_of_the_demo() -> None:
    image, tested = pinned("requirements.image.txt"), pinned("constraints.txt")
    image.pop("colorama", None)  # of Windows only
    assert image.items() <= tested.items(), "make requirements"
    wanted = [*TO_RUN, *EXTRAS["postgresql"], *EXTRAS["mariadb"]]
    assert {canonicalize_name(each.name) for each in wanted} <= image.keys(), "make requirements"
    assert not {canonicalize_name(each.name) for each in EXTRAS["demo"]} & image.keys()
