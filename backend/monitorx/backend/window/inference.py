"""Spans into what they add to panes: one partial for each model, process and pane in a batch."""

import numpy as np
import pyarrow as pa

from monitorx.backend.window.bucket import (
    MAX_SECONDS,
    Floats,
    Ints,
    Matrix,
    Points,
    added,
    fill,
    indexes,
    places,
    spans,
)
from monitorx.backend.window.group import group, measures, pane_starts
from monitorx.backend.window.increment import MOST_COUNT
from monitorx.backend.window.latency import LatencyHistogram
from monitorx.backend.window.pane import SPAN, PaneKey, PanePartial

LABELS = ("tenant", "service", "instance", "model", "version", "kind", "operation")


def partials(rows: pa.RecordBatch, arrival_ns: int) -> tuple[list[PanePartial], int, int]:
    """
    What rows of `INFERENCE_SCHEMA` add. The event time is the end.

    Returns:
        The partials; how many rows had their event time clamped; how many numbers are not counted since they are more
        than a call can have.
    """
    if not rows.num_rows:
        return [], 0, 0
    duration_s = np.clip(measures(rows, "duration_s"), 0.0, MAX_SECONDS)
    begins_ns = np.clip(rows.column("time_ns").to_numpy(), 0, 1 << 62)
    starts, clamped = pane_starts(begins_ns + (duration_s * 1e9).astype(np.int64), arrival_ns)
    groups = group(rows, LABELS, starts)
    weight = measures(rows, "weight", 1.0)
    weight = np.where(weight > 0, weight, 1.0)
    size = len(groups.texts)

    absurd = 0

    def total(values: Floats) -> list[float]:
        return list(added(groups.of, values, size).tolist())

    def amount(name: str) -> list[float]:
        nonlocal absurd
        values = measures(rows, name)
        is_absurd = np.abs(values) > MOST_COUNT
        absurd += int(is_absurd.sum())
        return total(weight * np.where(is_absurd, 0.0, values))

    is_error = rows.column("error_type").is_valid().to_numpy(zero_copy_only=False)
    totals = zip(
        total(weight),
        total(weight * is_error),
        *(amount(name) for name in ("input_tokens", "output_tokens", "cost_usd", "batch_size")),
        strict=True,
    )
    latencies = _latencies(groups.of, size, duration_s, weight)
    keys = (PaneKey._make((*texts, SPAN)) for texts in groups.texts)
    found = [
        PanePartial(key, start, requests, errors, latency, tokens_in, tokens_out, cost, samples)
        for key, start, latency, (requests, errors, tokens_in, tokens_out, cost, samples) in zip(
            keys, groups.starts, latencies, totals, strict=True
        )
    ]
    return found, clamped, absurd


def _latencies(of: Ints, size: int, duration_s: Floats, weight: Floats) -> list[LatencyHistogram]:
    is_timed = duration_s > 0
    matrix = fill(size, Points(of[is_timed], indexes(places(duration_s[is_timed])), weight[is_timed]))
    zero = added(of, weight * ~is_timed, size)
    max_s = np.full(size, -np.inf)
    np.maximum.at(max_s, of, duration_s)
    return histograms(matrix, zero, added(of, weight * duration_s, size), max_s)


def histograms(matrix: Matrix, zero: Floats, sum_s: Floats, max_s: Floats) -> list[LatencyHistogram]:
    """One histogram a row of *matrix*, cut to the columns in use; their counts are views of it."""
    begins, ends = spans(matrix)
    return [
        LatencyHistogram(matrix.first + begin, cells[begin:end], zero=zeros, sum_s=total_s, max_s=largest_s)
        for cells, begin, end, zeros, total_s, largest_s in zip(
            matrix.cells, begins.tolist(), ends.tolist(), zero.tolist(), sum_s.tolist(), max_s.tolist(), strict=True
        )
    ]
