"""Passwords in Mosquitto's format; the real one reads them in tests/system/test_broker_users.py."""

from __future__ import annotations

import pytest

from bridge.broker import password_file
from bridge.broker.password_file import generate, hashed, matches
from bridge.errors import ConfigError


def test_a_hash_is_of_its_password_only() -> None:
    one = hashed("correct horse battery")
    assert matches("correct horse battery", one)
    assert not matches("correct horse batterz", one)
    assert hashed("correct horse battery") != one  # salted
    assert not matches("x", "no hash")


def test_what_mosquitto_passwd_wrote_is_understood() -> None:
    # mosquitto_passwd 2.0.11
    written = (
        "$7$101$1ZYHjSFo9xyzlITV$Jk9fibL4Vo8lpi3wSaZjIR1vQ0qm7gig2J2qtIe9yR8+6s"
        "p5SyPexwWIN6pFLEvjGaDYpCno0AVoxBwSw2P1bA=="
    )
    assert matches("alice-long-secret", written)
    assert password_file.parse(f"alice:{written}\n", "users") == {"alice": written}


def test_generated_passwords_are_long_and_never_the_same() -> None:
    assert generate() != generate()
    assert len(generate()) >= 32


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 257, "tab\tin the middle", "nul\0nul nul nul"]
)
def test_passwords_that_are_none(password: str) -> None:
    with pytest.raises(ConfigError, match="password") as told:
        hashed(password)
    assert not password or password not in str(told.value)


@pytest.mark.parametrize("line", ["alice", "alice:", ":$7$1$a$b", "alice:plain-text-password"])
def test_a_line_that_is_none_is_told_without_its_text(line: str) -> None:
    with pytest.raises(ConfigError, match=r"^users:2: not NAME:HASH") as told:
        password_file.parse(f"bob:$7$1$a$b\n{line}\n", "users")
    assert "plain-text-password" not in str(told.value)
