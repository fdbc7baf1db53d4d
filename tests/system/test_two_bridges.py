"""Two bridges by mistake: never two orders for one command, and never two that send."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.brokers import Mosquitto
from tests.system.programs import (
    DEADLINE_S,
    KIS_BRIDGE,
    Ear,
    Program,
    World,
    ask,
    client,
    environ,
)

TRADE = "kis/market/domestic_stock/krx/trade/005930"
OWNER = "kis/bridge/owner/main"
CONFLICT = "kis/bridge/event/owner_conflict"
EXPIRES = "2999-01-01T00:00:00+09:00"
QUICK = "[orders]\nproof_s = 5"
"""A claim is dead after 30 s then, instead of 55 s."""
DEAD_S = 45.0


def running(folder: Path) -> Any:
    return World.running(folder, QUICK)


@contextmanager
def second(world: World, state_dir: str) -> Iterator[Program]:
    """Run another bridge with the same configuration but for its folder.

    KIS gives out one token a minute: it finds the first one's, as in a copy of the machine.
    """
    folder = world.config.parent
    if not (folder / state_dir).exists():
        send(world, "before")
        acks(world, ("before",))
        ignored = shutil.ignore_patterns("orders.db*")
        shutil.copytree(folder / "state", folder / state_dir, ignore=ignored)
    config = world.config.with_name("second.toml")
    config.touch(mode=0o600)
    text = world.config.read_text().replace('state_dir = "state"', f'state_dir = "{state_dir}"')
    config.write_text(text)
    with Program(*KIS_BRIDGE, "run", "--config", str(config), "--json") as bridge:
        bridge.line()
        yield bridge


def send(world: World, *names: str) -> None:
    """Place a resting order for each name, over one connection."""
    order = world.resting()
    lines = "".join(json.dumps(order | {"client_order_id": name}) + "\n" for name in names)
    subprocess.run(
        [client("mosquitto_pub"), "-V", "5", "-p", str(world.broker.port), "-q", "1",
         "-t", "kis/orders/main/alice/command/place", "-l"],
        input=lines, text=True, check=True, timeout=DEADLINE_S, env=environ(),
    )  # fmt: skip


def acks(world: World, names: tuple[str, ...], deadline_s: float = DEADLINE_S) -> dict[str, Any]:
    """Return the first ack of each name, when all have one."""

    def found() -> dict[str, Any] | None:
        said = {
            heard.payload["client_order_id"]: heard.payload
            for heard in reversed(world.ear.heard)
            if heard.topic.startswith("kis/orders/main/alice/ack/")
        }
        return {name: said[name] for name in names} if all(n in said for n in names) else None

    answers: dict[str, Any] = world.ear.wait("every ack", found, deadline_s)
    return answers


def conflict(world: World) -> Any:
    return world.ear.until(CONFLICT).payload


def logged(bridge: Program, word: str, deadline_s: float = DEADLINE_S) -> str:
    def found() -> str:
        return next((line for line in bridge.err if word in line), "")

    line: str = bridge.wait(word, found, deadline_s)
    return line


def once_each(world: World, count: int) -> None:
    """See to it that the exchange has so many orders, and so none twice."""
    assert len(world.placed()) == count


def statuses(answers: dict[str, Any]) -> Counter[str]:
    return Counter(answer["status"] for answer in answers.values())


def adopt(world: World) -> None:
    """Have a bridge go on with its own journal, as a person does who has looked."""
    done = ask("journal", "adopt", "--url", world.broker.url)
    assert done.returncode == 0, done.stderr


def owners(ear: Ear) -> list[str]:
    """Return who has claimed the account, in order, each once in a row."""
    said = [heard.payload["owner"] for heard in ear.heard if heard.topic == OWNER]
    return [name for i, name in enumerate(said) if name and (not i or name != said[i - 1])]


def test_of_two_bridges_with_one_configuration_only_one_sends(tmp_path: Path) -> None:
    names = tuple(f"a-{number}" for number in range(50))
    more = tuple(f"b-{number}" for number in range(50))
    with running(tmp_path) as world:
        first = world.ear.until(OWNER).payload
        with second(world, "other") as other:
            told = conflict(world)
            assert (told["account"], told["owner"], told["host"]) == (
                "main",
                first["owner"],
                first["host"],
            )
            assert first["host"] in told["message"]
            assert "owner_conflict" in logged(other, "owner_conflict")
            checked = ask("check", "--config", str(world.config), "--json")
            rows = [row for row in json.loads(checked.stdout) if row["what"] == "orders"]
            assert f"main: sent by {first['host']}" in rows[0]["detail"]
            send(world, *names)
            assert statuses(acks(world, names)) == {"accepted": 50}
            once_each(world, 51)
            assert owners(world.ear) == [first["owner"]]
            world.bridge.stop(signal.SIGKILL)
            send(world, "early")  # nobody is there: the broker keeps it for the next owner
            # The next owner has a journal of its own, which does not know what this one was sent.
            early = acks(world, ("early",), DEAD_S)["early"]
            assert (early["status"], early["reason"]) == ("refused", "journal_unavailable")
            once_each(world, 51)
            adopt(world)
            send(world, *more)
            answers = acks(world, more, DEAD_S)
            assert statuses(answers) == {"accepted": 50}
            once_each(world, 101)
            assert len(owners(world.ear)) == 2
            sent = Counter(
                heard.payload["client_order_id"]
                for heard in world.ear.heard
                if heard.topic.startswith("kis/orders/main/alice/ack/")
            )
            assert sent == Counter(("before", *names, "early", *more))


def test_a_bridge_that_was_stopped_cleanly_is_followed_at_once(tmp_path: Path) -> None:
    with World.running(tmp_path) as world, second(world, "other") as other:
        conflict(world)
        assert world.bridge.stop() == 0
        logged(other, "sends the orders now")
        world.ear.until("kis/bridge/event/journal_replaced")
        adopt(world)
        send(world, "a-1")
        assert acks(world, ("a-1",))["a-1"]["status"] == "accepted"


def test_a_killed_bridge_is_followed_at_once_by_itself(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        send(world, "a-1")
        acks(world, ("a-1",))
        world.bridge.stop(signal.SIGKILL)
        world.bridge.__exit__()
        world.start_bridge()
        send(world, "a-2")
        assert acks(world, ("a-2",))["a-2"]["status"] == "accepted"
        assert not [heard for heard in world.ear.heard if heard.topic == CONFLICT]
        once_each(world, 2)


def test_a_copy_of_the_folder_is_another_bridge(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        send(world, "a-1")
        acks(world, ("a-1",))
        shutil.copytree(tmp_path / "state", tmp_path / "copy")
        with second(world, "copy"):
            conflict(world)
            send(world, "a-2")
            assert acks(world, ("a-2",))["a-2"]["status"] == "accepted"
        once_each(world, 2)


def test_with_the_lock_file_deleted_a_second_bridge_on_the_journal_sends_nothing(
    tmp_path: Path,
) -> None:
    names = tuple(f"a-{number}" for number in range(20))
    with running(tmp_path) as world:
        owner = world.ear.until(OWNER).payload["owner"]
        (tmp_path / "state" / "orders.db.lock").unlink()
        with second(world, "state") as other:
            assert conflict(world)["owner"] == owner
            send(world, *names)
            assert statuses(acks(world, names)) == {"accepted": 20}
            once_each(world, 20)
            assert owners(world.ear) == [owner]
            assert other.process.poll() is None, "market data goes on"
            world.bridge.stop(signal.SIGKILL)
            send(world, "b-1", names[0])
            told = acks(world, ("b-1",), DEAD_S)
            assert told["b-1"]["status"] == "accepted"
            repeated = [
                heard.payload["order_no"]
                for heard in world.ear.heard
                if heard.topic == f"kis/orders/main/alice/ack/{names[0]}"
            ]
            assert len(set(repeated)) == 1, "the journal knows what the first one has sent"
            once_each(world, 21)
            journal = [heard for heard in world.ear.heard if "event/journal" in heard.topic]
            assert not journal, "neither takes the other's writing for a replaced journal"


def test_on_another_broker_the_journal_alone_tells_of_the_owner(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with World.running(tmp_path) as world, Mosquitto.running(elsewhere) as broker:
        (tmp_path / "state" / "orders.db.lock").unlink()
        text = world.config.read_text()
        world.config.write_text(text.replace(world.broker.url, broker.url))
        with Ear(broker.port) as ear, second(world, "state"):
            told = ear.until(CONFLICT).payload
            assert told["owner"] == world.ear.until(OWNER).payload["owner"]
            send(world, "a-1")
            assert acks(world, ("a-1",))["a-1"]["status"] == "accepted"


def test_an_owner_that_stood_still_sends_nothing_after_another_has_taken_over(
    tmp_path: Path,
) -> None:
    names = tuple(f"a-{number}" for number in range(20))
    with running(tmp_path) as world, second(world, "other") as other:
        conflict(world)
        world.bridge.process.send_signal(signal.SIGSTOP)
        send(world, *names)
        answers = acks(world, names, DEAD_S)
        logged(other, "sends the orders now")
        world.bridge.process.send_signal(signal.SIGCONT)
        assert world.bridge.ended() == 1
        assert "has taken over" in world.bridge.err[-1]
        # What had reached its socket it may have sent, for all that the other one knows.
        assert set(statuses(answers)) <= {"accepted", "unknown"}
        sent = [
            heard.payload["client_order_id"]
            for heard in world.ear.heard
            if heard.topic.startswith("kis/orders/main/alice/ack/")
        ]
        assert sorted(sent) == sorted(("before", *names))
        once_each(world, 1 + statuses(answers)["accepted"])
