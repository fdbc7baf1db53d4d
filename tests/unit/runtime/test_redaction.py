"""Secrets are found in every form in which something may write them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.redaction import Redactor

SECRETS = ("dist1nct/app+key=", 'pa"ss\\wörd', "12345678-01", "12345678")
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "lower": str.lower,
    "url": lambda secret: quote(secret, safe=""),
    "url, lower": lambda secret: quote(secret, safe="").lower(),
    "url, path": quote,
    "form": quote_plus,
    "query": lambda secret: urlencode({"key": secret}),
    "json": json.dumps,
    "json, as it is": lambda secret: json.dumps(secret, ensure_ascii=False),
    "repr": repr,
    "bytes": lambda secret: repr(secret.encode()),
    "hex": lambda secret: secret.encode().hex(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of a login": lambda secret: base64.b64encode(f"me:{secret}".encode()).decode(),
    "base64 of a header": lambda secret: base64.b64encode(f"Bearer {secret}, x".encode()).decode(),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"u:{secret}".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_every_form_is_hidden(secret: str, form: str) -> None:
    redactor = Redactor(SECRETS)
    written = FORMS[form](secret)
    text = f"before {written} after"
    assert redactor.finds(text)
    hidden = redactor.text(text)
    assert "***" in hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    assert not redactor.finds(hidden)


@given(st.text("ab/+=é-", min_size=6), st.text(max_size=5), st.text(max_size=5))
def test_base64_hides_nothing_wherever_a_secret_begins(
    secret: str, before: str, after: str
) -> None:
    data = f"{before}{secret}{after}".encode()
    if len(secret.encode()) >= 9:  # less may leave too few characters that are its own
        assert Redactor([secret]).finds(base64.b64encode(data).decode())


def test_a_text_without_a_secret_stays_as_it_is() -> None:
    text = '{"price":71900,"at":"2026-02-23T13:15:09+09:00","order_no":"0000123456"}'
    assert Redactor(SECRETS).text(text) is text
    assert Redactor().text(text) is text
    assert not Redactor()


def test_what_is_learned_later_is_hidden_too() -> None:
    redactor = Redactor(["first-secret"])
    redactor.learn("token", "the-token", "")
    assert redactor.text("first-secret the-token") == "*** ***"
    redactor.begin(["another"])
    assert redactor.text("first-secret the-token another") == "first-secret the-token ***"


def test_a_bridge_that_runs_for_years_knows_the_two_newest_of_each_credential() -> None:
    redactor = Redactor(["the-app-key"])
    for day in range(50):
        for app in ("a", "b"):
            redactor.learn(f"token {app}", f"token-{app}-of-day-{day:04}")
            redactor.learn(f"token {app}", f"token-{app}-of-day-{day:04}")
    hidden = redactor.text("the-app-key token-a-of-day-0049 token-b-of-day-0048")
    assert hidden == "*** *** ***"
    assert redactor.text("token-a-of-day-0001") == "token-a-of-day-0001"


def test_a_short_secret_is_looked_for_as_it_is_only() -> None:
    redactor = Redactor(["pw"])
    assert (
        redactor.text("pw, and cHc= in base64, 7077 in hex")
        == "***, and cHc= in base64, 7077 in hex"
    )


def test_a_value_of_a_table_is_hidden_when_it_is_a_secret_or_has_a_key_in_it() -> None:
    key = "PSVYwsaPsw78b67yOGvdIWP3RFtkS2xZT8rt"
    redactor = Redactor([key, "samsung", "1"])
    assert redactor.value(f"fund [{key}]") == "fund [***]"
    assert redactor.value(" SAMSUNG ") == "***"
    # A login may be a part of any word, and one letter is no secret.
    assert redactor.value("samsung electronics") == "samsung electronics"
    assert redactor.value("1") == "1"
