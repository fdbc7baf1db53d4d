"""Who gets what: the parts of the order line, built once, none changed afterwards.

Where two parts need each other, the one that is built first gets a function that finds the other
when it is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bridge.kis.listing import ListedOrder
from bridge.mqtt.topics import Topics
from bridge.orders.journal.journal import Journal
from bridge.orders.model.blotter import Blotter, ManagedOrder
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.publishing.outbox import Outbox
from bridge.orders.publishing.publisher import MessageSink, Publisher
from bridge.orders.reconciliation.accounts import Accounts
from bridge.orders.reconciliation.notices import Notices
from bridge.orders.reconciliation.reconciler import Reconciler
from bridge.orders.risk.halts import Halts
from bridge.orders.risk.reference_data import ReferenceData
from bridge.orders.risk.rules import Terms
from bridge.orders.routing.admission import Admission
from bridge.orders.routing.door import Door
from bridge.orders.routing.halt_control import HaltControl
from bridge.orders.routing.intake import Intake
from bridge.orders.routing.mass_cancel import MassCancel
from bridge.orders.routing.sender import Sender
from bridge.orders.routing.sequencer import Sequencer
from bridge.orders.routing.submitter import Submitter
from bridge.runtime.turns import News

__all__ = ["Parts", "wire"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The order line, in the order in which a command passes it."""

    terms: Terms
    journal: Journal
    blotter: Blotter
    news: News
    """Of what is answered, settled, called off or halted."""
    publisher: Publisher
    outbox: Outbox
    halts: Halts
    holdings: Accounts
    reconciler: Reconciler
    notices: Notices
    intake: Intake
    admission: Admission
    sequencer: Sequencer
    door: Door
    submitter: Submitter
    mass_cancel: MassCancel
    halt_control: HaltControl


def wire(
    terms: Terms,
    journal: Journal,
    sink: MessageSink,
    topics: Topics,
    reference_price: Callable[[str, str, str], Decimal | None],
    take_up: Callable[[ManagedOrder], object],
    stopping: asyncio.Event,
) -> Parts:
    """Build the order line; ``take_up`` gives a command from the journal its place in it."""
    clock, pause_s = terms.clock, terms.rules.pause_s

    def settled() -> None:
        news.tell()
        notices.release()

    def answered(managed: ManagedOrder, answer: Step) -> None:
        settled()
        if answer.event is Event.LOSE:
            reconciler.wake(managed.identity.account)

    def listed(alias: str, rows: Sequence[ListedOrder]) -> None:
        holdings.listed(alias, rows)

    blotter, halts, news = Blotter(), Halts(), News()
    publisher = Publisher(sink, topics, terms.rules.response_prefixes)
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
    reconciler = Reconciler(
        catalog=terms.catalog,
        accounts=terms.accounts,
        rules=terms.rules,
        blotter=blotter,
        outbox=outbox,
        publisher=publisher,
        clock=clock,
        on_round=settled,
        on_list=listed,
    )
    notices = Notices(terms.accounts, blotter, outbox, publisher, reconciler)
    admission = Admission(journal, blotter, clock=clock, pause_s=pause_s)
    intake = Intake(terms, topics, publisher, admission.arrival)
    reference_data = ReferenceData(
        terms.catalog, paper=terms.rules.paper, last_price=reference_price, clock=clock
    )
    door = Door(terms, blotter, halts, reference_data, holdings, reconciler, news)
    submitter = Submitter(door, Sender(terms, door), outbox, publisher, clock, answered)
    sequencer = Sequencer(blotter, door, clock)
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
    )
    halt_control = HaltControl(
        halts, journal, mass_cancel, publisher, clock=clock, news=news, stopping=stopping
    )
    return Parts(
        terms=terms,
        journal=journal,
        blotter=blotter,
        news=news,
        publisher=publisher,
        outbox=outbox,
        halts=halts,
        holdings=holdings,
        reconciler=reconciler,
        notices=notices,
        intake=intake,
        admission=admission,
        sequencer=sequencer,
        door=door,
        submitter=submitter,
        mass_cancel=mass_cancel,
        halt_control=halt_control,
    )
