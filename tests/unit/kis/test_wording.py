from __future__ import annotations

import pytest

from bridge.kis.wording import approval_over, token_over


@pytest.mark.parametrize(
    "text",
    [
        "유효하지 않은 token 입니다.",
        "token을 찾을 수 없습니다.",
        "기간이 만료된 token 입니다.",
        "접근토큰이 만료되었습니다. 재발급 후 이용하시기 바랍니다",
        "유효기간이 지난 토큰입니다. 다시 발급받으세요",
        "폐기된 접근 토큰",
        "인증정보가 유효하지 않습니다",
        "invalid_token",
        "The access token expired",
        'Bearer realm="kis", error="invalid_token"',
        "Access Token has been revoked",
        "JWT is no longer valid",
    ],
)
def test_these_read_as_if_the_token_was_over(text: str) -> None:
    assert token_over(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "정상처리 되었습니다.",
        "초당 거래건수를 초과하였습니다.",
        "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)",
        "유효하지 않은 AppKey입니다.",
        "유효하지 않은 TR_ID 입니다.",
        "해당종목정보가 없습니다.",
        "주문가능금액이 부족합니다.",
        "502 Bad Gateway",
        "x" * 3_000 + "token expired",
    ],
)
def test_these_do_not(text: str) -> None:
    assert not token_over(text)


@pytest.mark.parametrize("text", ["expired approval_key", "승인키가 만료되었습니다"])
def test_an_approval_key_is_told_from_a_token(text: str) -> None:
    assert approval_over(text)
    assert not token_over(text)
