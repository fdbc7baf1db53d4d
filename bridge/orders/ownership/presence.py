"""Who this bridge is on the broker: the owner of the orders, or a guest that only publishes.

The sessions with what clients send belong to client ids, and two bridges with one configuration
have the same. Whoever finds another owner leaves those ids alone, so that each command reaches the
owner and has one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

import structlog

from bridge.config.models import Config
from bridge.mqtt.broker_events import SessionTakenOverEvent
from bridge.mqtt.client import ControlClient
from bridge.mqtt.client_ids import ClientIds
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.ownership.claim import Lives
from bridge.orders.ownership.owner import Owner
from bridge.orders.ownership.session_memory import SessionMemory

__all__ = ["Presence"]

log = structlog.get_logger()

_TAKEN_OVER = (
    "another client came to the broker under this client id, a part of which only who has the "
    "first app secret can know: is a second bridge running? Stop it, or give it another "
    "mqtt.base_topic"
)


class Presence:
    """Runs the control connection, the claims, and what only the owner has; ``tell`` takes events.

    ``owned`` are the connections that bring what clients send. The owner has them before anybody is
    told that the bridge is there, and lets go of them when another one takes over.
    """

    def __init__(
        self,
        control: ControlClient,
        owned: Sequence[ControlClient],
        owner: Owner,
        memory: SessionMemory,
        tell: Callable[[BridgeEvent, str], None],
        shown: str,
    ) -> None:
        """Prepare; ``shown`` is what others may read of the client id."""
        self.owner = owner
        self._control = control
        self._owned = owned
        self._client_id, self._shown = control.client_id, shown
        self._memory = memory
        self._tell = tell
        self._decided, self._forward = asyncio.Event(), asyncio.Event()
        for each in (control, *owned):
            each.on_taken_over(self._taken_over)
        owned[0].on_connected(self._remember)  # the broker has all sessions, or none

    @classmethod
    def of(
        cls,
        config: Config,
        control: ControlClient,
        owned: Sequence[ControlClient],
        journal: Journal,
        tell: Callable[[BridgeEvent, str], None],
    ) -> Self:
        """Make it as the configuration says."""
        shown = ClientIds.of(config.mqtt.base_topic, config.kis.apps[0].app_secret).public
        owner = Owner(
            journal,
            control.endpoints,
            Topics(config.mqtt.base_topic),
            [account.alias for account in config.kis.accounts],
            Lives(request_s=config.orders.proof_s),
            client_id=control.client_id,
            tell=tell,
        )
        memory = SessionMemory(
            config.kis.state_dir,
            owned[0].client_id,
            shown,
            tell,
            # A broker of our own begins with us, and has had no time to lose anything.
            expected=not config.mqtt.embedded,
        )
        return cls(control, owned, owner, memory, tell, shown)

    @property
    def guest(self) -> bool:
        """Whether another bridge sends the orders."""
        return self._control.guest

    def name(self, what: str = "") -> str:
        """Return a client id of its own for a guest, else the one that the owner has."""
        own = f"{self._client_id}-{what}" if what else self._client_id
        return f"{own}-{self.owner.name[:12]}" if self.guest else own

    async def run(self, deadline_s: float) -> None:
        """Be there until the control connection is closed, or cancelled.

        Raises :class:`BrokerError` when it is not known within ``deadline_s`` who may send, and
        :class:`NotOwnerError` after another bridge has taken over.
        """
        await self._memory.load()
        async with asyncio.TaskGroup() as tasks:
            works = [tasks.create_task(self.owner.run())]
            if await self.owner.decided(deadline_s):
                works.append(tasks.create_task(self._listen()))
                await self._listening(deadline_s)
            else:
                await self._stand_by()
            for each in (self._control, *self._owned):
                each.wait_for(self.owner.title.settled)
            self._decided.set()
            works += [
                tasks.create_task(self._come_forward(deadline_s)),
                tasks.create_task(self._step_aside()),
                tasks.create_task(self._memory.run(lambda: self._owned[0].connected)),
            ]
            await self._control.run()
            for task in works:
                task.cancel()

    async def close(self) -> None:
        """Leave in good order; what clients send stays with the broker from now on."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._owned:
                tasks.create_task(each.close())
        await self._control.close()

    async def _listen(self) -> None:
        """Take what clients send, until another bridge does."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each.run()) for each in self._owned]
            await self.owner.deposed.wait()
            for task in running:
                task.cancel()

    async def _listening(self, deadline_s: float) -> None:
        for each in self._owned:
            await each.wait_connected(deadline_s=deadline_s)

    async def connected(self, deadline_s: float) -> None:
        """Return when the control connection is there; raises :class:`BrokerError`."""
        await self._decided.wait()
        await self._control.wait_connected(deadline_s=deadline_s)

    async def as_owner(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work from when this bridge is on the broker as who sends the orders."""
        await self._forward.wait()
        await work()

    async def _come_forward(self, deadline_s: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            if self.guest:
                await self.owner.title.gained()
                log.info("the other bridge has ended or is silent, this one sends the orders now")
                tasks.create_task(self._listen())
                await self._listening(deadline_s)
                await self._control.come_forward()
            self._forward.set()

    async def _step_aside(self) -> None:
        """Leave the session to the bridge that has taken over, and say what is left to say."""
        await self.owner.deposed.wait()
        await self._stand_by()

    async def _stand_by(self) -> None:
        await self._control.stand_by(f"{self._client_id}-{self.owner.name[:12]}")

    async def _remember(self) -> None:
        await self._memory.connected(self._owned[0].session_present)

    def _taken_over(self) -> None:
        event: SessionTakenOverEvent = {
            "kind": "session_taken_over",
            "client_id": self._shown,
            "message": _TAKEN_OVER,
        }
        self._tell(event, self._shown)
