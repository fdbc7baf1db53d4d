"""Who has app keys of the simulated KIS, and which accounts each of them opens (pure, seeded)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from bridge.simulator.settings import SimulatorSettings

__all__ = ["Client", "Clients"]


@dataclass(frozen=True, slots=True)
class Client:
    """One customer with a pair of keys."""

    app_key: str
    app_secret: str = field(repr=False)
    hts_id: str
    accounts: tuple[str, ...]
    """The first is the one that is told; those of product 03 are for futures and options."""


class Clients:
    """All customers; the first has the keys and the accounts of the settings."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.all = tuple(_drawn(settings))
        self._by_key = {client.app_key: client for client in self.all}
        self._by_account = {
            account: client for client in reversed(self.all) for account in client.accounts
        }

    def __iter__(self) -> Iterator[Client]:
        return iter(self.all)

    def holder(self, app_key: str) -> Client | None:
        """Return who was given this app key."""
        return self._by_key.get(app_key)

    def of(self, app_key: str) -> Client:
        """Return the customer of an app key; any key that nobody was given is the first one's."""
        return self._by_key.get(app_key, self.all[0])

    def owner(self, account: str) -> Client:
        """Return whose an account is."""
        return self._by_account.get(account, self.all[0])

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account there is."""
        return tuple(account for client in self.all for account in client.accounts)


def _drawn(settings: SimulatorSettings) -> Iterator[Client]:
    yield Client(settings.app_key, settings.app_secret, settings.hts_id, settings.accounts)
    draw = Random(f"clients {settings.seed}")  # noqa: S311 - opens nothing but this simulator
    taken = {account.partition("-")[0] for account in settings.accounts}
    products = [account.partition("-")[2] for account in settings.accounts]
    for number in range(2, settings.clients + 1):
        while (customer := str(draw.randrange(10_000_000, 100_000_000))) in taken:
            pass
        taken.add(customer)
        yield Client(
            settings.key("app key", number),
            settings.key("app secret", number),
            f"{settings.hts_id}{number}",
            tuple(f"{customer}-{product}" for product in dict.fromkeys(products)),
        )
