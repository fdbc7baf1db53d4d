"""What the bridge says of itself: info, health, the session maps, and what symbols are called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

import bridge
from bridge.catalog.model import Catalog
from bridge.config.models import Config
from bridge.kis.masters import MastersError
from bridge.mqtt import payloads
from bridge.mqtt.client import ControlClient
from bridge.mqtt.message import Publication
from bridge.mqtt.payloads import SymbolListing
from bridge.mqtt.strict_json import encode
from bridge.mqtt.topics import Topics
from bridge.status.health import SessionHealth
from bridge.status.payloads import HealthReport, SessionReport
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.reports import Reports

__all__ = ["Reporter"]

log = structlog.get_logger()

_HEALTH_S, _TURN_S = 10.0, 1.0
_LOG_HEALTH_S = 300.0


class Reporter:
    """Publishes while the broker is there; ``numbers()`` is the payload of ``bridge/health``.

    ``masters()`` says when each symbol master was stored, ``listing(master)`` what is in it; both
    read a database and run in a thread.
    """

    def __init__(
        self,
        control: ControlClient,
        topics: Topics,
        catalog: Catalog,
        config: Config,
        sessions: Mapping[str, SessionHealth],
        reports: Reports,
        *,
        started_at: datetime,
        masters: Callable[[], Mapping[str, int]],
        listing: Callable[[str], SymbolListing],
    ) -> None:
        self._control = control
        self._topics = topics
        self._catalog = catalog
        self._kis = config.kis
        self._access: payloads.AccessInfo = {
            "trading": "everybody" if config.trading_is_open else "named",
            "requests": "everybody" if config.requests_are_open else "named",
        }
        self._sessions = sessions
        self._reports = reports
        self._started_at = started_at
        self._masters = masters
        self._listing = listing

    async def greet(self) -> None:
        """Publish what is retained, after each connect."""
        info = payloads.Info(
            version=bridge.__version__,
            environment=self._kis.environment,
            started_at=self._started_at,
            workbook=payloads.WorkbookInfo(
                version=self._catalog.version, digest=self._catalog.digest
            ),
            accounts=tuple(account.alias for account in self._kis.accounts),
            limits={
                "slots": sum(app.slots for app in self._kis.apps),
                "rest_per_second": self._kis.rest_per_second,
            },
            access=self._access,
        )
        await self._control.publish(Publication(self._topics.info(), info.encode(), retain=True))
        # A broker that starts anew has none of what was retained.
        self._reports.changed.update(self._sessions)
        try:
            for master in await asyncio.to_thread(self._masters):
                listing = encode(await asyncio.to_thread(self._listing, master))
                await self._control.publish(
                    Publication(self._topics.symbols(master), listing, retain=True)
                )
        except MastersError as error:
            log.warning("symbols not published", reason=str(error))

    async def run(
        self,
        numbers: Callable[[], HealthReport],
        trading: Callable[[], Sequence[object]],
        pool: Pool,
    ) -> None:
        """Publish session maps when they change, and health every ten seconds, until cancelled.

        Health also when a session or ``trading()`` changed, which is who may trade and why not:
        nobody is to read for ten seconds what no longer holds.
        """
        loop = asyncio.get_running_loop()
        health_at = log_at = loop.time()
        told = trading()
        while True:
            # Also while the broker is away, when the log is all that anybody can read.
            if loop.time() >= log_at:
                log_at += _LOG_HEALTH_S
                log.info("health", **numbers())
            if self._control.connected:
                changed, self._reports.changed = sorted(self._reports.changed), set()
                if changed or trading() != told or loop.time() >= health_at:
                    health_at, told = loop.time() + _HEALTH_S, trading()
                    await self._control.publish(
                        Publication(self._topics.health(), encode(numbers()), retain=True)
                    )
                for app in changed:
                    await self._session_map(app, pool)
            await asyncio.sleep(_TURN_S)

    async def _session_map(self, app: str, pool: Pool) -> None:
        stream = self._sessions[app].stream
        payload: SessionReport = {
            "state": stream.state,
            "slots_used": stream.session.slots_used,
            "slots_limit": stream.session.limit,
            "subscriptions": pool.served_by(app),
            "waiting": pool.waiting(),
        }
        await self._control.publish(
            Publication(self._topics.session(app), encode(payload), retain=True)
        )
