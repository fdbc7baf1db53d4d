"""What came from the broker and was not taken: told in events and in the numbers of health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bridge.mqtt.broker_events import LimitedClientRow, MessageDroppedEvent, RateLimitedEvent
from bridge.mqtt.event_payloads import BridgeEvent
from bridge.mqtt.rate_limiter import Arrivals, What
from bridge.status.payloads import ArrivalNumbers

__all__ = ["ArrivalReports"]

_MINUTE = 60_000_000
_SHOWN = 20
_TOPIC = 200
_LONGEST_NAME = 64


class ArrivalReports:
    """Tells of floods and of what cannot be decoded: at once, and then once a minute at most.

    ``clock`` is µs since the epoch.
    """

    def __init__(
        self, arrivals: Arrivals, tell: Callable[[BridgeEvent], None], clock: Callable[[], int]
    ) -> None:
        self._arrivals = arrivals
        self._tell = tell
        self._clock = clock
        self._refused: Counter[tuple[What, str]] = Counter()
        self._unanswered: Counter[tuple[What, str]] = Counter()
        self._dropped: Counter[str] = Counter()
        self._since = self._dropped_since = clock()
        self._limited_at = self._dropped_at = 0

    def tick(self) -> None:
        """Tell what is due; call about once a second."""
        arrivals, now = self._arrivals, self._clock()
        if now - self._limited_at >= _MINUTE and arrivals.refused != self._refused:
            self._tell(self._limited())
            self._limited_at = self._since = now
        if now - self._dropped_at >= _MINUTE and arrivals.dropped != self._dropped:
            self._tell(self._not_decoded())
            self._dropped_at = self._dropped_since = now

    def numbers(self) -> ArrivalNumbers:
        """Return the counters since the start."""
        refused = self._arrivals.refused
        by_client: Counter[str] = Counter()
        for (_, client), count in refused.items():
            by_client[_shown(client)] += count
        return {
            "rate_limited": {
                "requests": _sum(refused, "requests"),
                "commands": _sum(refused, "commands"),
            },
            "unanswered": self._arrivals.unanswered.total(),
            "by_client": dict(by_client.most_common(_SHOWN)),
            "dropped": dict(self._arrivals.dropped),
        }

    def _limited(self) -> RateLimitedEvent:
        refused = self._arrivals.refused - self._refused
        unanswered = self._arrivals.unanswered - self._unanswered
        self._refused = self._arrivals.refused.copy()
        self._unanswered = self._arrivals.unanswered.copy()
        rows: list[LimitedClientRow] = [
            {
                "client": _shown(client),
                "what": what,
                "refused": count,
                "unanswered": unanswered[what, client],
            }
            for (what, client), count in refused.most_common(_SHOWN)
        ]
        first = rows[0]
        return {
            "kind": "rate_limited",
            "since": self._since,
            "requests": _sum(refused, "requests"),
            "commands": _sum(refused, "commands"),
            "unanswered": unanswered.total(),
            "clients": rows,
            "message": f"{refused.total()} messages were refused as too many, most of them "
            f"{first['what']} of {first['client'] or 'clients without a name'}; "
            f"{unanswered.total()} of them have no answer",
        }

    def _not_decoded(self) -> MessageDroppedEvent:
        reasons = self._arrivals.dropped - self._dropped
        self._dropped = self._arrivals.dropped.copy()
        latest = self._arrivals.latest
        topic = "" if latest is None else latest.topic[:_TOPIC].decode(errors="replace")
        size = 0 if latest is None else latest.size
        said = ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
        return {
            "kind": "message_dropped",
            "since": self._dropped_since,
            "reasons": dict(reasons),
            "topic": topic,
            "bytes": size,
            "message": f"{said}; the last one, of {size} bytes, came on {topic!r}. The broker was "
            "told to forget them",
        }


def _sum(counts: Counter[tuple[What, str]], what: What) -> int:
    return sum(count for (each, _), count in counts.items() if each == what)


def _shown(client: str) -> str:
    return client if len(client) <= _LONGEST_NAME else f"{client[:_LONGEST_NAME]}…"
