"""What a deployment is made of, read as text: the image's recipe."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def stages() -> list[str]:
    return re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]


def test_the_image_is_not_run_by_root() -> None:
    final = stages()[-1]
    users = re.findall(r"(?m)^USER (.+)$", final)
    assert users == ["10001:10001"]
    assert final.index("USER ") < final.index("ENTRYPOINT")


def test_every_package_of_the_image_is_installed_by_its_hash() -> None:
    commands = re.split(r"&&|\n", DOCKERFILE.replace("\\\n", " "))
    installs = [command for command in commands if re.search(r"\bpip\b.* install ", command)]
    assert len(installs) == 3
    for arguments in installs:
        assert "--require-hashes" in arguments or "--no-index" in arguments
        assert "--only-binary :all:" in arguments or "--no-index" in arguments
    assert "--no-build-isolation" in DOCKERFILE  # else it fetches what builds it without a hash


def test_the_build_sees_only_what_the_image_is_made_of() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", DOCKERFILE)
        for source in line.split()[:-1]
    }
    assert lines[1] == "*"
    assert allowed == copied


def test_both_stages_stand_on_one_image() -> None:
    assert [stage.split()[1] for stage in stages()] == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
    assert re.search(r"(?m)^ARG PYTHON_IMAGE=\S+/python:3\.\d+-slim-\w+$", DOCKERFILE)
