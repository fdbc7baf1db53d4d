from __future__ import annotations

from bridge.runtime.suggestions import nearest

KNOWN = ["password", "username", "url"]


def test_a_slip_of_the_pen_is_found() -> None:
    assert nearest("pasword", KNOWN) == "password"
    assert nearest("usrname", iter(KNOWN)) == "username"


def test_something_else_is_like_nothing() -> None:
    assert nearest("colour", KNOWN) == ""
    assert nearest("url", []) == ""


def test_how_alike_is_enough_can_be_said() -> None:
    assert nearest("pass", KNOWN, cutoff=0.9) == ""


def test_a_text_without_end_is_not_compared_to_its_end() -> None:
    assert nearest("x" * 1_000_000, KNOWN) == ""
