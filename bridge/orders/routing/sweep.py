"""What the exchange's own list has open, cancelled under its order numbers.

Beside the journal, on purpose: this is for what a first cancellation left open, for what the
journal believes to be over, and for what it never knew. Nothing can be done twice by it, since a
cancellation of all that is left under a number leaves nothing to a second one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from dataclasses import dataclass, field

import structlog

from bridge.errors import BridgeError
from bridge.kis import orders as kis
from bridge.kis.listing import ListedOrder, plain
from bridge.kis.markets import OrderType, stands_at, venue
from bridge.kis.throttle import Priority
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.command import Place
from bridge.orders.model.lifecycle import CLOSED
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.reconciliation.order_lists import OrderLists
from bridge.orders.risk.rules import Terms
from bridge.orders.risk.title import Title
from bridge.runtime.backoff import Backoff
from bridge.runtime.turns import News

__all__ = ["Sweep", "Working"]

log = structlog.get_logger()

_ATTEMPTS = 6
_LONGEST_S = 5.0
"""Between two attempts that an ack waits for."""
_STRAYS_S = 3.0
"""How long a ``cancel_all`` waits for the list, to find what the journal believes to be over."""
_LISTED = 3_000_000
"""How long (µs) after its end the list may still have an order open."""
_CALL_S = 10.0
"""How long one cancellation may wait for its turn and its answer."""


@dataclass(frozen=True, slots=True)
class Working:
    """An order number under which the exchange has something of an account."""

    account: str
    row: ListedOrder
    owner: ManagedOrder | None
    """Our order; None: it was placed elsewhere."""

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others."""
        return self.account, self.row.market, *self.row.key

    @property
    def name(self) -> str:
        """Its name for people: of our client, else by its number."""
        if self.owner is None:
            return f"{self.account}: {self.row.order_no}"
        return "/".join(self.owner.identity[1:3])


@dataclass(slots=True)
class Sweep:
    """Reads what is open and cancels it; ``changed`` is called for an account that may differ.

    ``title`` says whether another bridge has taken the account over.
    """

    terms: Terms
    blotter: Blotter
    title: Title
    changed: Callable[[str], None]
    _lists: OrderLists = field(init=False)

    def __post_init__(self) -> None:
        self._lists = OrderLists(self.terms, self.blotter)

    async def look(self, alias: str) -> tuple[list[Working], bool]:
        """Return an account's numbers, ours and others', and whether KIS's list was complete.

        Raises :class:`BridgeError` when it cannot be read.
        """
        markets = set(self.terms.accounts[alias].markets(self.terms.rules.markets))
        found: list[Working] = []
        complete = True
        for market in sorted(markets | self.blotter.markets(alias)):
            listed = await self._lists.read(alias, market)
            owned, now = self.blotter.owned(alias, market, listed.rows), self.terms.clock()
            numbers: dict[str, ManagedOrder] = {}
            for row in listed.rows:  # oldest first: a change follows what it changes
                owner, original = owned.get(row.key), row.original_order_no
                if owner is None and original:
                    owner = numbers.get(plain(original)) or self.blotter.meant(
                        alias, market, original, row.at or now
                    )
                if owner is not None:
                    numbers[plain(row.order_no)] = owner
                if row.action != "cancel" and not (owner is None and self._over(row, now)):
                    found.append(Working(alias, row, owner))
            complete = complete and listed.complete
        return found, complete

    def _over(self, row: ListedOrder, now: int) -> bool:
        """Tell whether a row is of a session that is over: nothing of it can be open any more."""
        place = (row.market, row.venue)
        return (
            row.venue != ""
            and row.at is not None
            and self.terms.calendar.over(place, row.at) <= now
        )

    async def cancel(self, working: Working) -> str:
        """Cancel all that is left under a number; return why not, blank: KIS took it."""
        row, place = working.row, (working.row.market, working.row.venue)
        symbol = row.symbol
        if working.owner is not None and isinstance(working.owner.command, Place):
            symbol = working.owner.command.symbol
            place = stands_at(working.owner.command.place, row.order_no)
        kind = self._kind(working, place)
        if kind is None:
            return f"nothing is known of {row.market} orders at this exchange: cancel it at KIS"
        if problem := self.title.problem(harmless=True):
            return problem
        account = self.terms.accounts[working.account]
        log.info("cancelling by the exchange's list", account=working.account, order=row.order_no)
        try:
            call = kis.change(
                self.terms.catalog,
                kind="cancel",
                account=account.number.get_secret_value(),
                at=venue(place),
                symbol=symbol,
                org_no=row.org_no,
                order_no=row.order_no,
                order_type=kind,
                quantity=row.remaining,
                whole=True,
                price=None,
                side=row.side,
            )
            reply = await account.rest.call(
                call.api,
                call.params,
                variant=call.variant,
                priority=Priority.CANCEL,
                deadline=asyncio.get_running_loop().time() + _CALL_S,
                still=lambda: not self.title.problem(harmless=True),
            )
        except BridgeError as error:
            return str(error)
        finally:
            self.changed(working.account)
        answer = kis.outcome(self.terms.catalog, call, reply)
        if isinstance(answer, kis.Rejected):
            return f"{answer.kis['msg_cd']} {answer.kis['msg1']}".strip()
        return ""

    async def strays(self, account: str, meant: Callable[[ManagedOrder], bool]) -> None:
        """Cancel what the list has open of orders of ours that the journal believes to be over."""
        try:
            async with asyncio.timeout(_STRAYS_S):
                found, _ = await self.look(account)
        except (BridgeError, TimeoutError) as error:
            log.warning("list of orders not read", account=account, cause=str(error))
            return
        # What has just ended may still be open in the list, which is late.
        old = self.terms.clock() - _LISTED
        for one in found:
            owner = one.owner
            if owner is None or not one.row.remaining or owner.progress.state not in CLOSED:
                continue
            if owner.progress.at < old and meant(owner):
                await self.cancel(one)

    async def insist(
        self, account: str, left: Callable[[], Container[ManagedOrder | None]], news: News
    ) -> None:
        """Cancel some orders of ours a few times, until nothing is ``left`` of them.

        There is ``news`` whenever that may have changed.
        """
        pauses = Backoff(self.terms.rules.unknown_s, _LONGEST_S)
        for attempt in range(1, _ATTEMPTS):
            if not (ours := left()):
                return
            try:
                found, _ = await self.look(account)
            except BridgeError as error:
                log.warning("list of orders not read", account=account, cause=str(error))
                found = []
            for one in found:
                if one.row.remaining and one.owner is not None and one.owner in ours:
                    await self.cancel(one)
            # Also when nothing is open there: then the journal has to hear it.
            self.changed(account)
            await news.wait(pauses.pause(attempt))

    def _kind(self, working: Working, place: tuple[str, str]) -> OrderType | None:
        """Return the order type to name; KIS looks at it for some markets only."""
        known = self.terms.order_types[working.account].get(place, {})
        owner = working.owner.progress.order_type if working.owner is not None else ""
        names = (working.row.order_type, owner, "limit")
        return next((known[name] for name in names if name in known), None)
