"""Opens connections: endpoints in turn, MQTT 5 first, 3.1.1 where the broker refuses it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

import structlog

from bridge.errors import BrokerError
from bridge.mqtt.connection import Connection
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.options import RefusedError

__all__ = ["Dialer"]

log = structlog.get_logger()


class Dialer:
    """Knows the brokers of one client, and why those that did not answer did not.

    ``make(endpoint, version, context)`` returns a connection that is not open yet; ``filters`` are
    what it subscribes to.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        make: Callable[[Endpoint, int, ssl.SSLContext | None], Connection],
        filters: Callable[[], Sequence[tuple[str, int]]],
    ) -> None:
        self._endpoints: list[tuple[Endpoint, ssl.SSLContext | None]] = [
            (endpoint, endpoint.ssl_context() if endpoint.tls else None) for endpoint in endpoints
        ]
        self._versions = [endpoint.version for endpoint in endpoints]
        self._make = make
        self._filters = filters
        self._index = 0
        self._reasons: dict[str, str] = {}
        self.refused: list[str] = []
        """Subscriptions that the broker refused, as ``filter: reason``."""

    @property
    def endpoints(self) -> list[Endpoint]:
        """The brokers it tries."""
        return [endpoint for endpoint, _ in self._endpoints]

    async def dial(self) -> Connection | None:
        """Return a connection that is open and subscribed; None when each broker was tried once.

        It begins with the one that answered last.
        """
        for _ in self._endpoints:
            connection = await self._connect(self._index)
            if connection is not None:
                return connection
            self._index = (self._index + 1) % len(self._endpoints)
        return None

    def unreachable(self, otherwise: str = "") -> BrokerError:
        """Return the error that says why there is no connection."""
        reasons = [f"{broker}: {reason}" for broker, reason in self._reasons.items()]
        if not reasons:
            reasons = [f"{self._shown()}: {otherwise}"]
        return BrokerError(f"MQTT broker {'; '.join(reasons)}")

    def subscriptions_refused(self) -> BrokerError:
        """Return the error that names what may not be subscribed to."""
        return BrokerError(
            f"MQTT broker {self._shown()}: subscription to {'; '.join(self.refused)}"
        )

    def _shown(self) -> str:
        return ", ".join(str(endpoint) for endpoint, _ in self._endpoints)

    async def _connect(self, index: int) -> Connection | None:
        endpoint, context = self._endpoints[index]
        try:
            try:
                connection = await self._open(endpoint, context, self._versions[index])
            except RefusedError as error:
                if self._versions[index] == 4 or not (error.version or error.unanswered):
                    raise
                connection = await self._open(endpoint, context, 4)
                if error.version:  # certain; a connection closed unanswered may be chance
                    self._versions[index] = 4
        except RefusedError as error:
            if self._reasons.get(str(endpoint)) != str(error):
                log.warning("broker not connected", broker=str(endpoint), reason=str(error))
            self._reasons[str(endpoint)] = str(error)
            return None
        self._reasons.clear()
        return connection

    async def _open(
        self, endpoint: Endpoint, context: ssl.SSLContext | None, version: int
    ) -> Connection:
        connection = self._make(endpoint, version, context)
        await connection.open()
        try:
            self.refused = await connection.subscribe(self._filters())
        except BaseException:
            connection.abort()
            raise
        return connection
