"""What somebody may have meant who wrote something else."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["nearest"]

_LONGEST = 200
"""Characters of a word that are compared: the comparison takes their square."""


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return the known word that is most like this one; blank: none is alike enough.

    ``cutoff`` is from 0 (anything) to 1 (the same).
    """
    import difflib  # only whoever made a mistake waits for it

    found = difflib.get_close_matches(word[:_LONGEST], list(known), n=1, cutoff=cutoff)
    return found[0] if found else ""
