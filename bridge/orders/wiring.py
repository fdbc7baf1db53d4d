"""Who gets what: the parts of the order line, built once, none changed afterwards.

Where two parts need each other, the one that is built first gets a function that finds the other
when it is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bridge.kis.listing import ListedOrder
from bridge.mqtt.seals import Seals
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter
from bridge.orders.model.held_notices import HeldNotices
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import Publisher, Sink
from bridge.orders.reconciliation.accounts import Accounts
from bridge.orders.reconciliation.notices import Notices
from bridge.orders.reconciliation.reconciler import Reconciler
from bridge.orders.reconciliation.sightings import Sightings
from bridge.orders.risk.halts import Halts
from bridge.orders.risk.ledger import LimitLedger
from bridge.orders.risk.reference_data import ReferenceData
from bridge.orders.risk.rules import Terms
from bridge.orders.risk.title import Title
from bridge.orders.routing.admission import Admission
from bridge.orders.routing.adoption import Adoption
from bridge.orders.routing.door import Door
from bridge.orders.routing.goals import Goals
from bridge.orders.routing.halt_control import HaltControl
from bridge.orders.routing.intake import Intake
from bridge.orders.routing.line import Line
from bridge.orders.routing.mass_cancel import MassCancel
from bridge.orders.routing.sender import Sender
from bridge.orders.routing.sequencer import Sequencer
from bridge.orders.routing.submitter import Submitter
from bridge.orders.routing.sweep import Sweep
from bridge.runtime.turns import News

__all__ = ["Parts", "Sink", "wire"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The order line, in the order in which a command passes it."""

    terms: Terms
    journal: Journal
    blotter: Blotter
    ledger: LimitLedger
    publisher: Publisher
    outbox: Outbox
    halts: Halts
    holdings: Accounts
    reconciler: Reconciler
    notices: Notices
    sightings: Sightings
    seals: Seals
    admission: Admission
    submitter: Submitter
    halt_control: HaltControl
    line: Line
    adoption: Adoption


def wire(
    terms: Terms,
    journal: Journal,
    sink: Sink,
    topics: Topics,
    reference_price: Callable[[str, str, str], Decimal | None],
    start: Callable[[ManagedOrder, Coroutine[Any, Any, None]], None],
    stopping: asyncio.Event,
    title: Title,
) -> Parts:
    """Build the order line; ``start`` runs the work on a command in a task of its own."""
    clock, pause_s = terms.clock, terms.rules.pause_s

    def settled() -> None:
        news.tell()
        notices.release()

    def answered(managed: ManagedOrder, answer: Step) -> None:
        settled()
        order = blotter.order(managed.identity)
        changed = order is not None and order is not managed and order.unheard
        if changed or answer.event is Event.LOSE:
            reconciler.wake(managed.identity.account)

    def take_up(managed: ManagedOrder) -> None:
        if not stopping.is_set():
            line.take_up(managed)

    def listed(alias: str, rows: Sequence[ListedOrder]) -> None:
        holdings.listed(alias, rows)

    blotter, ledger, halts, news = Blotter(terms.calendar), LimitLedger(), Halts(), News()
    publisher = Publisher(sink, topics, terms.rules.response_prefixes, terms.rules.environment)
    outbox = Outbox(
        blotter,
        journal,
        publisher,
        clock=clock,
        pause_s=pause_s,
        on_fill=lambda order, quantity: holdings.filled(order, quantity),
    )
    holdings = Accounts(
        catalog=terms.catalog,
        accounts=terms.accounts,
        rules=terms.rules,
        blotter=blotter,
        publisher=publisher,
        clock=clock,
        after_fills=lambda alias: reconciler.wake(alias),
    )
    held, sightings = HeldNotices(blotter), Sightings()
    reconciler = Reconciler(
        terms, blotter, ledger, held, sightings, outbox, publisher, on_round=settled, on_list=listed
    )
    notices = Notices(terms.accounts, blotter, held, outbox, publisher, reconciler, sightings)
    admission = Admission(journal, blotter, outbox.keep, clock=clock, pause_s=pause_s)
    seals = Seals(terms.rules.signing_keys, clock)
    intake = Intake(terms, topics, publisher, seals, admission.arrival)
    reference_data = ReferenceData(
        terms.catalog,
        paper=terms.rules.paper,
        last_price=reference_price,
        clock=clock,
        rates=terms.rules.rates,
    )
    door = Door(
        *(terms, blotter, ledger, halts, reference_data, holdings, reconciler),
        *(journal.standing, title, news),
    )
    submitter = Submitter(
        door, Sender(terms, door, blotter, sightings), outbox, publisher, clock, answered
    )
    sequencer = Sequencer(blotter, door, clock)
    sweep = Sweep(terms, blotter, title, lambda alias: reconciler.wake(alias))
    mass_cancel = MassCancel(
        terms,
        blotter,
        journal,
        outbox,
        publisher,
        submitter,
        take_up,
        sequencer.called_off,
        news,
        sweep,
    )
    goals = Goals(terms, blotter, journal, publisher, halts, mass_cancel, sweep)
    halt_control = HaltControl(
        halts,
        journal,
        mass_cancel,
        goals,
        publisher,
        clock=clock,
        news=news,
        stopping=stopping,
        pause_s=pause_s,
    )
    line = Line(
        terms,
        blotter,
        outbox,
        intake,
        admission,
        sequencer,
        door,
        submitter,
        mass_cancel,
        news,
        start,
    )
    return Parts(
        terms=terms,
        journal=journal,
        blotter=blotter,
        ledger=ledger,
        publisher=publisher,
        outbox=outbox,
        halts=halts,
        holdings=holdings,
        reconciler=reconciler,
        notices=notices,
        sightings=sightings,
        seals=seals,
        admission=admission,
        submitter=submitter,
        halt_control=halt_control,
        line=line,
        adoption=Adoption(terms, journal, reconciler, news),
    )
