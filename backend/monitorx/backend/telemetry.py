"""
What the server says about itself: one declared table of metrics, scraped at /metrics.

Steps take `count: Callable[[str, Mapping[str, str], float], None]` and know nothing of Prometheus. Labels come from
closed sets (a signal, a reason, a rule), never from what a sender wrote, so the number of series stays bounded.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client import Metric as PrometheusMetric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_UNKNOWN = "monitorx_telemetry_unknown_total"
_COMPLAINTS = 100  # different ones that are logged
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the server: its name as scraped, `counter` or `gauge`, its label keys, and what it means."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def _counter(name: str, words: str, *labels: str) -> Metric:
    return Metric(f"monitorx_{name}_total", "counter", labels, words)


def _gauge(name: str, words: str) -> Metric:
    return Metric(f"monitorx_{name}", "gauge", (), words)


METRICS = (
    _counter("receiver_requests", "OTLP requests answered, by outcome.", "transport", "signal", "outcome"),
    _counter("receiver_bytes", "Bytes of OTLP request bodies, as received.", "transport", "signal"),
    _counter("receiver_connections_rejected", "Connections closed by the receiver.", "transport", "reason"),
    _counter("decode_items", "Spans, data points and log records decoded.", "signal"),
    _counter("decode_rejected", "Items refused and reported in a partial success.", "signal"),
    _counter("decode_rows", "Rows kept out of the decoded items.", "kind"),
    _counter("decode_dropped", "Values dropped while decoding because a bound was reached.", "reason"),
    _counter("decode_failures", "Requests that failed in decoding by a fault of ours."),
    _counter("journal_records", "Records made durable."),
    _counter("journal_bytes", "Bytes written to the journal."),
    _counter("journal_syncs", "Group commits: calls of fsync."),
    _counter("journal_refused", "Records refused because too much was waiting."),
    _counter("journal_failures", "Records that the disk did not take."),
    _counter("journal_damaged", "Damaged places met while reading."),
    _counter("journal_missing", "Records that were there once and cannot be read."),
    _counter("journal_trimmed_bytes", "Bytes of the journal that retention has freed."),
    _counter("dedup_dropped", "Items that came again and were not counted twice.", "kind"),
    _counter("dedup_evicted", "Identities forgotten before the end of the horizon."),
    _counter("window_late", "Panes that changed behind the watermark: stored, not judged."),
    _counter("window_clamped", "Event times too far in the future, set to the limit."),
    _counter("window_dropped", "What no pane counts, or counts only under `other`.", "reason"),
    _counter("window_resets", "Cumulative series that started anew."),
    _counter("window_shared", "Points of cumulative series that several processes write at once."),
    _counter("window_unjudged", "Additions to panes that were too old for any rule when they arrived."),
    _counter("drift_windows", "Windows of features compared with their references, by status.", "status"),
    _counter("drift_dropped", "Sketches that no window counts.", "reason"),
    _counter("pipeline_errors", "Batches that a step failed on and passed over.", "step"),
    _counter("rule_evaluations", "Times a rule was evaluated."),
    _counter("rule_failures", "Evaluations of a rule that failed.", "rule"),
    _counter("store_commits", "Commits to the store."),
    _counter("store_rows", "Rows written to the store.", "kind"),
    _counter("store_errors", "Writes, questions and trims that failed.", "operation"),
    _counter("store_refused", "Results that the store will never have, left out."),
    _counter("store_trimmed_rows", "Rows that retention has deleted from the store."),
    _counter("alerting_steps", "Steps of alerts from one state to another.", "step"),
    _counter("alerting_alerts_refused", "Alerts not taken because there are too many."),
    _counter("alerting_replayed", "Observations seen before, skipped after a start."),
    _counter("alerting_notifications", "Notifications, by the reason why they go out.", "reason"),
    _counter("alerting_attempts", "Attempts to deliver a notification.", "channel", "outcome"),
    _counter("alerting_delivery_seconds", "Seconds from a notification to its delivery, added up.", "channel"),
    _counter("alerting_write_errors", "Writes of alert state that failed."),
    _counter("alerting_audit_dropped", "Audit entries dropped because too many waited."),
    _counter("api_connections_rejected", "Connections closed by the REST API.", "reason"),
    _counter("api_requests_abandoned", "Requests to the REST API whose connection ended before their body was whole."),
    _counter("files_exhausted", "Seconds in which no file, and so no connection, could be opened."),
    _counter("telemetry_unknown", "Counts under a name or labels that this table does not have."),
    _gauge("ingest_queue_bytes", "Bytes of requests that are not yet answered."),
    _gauge("pipeline_queue_bytes", "Bytes of columns between the journal and the windows."),
    _gauge("pipeline_lag_records", "Records that are durable and not yet in the windows."),
    _gauge("journal_size_bytes", "Bytes that the journal takes on disk."),
    _gauge("window_panes", "Panes held in memory."),
    _gauge("window_series", "Cumulative series held in memory."),
    _gauge("dedup_keys", "Identities held to recognise what comes again."),
    _gauge("store_size_bytes", "Bytes that the store takes on disk."),
    _gauge("rules_failing", "Rules that cannot be judged."),
    _gauge("alerts_firing", "Alerts that are firing."),
    _gauge("outbox_pending", "Notifications that wait for delivery."),
)


class Telemetry:
    """
    The server's own counters and gauges, in a registry of their own.

    A name or a label that the table does not declare is a fault of ours: with `strict` (tests) it raises, otherwise
    it is counted, logged once, and nothing else happens.
    """

    def __init__(self, metrics: tuple[Metric, ...] = METRICS, *, strict: bool = False) -> None:
        self._declared = {metric.name: metric for metric in metrics}
        self._strict = strict
        # A series "_created" beside each counter would double the page.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped upstream
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._complaints: set[str] = set()
        self._lock = threading.Lock()
        ProcessCollector(registry=self._registry)

    def count(self, name: str, labels: Mapping[str, str], value: float = 1.0) -> None:
        """Add *value* to a counter of the table; *labels* has exactly its label keys."""
        counter = self._counters.get(name) or self._counter(name)
        if counter is None or labels.keys() != set(self._declared[name].labels):
            self._complain(f"{name} with the labels {sorted(labels)} is not a counter of the table in {__name__}")
            return
        (counter.labels(**labels) if labels else counter).inc(value)

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Let *read* answer for a gauge of the table whenever it is scraped; nothing where it raises."""
        self._register("gauge", name, read)

    def counter(self, name: str, read: Callable[[], float]) -> None:
        """The same for a counter without labels that another part keeps."""
        self._register("counter", name, read)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """What a counter or a gauge says now; 0 where it was never counted."""
        return self._registry.get_sample_value(name, dict(labels or {})) or 0.0

    def _counter(self, name: str) -> Counter | None:
        metric = self._declared.get(name)
        if metric is None or metric.kind != "counter":
            return None
        with self._lock:
            if name not in self._counters:
                self._counters[name] = Counter(name, metric.help, metric.labels, registry=self._registry)
            return self._counters[name]

    def _register(self, kind: str, name: str, read: Callable[[], float]) -> None:
        metric = self._declared.get(name)
        if metric is None or metric.kind != kind or metric.labels:
            self._complain(f"{name} is not a {kind} without labels of the table in {__name__}")
            return
        self._registry.register(_Reading(metric, read))

    def _complain(self, message: str) -> None:
        if self._strict:
            raise KeyError(message)
        self.count(_UNKNOWN, {})
        with self._lock:
            is_new = message not in self._complaints and len(self._complaints) < _COMPLAINTS
            if is_new:
                self._complaints.add(message)
        if is_new:
            _log.error("telemetry: %s", message)


class _Reading(Collector):
    """A metric whose value another part keeps."""

    def __init__(self, metric: Metric, read: Callable[[], float]) -> None:
        self._family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        self._metric = metric
        self._value = read

    def describe(self) -> Iterable[PrometheusMetric]:
        """Its name, so that a second one is refused."""
        return [self._family(self._metric.name, self._metric.help)]

    def collect(self) -> Iterable[PrometheusMetric]:
        """Its value now."""
        try:
            return [self._family(self._metric.name, self._metric.help, value=self._value())]
        except Exception:  # noqa: BLE001  a part that fails must not take the other metrics off the page
            _log.debug("telemetry: %s could not be read", self._metric.name, exc_info=True)
            return []
