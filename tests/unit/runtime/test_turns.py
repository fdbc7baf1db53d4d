from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.turns import Turn, Turns


async def comes(turn: Turn) -> bool:
    task = asyncio.ensure_future(turn.come())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = task.done()
    task.cancel()
    return done


async def test_who_shares_a_key_waits() -> None:
    turns = Turns()
    first, other = turns.take(["a", "b"]), turns.take(["c"])
    second, third = turns.take(["b"]), turns.take(["a", "c"])
    assert [await comes(turn) for turn in (first, other, second, third)] == [1, 1, 0, 0]
    first.leave()
    assert [await comes(turn) for turn in (second, third)] == [1, 0]
    other.leave()
    assert await comes(third)
    for turn in (second, third):
        turn.leave()
    assert turns.free(["a", "b", "c"])


async def test_whoever_leaves_before_its_turn_lets_nobody_overtake() -> None:
    turns = Turns()
    first, second, third = (turns.take(["a"]) for _ in range(3))
    second.leave()
    assert not await comes(third)
    first.leave()
    assert await comes(third)
    third.leave()
    assert turns.free(["a"])


async def test_to_be_woken_gives_no_turn_and_lasts_for_one_look() -> None:
    turns = Turns()
    first, second = turns.take(["a"]), turns.take(["a"])
    second.wake()
    assert await comes(second)
    assert not second.here
    assert not await comes(second), "it would look again and again, and nobody else could go on"
    first.leave()
    assert await comes(second)
    assert await comes(second)


@given(st.lists(st.sets(st.integers(0, 3), min_size=1), max_size=8), st.randoms())
def test_of_two_with_a_key_in_common_never_both_have_their_turn(
    keys: list[set[int]], random: object
) -> None:
    async def run() -> None:
        turns = Turns()
        taken = [turns.take(sorted(each)) for each in keys]
        left: set[int] = set()
        while len(left) < len(taken):
            here = [i for i, turn in enumerate(taken) if turn.here and i not in left]
            for i in here:
                for k in here:
                    assert i == k or not keys[i] & keys[k]
            choice = random.choice([i for i in range(len(taken)) if i not in left])  # type: ignore[attr-defined]
            taken[choice].leave()
            left.add(choice)
        assert turns.free(range(4))

    asyncio.run(run())
