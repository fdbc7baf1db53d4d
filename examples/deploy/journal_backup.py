#!/usr/bin/env python3
"""A copy of the order journal while the bridge runs, and back again when it is stopped.

    journal_backup.py backup  /var/lib/kis-bridge/orders.db /var/backups/kis-bridge [--keep 30]
    journal_backup.py restore /var/backups/kis-bridge/orders-….db /var/lib/kis-bridge/orders.db

Run it as the user of the bridge; Python's own library is enough. Copying the file with `cp` is no
backup: the newest orders are in the log beside it.

A copy is as old as it is: what was ordered after it is not in it. So the bridge sends no new orders
with a restored journal before a person has said `kis-bridge journal adopt`, and docs/deployment.md
says what that means. The file `orders.db.mark` beside the journal is what the bridge knows the copy
by: it is neither saved nor restored, and must not be deleted.

A journal on PostgreSQL or MariaDB is saved by their own programs.
"""

import argparse
import contextlib
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database while it is open."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


class RefusedError(Exception):
    """Why nothing was done, in one line."""


def backup(journal: Path, folder: Path, keep: int) -> Path:
    """Write a copy of the journal that is whole and sound into the folder; return its path."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = folder / f"{journal.stem}-{moment}{journal.suffix}"
    new = target.with_suffix(".new")
    if not journal.is_file():
        raise RefusedError(f"{journal}: there is no journal")
    if target.exists():
        raise RefusedError(f"{target} is there already")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()  # of a backup that was killed
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _NO_LINK, 0o600))
    try:
        with _read(journal) as source, contextlib.closing(sqlite3.connect(new)) as copy:
            source.backup(copy)  # one moment of it, however much is written meanwhile
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
            _sound(copy, new)
        handle = os.open(new, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    for old in sorted(folder.glob(f"{journal.stem}-*Z{journal.suffix}"))[: -keep or None]:
        old.unlink()
    return target


def restore(copy: Path, journal: Path) -> list[Path]:
    """Put a copy into the place of the journal; return where what was there lies now."""
    if not copy.is_file():
        raise RefusedError(f"{copy}: there is no such copy")
    if journal.parent == copy.parent:
        raise RefusedError(f"{copy} lies beside the journal: keep copies in a folder of their own")
    with _stopped(journal):
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        with contextlib.closing(
            sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)
        ) as found:
            _sound(found, copy)  # fmt: skip
        new = journal.with_name(f"{journal.name}.new")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _NO_LINK, 0o600)
        with os.fdopen(handle, "wb") as out, copy.open("rb") as read:
            shutil.copyfileobj(read, out)
            out.flush()
            os.fsync(out.fileno())
        owner = journal.parent.stat()
        if hasattr(os, "chown") and os.geteuid() == 0:  # root may restore for the bridge's user
            os.chown(new, owner.st_uid, owner.st_gid)
        aside = []
        # Its log first: SQLite would lay it over the copy.
        for old in (*(Path(f"{journal}{name}") for name in BESIDE), journal):
            if old.exists():
                kept = old.with_name(f"{old.name}.before-{moment}")
                old.rename(kept)
                aside.append(kept)
        new.rename(journal)
    return aside


@contextlib.contextmanager
def _read(file: Path) -> Iterator[sqlite3.Connection]:
    # Read-only: a reader must not move the log of a bridge into the file.
    uri = f"{file.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        yield connection


def _sound(connection: sqlite3.Connection, file: Path) -> None:
    try:
        said = connection.execute("PRAGMA integrity_check").fetchone()[0]
        connection.execute("SELECT count(*) FROM commands").fetchone()
    except sqlite3.Error as error:
        raise RefusedError(f"{file} is no journal that can be used: {error}") from None
    if said != "ok":
        raise RefusedError(f"{file} is damaged: {said}")


@contextlib.contextmanager
def _stopped(journal: Path) -> Iterator[None]:
    """Hold the lock that a running bridge holds."""
    lock = os.open(f"{journal}.lock", os.O_CREAT | os.O_RDWR | _NO_LINK, 0o600)
    try:
        if sys.platform != "win32":
            if os.geteuid() == 0:
                owner = journal.parent.stat()
                os.fchown(lock, owner.st_uid, owner.st_gid)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError(f"a bridge runs with {journal}: stop it first") from None
        yield
    finally:
        os.close(lock)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    save = commands.add_parser("backup", help="copy the journal, while the bridge runs")
    save.add_argument("journal", type=Path)
    save.add_argument("folder", type=Path)
    save.add_argument("--keep", type=int, default=30, help="how many copies stay (30)")
    back = commands.add_parser("restore", help="put a copy back, while the bridge is stopped")
    back.add_argument("copy", type=Path)
    back.add_argument("journal", type=Path)
    given = parser.parse_args()
    try:
        if given.command == "backup":
            if given.keep < 1:
                parser.error("--keep: at least 1")
            copy = backup(given.journal, given.folder, given.keep)
            print(f"{copy} ({copy.stat().st_size} bytes)")
        else:
            for kept in restore(given.copy, given.journal):
                print(f"what was there: {kept}")
            print(
                "restored. Start the bridge; it takes no new orders until you say, with the\n"
                "exchange's list of orders at hand: kis-bridge journal adopt"
            )
    except (RefusedError, OSError, sqlite3.Error) as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
