"""The market-data half of a bridge against the simulator, in one process and one virtual time.

Sessions, pool, pump, board and what they are built of are the bridge's own, and so is the simulated
KIS; between them are real sockets. Only the broker is a list, and the approval key is simply given.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from pydantic import SecretStr
from websockets.asyncio.server import Server, serve

from bridge.catalog.compile import load
from bridge.config.models import Config, QualityConfig
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.kis.frames import DataFrame
from bridge.kis.replies import KisUnknownError
from bridge.kis.session import Session, SessionEvent
from bridge.kis.stream import Stream
from bridge.mqtt.client import ControlClient
from bridge.mqtt.events import Events
from bridge.mqtt.message import Publication
from bridge.mqtt.topics import Topics
from bridge.runtime.backoff import Backoff
from bridge.runtime.clock import SEOUL
from bridge.simulator.faults.plan import Fault
from bridge.simulator.server import Simulator
from bridge.simulator.settings import SimulatorSettings
from bridge.simulator.stream.connection import ClientConnection
from bridge.subscriptions.reports import Reports, notice_ids
from bridge.subscriptions.request import ByTopic, Wanted, resolve
from bridge.subscriptions.store import SubscriptionStore
from bridge.subscriptions.upkeep import Upkeep
from tests.component.virtual_exchange import VirtualLoop

__all__ = ["CATALOG", "VirtualFeed", "run", "wanted"]

CATALOG = load()
_T = TypeVar("_T")


def wanted(topic: str) -> Wanted:
    """Return the registration of ``market/venue/kind/symbol``."""
    return resolve(CATALOG, ByTopic(*topic.split("/")), paper=True)


class _Loop(VirtualLoop):
    """Threads would take real time, which is none here."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.start = start
        self.wall_jump = 0.0

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., _T], *args: Any
    ) -> asyncio.Future[_T]:
        done: asyncio.Future[_T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed on
            done.set_exception(error)
        return done

    def wall(self) -> float:
        return self.start + self.time() + self.wall_jump

    def sleep_through(self, seconds: float) -> None:
        """Let time pass in which this process does not run."""
        self._skip(seconds)


class _Control:
    """The control connection as far as quality needs it."""

    guest = False
    connected = True

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.retained: dict[str, dict[str, Any]] = {}

    def on_connected(self, greeter: Callable[[], Awaitable[None]]) -> None:
        pass

    async def publish(self, publication: Publication, *, wait: bool = False) -> None:
        topic = publication.topic
        said = json.loads(publication.payload) if publication.payload else {}
        self.said.append((topic, said))
        if publication.retain:
            self.retained[topic] = said


class _End:
    """A broker that takes everything."""

    ready = connected = True

    def packet(self, topic: str, payload: bytes, *rest: object) -> None:
        pass

    def write(self, packets: list[Any]) -> None:
        pass


class VirtualFeed:
    """One or more app keys, what is wanted of them, and the simulated KIS."""

    def __init__(
        self,
        loop: _Loop,
        folder: Path,
        *,
        apps: Iterable[str] = ("app1",),
        slots: int = 41,
        settings: SimulatorSettings,
        quality: QualityConfig,
        environment: str,
    ) -> None:
        self.loop = loop
        self.topics = Topics()
        self.control = _Control()
        self.gaps: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.key_is_dead = False
        self.retry = Backoff(0.5, 4.0)
        self.sim = Simulator(CATALOG, settings, clock=self.seoul)
        self.lane = Lane({})
        self.lane.attach(_End())
        events = SimpleNamespace(tell=lambda event, about="": self.events.append(event))
        self.reports = Reports(CATALOG, cast("Events", events))
        self.pump = Pump(CATALOG, self.topics, self.lane, self.reports.problem)
        self.port = 0
        self.apps = {app: f"PS{number:034d}" for number, app in enumerate(apps)}
        self.streams: dict[str, Stream] = {}
        self._folder, self._slots = folder, slots
        keys = [
            {"alias": app, "app_key": key, "app_secret": "S" * 180}
            for app, key in self.apps.items()
        ]
        self._config = Config.model_validate(
            {
                "kis": {"environment": environment, "state_dir": folder, "apps": keys},
                "quality": quality.model_dump(),
            }
        )
        self._server: Server | None = None

    # time

    def seoul(self) -> datetime:
        return datetime.fromtimestamp(self.loop.start, SEOUL) + timedelta(seconds=self.loop.time())

    @property
    def now(self) -> float:
        return self.loop.time()

    # what is published

    def of(self, topic: str) -> str:
        """Return the quality of ``market/venue/kind/symbol`` as a reader has it; blank: none."""
        return str(self.control.retained.get(f"kis/quality/{topic}", {}).get("quality", ""))

    def why(self, topic: str) -> str:
        return str(self.control.retained.get(f"kis/quality/{topic}", {}).get("reason") or "")

    def source(self, topic: str) -> str:
        return str(self.control.retained.get(f"kis/quality/{topic}", {}).get("source") or "")

    def heard(self, topic: str) -> list[str]:
        """Return every quality that was told of a topic, in order."""
        name = f"kis/quality/{topic}"
        return [str(said.get("quality", "")) for where, said in self.control.said if where == name]

    def last_at(self, topic: str) -> int:
        """Return when the newest value of a topic came, µs; 0: never."""
        route = self.pump.route(f"kis/market/{topic}")
        found = b"" if route is None else route.last
        return int(json.loads(found)["received_at"]) if found else 0

    # the other side

    def strike(self, kind: str, **what: Any) -> None:
        """Let a fault begin now."""
        at_s: Any = () if "chance" in what or kind in ("slots", "lock") else (self.elapsed(),)
        self.sim.faults.add(Fault(kind, at_s=at_s, **what))

    def elapsed(self) -> float:
        return self.sim.stream.injector.elapsed()

    def hold(self, *topics: str, holder: str = "configuration", priority: int = 0) -> None:
        self.upkeep.pool.hold([wanted(one) for one in topics], holder, priority)

    def release(self, *topics: str, holder: str = "configuration") -> None:
        self.upkeep.pool.release([wanted(one) for one in topics], holder)

    async def close_port(self) -> None:
        """Let nobody connect any more, and nobody stay connected."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def open_port(self) -> None:
        self._server = await serve(
            self.sim.stream.handle,
            "127.0.0.1",
            self.port,
            process_request=self.sim.stream.check_path,
            create_connection=ClientConnection,
            compression=None,
            ping_interval=None,
            max_size=1 << 20,
        )
        [listener] = self._server.sockets
        self.port = listener.getsockname()[1]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[VirtualFeed]:
        self.sim.stream.injector.begin()
        await self.open_port()
        for app in self.apps:
            self.streams[app] = self._stream(app)
        self.upkeep = Upkeep(
            CATALOG,
            self.topics,
            self.streams,
            self.lane,
            self.reports,
            SubscriptionStore(self._folder),
            paper=True,
            clock=self.loop.wall,
        )
        self.publisher = self.upkeep.quality(
            cast("ControlClient", self.control),
            self.pump.route,
            self._config,
            self.upkeep.backup(self._config),
        )
        works: list[Coroutine[Any, Any, None]] = [
            *(stream.run() for stream in self.streams.values()),
            self.publisher.run(),
            self._tend(),
            self._live(),
            self.sim.stream.ping(),
            self.sim.stream.injector.run(
                lambda one, text: self.sim.stream.send_raw(text), '{"header":{"tr_id":"PINGPONG"}}'
            ),
        ]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(work) for work in works]
            try:
                yield self
            finally:
                for task in running:
                    task.cancel()
                await self.close_port()

    # inside

    def _stream(self, app: str) -> Stream:
        async def approval(refresh: bool) -> SecretStr:
            if self.key_is_dead:
                raise KisUnknownError("no answer")
            return SecretStr(self.sim.keys.approve(self.apps[app], "", self.seoul()))

        def on_data(frame: DataFrame, received_at: int) -> None:
            self.pump.frame(frame, received_at)

        def on_event(event: SessionEvent) -> None:
            self.upkeep.happened(app, event)

        return Stream(
            f"ws://127.0.0.1:{self.port}/tryitout",
            Session(notices=notice_ids(CATALOG), slots=self._slots),
            approval,
            on_data=on_data,
            on_notice=lambda notice, at: None,
            on_event=on_event,
            rng=random.Random(1),  # noqa: S311 - spreads reconnections, no secret
            retry=self.retry,
        )

    async def _tend(self) -> None:
        while True:
            self.upkeep.tick()
            await asyncio.sleep(1.0)

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self.sim.step(0.5)


def run(
    work: Callable[[VirtualFeed], Coroutine[Any, Any, None]],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    at: str = "2026-11-23T10:00:00",
    apps: Iterable[str] = ("app1",),
    slots: int = 41,
    settings: SimulatorSettings | None = None,
    quality: QualityConfig | None = None,
    environment: str = "paper",
    retry: Backoff | None = None,
) -> None:
    """Do some work in a feed that runs since ``at`` in Seoul, on a loop of its own."""
    loop = _Loop(datetime.fromisoformat(at).replace(tzinfo=SEOUL).timestamp())
    clock = SimpleNamespace(
        time=loop.wall, monotonic=loop.time, time_ns=lambda: int(loop.wall() * 1e9)
    )
    for name in ("pool", "rooms", "upkeep", "quality_publisher"):
        monkeypatch.setattr(f"bridge.subscriptions.{name}.time", clock, raising=False)
    for name in (
        *("kis.picows_link", "kis.websockets_link", "kis.stream", "feed.lane"),
        "subscriptions.quality_publisher",
    ):
        monkeypatch.setattr(f"bridge.{name}.now_us", lambda: int(loop.wall() * 1e6), raising=False)
    monkeypatch.setattr("bridge.simulator.faults.injector._TURN_S", 0.25)
    given = settings or SimulatorSettings(manual=True, any_key=True, rate=8.0, ping_every_s=5.0)

    async def main() -> None:
        feed = VirtualFeed(
            loop,
            folder,
            apps=apps,
            slots=slots,
            settings=given,
            quality=quality or QUICK,
            environment=environment,
        )
        feed.retry = retry or feed.retry
        async with feed.running():
            await work(feed)

    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
        asyncio.set_event_loop(None)


QUICK = QualityConfig.model_validate(
    {
        "kinds": {
            "trade": {"least_s": 4, "most_s": 12},
            "quote": {"least_s": 4, "most_s": 12},
        },
        "quiet_s": 120,
    }
)
"""Limits that are learned within a minute."""
