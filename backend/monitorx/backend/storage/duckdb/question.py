"""
Questions about rows. Every value is a bound parameter; every identifier comes from the lists here.

A page of inferences is found in two steps: the row ids of the newest ones by time alone (DuckDB skips what its zone
maps rule out), then their columns.
"""

# ruff: noqa: S608  every identifier is ours, every value is a bound parameter

import json
from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from monitorx.backend.storage.store import InferenceRow, Place, PointRow, Selection

_FLAGS = {"true": True, "false": False}

# A SQL expression, and how the value it must equal is read.
Column = tuple[str, Callable[[str], object]]


def flag(value: str) -> bool:
    """How a column that is true or false is asked for."""
    if value not in _FLAGS:
        raise ValueError(f"{value!r} is neither 'true' nor 'false'")
    return _FLAGS[value]


# By name in `equals`.
INFERENCE_FILTERS: Mapping[str, Column] = {
    **{
        name: (name, str)
        for name in ("model", "version", "service", "instance", "kind", "operation", "framework", "error_type")
    },
    "error": ("(error_type IS NOT NULL)", flag),
    "trace_id": ("trace_id", bytes.fromhex),
    "span_id": ("span_id", bytes.fromhex),
}
POINT_FILTERS: Mapping[str, Column] = {
    name: (f'"{name}"', str) for name in ("name", "unit", "type", "service", "instance", "model", "version")
}

_LABELS = (
    *("service", "instance", "model", "version", "kind", "operation", "framework"),
    *("input_tokens", "output_tokens", "cost_usd", "batch_size", "ttft_s", "weight"),
)
_IDS = "coalesce(trace_id, ''::BLOB), coalesce(span_id, ''::BLOB)"
_ORDER = "time_ns DESC, position DESC, coalesce(trace_id, ''::BLOB) DESC, coalesce(span_id, ''::BLOB) DESC"
_POINT = (
    *("time_ns", "name", "unit", "type", "service", "instance", "attributes"),
    *("value", "count", "sum", "min", "max"),
)


def where(
    selection: Selection, columns: Mapping[str, Column], time_column: str = "time_ns"
) -> tuple[str, dict[str, Any]]:  # Any: what DuckDB binds
    """
    The condition of a selection and its parameters.

    Raises:
        ValueError: `equals` names a column that is not in *columns*, or a value that cannot be read.
    """
    conditions = ["tenant = $tenant", f"{time_column} >= $start_ns", f"{time_column} < $end_ns"]
    parameters: dict[str, Any] = {  # Any: what DuckDB binds
        "tenant": selection.tenant,
        "start_ns": selection.start_ns,
        "end_ns": selection.end_ns,
    }
    for name, value in selection.equals.items():
        if name not in columns:
            raise ValueError(f"{name!r} cannot be selected by; there are {', '.join(columns)}")
        expression, read = columns[name]
        conditions.append(f"{expression} = ${name}" if value else f"coalesce({expression}, '') = ${name}")
        parameters[name] = read(value)
    return " AND ".join(conditions), parameters


def inferences(
    cursor: duckdb.DuckDBPyConnection, selection: Selection, limit: int, before: Place | None
) -> list[InferenceRow]:
    """See `Store.inferences`."""
    condition, parameters = where(selection, INFERENCE_FILTERS)
    if before is not None:
        # The first half says the same in words that zone maps understand.
        condition += (
            f" AND time_ns <= $before_ns AND (time_ns, position, {_IDS})"
            " < ($before_ns, $before_position, $before_trace, $before_span)"
        )
        parameters |= {
            "before_ns": before.time_ns,
            "before_position": before.position,
            "before_trace": bytes.fromhex(before.trace_id),
            "before_span": bytes.fromhex(before.span_id),
        }
    found = cursor.execute(
        f"SELECT time_ns, duration_s, trace_id, span_id, parent_span_id, error_type, position, {', '.join(_LABELS)}"
        f" FROM inference WHERE rowid IN (SELECT rowid FROM inference WHERE {condition}"
        f" ORDER BY {_ORDER} LIMIT {int(limit)}) ORDER BY {_ORDER}",
        parameters,
    ).fetchall()
    return [_inference(row) for row in found]


def _inference(row: tuple[Any, ...]) -> InferenceRow:  # Any: columns of many types
    time_ns, duration_s, trace_id, span_id, parent_span_id, error_type, position, *labels = row
    return InferenceRow(
        time_ns=time_ns,
        duration_s=duration_s,
        trace_id=_hex(trace_id),
        span_id=_hex(span_id),
        error_type=error_type,
        position=position,
        labels={**dict(zip(_LABELS, labels, strict=True)), "parent_span_id": _hex(parent_span_id) or None},
    )


def points(cursor: duckdb.DuckDBPyConnection, selection: Selection, limit: int) -> list[PointRow]:
    """See `Store.points`."""
    condition, parameters = where(selection, POINT_FILTERS)
    order = "time_ns DESC, position DESC, rowid DESC"
    columns = ", ".join(f'"{name}"' for name in _POINT)
    found = cursor.execute(
        f"SELECT {columns} FROM metric WHERE rowid IN (SELECT rowid FROM metric WHERE {condition}"
        f" ORDER BY {order} LIMIT {int(limit)}) ORDER BY {order}",
        parameters,
    ).fetchall()
    return [_point(dict(zip(_POINT, row, strict=True))) for row in found]


def _point(row: dict[str, Any]) -> PointRow:  # Any: columns of many types
    return PointRow(**{**row, "attributes": json.loads(row["attributes"])})


def _hex(value: bytes | None) -> str:
    return value.hex() if value else ""
