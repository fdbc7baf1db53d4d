"""``kis-bridge users``: who may log in at the broker, and what they may do there."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge.broker.folder import BrokerFolder
from bridge.broker.roles import ROLES, Grant, checked_name
from bridge.broker.users import BrokerUser, FileUsers, Users, absent
from bridge.cli.broker import AsJson, BrokerOptions
from bridge.cli.configuration import ConfigFile
from bridge.cli.new_password import PasswordOptions, from_file
from bridge.cli.options import grouped
from bridge.errors import ConfigError
from bridge.mqtt.topics import Topics

__all__ = ["BrokerDir", "BrokerGroup", "app"]

app = typer.Typer(
    help="The broker's users and what they may do.", no_args_is_help=True, rich_markup_mode=None
)

BrokerDir: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--dir",
        envvar="KIS_BRIDGE_BROKER_DIR",
        file_okay=False,
        help="The folder in which the broker is started, with its files.",
    ),
]
BrokerGroup: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Group that may read the files besides you: that of the broker, when it runs as"
        " somebody else.",
        show_default="none; files that a group could read stay so",
    ),
]


@dataclass(frozen=True, slots=True)
class UsersOptions:
    """Which broker's users, and how they are kept."""

    folder: BrokerDir = Path("broker")
    group: BrokerGroup = ""
    base: Annotated[
        str,
        typer.Option(envvar="KIS_BRIDGE_MQTT__BASE_TOPIC", help="Base topic of the bridge."),
    ] = "kis"
    dynsec: Annotated[
        bool,
        typer.Option(
            "--dynsec",
            help="The users are those of Mosquitto's dynamic-security plugin, asked over MQTT.",
        ),
    ] = False
    url: Annotated[
        str | None, typer.Option(help="With --dynsec: the broker.", show_default=False)
    ] = None
    ca_file: Annotated[
        Path | None,
        typer.Option(
            help="With --dynsec: certificates to trust instead of the system's.", dir_okay=False
        ),
    ] = None
    admin: Annotated[str, typer.Option(help="With --dynsec: who administers it.")] = "admin"
    admin_password_file: Annotated[
        Path | None,
        typer.Option(
            help="With --dynsec: file with that user's password; - is standard input.",
            allow_dash=True,
            show_default="asked for",
        ),
    ] = None

    def users(self) -> Users:
        """Return where the users are kept; raises :class:`ConfigError`."""
        try:
            Topics(self.base)
        except ValueError as error:
            raise ConfigError(f"--base: {error}") from None
        if not self.dynsec:
            if self.url is not None:
                raise ConfigError("--url is for --dynsec; without it the users are files (--dir)")
            return FileUsers(BrokerFolder(self.folder, self.group), self.base)
        from bridge.broker.dynamic_security import DynamicUsers

        if self.admin_password_file is not None:
            password = from_file(self.admin_password_file)
        elif sys.stdin.isatty():
            password = str(typer.prompt(f"Password of {self.admin}", hide_input=True, err=True))
        else:
            raise ConfigError("no terminal to ask on: --admin-password-file FILE")
        where = BrokerOptions(
            url=self.url, user=self.admin, password=password, ca_file=self.ca_file
        )
        return DynamicUsers(where.endpoints(), self.base)


Name = Annotated[str, typer.Argument(metavar="NAME", help="The user: the client in topics.")]
RoleOption = Annotated[str, typer.Option("--role", help=f"One of {', '.join(ROLES)}.")]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help=f"One of {', '.join(ROLES)}.")]
AccountOption = Annotated[
    list[str] | None,
    typer.Option(
        "--account", help="Alias of the account that a trader trades; may be given several times."
    ),
]
Sure = Annotated[bool, typer.Option("--yes", help="Also when it is the bridge's own user.")]


@app.command()
@grouped
def add(
    where: UsersOptions,
    new: PasswordOptions,
    name: Name,
    role: RoleOption,
    account: AccountOption = None,
) -> None:
    """Add a user with a role."""
    grants = _grants(role, account)
    users = where.users()
    with new.password(checked_name(name)) as password:
        users.add(name, password, frozenset(grants))
    _done(users, f"{name} is {_said(grants)}")


@app.command()
@grouped
def remove(where: UsersOptions, name: Name, yes: Sure = False) -> None:
    """Remove a user; the broker ends its connections when it reads that."""
    users = where.users()
    _spare_the_bridge(users, name, yes, "cannot log in any more")
    users.remove(name)
    _done(users, f"{name} is removed")


@app.command()
@grouped
def password(where: UsersOptions, new: PasswordOptions, name: Name, yes: Sure = False) -> None:
    """Give a user another password; connections with the old one end."""
    users = where.users()
    _spare_the_bridge(users, name, yes, "cannot log in until mqtt.password is the new one")
    with new.password(name) as chosen:
        users.set_password(name, chosen)
    _done(users, f"{name} has a new password")


@app.command()
@grouped
def grant(where: UsersOptions, name: Name, role: RoleName, account: AccountOption = None) -> None:
    """Give a user one more role."""
    users, grants = where.users(), _grants(role, account)
    for one in grants:
        users.grant(name, one)
    _done(users, f"{name} is {_said(grants)}")


@app.command()
@grouped
def revoke(
    where: UsersOptions,
    name: Name,
    role: RoleName,
    account: AccountOption = None,
    yes: Sure = False,
) -> None:
    """Take a role from a user."""
    users, grants = where.users(), _grants(role, account)
    if any(one.role == "bridge" for one in grants):
        _spare_the_bridge(users, name, yes, "may publish nothing and read no commands")
    for one in grants:
        users.revoke(name, one)
    _done(users, f"{name} is no longer {_said(grants)}")


@app.command("list")
@grouped
def list_(where: UsersOptions, as_json: AsJson = False) -> None:
    """List the users and their roles."""
    users = list(where.users().all().values())
    if as_json:
        rows = [
            {
                "name": user.name,
                "roles": [{"role": g.role, "account": g.account} for g in sorted(user.grants)],
                "other_roles": list(user.foreign),
                "can_log_in": user.can_log_in,
            }
            for user in users
        ]
        sys.stdout.write(f"{json.dumps(rows)}\n")
        return
    table = Table("user", "roles", "", box=None)
    for user in users:
        roles = ", ".join([*map(str, sorted(user.grants)), *user.foreign])
        table.add_row(user.name, escape(roles), escape(remark(user)))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@app.command()
@grouped
def show(
    where: UsersOptions, name: Name, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Show what a user may do, and why: at the broker, and by the bridge's own configuration."""
    from bridge.cli.users_show import explain  # the configuration is slow to import

    users = where.users()
    found = users.all()
    if name not in found:
        raise absent(name, found)
    explain(found[name], users.base, config, as_json=as_json)


def remark(user: BrokerUser) -> str:
    """Return what is odd about a user."""
    if not user.can_log_in:
        return "cannot log in: no password"
    return "" if user.grants or user.foreign else "no role: may do nothing"


def _grants(role: str, accounts: list[str] | None) -> list[Grant]:
    if role != "trader" or not accounts:
        accounts = (accounts or [])[:1] or [""]
    return [Grant.parse(f"{role} {account}".strip()) for account in accounts]


def _said(grants: list[Grant]) -> str:
    return ", ".join(map(str, grants))


def _spare_the_bridge(users: Users, name: str, yes: bool, effect: str) -> None:
    """Warn before the bridge itself is shut out; leave unless somebody says so."""
    found = users.all()
    if name not in found or all(grant.role != "bridge" for grant in found[name].grants):
        return
    warning = f"{name} is the bridge's own user: it {effect}; no market data and no orders then"
    if yes:
        sys.stderr.write(f"{warning}\n")
    elif sys.stdin.isatty():
        typer.confirm(f"{warning}. Go on?", abort=True, err=True)
    else:
        raise ConfigError(f"{warning} (--yes does it all the same)")


def _done(users: Users, what: str) -> None:
    sys.stderr.write(f"{what}; {users.effect()}\n")
