"""The tables of the order journal.

Four are append-only: ``commands`` (one row a command: that it was received), ``steps`` (what
happened to it since), ``controls`` (who was halted and let go again) and ``goals`` (what a halt has
to cancel, and that it is done). Nothing in them is
updated or deleted: what was once true of an order can be read for ever. Two say whose journal it
is: ``journal`` (one row) and ``journal_accounts``. Account numbers are never written, only aliases
and salted hashes. ``claims`` says which bridge may write that an order is sent.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "BINARY_NAMES",
    "SCHEMA",
    "accounts",
    "claims",
    "commands",
    "controls",
    "goals",
    "journal",
    "metadata",
    "nonces",
    "schema_version",
    "steps",
]

SCHEMA = 7
"""2 added ``controls``, 3 ``commands.origin``, 4 ``journal`` and its accounts, 5 ``claims``, 6
``goals``, 7 ``nonces``."""

metadata = MetaData()
BINARY_NAMES = {"mysql_collate": "utf8mb4_bin", "mariadb_collate": "utf8mb4_bin"}
"""Names that differ in case are different names there too."""
_id = BigInteger().with_variant(Integer, "sqlite")
schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))
commands = Table(
    "commands",
    metadata,
    Column("id", _id, primary_key=True),
    Column("account", String(64), nullable=False),
    Column("client", String(128), nullable=False),
    Column("client_order_id", String(64), nullable=False),
    Column("command_id", String(64), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("origin", String(64), nullable=False, server_default=""),
    UniqueConstraint("account", "client", "client_order_id", "command_id", name="identity"),
)
steps = Table(
    "steps",
    metadata,
    Column("id", _id, primary_key=True),
    Column("command", _id, ForeignKey("commands.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    UniqueConstraint("command", "number", name="step"),
)
controls = Table(
    "controls",
    metadata,
    Column("id", _id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("account", String(64), nullable=False),
    Column("client", String(128), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("reason", Text, nullable=False),
)
goals = Table(
    "goals",
    metadata,
    Column("id", _id, primary_key=True),
    Column("control", BigInteger, nullable=False, index=True),
    Column("word", String(16), nullable=False),
)
"""What the control of a time has to cancel (``ours``, ``account``), and that it is ``done``."""
journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(32), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("salt", String(32), nullable=False),
    Column("generation", BigInteger, nullable=False),
)
"""Which journal this is. ``name`` is random; ``generation`` counts the commits."""
accounts = Table(
    "journal_accounts",
    metadata,
    Column("alias", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
)
"""Which account each alias means, as a salted hash of its number."""
nonces = Table(
    "nonces",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("content", String(64), nullable=False),
)
"""Signed commands that came; a row is forgotten when its signature is good no longer."""
claims = Table(
    "claims",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("beaten_at", BigInteger, nullable=False),
    Column("lock_name", String(128), nullable=False),
    Column("inherited", BigInteger, nullable=False, server_default="0"),
)
"""Which bridge sends for an account. ``owner`` is the random name of its process, blank: it was
given up; ``fence`` grows with each owner; ``lock_name`` is the lock that it holds while it lives.
``inherited``: since when a silent bridge may have sent what this journal does not know; 0: none."""
