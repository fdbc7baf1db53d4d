"""Who this bridge is on the broker: the owner of the orders, or a guest that only publishes.

The session with its commands belongs to a client id, and two bridges with one configuration have
the same. Whoever finds another owner leaves that id alone, so that each command reaches the owner
and has one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
    """Runs the control connection and the claims; ``tell`` takes events."""

    def __init__(
        self,
        control: ControlClient,
        owner: Owner,
        memory: SessionMemory,
        tell: Callable[[BridgeEvent, str], None],
        shown: str,
    ) -> None:
        """Prepare; ``shown`` is what others may read of the client id."""
        self.owner = owner
        self._control = control
        self._client_id, self._shown = control.client_id, shown
        self._memory = memory
        self._tell = tell
        self._decided, self._forward = asyncio.Event(), asyncio.Event()
        control.on_taken_over(self._taken_over)
        control.on_connected(self._connected)

    @classmethod
    def of(
        cls,
        config: Config,
        control: ControlClient,
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
            control.client_id,
            shown,
            tell,
            # A broker of our own begins with us, and has had no time to lose anything.
            expected=not config.mqtt.embedded,
        )
        return cls(control, owner, memory, tell, shown)

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
            owning = tasks.create_task(self.owner.run())
            if not await self.owner.decided(deadline_s):
                await self._stand_by()
            self._control.wait_for(self.owner.title.settled)
            self._decided.set()
            forward = tasks.create_task(self._come_forward())
            aside = tasks.create_task(self._step_aside())
            remembering = tasks.create_task(self._memory.run(self._has_session))
            await self._control.run()
            for task in (owning, forward, aside, remembering):
                task.cancel()

    async def connected(self, deadline_s: float) -> None:
        """Return when the control connection is there; raises :class:`BrokerError`."""
        await self._decided.wait()
        await self._control.wait_connected(deadline_s=deadline_s)

    async def as_owner(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work from when this bridge is on the broker as who sends the orders."""
        await self._forward.wait()
        await work()

    async def _come_forward(self) -> None:
        if self.guest:
            await self.owner.title.gained()
            log.info("the other bridge has ended or is silent, this one sends the orders now")
            await self._control.come_forward()
        self._forward.set()

    async def _step_aside(self) -> None:
        """Leave the session to the bridge that has taken over, and say what is left to say."""
        await self.owner.deposed.wait()
        await self._stand_by()

    async def _stand_by(self) -> None:
        await self._control.stand_by(f"{self._client_id}-{self.owner.name[:12]}")

    def _has_session(self) -> bool:
        return self._control.connected and not self.guest

    async def _connected(self) -> None:
        if self._has_session():
            await self._memory.connected(self._control.session_present)

    def _taken_over(self) -> None:
        event: SessionTakenOverEvent = {
            "kind": "session_taken_over",
            "client_id": self._shown,
            "message": _TAKEN_OVER,
        }
        self._tell(event, self._shown)
