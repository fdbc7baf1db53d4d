"""The broker's ACL file: written from roles, and read back to know who has which. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from bridge.broker.roles import Grant, checked_name, own_rules, rules
from bridge.errors import ConfigError

__all__ = ["parse", "render"]

_HEAD: Final = """\
# Who may read and write what. Written by `kis-bridge users`: change it with that.
# Roles give the lines below them; `kis-bridge users show NAME` says the same with reasons.
"""
_DIGEST: Final = "# sha256 of what follows: "
_BASE: Final = "# base topic: "
_ROLE: Final = "# role "


def render(users: Mapping[str, frozenset[Grant]], base: str = "kis") -> str:
    """Return the file of users and their roles."""
    lines = [
        f"{_BASE}{base}",
        "",
        "# Everybody reads what is told under the own name (%u). Nobody writes by a pattern.",
        *(f"pattern {access} {topic_filter}" for access, topic_filter in own_rules(base)),
    ]
    for name in sorted(users):
        lines += ["", f"user {checked_name(name)}"]
        told: Grant | None = None
        grants = sorted(users[name])
        # A role whose rights another one gives too has no lines, but it is still the user's.
        found = rules(name, grants, base)
        lines += [f"{_ROLE}{grant}" for grant in grants if grant not in {r.because for r in found}]
        for rule in found:
            if rule.because != told:
                told = rule.because
                lines.append(f"{_ROLE}{told}")
            if (rule.access, rule.topic_filter) not in _patterns(name, base):
                lines.append(f"topic {rule.access} {rule.topic_filter}")
    body = "\n".join(lines) + "\n"
    return f"{_HEAD}{_DIGEST}{_digest(body)}\n{body}"


def parse(text: str, where: object) -> tuple[dict[str, frozenset[Grant]], str]:
    """Return the users of a file with their roles, and its base topic.

    :raises ConfigError: somebody else wrote or changed the file: what was added to it by hand
        would be lost.
    """
    head, mark, rest = text.partition(_DIGEST)
    digest, _, body = rest.partition("\n")
    if not mark or any(line and not line.startswith("#") for line in head.splitlines()):
        raise ConfigError(
            f"{where} was not written by kis-bridge users: move it away, then add the users anew"
        )
    if digest.strip() != _digest(body):
        raise ConfigError(
            f"{where} was changed by hand and the change would be lost: take it back, or move the"
            " file away and grant the roles anew"
        )
    base = re.search(rf"^{_BASE}(.+)$", body, re.MULTILINE)
    users: dict[str, set[Grant]] = {}
    current: set[Grant] = set()
    for line in body.splitlines():
        if line.startswith("user "):
            current = users.setdefault(line.removeprefix("user "), set())
        elif line.startswith(_ROLE):
            current.add(Grant.parse(line.removeprefix(_ROLE)))
    return {name: frozenset(grants) for name, grants in users.items()}, base[1] if base else "kis"


def _patterns(name: str, base: str) -> set[tuple[str, str]]:
    """Return what the patterns give a user."""
    return {(access, where.replace("%u", name)) for access, where in own_rules(base)}


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
