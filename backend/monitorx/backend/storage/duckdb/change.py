"""
What was written since a revision, for a store elsewhere that follows this one.

A pane is told whole, as open and closed parts make it, so that whoever takes it can put it in the place of what it
had. Beside it stand the panes of its model on all processes together, each call counted once.
"""

# ruff: noqa: S608  every identifier is ours, every value is a bound parameter

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from monitorx.backend.storage.duckdb.pane import COLUMNS, panes
from monitorx.backend.storage.duckdb.result import drift_rows, transition_rows, verdict_rows
from monitorx.backend.storage.duckdb.schema import (
    DRIFT_SCHEMA,
    PANE_LABELS,
    PANE_SCHEMA,
    PANE_TOTALS,
    TRANSITION_SCHEMA,
    VERDICT_SCHEMA,
)
from monitorx.backend.storage.duckdb.source import BEGINS, TELLER, counted, metered
from monitorx.backend.storage.store import DriftRow, TransitionRow, VerdictRow
from monitorx.backend.window.pane import PanePartial

# For how long a process is counted by its metrics before and after one came: they come once a minute by default.
_METERED_NS = 300_000_000_000

_PANE_KEY = ", ".join([*PANE_LABELS, "start_ns"])
_GROUP = "tenant, service, model, version, kind, operation, start_ns"
_SINCE = "revision > $after AND revision <= $upto"

# Histograms are wide: they are only read where they are needed.
_STORED = f"""stored AS NOT MATERIALIZED (
    SELECT {COLUMNS} FROM pane WHERE start_ns BETWEEN $begin AND $end
    UNION ALL SELECT {COLUMNS} FROM open_pane WHERE start_ns BETWEEN $begin AND $end
)"""
_TOUCHED = f"""touched AS (
    SELECT DISTINCT {_PANE_KEY} FROM pane WHERE {_SINCE}
    UNION SELECT DISTINCT {_PANE_KEY} FROM open_pane WHERE {_SINCE}
)"""
_WHOLE = f"WITH {_STORED}, {_TOUCHED} SELECT {COLUMNS} FROM stored SEMI JOIN touched USING ({_PANE_KEY})"

# `fresh`: whose metrics begin to tell of something with a pane that changed.
_NEAR = f"SELECT {', '.join(PANE_LABELS)}, start_ns, {', '.join(PANE_TOTALS)}"
_METERED = f"""{_TOUCHED}, near AS NOT MATERIALIZED (
    {_NEAR} FROM pane WHERE start_ns BETWEEN $first AND $last
    UNION ALL {_NEAR} FROM open_pane WHERE start_ns BETWEEN $first AND $last
), metered AS ({metered("near")}), fresh AS (
    SELECT DISTINCT {TELLER} FROM metered JOIN touched USING ({TELLER}) WHERE source = 'metric' AND {BEGINS}
)"""
# `again`: where metrics of a process begin, what its spans told just before is counted no more.
_TOGETHER = f"""WITH {_STORED}, {_METERED}, again AS (
    SELECT DISTINCT {_GROUP} FROM stored JOIN fresh USING ({TELLER}) WHERE source = 'span'
), groups AS (SELECT DISTINCT {_GROUP} FROM touched UNION SELECT {_GROUP} FROM again)
SELECT {counted(PANE_SCHEMA.names, _METERED_NS)}
FROM stored SEMI JOIN groups USING ({_GROUP}) LEFT JOIN metered USING ({TELLER})"""


@dataclass(frozen=True, slots=True)
class Changes:
    """
    All that changed after one revision, up to `revision`.

    Attributes:
        panes: Whole.
        models: Panes of all processes of a service together, whole; `instance` and `source` of their keys are empty.
    """

    revision: int
    panes: Sequence[PanePartial]
    models: Sequence[PanePartial]
    drift: Sequence[DriftRow]
    verdicts: Sequence[VerdictRow]
    transitions: Sequence[TransitionRow]


def changes(cursor: duckdb.DuckDBPyConnection, after: int, most: int) -> Changes | None:
    """What came after revision *after*: whole revisions, as many as hold *most* rows or the one that holds more."""
    upto = _upto(cursor, after, most)
    if upto is None:
        return None
    span = {"after": after, "upto": upto}
    whole, models = _panes(cursor, span)
    return Changes(
        upto,
        whole,
        models,
        drift_rows(_results(cursor, "drift", DRIFT_SCHEMA.names, span)),
        verdict_rows(_results(cursor, "verdict", VERDICT_SCHEMA.names, span)),
        transition_rows(_results(cursor, "transition", TRANSITION_SCHEMA.names, span)),
    )


def _upto(cursor: duckdb.DuckDBPyConnection, after: int, most: int) -> int | None:
    tables = ("pane", "open_pane", "drift", "verdict", "transition")
    new = " UNION ALL ".join(f"SELECT revision FROM {table} WHERE revision > $after" for table in tables)
    found = cursor.execute(f"SELECT revision, count(*) FROM ({new}) GROUP BY 1 ORDER BY 1", {"after": after})
    upto, total = None, 0
    for revision, rows in found.fetchall():
        total += rows
        if upto is not None and total > most:
            break
        upto = int(revision)
    return upto


def _panes(cursor: duckdb.DuckDBPyConnection, span: Mapping[str, int]) -> tuple[list[PanePartial], list[PanePartial]]:
    """The panes that changed, and those of their models."""
    ((first, last),) = cursor.execute(
        f"""SELECT min(start_ns), max(start_ns) FROM (
            SELECT start_ns FROM pane WHERE {_SINCE} UNION ALL SELECT start_ns FROM open_pane WHERE {_SINCE})""",
        span,
    ).fetchall()
    if first is None:
        return [], []
    changed = panes(cursor.execute(_WHOLE, {**span, "begin": first, "end": last}).fetchall())
    near = {**span, "first": first - _METERED_NS, "last": last + _METERED_NS}
    ((fresh,),) = cursor.execute(f"WITH {_METERED} SELECT count(*) FROM fresh", near).fetchall()
    reach = _METERED_NS if fresh else 0
    together = cursor.execute(_TOGETHER, {**near, "begin": first - reach, "end": last + reach})
    return changed, _together(together.fetchall())


def _together(found: Sequence[Sequence[Any]]) -> list[PanePartial]:  # Any: rows as DuckDB gives them
    """One pane for each group and start; empty where nothing in it counts, so that it replaces what counted once."""
    totals: dict[tuple[Any, int], PanePartial] = {}
    for row in found:
        (pane,) = panes([row])
        key = pane.key._replace(instance="", source="")
        total = totals.get((key, pane.start_ns))
        if total is None:
            total = PanePartial(key, pane.start_ns, 0.0, 0.0, type(pane.latency)())
            totals[key, pane.start_ns] = total
        total.merge(pane)
    return list(totals.values())


def _results(
    cursor: duckdb.DuckDBPyConnection, table: str, names: Sequence[str], span: Mapping[str, int]
) -> list[tuple[Any, ...]]:  # Any: rows as DuckDB gives them
    return cursor.execute(f"SELECT {', '.join(names)} FROM {table} WHERE {_SINCE} ORDER BY revision", span).fetchall()
