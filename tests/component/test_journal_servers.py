"""The journal on database servers of their own processes: PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from bridge.errors import JournalError, NotOwnerError
from bridge.orders.journal.journal import Journal
from bridge.orders.journal.reader import read
from bridge.orders.model.lifecycle import Event, State, Step
from bridge.orders.model.records import Control, Identity, JournalStep, NewRecord, Origin
from tests.brokers import free_port
from tests.component.gateway_fixture import bench

NEW = NewRecord(Identity("main", "alice", "a-1", ""), "place", "d" * 64, "{}", 100, 200)
SUBMIT = Step(Event.SUBMIT, 110)


def program(name: str, driver: str, mend: str) -> str:
    """Return where a server's program is; skip without it or its driver."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = ":".join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, folders)])
    found = shutil.which(name, path=places)
    try:
        __import__(driver)
    except ImportError:
        found = None
    if found is None:
        pytest.skip(f"needs {mend}")
    return found


def unprivileged(folder: Path) -> dict[str, Any]:
    """Return who runs a server that refuses to be root; the folder becomes theirs."""
    if os.getuid():
        return {}
    shutil.chown(folder, "nobody")
    return {"user": "nobody", "group": "nogroup"}


def await_port(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)  # a start has no event to wait for
    pytest.fail(f"the server did not start on port {port}")


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    server = program(
        "postgres", "psycopg", "PostgreSQL: apt-get install postgresql; pip install psycopg[binary]"
    )
    who, data, port = unprivileged(folder), folder / "data", free_port()
    subprocess.run(
        [Path(server).with_name("initdb"), "-D", data, "-A", "trust", "-U", "bridge", "-N"],
        check=True, capture_output=True, cwd=folder, **who,
    )  # fmt: skip
    process = subprocess.Popen(
        [server, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **who,
    )  # fmt: skip
    try:
        await_port(process, port)
        yield f"postgresql+psycopg://bridge@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    server = program(
        "mariadbd", "pymysql", "MariaDB: apt-get install mariadb-server; pip install PyMySQL"
    )
    who, data, port = unprivileged(folder), folder / "data", free_port()
    install = shutil.which("mariadb-install-db") or "mariadb-install-db"
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"],
        check=True, capture_output=True, cwd=folder, **who,
    )  # fmt: skip
    process = subprocess.Popen(
        [server, "--no-defaults", f"--datadir={data}", f"--port={port}", "--skip-name-resolve",
         "--bind-address=127.0.0.1", f"--socket={folder}/m.sock", "--skip-grant-tables",
         "--skip-networking=0", f"--pid-file={folder}/m.pid"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **who,
    )  # fmt: skip
    try:
        await_port(process, port)
        root = f"mysql+pymysql://root@127.0.0.1:{port}"
        engine = create_engine(root)
        with engine.begin() as connection:
            connection.execute(text("CREATE DATABASE orders CHARACTER SET utf8mb4"))
        engine.dispose()
        yield f"{root}/orders?charset=utf8mb4"
    finally:
        process.terminate()
        process.wait(20)


_SERVERS = {"postgresql": postgresql, "mariadb": mariadb}


_SINCE_SCHEMA_2 = ("journal", "journal_accounts", "claims", "goals", "nonces")


@pytest.fixture(scope="module", params=_SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    # Not in pytest's own folder: that keeps others out, and each run that starts sees to it anew.
    with (
        tempfile.TemporaryDirectory(prefix=request.param, ignore_cleanup_errors=True) as folder,
        _SERVERS[request.param](Path(folder)) as url,
    ):
        yield url


@pytest.fixture
def url(server: str) -> str:
    """An empty database."""
    engine = create_engine(server)
    with engine.begin() as connection:
        for table in ("steps", "commands", "controls", "schema_version", *_SINCE_SCHEMA_2):
            connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    engine.dispose()
    return server


async def test_what_is_written_is_there_after_a_restart(url: str) -> None:
    journal = Journal(url)
    await journal.open()
    record, new = await journal.admit(NEW)
    assert new
    line = JournalStep(record.id, 1, SUBMIT, State.SUBMITTING)
    await journal.append(line)
    await journal.append(line)
    other = replace(NEW, identity=NEW.identity._replace(client_order_id="A-1"))
    assert (await journal.admit(other))[1], "names that differ in case are different names"
    await journal.control(Control(1, "main", "", "halted", "시험"))
    await journal.close()
    again = Journal(url)
    await again.open()
    found, new = await again.admit(NEW)
    assert (new, found.steps) == (False, (SUBMIT,))
    assert (await again.controls())[0].reason == "시험"
    assert [r.identity.client_order_id for r in await again.replay(0)] == ["a-1", "A-1"]
    assert len(read(url)) == 2
    await again.close()


async def test_an_older_journal_is_brought_up_to_date(url: str) -> None:
    """As schema 2 left it: cancellations are named after a halt, and nothing knows its journal."""
    journal = Journal(url)
    await journal.open()
    halted = replace(NEW, identity=NEW.identity._replace(command_id="halt:1795000000000000:7"))
    for command in (NEW, halted):
        await journal.admit(command)
    await journal.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE commands DROP COLUMN origin"))
        for table in _SINCE_SCHEMA_2:
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("DELETE FROM schema_version"))
        connection.execute(text("INSERT INTO schema_version VALUES (2)"))
    engine.dispose()
    for _ in range(2):  # the second time there is nothing to do
        again = Journal(url)
        await again.open()
        assert not (await again.admit(NEW))[1]
        await again.close()
    assert [record.origin for record in read(url)] == [
        Origin(),
        Origin("halt", "1795000000000000"),
    ]


async def test_a_second_bridge_is_refused_and_a_lost_connection_is_not(url: str) -> None:
    journal = Journal(url)
    await journal.open()
    with pytest.raises(JournalError, match="in use by another bridge"):
        await Journal(url).open()
    (record, _) = await journal.admit(NEW)
    engine = create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
            connection.execute(
                text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608
            )
        else:
            rows = connection.execute(text("SHOW PROCESSLIST")).all()
            mine = connection.execute(text("SELECT CONNECTION_ID()")).scalar()
            for row in rows:
                if row[0] != mine and row[1] == "root":
                    connection.execute(text(f"KILL {row[0]}"))
    engine.dispose()
    line = JournalStep(record.id, 1, SUBMIT, State.SUBMITTING)
    async with asyncio.timeout(20):
        while True:
            try:
                await journal.append(line)
                break
            except JournalError:
                # When the server lets go of the lock of a connection that died has no event.
                await asyncio.sleep(0.05)
    with pytest.raises(JournalError, match="in use by another bridge"):
        await Journal(url).open()
    found = await journal.find(NEW.identity)
    assert found is not None
    assert found.steps == (SUBMIT,)
    await journal.close()
    await (again := Journal(url)).open()
    await again.close()


async def test_orders_run_through_it(url: str, tmp_path: Path) -> None:
    async with bench(tmp_path, journal=Journal(url)) as b:
        assert (await b.place())["status"] == "accepted"
        b.fill("1", 10, 71900)
        await b.broker.wait("kis/orders/main/alice/event/a-1")
    async with bench(tmp_path, kis=b.kis, journal=Journal(url)) as b:
        assert (await b.place())["duplicate"] is True
        assert b.gateway.states() == {"filled": 1}
        assert len(b.kis.calls) == 1


async def test_a_database_that_was_put_back_is_noticed_and_takes_no_order(
    url: str, tmp_path: Path
) -> None:
    async with bench(tmp_path, journal=Journal(url)) as b:
        assert (await b.place())["status"] == "accepted"
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("UPDATE journal SET generation = 0"))
        engine.dispose()
        ack = await b.place("a-2")
        assert (ack["status"], ack["reason"]) == ("refused", "journal_unavailable")
        assert b.gateway.journal()["state"] == "replaced"
        assert "put back" in str(b.gateway.journal()["reason"])
        assert (await b.ask("cancel"))["status"] == "accepted"
        assert len(b.kis.calls) == 2


async def test_whoever_takes_a_claim_over_shuts_the_one_before_it_out(url: str) -> None:
    journal = Journal(url)
    await journal.open()
    assert await journal.take("one", ["main"], {}) == 1
    record, _ = await journal.admit(NEW)
    await journal.append(JournalStep(record.id, 1, SUBMIT, State.SUBMITTING))
    await journal.beat()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE claims SET owner = 'two', fence = fence + 1"))
    engine.dispose()
    with pytest.raises(NotOwnerError):
        await journal.append(JournalStep(record.id, 2, SUBMIT, State.SUBMITTING))
    assert (await journal.claims(["main"]))["main"][:2] == ("two", 2)
    found = await journal.find(NEW.identity)
    assert found is not None
    assert len(found.steps) == 1
    await journal.close()
