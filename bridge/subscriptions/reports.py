"""What happens on the sessions and in the pump, published as events of the bridge."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.catalog.model import Catalog
from bridge.kis.codes import meaning
from bridge.kis.decode import Drift, Problem, Quarantined
from bridge.kis.session import Dropped, Lost, SessionEvent, SlotRefused, Subscribed
from bridge.mqtt.backup_events import BackupEvent
from bridge.mqtt.event_payloads import QuarantinedEvent, RegistrationRow, ServiceGapRow
from bridge.mqtt.events import Events
from bridge.mqtt.feed_events import StaleRow
from bridge.subscriptions.gaps import Gap
from bridge.subscriptions.request import Wanted

__all__ = ["Reports"]


_ROWS = 100
"""Topics or subscriptions in one event, so that no payload outgrows what a broker takes."""
_RAW = 4096
"""Characters of a quarantined record that go into its event."""


class Reports:
    """Translates; keeps which sessions changed and which are away."""

    def __init__(self, catalog: Catalog, events: Events) -> None:
        self._events = events
        self._notices = notice_ids(catalog)
        self._known = {
            name for c in catalog.channels.values() for name in (c.tr_id, c.tr_id_paper) if name
        }
        self._told: set[tuple[str, str]] = set()
        self._away: set[str] = set()
        self.dropped = 0
        """What sessions threw away: garbage, notices that cannot be opened."""
        self.changed: set[str] = set()
        """Sessions whose map is to be published again."""

    def problem(self, problem: Problem) -> None:
        """Tell a record that did not decode, or a width that is new."""
        match problem:
            case Quarantined():
                event: QuarantinedEvent = {
                    "kind": "quarantined",
                    "channel": problem.channel,
                    "reason": problem.reason,
                    "raw": problem.raw[:_RAW],
                    "records": problem.records,
                }
                if len(problem.raw) > _RAW:
                    event["raw_length"] = len(problem.raw)
                self._events.tell(event, self._flood("quarantined", problem.channel))
            case Drift():
                self._events.tell(
                    {
                        "kind": "schema_drift",
                        "channel": problem.channel,
                        "width": problem.width,
                        "known": list(problem.known),
                        "treatment": problem.treatment,
                    },
                    self._flood("schema_drift", problem.channel),
                )

    def session(self, app: str, event: SessionEvent) -> None:
        """Tell what happened to the session of an app."""
        self.changed.add(app)
        match event:
            case Subscribed() if app in self._away:
                self._away.discard(app)
                self._events.tell({"kind": "session_restored", "app": app})
            case Lost():
                self._away.add(app)
                retry_s = round(event.retry_after, 1)
                self._events.tell(
                    {
                        "kind": "session_lost",
                        "app": app,
                        "code": event.code,
                        "reason": meaning(event.code),
                        "retry_s": retry_s,
                    }
                )
            case SlotRefused():
                # The key of a notice is a login, and no secret may get into an event.
                key = None if event.tr_id in self._notices else event.key
                self._events.tell(
                    {
                        "kind": "slot_refused",
                        "app": app,
                        "channel": event.tr_id,
                        "key": key,
                        "code": event.code,
                        "reason": meaning(event.code),
                        "limit": event.limit,
                    }
                )
            case Dropped():
                self.dropped += 1
                self._events.tell(
                    {
                        "kind": "quarantined",
                        "channel": event.tr_id,
                        "reason": event.reason,
                        "raw": None,
                    },
                    self._flood(f"dropped {app}", event.tr_id),
                )
            case _:
                pass

    def _flood(self, kind: str, tr_id: str) -> str:
        """Return what a flood is counted by: the first of each channel by itself, others together.

        Otherwise a faulty line could have as many events and log lines as it can name channels.
        """
        first = (kind, tr_id) if tr_id in self._known else (kind, "")
        if first in self._told:
            return f"{kind} again"
        self._told.add(first)
        return " ".join(first)

    def waiting(self, wanted: Sequence[Wanted]) -> None:
        """Tell who has no slot and waits for one."""
        for start in range(0, len(wanted), _ROWS):
            part = wanted[start : start + _ROWS]
            rows: list[RegistrationRow] = [{"channel": one.channel, "key": one.key} for one in part]
            self._events.tell(
                {
                    "kind": "slot_refused",
                    "code": "waiting",
                    "reason": "no slot is free",
                    "subscriptions": rows,
                }
            )

    def backup(self, event: BackupEvent) -> None:
        """Tell that REST is asked for prices, or is not any more."""
        self._events.tell(event)

    def gaps(self, gaps: Sequence[tuple[Gap, str]]) -> None:
        """Tell between which times (µs since the epoch) which topic was not served."""
        reasons = sorted({gap.reason for gap, _ in gaps})
        for reason in reasons:
            rows: list[ServiceGapRow] = [
                {
                    "topic": topic,
                    "channel": gap.wanted.channel,
                    "key": gap.wanted.key,
                    "from": gap.since,
                    "to": gap.until,
                }
                for gap, topic in gaps
                if gap.reason == reason
            ]
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                self._events.tell({"kind": "gap", "reason": reason, "subscriptions": part})

    def stale(self, silent: Sequence[StaleRow]) -> None:
        """Tell what has gone silent alone."""
        for start in range(0, len(silent), _ROWS):
            part = list(silent[start : start + _ROWS])
            self._events.tell({"kind": "stale", "subscriptions": part})

    def losses(self, lost: dict[str, int], reason: str, *, certain: bool = True) -> None:
        """Tell which topics lost how many records; not ``certain``: at most so many."""
        topics = sorted(lost.items())
        for start in range(0, len(topics), _ROWS):
            part = dict(topics[start : start + _ROWS])
            lost_here = sum(part.values())
            self._events.tell(
                {
                    "kind": "gap",
                    "reason": reason,
                    "certain": certain,
                    "lost": lost_here,
                    "topics": part,
                }
            )


def notice_ids(catalog: Catalog) -> frozenset[str]:
    """Return the TR ids, real and paper, of everything that KIS must encrypt."""
    channels = [channel for channel in catalog.channels.values() if channel.encrypted]
    return frozenset(name for c in channels for name in (c.tr_id, c.tr_id_paper) if name)
