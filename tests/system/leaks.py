"""Looks for secrets in what programs write, in every form that they may have there."""

from __future__ import annotations

import base64
import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, quote_plus

__all__ = ["Leaks", "Spoken", "overheard"]

_LEAST = 8
"""Characters: what is shorter, or a word, may stand anywhere without being a secret."""
_WORDS = frozenset({"somebody"})
_SHOWN = 60


class Spoken(Protocol):
    """What a program has written so far, and whether it may tell secrets."""

    name: str
    exempt: bool

    def news(self) -> str: ...
    def over(self) -> bool: ...
    def arguments(self) -> str: ...


class Leaks:
    """Knows secrets, and finds them in texts, files and the process list."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        """Secret → what it is."""
        self._forms: dict[str, tuple[str, str]] = {}
        """Form → what it is and how it is written; those that no case changes in lower case."""
        self._exact: dict[str, tuple[str, str]] = {}
        self._numbers: dict[re.Pattern[str], tuple[str, str]] = {}
        self._folders: set[Path] = set()
        self._seen: set[str] = set()
        self._heard: list[Spoken] = []
        self._taken: list[tuple[str, str]] = []

    def know(self, what: str, secret: str) -> None:
        """Look for a secret from now on."""
        if len(secret) < _LEAST or secret in _WORDS or secret in self.secrets:
            return
        self.secrets[secret] = what
        account = re.fullmatch(r"([0-9]{8})-?([0-9]{2})", secret)
        if account is not None:
            for form in ("".join(account.groups()), "-".join(account.groups())):
                self._write_down(what, form)
            # Eight digits by themselves may be in the middle of any time or size.
            alone = re.compile(rf"(?<![0-9]){account[1]}(?![0-9])")
            self._numbers[alone] = (what, "its first eight digits")
        else:
            self._write_down(what, secret)

    def know_kis(self, kis: dict[str, str]) -> None:
        """Look for what a simulator says of itself."""
        for name in ("app_key", "app_secret", "account", "hts_id"):
            self.know(name, kis[name])

    def know_state(self, folder: Path) -> None:
        """Look for what KIS issues meanwhile, and at the modes of the files, in a state folder."""
        self._folders.add(folder)

    def hear(self, program: Spoken) -> None:
        """Look at what a program writes, from now on."""
        self._heard.append(program)

    def take(self, text: str, where: str) -> None:
        """Look at a text, next time."""
        self._taken.append((text, where))

    def _write_down(self, what: str, secret: str) -> None:
        for way, form in _forms(secret):
            self._forms.setdefault(form.lower(), (what, way))
        for shift in range(3):
            # Four characters at each end depend on what stands beside it.
            form = base64.b64encode(b"?" * shift + secret.encode()).decode()[4:-4]
            if len(form) >= _LEAST:
                for one in (form, form.replace("+", "-").replace("/", "_")):
                    self._exact.setdefault(one, (what, "base64"))

    def found(self, text: str, where: str) -> list[str]:
        """Return what is in a text, each with the place."""
        low = text.lower()
        hits = [(low.find(form), kind) for form, kind in self._forms.items()]
        hits += [(text.find(form), kind) for form, kind in self._exact.items()]
        for pattern, kind in self._numbers.items():
            hit = pattern.search(text)
            hits.append((hit.start() if hit else -1, kind))
        return [
            f"{what} ({way}) in {where}: …{text[max(0, at - _SHOWN) : at + _SHOWN]!r}…"
            for at, (what, way) in sorted(hits)
            if at >= 0
        ]

    def look(self) -> list[str]:
        """Return every leak in what was written since the last time."""
        leaks: list[str] = []
        for folder in self._folders:
            # Once: what lies there is there after each test.
            new = [leak for leak in self._state(folder) if leak not in self._seen]
            self._seen |= set(new)
            leaks += new
        taken, self._taken = self._taken, []
        for text, where in taken:
            leaks += self.found(text, where)
        for program in list(self._heard):
            over = program.over()
            leaks += self.found(program.arguments(), f"the arguments of {program.name}")
            if not program.exempt:
                leaks += self.found(program.news(), program.name)
            if over:
                self._heard.remove(program)
        return leaks

    def _state(self, folder: Path) -> Iterator[str]:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            try:
                mode = stat.S_IMODE(path.stat().st_mode)
                text = path.read_text() if path.suffix == ".json" else ""
            except (OSError, UnicodeDecodeError):
                continue
            if sys.platform != "win32" and path.is_file() and mode & 0o077 and path.name != "halt":
                yield f"{path} has mode {mode:o}"
            if path.name.startswith(("token-", "approval-key-")):
                try:
                    self.know(path.name.rpartition("-")[0], json.loads(text).get("secret", ""))
                except (ValueError, AttributeError):
                    continue


def _forms(secret: str) -> Iterator[tuple[str, str]]:
    yield "plain", secret
    for way, form in (
        ("URL", quote(secret, safe="")),
        ("URL", quote(secret)),
        ("form", quote_plus(secret)),
        ("JSON", json.dumps(secret)[1:-1]),
        ("JSON", json.dumps(secret, ensure_ascii=False)[1:-1]),
        ("JSON in JSON", json.dumps(json.dumps(secret))[3:-3]),
        ("repr", repr(secret)[1:-1]),
        ("bytes", repr(secret.encode())[2:-1]),
        ("hex", secret.encode().hex()),
    ):
        if form != secret:
            yield way, form


overheard = Leaks()
"""What all the programs of these tests say; looked through after each test."""
