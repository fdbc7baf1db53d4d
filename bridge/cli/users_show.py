"""``kis-bridge users show``: what a user may do at both locks, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridge.broker.roles import own_rules, rules
from bridge.broker.users import BrokerUser
from bridge.cli.configuration import chosen, configured
from bridge.errors import RequestError
from bridge.mqtt.topics import REQUEST_VERBS
from bridge.requests.permissions import Permissions

__all__ = ["explain"]


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that a user may do or not."""

    lock: Literal["broker", "bridge"]
    may: bool
    what: str
    why: str


def explain(user: BrokerUser, base: str, config: Path | None, *, as_json: bool) -> None:
    """Write the rights of a user as a table or as JSON."""
    rights = [*_at_the_broker(user, base), *_at_the_bridge(user.name, config)]
    roles = [*map(str, sorted(user.grants)), *user.foreign]
    if as_json:
        said = {
            "name": user.name,
            "roles": roles,
            "can_log_in": user.can_log_in,
            "rights": [asdict(right) for right in rights],
        }
        sys.stdout.write(f"{json.dumps(said)}\n")
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    login = "" if user.can_log_in else ", but cannot log in: no password"
    console.print(escape(f"{user.name}: {', '.join(roles) or 'no role'}{login}"))
    table = Table("lock", "", "what", "why", box=None)
    for right in rights:
        mark = "[green]may[/]" if right.may else "[red]may not[/]"
        table.add_row(right.lock, mark, escape(right.what), escape(right.why))
    console.print(table)


def _at_the_broker(user: BrokerUser, base: str) -> Iterator[Right]:
    own = {(access, where.replace("%u", user.name)) for access, where in own_rules(base)}
    for rule in rules(user.name, user.grants, base):
        own.discard((rule.access, rule.topic_filter))
        yield Right("broker", True, f"{rule.access} {rule.topic_filter}", f"role {rule.because}")
    for access, where in sorted(own):
        yield Right("broker", True, f"{access} {where}", "everybody, under the own name")
    for role in user.foreign:
        yield Right("broker", True, "?", f"role {role}, which is none of kis-bridge's")


def _at_the_bridge(name: str, config: Path | None) -> Iterator[Right]:
    """Yield what the bridge's own configuration says, where there is one."""
    if chosen(config) is None:
        return
    settings = configured(config, secrets=False)
    why = f"orders.clients{f'.{name}' if name in settings.orders.clients else ' does not name it'}"
    if not settings.orders.clients:
        why = "there are no orders.clients"
    for account in settings.kis.accounts:
        may = settings.orders.permits(name, account.alias)
        yield Right("bridge", may, f"trade account {account.alias}", why)
    permissions = Permissions(settings.requests, settings.orders)
    for verb in REQUEST_VERBS:
        try:
            permissions.verb(name, verb)
        except RequestError as error:
            yield Right("bridge", False, f"request {verb}", str(error))
        else:
            where = f"requests.clients.{name}" if name in settings.requests.clients else "requests"
            yield Right("bridge", True, f"request {verb}", where)
