from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from bridge.catalog.compile import load
from bridge.kis.live_token import LiveToken
from bridge.kis.replies import Doubt, KisNotSentError, KisUnknownError, Reply

CATALOG = load()
ORDER = CATALOG.apis["domestic_stock/order_cash"]
PRICE = CATALOG.apis["domestic_stock/inquire_price"]
ANSWER = Reply("0", "MCA00000", "ok", {})
ODD = KisUnknownError("token gone", doubt=Doubt.WORDED)


class Source:
    """Gives the next token when the last one is refused, unless it is down."""

    def __init__(self) -> None:
        self.serial, self.down = 1, False

    async def token(
        self, *, refresh_of: SecretStr | None = None, deadline: float | None = None
    ) -> SecretStr:
        if refresh_of is not None:
            if self.down:
                raise KisNotSentError("no token: HTTP 503")
            self.serial += 1
        return SecretStr(f"token-{self.serial}")


def lived() -> tuple[LiveToken, Source]:
    source = Source()
    return LiveToken(source, lambda: 0.0), source


async def test_odd_words_about_an_order_give_the_next_call_another_token() -> None:
    token, source = lived()
    first = await token.take(ORDER, None)
    assert await token.instead(first, ORDER, ODD, None) is None
    assert source.serial == 1
    assert (await token.take(ORDER, None)).get_secret_value() == "token-2"


async def test_odd_words_about_a_query_give_itself_another_token() -> None:
    token, _ = lived()
    first = await token.take(PRICE, None)
    another = await token.instead(first, PRICE, ODD, None)
    assert another == SecretStr("token-2")
    doubtful = replace(ANSWER, rt_cd="1", doubt=Doubt.WORDED)
    token.answered(another, PRICE, doubtful)  # the words were wrong
    assert await token.instead(another, PRICE, doubtful, None) is None


async def test_no_order_goes_with_a_token_in_doubt_and_a_query_clears_it() -> None:
    token, source = lived()
    first = await token.take(ORDER, None)
    await token.instead(first, ORDER, ODD, None)
    source.down = True
    with pytest.raises(KisNotSentError):
        await token.take(ORDER, None)
    assert await token.take(PRICE, None) == first
    token.answered(first, PRICE, ANSWER)
    assert await token.take(ORDER, None) == first
