"""What happens on the sessions and in the pump, told as events of the bridge."""

from __future__ import annotations

from dataclasses import asdict

from bridge.catalog.model import Catalog
from bridge.kis.decode import Drift, Problem, Quarantined
from bridge.kis.session import Dropped, Event, Lost, Refused, Subscribed
from bridge.mqtt.events import Events

__all__ = ["Reports"]


class Reports:
    """Translates; keeps which sessions changed and which are away."""

    def __init__(self, catalog: Catalog, events: Events) -> None:
        self._events = events
        self._notices = notice_ids(catalog)
        self._away: set[str] = set()
        self.changed: set[str] = set()
        """Sessions whose map is to be published again."""

    def problem(self, problem: Problem) -> None:
        """Tell a record that did not decode, or a width that is new."""
        match problem:
            case Quarantined():
                self._events.tell("quarantined", problem.channel, **asdict(problem))
            case Drift():
                self._events.tell("schema_drift", **asdict(problem))

    def session(self, app: str, event: Event) -> None:
        """Tell what happened to the session of an app."""
        self.changed.add(app)
        match event:
            case Subscribed() if app in self._away:
                self._away.discard(app)
                self._events.tell("session_restored", app=app)
            case Lost():
                self._away.add(app)
                retry_s = round(event.retry_after, 1)
                self._events.tell("session_lost", app=app, code=event.code, retry_s=retry_s)
            case Refused():
                # The key of a notice is a login, and no secret may get into an event.
                key = None if event.tr_id in self._notices else event.key
                self._events.tell(
                    "slot_refused",
                    app=app,
                    channel=event.tr_id,
                    key=key,
                    code=event.code,
                    limit=event.limit,
                )
            case Dropped():
                about = f"{app} {event.tr_id}"
                self._events.tell(
                    "quarantined", about, channel=event.tr_id, reason=event.reason, raw=None
                )
            case _:
                pass

    def losses(self, lost: dict[str, int], reason: str) -> None:
        """Tell which topics lost how many records."""
        topics = sorted(lost.items())
        for start in range(0, len(topics), 100):
            part = dict(topics[start : start + 100])
            self._events.tell("gap", reason=reason, lost=sum(part.values()), topics=part)


def notice_ids(catalog: Catalog) -> frozenset[str]:
    """Return the TR ids, real and paper, of everything that KIS must encrypt."""
    channels = [channel for channel in catalog.channels.values() if channel.encrypted]
    return frozenset(name for c in channels for name in (c.tr_id, c.tr_id_paper) if name)
