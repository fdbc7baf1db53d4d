"""The bridge's connections for requests and commands: who it is there, and what it lets in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from bridge.config.models import Config
from bridge.mqtt import payloads
from bridge.mqtt.client import ControlClient
from bridge.mqtt.client_ids import ClientIds
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Will
from bridge.mqtt.rate_limiter import Arrivals, RateLimiter, Rates
from bridge.mqtt.token_buckets import Rate
from bridge.mqtt.topics import Topics
from bridge.runtime.pulse import Pulse

__all__ = ["Inlets"]


@dataclass(frozen=True, slots=True)
class Inlets:
    """What of the broker comes to the bridge comes over these two."""

    control: ControlClient
    """Has a session, with everything that clients send."""
    urgent: ControlClient
    """Halts come here past whatever the broker holds back on the other one."""
    arrivals: Arrivals

    @classmethod
    def of(
        cls,
        config: Config,
        endpoints: Sequence[Endpoint],
        topics: Topics,
        clock: Callable[[], int],
        pulse: Pulse,
    ) -> Self:
        """Make them as the configuration says; ``clock`` is µs since the epoch."""
        ids = ClientIds.of(topics.base, config.kis.apps[0].app_secret)
        arrivals = Arrivals()

        def client(what: str, will: Will | None, *, clean: bool) -> ControlClient:
            return ControlClient(
                endpoints,
                client_id=ids.name(what),
                will=will,
                clean=clean,
                clock=clock,
                pulse=pulse,
                # Each with buckets of its own: a halt comes over both.
                packets=RateLimiter(
                    topics, arrivals, requests=_requests(config), commands=_commands(config)
                ),
            )

        will = Will(topics.state(), payloads.OFFLINE, birth=payloads.ONLINE)
        return cls(client("", will, clean=False), client("halt", None, clean=True), arrivals)


def _requests(config: Config) -> Rates:
    usual, own = config.requests.rate(), config.requests.clients
    return Rates(Rate(*usual), {name: Rate(*rights.rate(usual)) for name, rights in own.items()})


def _commands(config: Config) -> Rates:
    orders = config.orders
    usual = Rate(orders.commands_per_second, orders.commands_at_once)
    own = {
        name: Rate(
            client.commands_per_second or usual.per_s, client.commands_at_once or usual.burst
        )
        for name, client in orders.clients.items()
    }
    return Rates(usual, own)
