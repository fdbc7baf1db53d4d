"""The numbers of ``bridge/health`` as Prometheus reads them. Pure but for the process's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# name in health → metric, help; counters end in _total.
_SESSION = {
    "slots_used": ("slots_used", "Slots that KIS holds for this session"),
    "slots_limit": ("slots_limit", "Slots that KIS grants this session, as far as is known"),
    "live": ("subscriptions_live", "Subscriptions that KIS has confirmed"),
    "frames": ("frames_total", "Frames of market data"),
    "records": ("records_total", "Records of market data, as KIS counts them"),
    "last_frame_age_s": ("last_frame_age_seconds", "Time since the last market data"),
    "last_message_age_s": ("last_message_age_seconds", "Time since anything came from KIS"),
    "reconnects": ("reconnects_total", "Connections after the first"),
    "invalid_utf8": ("invalid_utf8_total", "Messages that were no UTF-8"),
}
_PUBLISH = {
    "published": ("published_total", "Records written to the broker"),
    "backlog": ("backlog_records", "Records that wait for the broker"),
    "backlog_bytes": ("backlog_bytes", "Their size"),
    "dropped": ("dropped_total", "Records that never left: broker away, slow, or they too large"),
    "too_large": ("too_large_total", "Those among them that are larger than the broker takes"),
    "conflated": ("conflated_total", "Records that a newer one of their topic replaced"),
    "possibly_lost": ("possibly_lost_total", "Records under way when the broker was lost"),
    "control_backlog": ("control_backlog", "Messages of orders and control that wait"),
    "events_dropped": ("events_dropped_total", "Events that were not published"),
}
_REST = {
    "calls": ("rest_calls_total", "REST calls"),
    "throttled": ("rest_throttled_total", "REST calls that KIS refused as too many"),
    "errors": ("rest_errors_total", "REST calls that failed"),
}
_CHANNEL = {
    "decode_errors": ("quarantined_records_total", "Records that did not decode"),
    "schema_drift": ("schema_drift_total", "Widths that the workbook does not know"),
}
_ROTATION = {
    "subscriptions": ("rotating_subscriptions", "Subscriptions that share slots by turns"),
    "slots": ("rotating_slots", "Those among them that have their turn"),
    "within_s": ("rotating_within_seconds", "Time within which each of them has its turn again"),
}
_CLIENT = (
    ("subscriptions", "client_subscriptions", "Subscriptions that a client wants"),
    ("slots", "client_slots", "Those among them that have a slot"),
    ("refused", "client_over_quota_total", "Requests of a client that were more than its quota"),
)
_PREFIX = "kis_bridge_"

Numbers = Mapping[str, Any]


class Metrics(Collector):
    """Renders what ``numbers`` returns at the moment; ``refused`` are requests to the web page."""

    def __init__(
        self,
        numbers: Callable[[], Numbers],
        refused: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._numbers = numbers
        self._refused = refused
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return the text of ``/metrics``."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Return nothing: the numbers are not asked for before they are wanted."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        numbers = self._numbers()
        sessions: Numbers = numbers["sessions"]
        up = _family("session_up", "Whether the session is connected", "app")
        for app, session in sessions.items():
            up.add_metric([app], float(session["state"] == "connected"))
        yield up
        for name, (metric, text) in _SESSION.items():
            family = _family(f"session_{metric}", text, "app")
            for app, session in sessions.items():
                if session[name] is not None:
                    family.add_metric([app], session[name])
            yield family
        for table, part in ((_PUBLISH, numbers["publish"]), (_REST, numbers["rest"])):
            for name, (metric, text) in table.items():
                yield _single(metric, text, part[name])
        for name, (metric, text) in _CHANNEL.items():
            yield _labelled(metric, text, "channel", numbers["by_channel"][name])
        text = "Frames thrown away as garbage"
        yield _single("frames_dropped_total", text, numbers["frames_dropped"])
        text = "Requests to the web page that were refused"
        yield _labelled("web_refused_total", text, "reason", self._refused())
        arrivals = numbers["arrivals"]
        text = "Messages refused because their client sent too much"
        yield _labelled("rate_limited_total", text, "client", arrivals["by_client"])
        text = "Those among them without an answer"
        yield _single("rate_limited_unanswered_total", text, arrivals["unanswered"])
        for what, counts in numbers["refused"].items():
            text = f"{what.capitalize()} that were refused"
            yield _labelled(f"{what}_refused_total", text, "reason", counts)
        text = "Messages that were not decoded"
        yield _labelled("messages_dropped_total", text, "reason", arrivals["dropped"])
        text = "Subscriptions by state"
        yield _labelled("subscriptions", text, "state", numbers["subscriptions"])
        text = "Topics by the quality of their value"
        yield _labelled("topics", text, "quality", numbers["quality"])
        for name, (metric, text) in _ROTATION.items():
            value = numbers.get("rotation", {}).get(name)
            if value is not None:
                yield _single(metric, text, value)
        for name, metric, text in _CLIENT:
            values = {row["client"] or "": row[name] for row in numbers["clients"]}
            yield _labelled(metric, text, "client", values)
        yield _labelled("orders", "Today's orders by state", "state", numbers["orders"])
        yield _single("halted", "Whether new orders are refused", float(numbers["halted"]))
        lag = {name: us / 1e6 for name, us in numbers["lag_us"].items() if us is not None}
        text = "Age of the oldest record that the broker has not read"
        yield _single("waiting_seconds", text, lag.pop("waiting", 0.0))
        text = "Longest that the event loop was late in the last minute"
        yield _single("loop_lag_seconds", text, numbers["loop_lag_s"])
        text = "KIS frame in to written to the broker, of the last minute"
        yield _labelled("lag_seconds", text, "quantile", lag)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily | CounterMetricFamily:
    made = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return made(_PREFIX + name, text, labels=labels)


def _single(name: str, text: str, value: float) -> Metric:
    return _labelled(name, text, "", {"": value})


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = _family(name, text, *([label] if label else []))
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family
