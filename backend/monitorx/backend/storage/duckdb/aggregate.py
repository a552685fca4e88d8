"""
Questions about panes: totals and quantiles of any group over any time, none of them from rows.

Open and closed panes are read together, and of each what the source rule counts over the selected time. Histograms are
added up inside DuckDB, bucket by bucket, so that a million panes cross into Python as a few hundred.
"""

# ruff: noqa: S608  every identifier is ours, every value is a bound parameter

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np

from monitorx.backend.storage.duckdb.question import Column, where
from monitorx.backend.storage.duckdb.schema import PANE_LABELS, PANE_TOTALS
from monitorx.backend.storage.duckdb.source import HAS_CALLS, TELLER, counted, metered
from monitorx.backend.storage.store import GROUPS, AggregateRow, ModelRow, Selection
from monitorx.backend.window.latency import LatencyHistogram

PANE_FILTERS: Mapping[str, Column] = {name: (name, str) for name in GROUPS}

_LATENCY = ("latency_offset", "latency_counts", "latency_zero", "latency_sum_s", "latency_max_s")
_READ = ("start_ns", *PANE_LABELS, *PANE_TOTALS, *_LATENCY)


def models(cursor: duckdb.DuckDBPyConnection, selection: Selection) -> list[ModelRow]:
    """See `Store.models`."""
    condition, parameters = where(selection, PANE_FILTERS, "start_ns")
    found = cursor.execute(
        f"""{_chosen(condition)}
        SELECT model, version, min(kind), list(DISTINCT service), list(DISTINCT operation),
               sum(requests), sum(errors), min(start_ns), max(start_ns)
        FROM chosen GROUP BY model, version ORDER BY model, version""",
        parameters,
    ).fetchall()
    return [
        ModelRow(model, version, kind, sorted(services), sorted(operations), *totals)
        for model, version, kind, services, operations, *totals in found
    ]


def aggregates(
    cursor: duckdb.DuckDBPyConnection, selection: Selection, step_ns: int, by: Sequence[str]
) -> list[AggregateRow]:
    """See `Store.aggregates`."""
    unknown = [name for name in by if name not in GROUPS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} cannot be grouped by; there are {', '.join(GROUPS)}")
    condition, parameters = where(selection, PANE_FILTERS, "start_ns")
    step = "(start_ns // $step_ns) * $step_ns" if step_ns else "$start_ns"
    if step_ns:
        parameters["step_ns"] = step_ns
    columns = cursor.execute(_aggregate_sql(condition, step, list(dict.fromkeys(by))), parameters).fetchnumpy()
    return [_aggregate({name: values[row] for name, values in columns.items()}, by) for row in _rows(columns)]


def _chosen(condition: str) -> str:
    """Panes of the selection, each with what counts of it, as the common table `chosen`."""
    columns = ", ".join(_READ)
    # NOT MATERIALIZED: each use reads only the columns it needs, and histograms never pile up in memory.
    return f"""
        WITH stored AS NOT MATERIALIZED (
            SELECT {columns} FROM pane WHERE {condition}
            UNION ALL SELECT {columns} FROM open_pane WHERE {condition}
        ), metered AS ({metered("stored")}), chosen AS NOT MATERIALIZED (
            SELECT {counted(_READ)}, {HAS_CALLS} AS has_calls FROM stored LEFT JOIN metered USING ({TELLER})
        )"""


def _aggregate_sql(condition: str, step: str, by: Sequence[str]) -> str:
    group = ", ".join(["step", *by])
    # Where metrics come once a minute, the steps between have spans and nothing of them that counts: they are no row.
    has_row = " OR ".join(["bool_or(has_calls)", *(f"sum({name}) <> 0" for name in PANE_TOTALS)])
    sums = ", ".join(f"sum({name}) AS {name}" for name in PANE_TOTALS)
    return f"""{_chosen(condition)},
        stepped AS NOT MATERIALIZED (SELECT CAST({step} AS BIGINT) AS step, * FROM chosen),
        totals AS (
            SELECT {group}, {sums},
                   sum(latency_zero) AS zero, sum(latency_sum_s) AS sum_s, max(latency_max_s) AS max_s
            FROM stepped GROUP BY {group} HAVING {has_row}
        ), buckets AS (
            SELECT {group}, bucket, sum(count) AS count FROM (
                SELECT {group}, latency_offset + generate_subscripts(latency_counts, 1) - 1 AS bucket,
                       unnest(latency_counts) AS count FROM stepped
            ) WHERE count > 0 GROUP BY {group}, bucket
        ), histograms AS (
            SELECT {group}, list(bucket ORDER BY bucket) AS buckets, list(count ORDER BY bucket) AS counts
            FROM buckets GROUP BY {group}
        )
        SELECT totals.*, coalesce(buckets, []) AS buckets, coalesce(counts, []) AS counts
        FROM totals LEFT JOIN histograms USING ({group}) ORDER BY {group}"""


def _rows(columns: Mapping[str, Any]) -> range:  # Any: numpy arrays, masked or not
    return range(len(columns["step"]))


def _aggregate(row: Mapping[str, Any], by: Sequence[str]) -> AggregateRow:  # Any: numpy scalars, str and arrays
    latency = _latency(row)
    calls = float(latency.counts.sum()) + latency.zero
    p50_s, p95_s, p99_s = (latency.quantile(q) if calls else None for q in (0.5, 0.95, 0.99))
    return AggregateRow(
        start_ns=int(row["step"]),
        group={name: str(row[name]) for name in by},
        requests=float(row["requests"]),
        errors=float(row["errors"]),
        p50_s=p50_s,
        p95_s=p95_s,
        p99_s=p99_s,
        mean_s=latency.sum_s / calls if calls else None,
        max_s=latency.max_s if calls else None,
        input_tokens=float(row["input_tokens"]),
        output_tokens=float(row["output_tokens"]),
        cost_usd=float(row["cost_usd"]),
        samples=float(row["samples"]),
    )


def _latency(row: Mapping[str, Any]) -> LatencyHistogram:  # Any: as in _aggregate
    buckets = np.asarray(row["buckets"], dtype=np.int64)
    offset = int(buckets[0]) if len(buckets) else 0
    counts = np.zeros(int(buckets[-1]) - offset + 1 if len(buckets) else 0)
    counts[buckets - offset] = np.asarray(row["counts"], dtype=np.float64)
    return LatencyHistogram(
        offset, counts, zero=float(row["zero"]), sum_s=float(row["sum_s"]), max_s=float(row["max_s"])
    )
