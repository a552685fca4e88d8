"""Rows of `SKETCH_SCHEMA` into sketches."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from monitorx.backend.detector.reference import FeatureKey
from monitorx.backend.detector.sketch import Floats, Sketch, Unreadable, sketch_of

_LABELS = FeatureKey._fields
_NUMBERS = ("center", "anchor", "scale", "zero_count", "zero_threshold", "positive_offset", "negative_offset")
_LISTS = ("positive", "negative")


def sketches(rows: pa.RecordBatch) -> Iterator[tuple[FeatureKey, Sketch | Unreadable]]:
    """
    Each row's feature and sketch, or why there is none.

    A row without a value (a histogram of nothing, a point that says only that it is there) is left out.
    """
    if not rows.num_rows:
        return
    labels = [rows.column(name).to_pylist() for name in _LABELS]
    columns: dict[str, Any] = {name: rows.column(name).to_pylist() for name in _NUMBERS}  # Any: float, int or None
    lists = {name: _slices(rows.column(name)) for name in _LISTS}
    times, starts = rows.column("time_ns").to_pylist(), rows.column("start_ns").to_pylist()
    low, high = _bounds(rows, "min"), _bounds(rows, "max")
    for row in range(rows.num_rows):
        if columns["scale"][row] is None:
            continue
        key = FeatureKey._make(column[row] or "" for column in labels)
        values: Mapping[str, Any] = {name: column[row] or 0 for name, column in columns.items()}  # Any: as above
        positive, negative = (lists[name][row] for name in _LISTS)
        try:
            found = sketch_of(**values, positive=positive, negative=negative, low=low[row], high=high[row])
        except Unreadable as reason:
            yield key, reason
            continue
        if found.cells.size:
            yield key, found.during(min(starts[row] or times[row], times[row]), times[row])


def _slices(column: pa.ListArray) -> list[Floats]:
    """The lists of a column as views of one array."""
    values = column.values.to_numpy(zero_copy_only=False)
    offsets = column.offsets.to_numpy()
    return [values[begin:end] for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def _bounds(rows: pa.RecordBatch, name: str) -> list[float]:
    numbers = rows.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
    return [float(number) for number in numbers]
