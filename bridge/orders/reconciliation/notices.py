"""Execution notices: each finds the order that it is about, or waits until that can be known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from bridge.errors import DecodeError
from bridge.kis import executions
from bridge.kis.listing import plain
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.held_notices import HeldNotices
from bridge.orders.model.lifecycle import Event, State
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.reconciliation.executions import execution
from bridge.orders.reconciliation.reconciler import Reconciler
from bridge.orders.reconciliation.sightings import Sightings
from bridge.orders.risk.rules import TradingAccount
from bridge.runtime.clock import seoul_day

__all__ = ["Notices"]

log = structlog.get_logger()


class Notices:
    """Takes what KIS says of executions; ``accounts`` by alias."""

    def __init__(
        self,
        accounts: Mapping[str, TradingAccount],
        blotter: Blotter,
        held: HeldNotices,
        outbox: Outbox,
        publisher: Publisher,
        reconciler: Reconciler,
        sightings: Sightings,
    ) -> None:
        self._aliases = {
            account.number.get_secret_value().replace("-", ""): alias
            for alias, account in accounts.items()
        }
        self._blotter = blotter
        self._held = held
        self._outbox = outbox
        self._publisher = publisher
        self._reconciler = reconciler
        self._sightings = sightings
        self._waiting: asyncio.Queue[tuple[str, executions.ExecutionNotice, int]] = asyncio.Queue()

    def take(self, values: Mapping[str, str], received_at: int, market: str) -> None:
        """Take a notice: its raw values by English path, when it came in µs since the epoch."""
        try:
            notice = executions.notice(values, market)
        except DecodeError as error:
            log.warning("execution notice dropped", cause=str(error))
            # Whose it was cannot be read either, so that every account's list has to say it.
            for each in self._aliases.values():
                self._reconciler.wake(each)
            return
        alias = self._aliases.get(notice.account)
        if alias is None:
            log.info("execution notice of an account that is not configured")
            return
        self._waiting.put_nowait((alias, notice, received_at))

    def release(self) -> None:
        """Take up again what waited for an answer that is there now."""
        for item in self._held.release():
            self._waiting.put_nowait(item)

    async def run(self) -> None:
        """Apply notices in the order in which they came, until cancelled."""
        while True:
            alias, notice, at = await self._waiting.get()
            key = (seoul_day(at), plain(notice.order_no))
            self._sightings.note(alias, notice.market, [key], seoul_day(at))
            order = self._held.match(alias, notice, at)
            if order is not None:
                self._apply(order, notice, at)
            elif self._held.hold(alias, notice, at):
                if self._blotter.unsettled(alias, State.UNKNOWN):
                    self._reconciler.wake(alias, notice.market)
            else:
                self._reconciler.elsewhere(alias, notice)
                self._tell_external(alias, notice, at)

    def _apply(self, order: ManagedOrder, notice: executions.ExecutionNotice, at: int) -> None:
        account = order.identity.account
        step = execution(order.progress, notice, at)
        self._outbox.happen(order, step)
        # A part was changed: a notice does not say what is left under the other numbers.
        if notice.kind == "modified" and order.progress.split:
            self._blotter.divide(order, None)
            self._reconciler.wake(account)
        # Less than it tells was counted: the list knew of a fill whose notice was taken for another
        # one told twice, so that nobody knows how much of this one is new.
        unsure = notice.kind == "fill" and (
            step is None or step.event is Event.NOTE or step.quantity < notice.quantity
        )
        if (unsure and order.progress.remaining) or self._blotter.changes(order):
            # The same notice again, or another fill just like it: the list has to say.
            self._reconciler.wake(account)

    def _tell_external(self, alias: str, notice: executions.ExecutionNotice, at: int) -> None:
        self._outbox.afterwards(lambda: self._publisher.external(alias, notice, at))
