"""Where what clients send comes in: the connections to the broker, and what each lets in.

A broker keeps one queue for each session. So requests have one of their own, and each client that
may trade has one for its commands: who floods the bridge fills his queue, and others' commands
never stand behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from bridge.config.models import Config
from bridge.mqtt import payloads
from bridge.mqtt.client import ControlClient
from bridge.mqtt.client_ids import ClientIds
from bridge.mqtt.endpoint import Endpoint
from bridge.mqtt.message import Handler, Message, Will
from bridge.mqtt.rate_limiter import Arrivals, RateLimiter, Rates
from bridge.mqtt.token_buckets import Rate
from bridge.mqtt.topics import Topics
from bridge.runtime.pulse import Pulse

__all__ = ["Inlets"]


@dataclass(frozen=True, slots=True)
class Inlets:
    """The connections; the owner of the orders alone listens on those that are :attr:`owned`."""

    control: ControlClient
    """Publishes everything but answers to requests."""
    urgent: ControlClient
    """Halts come here past everything else."""
    requests: ControlClient
    strangers: ControlClient
    """For the commands of whom nobody has named."""
    traders: dict[str, ControlClient]
    """For the commands of each client that the configuration names."""
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
        named = sorted(config.orders.clients)

        def client(
            what: str, will: Will | None = None, *, clean: bool = False, own: bool = False
        ) -> ControlClient:
            return ControlClient(
                endpoints,
                client_id=ids.name(what),
                will=will,
                clean=clean,
                clock=clock,
                pulse=pulse,
                # Each with buckets of its own: a halt comes over two of them.
                packets=RateLimiter(
                    topics,
                    arrivals,
                    requests=_requests(config),
                    commands=_commands(config),
                    elsewhere=() if own else named,
                ),
            )

        return cls(
            client("", Will(topics.state(), payloads.OFFLINE, birth=payloads.ONLINE), clean=True),
            client("halt", clean=True),
            client("requests"),
            client("strangers", clean=bool(named)),
            # By name: a place in a list would be another client's when the list changes.
            {
                name: client(f"orders-{sha256(name.encode()).hexdigest()[:12]}", own=True)
                for name in named
            },
            arrivals,
        )

    @property
    def owned(self) -> list[ControlClient]:
        """Those that bring what clients send; the broker keeps the session of the first one."""
        return [self.requests, self.strangers, *self.traders.values()]

    def take_commands(
        self, topics: Topics, handler: Handler, at_once: Callable[[Message], bool] | None = None
    ) -> None:
        """Have commands handled, see :meth:`ControlClient.subscribe`."""
        for name, client in self.traders.items():
            client.subscribe(topics.command_filter(name), 1, handler, at_once=at_once)
        # As long as others are named, strangers only get the answer that they may not: QoS 0 and no
        # session do for that, since nothing of the kind is ever executed.
        qos = 0 if self.traders else 1
        self.strangers.subscribe(topics.command_filter(), qos, handler, at_once=at_once)


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
