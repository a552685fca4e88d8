"""Batches for tests: a row is a dict, and what it leaves out has a plain default."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from monitorx.backend.batch import SCHEMAS, BatchKind, ColumnBatch
from monitorx.backend.window import PaneKey, PanePartial, Windows

SECOND = 1_000_000_000
NOW = 1_700_000_005 * SECOND  # five seconds into a pane
PANE = 1_700_000_000 * SECOND

_ORIGIN = {"tenant": "t", "service": "shop", "instance": "i1", "model": "fraud", "version": "3", "key": 0}
_SPAN = {**_ORIGIN, "kind": "tabular", "operation": "predict", "duration_s": 0.5, "weight": 1.0}
_POINT = {
    **_ORIGIN,
    "kind": "tabular",
    "operation": "predict",
    "name": "ml.inference.duration",
    "unit": "s",
    "type": "histogram",
    "temporality": "delta",
    "monotonic": False,
    "start_ns": NOW - 5 * SECOND,
    "attributes": "{}",
    "series": 1,
    "series_key": 1,
}


def spans(*rows: Mapping[str, Any]) -> ColumnBatch:
    """Spans that end at `end_ns` (now)."""
    full = []
    for row in rows:
        whole = {**_SPAN, **row}
        end_ns = whole.pop("end_ns", NOW)
        full.append({**whole, "time_ns": end_ns - int(whole["duration_s"] * 1e9)})
    return _batch(BatchKind.INFERENCE, full)


def points(*rows: Mapping[str, Any]) -> ColumnBatch:
    """Data points at `time_ns` (now). A duration histogram has bounds 0.25 and 1 unless told otherwise."""
    return _batch(BatchKind.METRIC, [{**_POINT, "time_ns": NOW, **row} for row in rows])


def durations(*counts: float, **row: Any) -> dict[str, Any]:
    """A point of a duration histogram with bounds .25 and 1, half a second each."""
    total = float(sum(counts))
    return {"bounds": [0.25, 1.0], "buckets": list(counts), "count": total, "sum": total / 2, **row}


def gauge(name: str, value: float, **row: Any) -> dict[str, Any]:
    """A point of a gauge."""
    return {"name": name, "type": "gauge", "temporality": "unspecified", "value": value, **row}


def add(windows: Windows, *batches: ColumnBatch, arrival_ns: int = NOW) -> None:
    """Add all of them as arrived now."""
    for batch in batches:
        windows.add(batch, arrival_ns=arrival_ns)


class Store:
    """What a store keeps of commits: open panes replaced, closed ones added."""

    def __init__(self) -> None:
        self.open: dict[tuple[PaneKey, int], PanePartial] = {}
        self.closed: dict[tuple[PaneKey, int], PanePartial] = {}
        self.cursors: dict[int, bytes] = {}

    def write(self, windows: Windows) -> None:
        open_panes, closed_panes, cursors = windows.take()
        for pane in closed_panes:
            place = pane.key, pane.start_ns
            self.open.pop(place, None)
            if place in self.closed:
                self.closed[place].merge(pane)
            else:
                self.closed[place] = pane
        for pane in open_panes:
            self.open[pane.key, pane.start_ns] = pane
        self.cursors.update(cursors)

    def panes(self) -> list[PanePartial]:
        return [*self.open.values(), *self.closed.values()]


def _batch(kind: BatchKind, rows: list[dict[str, Any]]) -> ColumnBatch:
    schema = SCHEMAS[kind]
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return ColumnBatch(kind, pa.RecordBatch.from_arrays(columns, schema=schema))
