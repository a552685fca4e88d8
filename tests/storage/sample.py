"""Rows, panes and commits for tests: every column has a default, a test names only what it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from monitorx.backend.batch import SCHEMAS, BatchKind, ColumnBatch
from monitorx.backend.storage.store import (
    Batch,
    Commit,
    DriftRow,
    Selection,
    Store,
    TransitionRow,
    VerdictRow,
)
from monitorx.backend.window.latency import LatencyHistogram
from monitorx.backend.window.pane import PANE_NS, SPAN, PaneKey, PanePartial

SECOND = 1_000_000_000
T0 = 1_760_000_000 * SECOND  # a multiple of a pane
ALL_TIME = Selection("default", 0, 2**63 - 1)

_ORIGIN = {"tenant": "default", "service": "shop", "instance": "shop-1", "model": "fraud", "version": "1"}
_DEFAULTS: Mapping[BatchKind, Mapping[str, Any]] = {
    BatchKind.INFERENCE: {"kind": "tabular", "operation": "predict", "duration_s": 0.02, "weight": 1.0},
    BatchKind.METRIC: {
        "start_ns": 0,
        "name": "queue.length",
        "unit": "1",
        "type": "gauge",
        "temporality": "unspecified",
        "monotonic": False,
        "attributes": "{}",
        "series": 1,
        "series_key": 1,
    },
    BatchKind.SKETCH: {"start_ns": 0, "feature": "age", "role": "input", "center": 0.0, "anchor": 1.0},
    BatchKind.FEEDBACK: {"event": "ml.feedback", "attributes": "{}"},
}


def columns(kind: BatchKind, *rows: Mapping[str, Any]) -> ColumnBatch:
    """A batch of *rows*, the columns not named in them at their defaults."""
    schema = SCHEMAS[kind]
    filled = [{"time_ns": T0, "key": number, **_ORIGIN, **_DEFAULTS[kind], **row} for number, row in enumerate(rows)]
    arrays = [pa.array([row.get(field.name) for row in filled], field.type) for field in schema]
    return ColumnBatch(kind, pa.RecordBatch.from_arrays(arrays, schema=schema))


def ids(number: int) -> dict[str, bytes]:
    """Trace and span id of the call with this number."""
    return {"trace_id": number.to_bytes(16, "big"), "span_id": number.to_bytes(8, "big")}


def calls(*rows: Mapping[str, Any]) -> ColumnBatch:
    """Inferences, numbered from 1 where a row has no ids."""
    return columns(BatchKind.INFERENCE, *({**ids(number), **row} for number, row in enumerate(rows, start=1)))


def latency(*seconds: float) -> LatencyHistogram:
    """A histogram of these durations."""
    histogram = LatencyHistogram()
    histogram.add_values(np.array(seconds), np.ones(len(seconds)))
    return histogram


def pane(
    start_ns: int = T0, *, durations: Sequence[float] = (0.02,), errors: float = 0.0, **labels: Any
) -> PanePartial:
    """A pane of calls with these durations; *labels* are of its key or its totals."""
    key = PaneKey(
        **{
            **_ORIGIN,
            "kind": "tabular",
            "operation": "predict",
            "source": SPAN,
            **{name: value for name, value in labels.items() if name in PaneKey._fields},
        }
    )
    totals = {name: value for name, value in labels.items() if name not in PaneKey._fields}
    return PanePartial(key, start_ns, float(len(durations)), errors, latency(*durations), **totals)


def finding(end_ns: int = T0 + 300 * SECOND, **labels: Any) -> DriftRow:
    """What a detector found over the five minutes before *end_ns*."""
    found: dict[str, Any] = {
        "tenant": "default",
        "model": "fraud",
        "version": "1",
        "feature": "age",
        "role": "input",
        "method": "rank_location",
        "status": "ok",
        "drifted": True,
        "statistic": -3.25,
        "p": 1e-9,
        "score": 0.1,
        "psi": 0.3,
        "events": 500.0,
        "reference": "first 12 windows",
    }
    return DriftRow(end_ns - 300 * SECOND, end_ns, **{**found, **labels})


def verdict(time_ns: int = T0, **labels: Any) -> VerdictRow:
    """What a rule said."""
    said = {"tenant": "default", "rule": "Slow", "labels": {"model": "fraud"}, "state": "breached", "value": 0.5}
    return VerdictRow(time_ns, **{**said, "threshold": 0.25, **labels})


def step(time_ns: int = T0, **labels: Any) -> TransitionRow:
    """A step of an alert."""
    taken = {"tenant": "default", "fingerprint": "f1", "rule": "Slow", "severity": "warning"}
    told = {"labels": {"alertname": "Slow", "model": "fraud"}, "before": "pending", "after": "firing", "value": 0.5}
    return TransitionRow(time_ns, **{**taken, **told, **labels})


def commit(
    position: int,
    *batches: ColumnBatch,
    opened: Sequence[PanePartial] = (),
    closed: Sequence[PanePartial] = (),
    cursors: Mapping[int, bytes] | None = None,
    **results: Any,
) -> Commit:
    """A commit at *position*, whose rows came in at that position too; *results* are drift, verdicts, transitions."""
    rows = [Batch(position, batch) for batch in batches]
    return Commit(position, rows, opened, closed, cursors or {}, **results)


def later(panes: int) -> int:
    """The start of the pane that comes *panes* after the first."""
    return T0 + panes * PANE_NS


def requests(store: Store, selection: Selection = ALL_TIME) -> float:
    """The total number of requests in the panes of *selection*."""
    return sum(row.requests for row in store.aggregates(selection, step_ns=0, by=[]))


def starts(store: Store, selection: Selection = ALL_TIME) -> list[int]:
    """The starts of the inferences of *selection*, in seconds after T0."""
    return [(row.time_ns - T0) // SECOND for row in store.inferences(selection, limit=1000)]
