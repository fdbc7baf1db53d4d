"""What a simulator is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from bridge.simulator.exchange.sessions import Hours
from bridge.simulator.faults.plan import FaultPlan

__all__ = ["KIS_RATES", "MOST_CLIENTS", "SimulatorSettings"]

KIS_RATES = {"real": 18.0, "paper": 1.0}
"""REST calls a second and app key that KIS takes since April 2026."""
MOST_CLIENTS = 100
"""Customers at most, since each has accounts that the exchange keeps."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How the simulated KIS behaves; the defaults are KIS's rules where KIS has one."""

    host: str = "127.0.0.1"
    rest_port: int = 0
    """0 takes a free one; so does ``ws_port``."""
    ws_port: int = 0
    control_port: int | None = None
    """Of the control interface, on this machine alone; None: there is none."""
    seed: int = 1
    environment: Literal["paper", "real"] = "paper"
    hours: Hours = "always"
    clock_offset_s: float = 0.0
    """How much its clock is ahead of this machine's, in its lists and its ``Date``."""
    rate: float | None = None
    """Market-data records a second over all subscriptions; None: about 10 a second each."""
    play: Path | None = None
    """File of captured frames to replay: bare frames or JSON objects with ``raw``, one a line."""
    play_once: bool = False
    manual: bool = False
    """Nothing moves by itself: only ``Simulator.step`` makes market data."""
    accounts: tuple[str, ...] = ("12345678-01", "12345678-03", "12345678-08", "12345678-29")
    """The first is the one that is told; product 03 trades futures and options, 08 those abroad,
    and those of 29 are pensions."""
    cash: int = 500_000_000
    shares: int = 100
    """Of each well-known symbol, in every account but pensions, at the start."""
    hts_id: str = "simtrader"
    clients: int = 1
    """How many customers have keys; each beyond the first gets accounts of its own."""
    any_key: bool = False
    """Any app key of 36 characters with any secret of 180 is good, not only the printed pair."""
    slots: int = 41
    rest_per_second: float | None = None
    """Calls a second and app key; None: KIS's 18 (real) or 1 (paper); 0: no limit."""
    token_interval_s: float = 60.0
    token_lifetime_s: float = 86_400.0
    ping_every_s: float = 15.0
    ping_patience_s: float = 100.0
    early_notices: float = 0.3
    """How often, of 1, the notices of an order are sent before its REST answer."""
    faults: FaultPlan = FaultPlan()  # noqa: RUF009 - frozen
    """What is to go wrong."""
    widths: dict[str, int] = field(default_factory=dict)
    """TR id → number of values, to write a channel in one of its older layouts."""

    @property
    def rest_limit(self) -> float:
        """REST calls a second and app key that are taken; 0: any number."""
        given = self.rest_per_second
        return KIS_RATES[self.environment] if given is None else given

    @property
    def app_key(self) -> str:
        return self.key("app key")

    @property
    def app_secret(self) -> str:
        return self.key("app secret")

    def key(self, what: Literal["app key", "app secret"], client: int = 1) -> str:
        """Return the app key or the secret of a customer, who are counted from 1."""
        seed = f"{what} {self.seed}" + (f" {client}" if client > 1 else "")
        draw = Random(seed)  # noqa: S311 - opens nothing but this simulator
        length = 34 if what == "app key" else 180
        letters = "".join(draw.choice(_LETTERS) for _ in range(length))
        return f"PS{letters}" if what == "app key" else letters
