"""What comes on the command topics: read, and turned away where the journal need not know of it.

Refusals that depend on the moment (limits, halted, too much at once) are in the journal and final
under their name. Those that the same bytes get every time (no command, retained, expired when it
came, unknown account) are not, and never touch what is known under the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from bridge.mqtt.message import Message
from bridge.mqtt.seals import Seals
from bridge.mqtt.signatures import SignatureError
from bridge.mqtt.topics import Topics
from bridge.orders.model.command import CommandError
from bridge.orders.model.command_parser import MAX_PAYLOAD, parse
from bridge.orders.model.lifecycle import Event, Step
from bridge.orders.model.managed_order import ManagedOrder
from bridge.orders.model.records import Identity
from bridge.orders.publishing.publisher import Publisher
from bridge.orders.risk.limits import Refusal
from bridge.orders.risk.rules import Terms

__all__ = ["CommandSource", "Intake"]

log = structlog.get_logger()

_LONGEST_CLIENT = 128
_UNANSWERED = 1_000
"""Characters of a name from which on the topic of an answer may be none."""
_BUG = "a bug of the bridge, written to its log"
_NO_DEADLINE = Refusal(
    "invalid_payload",
    "missing key 'expires_at': a time with offset, or set the MQTT message expiry",
)


@dataclass(frozen=True, slots=True)
class CommandSource:
    """Where a command came from."""

    account: str
    client: str
    verb: str
    message: Message


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads messages; ``arrival(identity, received_at)`` says when a command came first."""

    terms: Terms
    topics: Topics
    publisher: Publisher
    seals: Seals
    arrival: Callable[[Identity, int], int]

    def read(self, message: Message) -> tuple[ManagedOrder, CommandSource] | None:
        """Return a command; None: it is none, and its sender has been told why."""
        try:
            account, client, verb = self.topics.parse_command(message.topic)
        except ValueError:
            log.warning("not a command topic", topic=message.topic[:200])
            message.ack()
            return None
        if max(len(account), len(client)) > _UNANSWERED:
            log.warning("command from a name that is too long", client=client[:32])
            message.ack()
            return None
        source = CommandSource(account, client, verb, message)
        try:
            payload, seal = self.seals.open(client, message.topic, message.payload, MAX_PAYLOAD)
            command = parse(verb, payload, self.terms.order_types.get(account))
        except SignatureError as error:
            # Under no name: whoever has no key is not to say what became of an order of that name.
            log.warning("signature refused", client=client, account=account, reason=str(error))
            self.turn_away(source, ("", ""), Refusal("bad_signature", str(error)))
            return None
        except CommandError as error:
            reason = "retained_command" if message.retain else error.code
            self.turn_away(source, (error.client_order_id, ""), Refusal(reason, str(error)))
            return None
        except Exception:  # of reading it alone: nothing that the order line relies on has begun
            log.exception("bug in reading a command", account=account, client=client, verb=verb)
            self.turn_away(source, ("", ""), Refusal("invalid_payload", _BUG))
            return None
        name = (command.client_order_id, command.name())
        expires_at = command.deadline(message.received_at, message.expiry_s)
        if seal is not None:
            expires_at = min(expires_at or seal.expires_at, seal.expires_at)
        problem = self._problem(source)
        if problem is not None or expires_at is None:
            self.turn_away(source, name, problem or _NO_DEADLINE)
            return None
        identity = Identity(account, client, *name)
        arrived = self.arrival(identity, message.received_at)
        made = ManagedOrder.received(identity, command.verb, command, arrived, expires_at)
        made.seal = seal
        return made, source

    def turn_away(self, source: CommandSource, name: Sequence[str], refusal: Refusal) -> None:
        """Refuse what is not to be in the journal, and have the broker forget it."""
        at = self.terms.clock()
        step = Step(Event.REFUSE, at, reason=refusal.reason, message=refusal.message)
        account, client, verb, message = source.account, source.client, source.verb, source.message
        self.publisher.post(
            lambda: self.publisher.refuse(account, client, verb, (name[0], name[1]), step, message)
        )
        message.ack()

    def _problem(self, source: CommandSource) -> Refusal | None:
        if source.message.retain:
            return Refusal("retained_command", "publish commands without the retain flag")
        if source.account not in self.terms.accounts:
            return Refusal("unknown_account", "the configuration has no such account")
        if len(source.client) > _LONGEST_CLIENT:
            return Refusal("not_permitted", "the client's name is too long")
        if not source.client.isprintable() or source.client != source.client.strip():
            # Databases differ in whether they take these names, and tell them from others.
            return Refusal("not_permitted", "the client's name has blanks around it or controls")
        return None
