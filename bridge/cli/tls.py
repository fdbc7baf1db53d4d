"""``kis-bridge tls``: certificates for the broker, from an authority of one's own."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge.broker.certificates import (
    Authority,
    CertificateFacts,
    default_hosts,
    read_certificates,
)
from bridge.broker.folder import BrokerFolder, reload
from bridge.broker.roles import checked_name
from bridge.cli.broker import AsJson
from bridge.cli.certificates import SOON_DAYS
from bridge.cli.users import BrokerDir, BrokerGroup
from bridge.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(help="The broker's certificates.", no_args_is_help=True, rich_markup_mode=None)

Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        help="A name or an address by which clients reach the broker; may be given several times.",
        show_default="localhost, 127.0.0.1, ::1 and this machine's name",
    ),
]
Clients = Annotated[
    list[str] | None,
    typer.Option(
        "--client",
        help="Also a certificate for this user; may be given several times. The broker asks for"
        " them when mosquitto.conf says so.",
    ),
]


@app.command()
def init(
    folder: BrokerDir = Path("broker"),
    group: BrokerGroup = "",
    host: Hosts = None,
    client: Clients = None,
) -> None:
    """Make a private certificate authority and the broker's certificate.

    An authority that is there is kept: clients go on trusting it.
    """
    _sign(BrokerFolder(folder, group), host, client or [], new=True)


@app.command()
def renew(
    folder: BrokerDir = Path("broker"),
    group: BrokerGroup = "",
    host: Hosts = None,
    client: Clients = None,
) -> None:
    """Make the broker's certificate anew, from the same authority and for the same names."""
    _sign(BrokerFolder(folder, group), host, client or [], new=False)


@app.command()
def show(folder: BrokerDir = Path("broker"), as_json: AsJson = False) -> None:
    """Show the certificates, and when they end."""
    paths = sorted((folder / "tls").glob("*.crt"))
    if not paths:
        raise ConfigError(f"no certificates in {folder / 'tls'}: kis-bridge tls init")
    found = [(path, one) for path in paths for one in read_certificates(path)]
    now = datetime.now(UTC)
    if as_json:
        rows = [
            {
                "file": str(path),
                "kind": one.kind,
                "subject": one.subject,
                "hosts": list(one.hosts),
                "ends": one.ends.isoformat(),
                "days_left": one.days_left(now),
            }
            for path, one in found
        ]
        sys.stdout.write(f"{json.dumps(rows)}\n")
        return
    table = Table("file", "is of", "for", "ends", "", box=None)
    for path, one in found:
        ends = one.ends.astimezone()
        table.add_row(
            str(path),
            escape(f"{one.kind} {one.subject}"),
            escape(", ".join(one.hosts)),
            f"{ends:%Y-%m-%d %H:%M}",
            _remark(one, now),
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _sign(folder: BrokerFolder, hosts: list[str] | None, clients: list[str], *, new: bool) -> None:
    for name in clients:
        checked_name(name)
    if not new and not (folder.path / "tls/ca.crt").exists():
        raise ConfigError(f"no certificates in {folder.path / 'tls'}: kis-bridge tls init")
    authority = Authority(folder)
    server = authority.server(hosts or authority.server_hosts() or default_hosts())
    signed = [server, *(authority.client(name) for name in clients)]
    what = "authority made" if authority.made else "authority kept"
    sys.stdout.write(f"{what}: {authority.crt}, which clients trust (ca_file)\n")
    for one in signed:
        names = ", ".join(one.hosts) or one.subject
        sys.stdout.write(f"{one.kind} certificate for {names}, until {one.ends:%Y-%m-%d}\n")
    if authority.made:
        sys.stderr.write(f"keep {authority.key} elsewhere: the broker does not need it\n")
    sys.stderr.write(f"{reload(folder)}\n")


def _remark(one: CertificateFacts, now: datetime) -> str:
    left = one.days_left(now)
    if one.ends <= now:
        return "[red]has ended[/]"
    return f"[yellow]{left} days left[/]" if left < SOON_DAYS else f"{left} days left"
