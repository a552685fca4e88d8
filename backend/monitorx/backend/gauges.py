"""What the parts count for themselves, told under the names of the table of metrics."""

from monitorx.alerting.engine import Alerting
from monitorx.backend.backlog import Backlog
from monitorx.backend.ingest import IngestStep
from monitorx.backend.journal import FileJournal
from monitorx.backend.pipeline import Pipeline
from monitorx.backend.telemetry import Telemetry


def expose(
    telemetry: Telemetry,
    *,
    ingest: IngestStep,
    journal: FileJournal,
    backlog: Backlog,
    pipeline: Pipeline,
    alerting: Alerting,
) -> None:
    """Register a reader for each figure; all are read when the metrics are scraped."""
    counters = {
        "journal_records": lambda: journal.counters().records,
        "journal_bytes": lambda: journal.counters().bytes,
        "journal_syncs": lambda: journal.counters().syncs,
        "journal_refused": lambda: journal.counters().overloaded,
        "journal_failures": lambda: journal.counters().failed,
        "journal_damaged": lambda: journal.counters().damaged,
        "journal_missing": lambda: journal.counters().missing,
        "dedup_evicted": lambda: pipeline.state.seen.state().forgotten_early,
    }
    gauges = {
        "ingest_queue_bytes": ingest.inflight_bytes,
        "pipeline_queue_bytes": backlog.bytes,
        "pipeline_lag_records": backlog.lag,
        "journal_size_bytes": lambda: journal.counters().disk_bytes,
        "window_panes": lambda: pipeline.state.windows.pane_count,
        "window_series": lambda: pipeline.state.windows.series_count,
        "dedup_keys": lambda: pipeline.state.seen.state().keys,
        "rules_failing": lambda: len(pipeline.failing.words),
        "alerts_firing": lambda: alerting.health().alerts["firing"],
        "outbox_pending": lambda: alerting.health().outbox,
    }
    for name, read in counters.items():
        telemetry.counter(f"monitorx_{name}_total", read)
    for name, read in gauges.items():
        telemetry.gauge(f"monitorx_{name}", read)
