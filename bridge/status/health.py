"""The numbers of ``bridge/health``: counters, lags and states of everything that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bridge.config.kis import Environment
from bridge.feed.lane import Lane
from bridge.feed.pump import Pump
from bridge.kis.rest import CallCounts
from bridge.kis.stream import Stream
from bridge.mqtt.payloads import HaltRow, JournalReport, OwnerReport
from bridge.runtime.clock import now_us, steady_us
from bridge.status.clocks import Clocks
from bridge.status.payloads import ArrivalNumbers, HealthReport, LagNumbers, SessionNumbers
from bridge.subscriptions.pool import Pool
from bridge.subscriptions.rows import rotation_numbers

__all__ = ["Gate", "SessionHealth", "percentile", "snapshot", "summary"]


@dataclass(slots=True)
class SessionHealth:
    """What one app key does."""

    stream: Stream
    calls: CallCounts
    records: int = 0

    def numbers(self, now_us: int) -> SessionNumbers:
        """Return the session's part of the payload; ages in seconds, null for never."""
        counts, session = self.stream.counts, self.stream.session
        return {
            "state": self.stream.state,
            "slots_used": session.slots_used,
            "slots_limit": session.limit,
            "live": session.live,
            "frames": counts.frames,
            "records": self.records,
            "last_frame_age_s": _age_s(counts.last_frame_at, now_us),
            "last_message_age_s": _age_s(counts.heard_at, now_us),
            "reconnects": counts.reconnects,
            "invalid_utf8": counts.invalid_utf8,
        }


class Gate(Protocol):
    """The order gateway as far as health needs it."""

    @property
    def halted(self) -> bool: ...
    def halts(self) -> list[HaltRow]: ...
    def journal(self) -> JournalReport: ...
    def owner(self) -> OwnerReport: ...
    def states(self) -> Mapping[str, int]: ...
    def refused(self) -> Mapping[str, int]: ...


def snapshot(
    *,
    environment: Environment,
    sessions: Mapping[str, SessionHealth],
    pump: Pump,
    lane: Lane,
    gateway: Gate,
    pool: Pool,
    quality: Mapping[str, int],
    arrivals: ArrivalNumbers,
    requests_refused: Mapping[str, int],
    frames_dropped: int,
    control_backlog: int,
    events_dropped: int,
    clocks: Clocks,
) -> HealthReport:
    """Return the payload of ``bridge/health``.

    ``frames_dropped``: what sessions threw away as garbage.
    """
    now, clock_offset = now_us(), clocks.kis.offset
    calls = [session.calls for session in sessions.values()]
    report: HealthReport = {
        "at": now,
        "environment": environment,
        "sessions": {app: session.numbers(now) for app, session in sessions.items()},
        "subscriptions": pool.numbers(),
        "quality": dict(quality),
        "clients": pool.clients(),
        "arrivals": arrivals,
        "refused": {"commands": dict(gateway.refused()), "requests": dict(requests_refused)},
        "frames_dropped": frames_dropped,
        "decode_errors": pump.counters.quarantined.total(),
        "schema_drift": pump.counters.drifted.total(),
        "by_channel": {
            "decode_errors": dict(pump.counters.quarantined),
            "schema_drift": dict(pump.counters.drifted),
        },
        "publish": {
            "published": lane.published,
            "backlog": len(lane.backlog),
            "backlog_bytes": lane.backlog.size,
            "dropped": lane.backlog.dropped + lane.too_large,
            "too_large": lane.too_large,
            "conflated": lane.backlog.conflated,
            "possibly_lost": lane.uncertain,
            "control_backlog": control_backlog,
            "events_dropped": events_dropped,
        },
        "lag_us": _lag(lane),
        "loop_lag_s": clocks.loop_lag_s,
        "rest": {
            "calls": sum(count.calls for count in calls),
            "throttled": sum(count.throttled for count in calls),
            "errors": sum(count.errors for count in calls),
        },
        "clock_offset_s": None if clock_offset is None else round(clock_offset / 1e6, 1),
        "orders": dict(gateway.states()),
        "halted": gateway.halted,
        "halts": gateway.halts(),
        "journal": gateway.journal(),
        "owner": gateway.owner(),
    }
    if pool.rotation:
        report["rotation"] = rotation_numbers(pool.rotation)
    return report


def summary(numbers: HealthReport, *, connected: bool) -> str:
    """Return the most important of it in a line; ``connected``: to the broker."""
    sessions, wanted = numbers["sessions"], numbers["subscriptions"]
    up = sum(session["state"] == "connected" for session in sessions.values())
    parts = [
        numbers["environment"],
        f"{up} of {len(sessions)} sessions connected",
        f"{wanted['live']} of {wanted['wanted']} subscriptions live",
    ]
    if not connected:
        parts.append("no broker")
    if numbers["halted"]:
        parts.append("halted")
    return ", ".join(parts)


def percentile(ordered: list[int], share: float) -> int | None:
    """Return the value below which ``share`` of the ordered values lie; None for none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _age_s(at_us: int, now_us: int) -> float | None:
    return round((now_us - at_us) / 1e6, 3) if at_us else None


def _lag(lane: Lane) -> LagNumbers:
    p50, p99, longest = lane.ages.quantiles(steady_us(), 0.50, 0.99, 1.0)
    return {"p50": p50, "p99": p99, "max": longest, "waiting": lane.waiting_us()}
