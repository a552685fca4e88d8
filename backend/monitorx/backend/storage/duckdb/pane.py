"""Panes as Arrow columns, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from monitorx.backend.storage.duckdb.schema import CURSOR_SCHEMA, PANE_LABELS, PANE_SCHEMA, PANE_TOTALS
from monitorx.backend.window.latency import LatencyHistogram
from monitorx.backend.window.pane import PaneKey, PanePartial

COLUMNS = ", ".join(PANE_SCHEMA.names)


def pane_table(panes: Sequence[PanePartial]) -> pa.Table:
    """*panes* in the columns of `PANE_SCHEMA`."""
    latencies = [pane.latency for pane in panes]
    lengths = np.array([0, *(len(latency.counts) for latency in latencies)], dtype=np.int32)
    counts = np.concatenate([np.zeros(0), *(latency.counts for latency in latencies)])
    columns: dict[str, Any] = {  # Any: Arrow arrays and plain sequences, as pa.table takes them
        **{name: [pane.key[index] for pane in panes] for index, name in enumerate(PANE_LABELS)},
        "start_ns": [pane.start_ns for pane in panes],
        **{name: [getattr(pane, name) for pane in panes] for name in PANE_TOTALS},
        "latency_offset": [latency.offset for latency in latencies],
        "latency_counts": pa.ListArray.from_arrays(np.cumsum(lengths, dtype=np.int32), counts),
        "latency_zero": [latency.zero for latency in latencies],
        "latency_sum_s": [latency.sum_s for latency in latencies],
        "latency_max_s": [latency.max_s for latency in latencies],
    }
    return pa.table(columns, schema=PANE_SCHEMA)


def cursor_table(cursors: Mapping[int, bytes], written_ns: int) -> pa.Table:
    """*cursors* in the columns of `CURSOR_SCHEMA`."""
    columns = [list(cursors.keys()), list(cursors.values()), [written_ns] * len(cursors)]
    return pa.table(dict(zip(CURSOR_SCHEMA.names, columns, strict=True)), schema=CURSOR_SCHEMA)


def panes(rows: Iterable[Sequence[Any]]) -> list[PanePartial]:  # Any: a row as DuckDB gives it
    """The panes out of rows of `COLUMNS`, those of one key and start merged into one."""
    merged: dict[tuple[PaneKey, int], PanePartial] = {}
    for row in rows:
        pane = _pane(dict(zip(PANE_SCHEMA.names, row, strict=True)))
        found = merged.setdefault((pane.key, pane.start_ns), pane)
        if found is not pane:
            found.merge(pane)
    return list(merged.values())


def _pane(row: Mapping[str, Any]) -> PanePartial:  # Any: columns of many types
    latency = LatencyHistogram(
        row["latency_offset"],
        np.array(row["latency_counts"], dtype=np.float64),
        zero=row["latency_zero"],
        sum_s=row["latency_sum_s"],
        max_s=row["latency_max_s"],
    )
    return PanePartial(
        PaneKey(*(row[name] for name in PANE_LABELS)),
        row["start_ns"],
        latency=latency,
        **{name: row[name] for name in PANE_TOTALS},
    )
