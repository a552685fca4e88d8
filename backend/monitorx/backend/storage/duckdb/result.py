"""
Results of rules and detectors: drift findings, verdicts, steps of alerts.

A result has an identity, and one that comes again replaces what was there. So a write that is repeated in part, or a
replay, never doubles one.
"""

# ruff: noqa: S608  every identifier is ours, every value is a bound parameter

import json
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from monitorx.backend.storage.duckdb.question import Column, flag, where
from monitorx.backend.storage.duckdb.schema import DRIFT_SCHEMA, TRANSITION_SCHEMA, VERDICT_SCHEMA
from monitorx.backend.storage.store import Commit, DriftRow, Selection, TransitionRow, VerdictRow

# Table: the column that says how old a row is, and the columns of its identity.
KEYS: Mapping[str, tuple[str, str]] = {
    "drift": ("end_ns", "tenant, model, version, feature, role, method, status, end_ns"),
    "verdict": ("time_ns", "tenant, rule, labels, time_ns"),
    "transition": ("time_ns", "tenant, rule, severity, fingerprint, after, time_ns"),
}
DRIFT_FILTERS: Mapping[str, Column] = {
    **{name: (name, str) for name in ("model", "version", "feature", "status")},
    "drifted": ("drifted", flag),
}
TRANSITION_FILTERS: Mapping[str, Column] = {name: (name, str) for name in ("rule", "severity", "after")}


def tables(commit: Commit) -> dict[str, pa.Table]:
    """The results of *commit* by table, of those with the same identity the last."""
    return {
        "drift": _table(commit.drift, DRIFT_SCHEMA, KEYS["drift"][1]),
        "verdict": _table(commit.verdicts, VERDICT_SCHEMA, KEYS["verdict"][1]),
        "transition": _table(commit.transitions, TRANSITION_SCHEMA, KEYS["transition"][1]),
    }


def drift(cursor: duckdb.DuckDBPyConnection, selection: Selection, limit: int) -> list[DriftRow]:
    """See `Store.drift`."""
    condition, parameters = where(selection, DRIFT_FILTERS, "end_ns")
    found = cursor.execute(
        f"SELECT {_names(DRIFT_SCHEMA)} FROM drift WHERE {condition}"
        f" ORDER BY end_ns DESC, model, version, feature, role, method, status LIMIT {int(limit)}",
        parameters,
    ).fetchall()
    return drift_rows(found)


def transitions(cursor: duckdb.DuckDBPyConnection, selection: Selection, limit: int) -> list[TransitionRow]:
    """See `Store.transitions`."""
    condition, parameters = where(selection, TRANSITION_FILTERS)
    found = cursor.execute(
        f"SELECT {_names(TRANSITION_SCHEMA)} FROM transition WHERE {condition}"
        f" ORDER BY time_ns DESC, rule, fingerprint, after LIMIT {int(limit)}",
        parameters,
    ).fetchall()
    return transition_rows(found)


def drift_rows(found: Sequence[Sequence[Any]]) -> list[DriftRow]:  # Any: rows as DuckDB gives them
    """Findings out of rows of `DRIFT_SCHEMA`."""
    return [DriftRow(**dict(zip(DRIFT_SCHEMA.names, row, strict=True))) for row in found]


def verdict_rows(found: Sequence[Sequence[Any]]) -> list[VerdictRow]:  # Any: rows as DuckDB gives them
    """Verdicts out of rows of `VERDICT_SCHEMA`."""
    return [VerdictRow(**_with_labels(VERDICT_SCHEMA, row)) for row in found]


def transition_rows(found: Sequence[Sequence[Any]]) -> list[TransitionRow]:  # Any: rows as DuckDB gives them
    """Steps of alerts out of rows of `TRANSITION_SCHEMA`."""
    return [TransitionRow(**_with_labels(TRANSITION_SCHEMA, row)) for row in found]


def _with_labels(schema: pa.Schema, row: Sequence[Any]) -> dict[str, Any]:  # Any: rows as DuckDB gives them
    values = dict(zip(schema.names, row, strict=True))
    return values | {"labels": json.loads(values["labels"])}


def _table(rows: Sequence[DriftRow | VerdictRow | TransitionRow], schema: pa.Schema, key: str) -> pa.Table:
    chosen = {tuple(_value(row, name) for name in key.split(", ")): row for row in rows}
    columns = [[_value(row, name) for row in chosen.values()] for name in schema.names]
    return pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)


def _value(row: DriftRow | VerdictRow | TransitionRow, name: str) -> object:
    value = getattr(row, name)
    return json.dumps(dict(value), sort_keys=True) if name == "labels" else value


def _names(schema: pa.Schema) -> str:
    return ", ".join(schema.names)
