"""KIS's own file of keys is taken over as people have it: half filled in, old, or broken."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.kis_devlp import credentials
from bridge.errors import ConfigError

FILE = """\
# KIS Open API
my_app: "PSrealrealreal"
my_sec: "real+secret/="
paper_app: "PSpaperpaper"
paper_sec: "paper+secret/="
my_htsid: "trader"
my_acct_stock: "12345678"
my_acct_future: "87654321"
my_paper_stock: "50000001"
my_prod: "01"
prod: "https://openapi.koreainvestment.com:9443"
"""


def test_the_keys_of_the_environment_are_taken() -> None:
    assert credentials(FILE, "real") == {
        "app_key": "PSrealrealreal", "app_secret": "real+secret/=", "hts_id": "trader",
        "account": "12345678-01",
    }  # fmt: skip
    assert credentials(FILE, "paper") == {
        "app_key": "PSpaperpaper", "app_secret": "paper+secret/=", "hts_id": "trader",
        "account": "50000001-01",
    }  # fmt: skip


def test_what_was_not_filled_in_is_missing() -> None:
    untouched = 'my_app: "앱키"\nmy_sec: "앱키 시크릿"\nmy_acct_stock: ""\nmy_htsid: 사용자\n'
    assert credentials(untouched, "real") == {}


@pytest.mark.parametrize(
    ("lines", "account"),
    [
        ("my_acct_stock: 12345678\nmy_prod: 1", "12345678-01"),
        ("my_acct: 12345678-01", "12345678-01"),
        ("my_acct_stock: '12345678'\nmy_prod: '03'", "12345678-03"),
        ("my_acct_stock: '12345678'\nmy_prod: ''", "12345678-01"),
    ],
)
def test_an_account_is_read_however_it_was_written(lines: str, account: str) -> None:
    assert credentials(f"my_app: a\n{lines}\n", "real")["account"] == account


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: b", "{", "my_app", "\x00", "[" * 10_000])
def test_what_is_no_such_file_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="kis_devlp"):
        credentials(text, "paper")


@given(st.text())
def test_whatever_stands_in_it_nothing_else_is_raised(text: str) -> None:
    with suppress(ConfigError):
        credentials(f"my_app: {text}", "real")
