"""The journal is swapped, lost, mistaken or cannot be written; then the exchange is asked."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.documents.responses import response
from tests.component.schemas import misses
from tests.system.programs import World, ask, publish

TRADE = "kis/market/domestic_stock/krx/trade/005930"
EXPIRES = "2999-01-01T00:00:00+09:00"


def order(world: World, name: str, **fields: object) -> dict[str, Any]:
    """Return an order that rests in the book."""
    return world.resting() | {"client_order_id": name} | fields


def test_a_journal_of_another_environment_is_refused_and_no_order_is_touched(
    tmp_path: Path,
) -> None:
    with World.running(tmp_path) as world:
        world.command("place", order(world, "a-1"))
        assert world.ack("a-1")["status"] == "accepted"
        world.bridge.__exit__()
        text = world.config.read_text()
        world.config.write_text(text.replace('"simulator"', '"paper"'))
        refused = ask("run", "--config", str(world.config))
        assert refused.returncode == 1
        (line,) = (line for line in refused.stderr.splitlines() if line.startswith("kis-bridge:"))
        assert "orders of the environment 'simulator'" in line
        assert "configured for 'paper'" in line
        assert "kis.state_dir" in line
        world.config.write_text(text)
        world.start_bridge()
        after = world.command("cancel", {"client_order_id": "a-1", "expires_at": EXPIRES})
        assert world.ack("a-1", after)["status"] == "accepted"


def test_an_alias_that_means_another_account_is_refused_by_name(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        world.command("place", order(world, "a-1"))
        assert world.ack("a-1")["status"] == "accepted"
        world.bridge.__exit__()
        text = world.config.read_text()
        world.config.write_text(text.replace(world.kis["account"], "87654321-01"))
        refused = ask("run", "--config", str(world.config))
        assert refused.returncode == 1
        (line,) = (line for line in refused.stderr.splitlines() if line.startswith("kis-bridge:"))
        assert "another account under the alias 'main'" in line
        assert "87654321" not in refused.stderr


def change(name: str) -> dict[str, Any]:
    return {"client_order_id": name, "expires_at": EXPIRES}


def journal_of(world: World) -> Path:
    return world.config.parent / "state" / "orders.db"


def copied(file: Path, target: Path) -> None:
    """Copy the journal as a backup does."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    target.chmod(0o600)  # others read a backup no more than the journal


def deleted(file: Path, _: Path) -> None:
    file.unlink()


def copied_over(file: Path, backup: Path) -> None:
    # Until its log has moved into it, the file is as old as the copy, and nothing is lost.
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    shutil.copyfile(backup, file)


def moved_over(file: Path, backup: Path) -> None:
    backup.replace(file)


@pytest.mark.parametrize("happens", [deleted, copied_over, moved_over])
def test_a_journal_that_is_swapped_while_the_bridge_runs_stops_orders_and_no_cancellation(
    tmp_path: Path, happens: Callable[[Path, Path], None]
) -> None:
    with World.running(tmp_path) as world:
        backup = tmp_path / "backup.db"
        copied(journal_of(world), backup)
        world.command("place", order(world, "a-1"))
        assert world.ack("a-1")["status"] == "accepted"
        happens(journal_of(world), backup)
        began = time.monotonic()
        world.command("place", order(world, "a-2"))
        ack = world.ack("a-2")
        assert (ack["status"], ack["reason"]) == ("refused", "journal_unavailable")
        assert time.monotonic() - began < 10, "not only when it expires"
        event = world.ear.until("kis/bridge/event/journal_replaced").payload
        assert "orders.db" in event["message"]
        health = world.ear.until("kis/bridge/health", lambda h: h["journal"]["state"] == "replaced")
        assert health.payload["journal"]["reason"] == event["message"]
        world.bridge.wait("a log line", lambda: [x for x in world.bridge.err if "replaced" in x])
        after = world.command("cancel", change("a-1"))
        assert world.ack("a-1", after)["status"] == "accepted"
        assert len(world.placed()) == 2, "the order and its cancellation"


def copied_back(file: Path, backup: Path) -> None:
    shutil.copyfile(backup, file)


def taken_with_all_beside_it(file: Path, _: Path) -> None:
    for one in file.parent.glob(f"{file.name}*"):
        one.unlink()


@pytest.mark.parametrize(
    ("happens", "killed"),
    [
        (deleted, False),
        (copied_back, False),
        (copied_back, True),
        (taken_with_all_beside_it, False),
    ],
    ids=lambda what: getattr(what, "__name__", "killed" if what else "stopped"),
)
def test_orders_stop_at_the_start_with_a_journal_that_lacks_some_until_it_is_adopted(
    tmp_path: Path, happens: Callable[[Path, Path], None], *, killed: bool
) -> None:
    with World.running(tmp_path) as world:
        backup = tmp_path / "backup.db"
        world.command("place", order(world, "a-0"))
        assert world.ack("a-0")["status"] == "accepted"
        copied(journal_of(world), backup)
        world.command("place", order(world, "a-1"))
        assert world.ack("a-1")["status"] == "accepted"
        known = moved_into_the_file(world)
        topic = "kis/bridge/journal/simulator"
        world.ear.until(topic, lambda mark: mark["generation"] >= known - 1)
        if killed:
            world.bridge.stop(signal.SIGKILL)
        world.bridge.__exit__()
        happens(journal_of(world), backup)
        heard = len(world.ear.heard)
        world.start_bridge()
        event = world.ear.until("kis/bridge/event/journal_replaced", after=heard).payload
        assert "kis-bridge journal adopt" in event["message"]
        after = world.command("place", order(world, "a-1"))
        ack = world.ack("a-1", after)
        assert (ack["status"], ack["reason"]) == ("refused", "journal_unavailable")
        assert len(world.placed()) == 2, "the same command is no second order"
        if happens is copied_back:
            after = world.command("cancel", change("a-0"))
            assert world.ack("a-0", after)["status"] == "accepted"
        # Another start is no way round it.
        world.bridge.__exit__()
        world.start_bridge()
        after = world.command("place", order(world, "a-2"))
        assert world.ack("a-2", after)["reason"] == "journal_unavailable"
        adopted = ask("journal", "adopt", "--url", world.broker.url, "--json")
        assert adopted.returncode == 0, adopted.stderr
        said = {"status": "ok", "data": json.loads(adopted.stdout)}
        assert misses({"adopt": Draft202012Validator(response("adopt"))}, ["adopt"], said) == []
        after = world.command("place", order(world, "a-3"))
        assert world.ack("a-3", after)["status"] == "accepted"
        world.bridge.__exit__()
        world.start_bridge()
        after = world.command("place", order(world, "a-4"))
        assert world.ack("a-4", after)["status"] == "accepted"
        again = ask("journal", "adopt", "--url", world.broker.url)
        assert again.returncode == 1
        assert "nothing is missing" in again.stderr


def moved_into_the_file(world: World) -> int:
    """Have the journal's log moved into it, as happens now and then; return its generation."""
    file = journal_of(world)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        found: int = connection.execute("SELECT generation FROM journal").fetchone()[0]

    def noticed() -> bool:
        return bool(json.loads(Path(f"{file}.mark").read_text())["within"][1] >= found)

    world.bridge.wait("the bridge has noticed", noticed)
    return found


def test_a_first_start_and_a_broker_that_forgets_are_no_alarm(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        for number in range(3):
            world.command("place", order(world, f"a-{number}"))
            assert world.ack(f"a-{number}")["status"] == "accepted"
            world.bridge.__exit__()
            publish(world.broker.port, "kis/bridge/journal/simulator", "", "-r")
            Path(f"{journal_of(world)}.mark").unlink()
            world.start_bridge()
        told = [m.topic for m in world.ear.heard if "journal_" in m.topic]
        assert not told


def test_a_full_disk_is_said_at_once_and_stops_no_cancellation(tmp_path: Path) -> None:
    with World.running(tmp_path) as world:
        for name in ("a-1", "a-2"):
            world.command("place", order(world, name))
            assert world.ack(name)["status"] == "accepted"
        pid, log = world.bridge.process.pid, Path(f"{journal_of(world)}-wal")
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
        began = time.monotonic()
        world.command("place", order(world, "a-3"))
        ack = world.ack("a-3")
        assert (ack["status"], ack["reason"]) == ("refused", "journal_unavailable")
        assert time.monotonic() - began < 10, "not only when it expires"
        event = world.ear.until("kis/bridge/event/journal_unavailable").payload
        assert not event["available"]
        assert "full" in event["message"] or "disk I/O" in event["message"]
        world.ear.until("kis/bridge/health", lambda h: h["journal"]["state"] == "failing")
        for verb, name in (("cancel", "a-1"), ("cancel_all", "all")):
            after = world.command(verb, change(name))
            assert world.ack(name, after)["status"] == "accepted"
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        world.ear.until("kis/bridge/event/journal_unavailable", lambda e: e["available"])
        world.command("place", order(world, "a-4"))
        assert world.ack("a-4")["status"] == "accepted"
        world.bridge.__exit__()
        world.start_bridge()
        # Everything was written down: the same commands get the same answers, and nothing is sent.
        sent = len(world.placed())
        for verb, content in (
            ("place", order(world, "a-3")),
            ("cancel", change("a-1")),
            ("cancel_all", change("all")),
        ):
            after = world.command(verb, content)
            assert world.ack(content["client_order_id"], after)["duplicate"] is True
        assert len(world.placed()) == sent
