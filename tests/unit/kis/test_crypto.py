from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import FrameError
from bridge.kis.crypto import decrypt, encrypt

KEY = "abcdefghijklmnopabcdefghijklmnop"
IV = "0123456789abcdef"


def test_a_text_closed_elsewhere_opens() -> None:
    # openssl enc -aes-256-cbc -base64 -K $(printf KEY | xxd -p) -iv $(printf IV | xxd -p)
    assert decrypt(CLOSED, KEY, IV) == "hong^0000000000^삼성전자^2"


CLOSED = "wSkjQd7OqGZDmqaUCT8ZnKZLWunUNbtvlIvRQMYgWQs="


@given(st.text())
def test_what_is_closed_opens_again(text: str) -> None:
    assert decrypt(encrypt(text, KEY, IV), KEY, IV) == text


@given(st.binary().map(lambda raw: base64.b64encode(raw).decode()) | st.text())
def test_anything_else_is_a_frame_error(body: str) -> None:
    try:
        decrypt(body, KEY, IV)
    except FrameError as error:
        assert KEY not in str(error)


@pytest.mark.parametrize(
    ("key", "iv"), [("", ""), (KEY, "short"), ("short", IV), ("키" * 32, IV), ("\ud800" * 32, IV)]
)
def test_a_key_that_is_none_is_a_frame_error(key: str, iv: str) -> None:
    with pytest.raises(FrameError):
        decrypt(encrypt("text", KEY, IV), key, iv)


def test_the_wrong_key_is_a_frame_error() -> None:
    with pytest.raises(FrameError, match="does not open"):
        decrypt(encrypt("text", KEY, IV), KEY[::-1], IV)
