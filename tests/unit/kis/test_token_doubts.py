from __future__ import annotations

from pydantic import SecretStr

from bridge.kis.replies import Doubt
from bridge.kis.token_doubts import TokenDoubts

ONE, TWO, THREE, FOUR, FIVE = (SecretStr(f"token-{n}") for n in range(5))
PRICE, BALANCE = "inquire_price", "inquire_balance"


def doubts(*, answered: bool = True) -> TokenDoubts:
    made = TokenDoubts()
    made.uses(ONE)
    if answered:
        made.answered(ONE, PRICE)
    return made


def test_of_many_calls_refused_at_once_each_gets_the_one_new_token() -> None:
    made = doubts()
    assert [made.failed(ONE, PRICE, Doubt.WORDED, 0) for _ in range(3)] == [True] * 3
    assert made.stands(ONE)
    made.renewed(ONE, TWO, 1)
    assert made.failed(ONE, PRICE, Doubt.WORDED, 1)  # late: the newer one is there already
    assert not made.stands(ONE)


def test_a_call_whose_words_were_wrong_is_not_believed_for_an_hour() -> None:
    made = doubts()
    assert made.failed(ONE, PRICE, Doubt.WORDED, 0)
    made.renewed(ONE, TWO, 0)
    made.answered(TWO, BALANCE)
    assert not made.failed(TWO, PRICE, Doubt.WORDED, 3_599)
    assert made.failed(TWO, PRICE, Doubt.WORDED, 3_600)


def test_a_call_whose_words_were_right_is_believed_again_at_once() -> None:
    made = doubts()
    assert made.failed(ONE, PRICE, Doubt.WORDED, 0)
    made.renewed(ONE, TWO, 0)
    made.answered(TWO, PRICE)
    assert made.failed(TWO, PRICE, Doubt.WORDED, 1)


def test_new_tokens_that_are_all_refused_are_replaced_more_and_more_rarely() -> None:
    made = doubts(answered=False)
    assert made.failed(ONE, PRICE, Doubt.PROVEN, 0)
    made.renewed(ONE, TWO, 0)
    assert made.failed(TWO, PRICE, Doubt.PROVEN, 0)
    made.renewed(TWO, THREE, 60)
    assert not made.failed(THREE, PRICE, Doubt.PROVEN, 179)
    assert made.failed(THREE, PRICE, Doubt.PROVEN, 180)
    made.renewed(THREE, FOUR, 180)
    assert not made.failed(FOUR, PRICE, Doubt.PROVEN, 419)
    assert made.failed(FOUR, PRICE, Doubt.PROVEN, 420)
    made.renewed(FOUR, FIVE, 420)
    assert made.failed(FIVE, PRICE, Doubt.PROVEN, 720)
    made.renewed(FIVE, ONE, 720)
    made.answered(ONE, PRICE)
    assert made.failed(ONE, PRICE, Doubt.PROVEN, 721)


def test_the_same_token_again_is_one_more_that_is_refused() -> None:
    made = doubts(answered=False)
    for at in (0, 60):
        assert made.failed(ONE, PRICE, Doubt.PROVEN, at)
        made.renewed(ONE, ONE, at)
    assert not made.failed(ONE, PRICE, Doubt.PROVEN, 120)


def test_three_denials_in_a_row_cast_doubt_on_the_token() -> None:
    made = doubts()
    assert not made.failed(ONE, PRICE, Doubt.DENIED, 0)
    assert not made.failed(ONE, BALANCE, Doubt.DENIED, 1)
    made.answered(ONE, PRICE)
    assert [made.failed(ONE, PRICE, Doubt.DENIED, at) for at in (2, 3, 4)] == [False, False, True]


def test_a_token_in_doubt_that_answers_is_spared() -> None:
    made = doubts()
    assert made.failed(ONE, PRICE, Doubt.WORDED, 0)
    made.spared(ONE)
    assert not made.stands(ONE)
