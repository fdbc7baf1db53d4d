"""Users of Mosquitto's dynamic-security plugin, which is asked over MQTT.

A grant is a role of its own there, named after it and its user: ``kis:trader:main:alice``. What a
user has is read from those names, so nothing has to be remembered here.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

from bridge.broker.password_file import hashed
from bridge.broker.roles import Grant, checked_name, rules
from bridge.broker.users import BrokerUser, absent, not_held
from bridge.errors import BrokerError, ConfigError
from bridge.mqtt.client import ControlClient, Message
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Publication
from bridge.runtime.bounded_json import JsonError, decode_object

__all__ = ["DynamicUsers"]

_TOPIC: Final = "$CONTROL/dynamic-security/v1"
_WAIT_S: Final = 10.0
_PAGE: Final = 100
"""Users that are asked for at once."""
_LONGEST: Final = 1024 * 1024
"""Bytes of an answer that is read."""


class _ListedRole(BaseModel):
    name: str = Field(alias="rolename")


class _ListedClient(BaseModel):
    username: str
    roles: tuple[_ListedRole, ...] = ()
    disabled: bool = False


class _ListedClients(BaseModel):
    total: int = Field(alias="totalCount")
    clients: tuple[_ListedClient, ...]


class DynamicUsers:
    """The users that the plugin keeps."""

    def __init__(self, endpoints: Sequence[Endpoint], base: str = "kis") -> None:
        """Name the broker; the user of ``endpoints`` must be one who may administer the plugin."""
        self._endpoints = endpoints
        self.base = base

    def all(self) -> dict[str, BrokerUser]:
        users: dict[str, BrokerUser] = {}
        while True:
            # An answer has to fit into one packet.
            page = {"verbose": True, "count": _PAGE, "offset": len(users)}
            (answer,) = self._ask([{"command": "listClients", **page}])
            try:
                found = _ListedClients.model_validate(answer.get("data"))
            except ValidationError:
                raise BrokerError(
                    "dynamic security, listClients: an answer that is not understood"
                ) from None
            users |= {client.username: self._user_of(client) for client in found.clients}
            if len(users) >= found.total or not found.clients:
                return dict(sorted(users.items()))

    def _user_of(self, client: _ListedClient) -> BrokerUser:
        name, roles = client.username, [role.name for role in client.roles]
        ours = {role: grant for role in roles if (grant := self._grant_of(role, name))}
        foreign = tuple(role for role in roles if role not in ours)
        return BrokerUser(name, frozenset(ours.values()), foreign, can_log_in=not client.disabled)

    def add(self, name: str, password: str, grants: frozenset[Grant]) -> None:
        hashed(password)  # the same demands on a password, wherever it is kept
        if name in self.all():
            raise ConfigError(f"user {name!r} is there already: kis-bridge users password {name}")
        self._ask(
            [
                # Else whoever may subscribe to anything would read everything.
                {
                    "command": "setDefaultACLAccess",
                    "acls": [
                        {"acltype": kind, "allow": kind == "unsubscribe"}
                        for kind in (
                            *("publishClientSend", "publishClientReceive"),
                            *("subscribe", "unsubscribe"),
                        )
                    ],
                },
                *(command for grant in grants for command in self._role(name, grant)),
                {
                    "command": "createClient",
                    "username": name,
                    "password": password,
                    "roles": [{"rolename": self._role_name(name, grant)} for grant in grants],
                },
            ]
        )

    def remove(self, name: str) -> None:
        user = self._user(name)
        self._ask(
            [
                {"command": "deleteClient", "username": name},
                *(self._unrole(name, grant) for grant in user.grants),
            ]
        )

    def set_password(self, name: str, password: str) -> None:
        hashed(password)
        self._user(name)
        self._ask([{"command": "setClientPassword", "username": name, "password": password}])

    def grant(self, name: str, grant: Grant) -> None:
        if grant in self._user(name).grants:
            return
        role = {"username": name, "rolename": self._role_name(name, grant)}
        self._ask([*self._role(name, grant), {"command": "addClientRole", **role}])

    def revoke(self, name: str, grant: Grant) -> None:
        held = self._user(name).grants
        if grant not in held:
            raise not_held(name, grant, held)
        self._ask([self._unrole(name, grant)])

    def effect(self) -> str:
        return "the broker knows it already"

    def _user(self, name: str) -> BrokerUser:
        users = self.all()
        if name not in users:
            raise absent(name, users)
        return users[name]

    def _role_name(self, name: str, grant: Grant) -> str:
        return f"{self.base}:{grant.role}:{grant.account}:{name}"

    def _grant_of(self, role: str, name: str) -> Grant | None:
        head, tail = f"{self.base}:", f":{name}"
        if not (role.startswith(head) and role.endswith(tail)):
            return None
        try:
            return Grant.parse(role[len(head) : -len(tail)].replace(":", " "))
        except ConfigError:
            return None

    def _role(self, name: str, grant: Grant) -> Iterable[Mapping[str, Any]]:
        """Make a role, also where one of the same name was left over."""
        acls: list[Mapping[str, Any]] = []
        for rule in rules(checked_name(name), [grant], self.base):
            kinds = ("publishClientSend",)
            if rule.access == "read":
                kinds = ("publishClientReceive", "subscribePattern")  # type: ignore[assignment]
            acls += [{"acltype": k, "topic": rule.topic_filter, "allow": True} for k in kinds]
        role = self._role_name(name, grant)
        yield {"command": "deleteRole", "rolename": role}
        yield {"command": "createRole", "rolename": role, "textname": str(grant), "acls": acls}

    def _unrole(self, name: str, grant: Grant) -> Mapping[str, Any]:
        return {"command": "deleteRole", "rolename": self._role_name(name, grant)}

    def _ask(self, commands: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Send commands; return the answers, none of them an error that matters."""
        answers = asyncio.run(_exchange(self._endpoints, commands))
        for command, answer in zip(commands, answers, strict=True):
            if (error := answer.get("error")) and command["command"] != "deleteRole":
                who = command.get("username", command.get("rolename", ""))
                raise BrokerError(f"dynamic security, {command['command']} {who}: {error}")
        return answers


async def _exchange(
    endpoints: Sequence[Endpoint], commands: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Send commands to the plugin and return its answers, in their order.

    :raises BrokerError: no broker, no such plugin, or no right to ask it.
    """
    token = secrets.token_hex(8)
    # The plugin echoes this; the answers of others come on the same topic.
    marked = [{**command, "correlationData": f"{token}-{n}"} for n, command in enumerate(commands)]
    answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    async def received(message: Message) -> None:
        message.ack()
        try:
            answers = decode_object(message.payload, _LONGEST)["responses"]
            named = [str(answer.get("correlationData", "")) for answer in answers]
        except (JsonError, KeyError, TypeError, AttributeError):
            return
        if named == [f"{token}-{n}" for n in range(len(marked))] and not answered.done():
            answered.set_result(answers)

    client = ControlClient(endpoints, client_id=f"kis-users-{token}", clean=True)
    client.subscribe(f"{_TOPIC}/response", 1, received)
    failure: BrokerError | None = None
    async with asyncio.TaskGroup() as group:
        running = group.create_task(client.run())
        try:
            async with asyncio.timeout(_WAIT_S):
                await client.wait_connected(fail_fast=True)
                content = json.dumps({"commands": marked}).encode()
                await client.publish(Publication(_TOPIC, content), wait=True)
                await answered
        except TimeoutError:
            failure = BrokerError(
                f"no answer of the dynamic-security plugin within {_WAIT_S:g} s: is it loaded at"
                f" {', '.join(map(str, endpoints))}, and may user {endpoints[0].username!r}"
                " administer it?"
            )
        except BrokerError as error:
            failure = error
        finally:
            running.cancel()
    if failure is not None:
        raise failure
    return answered.result()
