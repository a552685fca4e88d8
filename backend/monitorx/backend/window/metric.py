"""Data points of the metrics that speak of calls, into what they add to panes: one partial a pane in a batch."""

import json
from collections import Counter
from collections.abc import Set

import numpy as np
import pyarrow as pa

from monitorx.backend.window.bucket import Floats, Ints
from monitorx.backend.window.bucket import added as add
from monitorx.backend.window.cumulative import Cursors
from monitorx.backend.window.distribution import Explicit, Exponential, cells
from monitorx.backend.window.group import codes, group, pane_starts, texts_at
from monitorx.backend.window.increment import MOST_COUNT, Bools, Increments, bounds, increments
from monitorx.backend.window.inference import LABELS, histograms
from monitorx.backend.window.pane import METRIC, PaneKey, PanePartial
from monitorx.semconv import attributes, metrics

DURATIONS = frozenset({metrics.INFERENCE_DURATION, metrics.GEN_AI_OPERATION_DURATION})
TOKENS = frozenset({metrics.GEN_AI_TOKEN_USAGE})
SAMPLES = frozenset({metrics.INFERENCE_SAMPLES})
CALL_METRICS = DURATIONS | TOKENS | SAMPLES

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}


def named(rows: pa.RecordBatch, names: frozenset[str]) -> Bools:
    """Where the metric's name is one of *names*. Looks at each name of the dictionary once."""
    array = rows.column("name")
    is_one = np.array([name in names for name in array.dictionary.to_pylist()] or [False])
    return is_one[codes(array)]


def partials(rows: pa.RecordBatch, added: Increments, arrival_ns: int) -> tuple[list[PanePartial], int]:
    """What rows of `CALL_METRICS` add to panes, and how many had their time clamped."""
    keep = np.flatnonzero(added.is_counted & ~added.is_level & named(rows, CALL_METRICS))
    if not keep.size:
        return [], 0
    starts, clamped = pane_starts(rows.column("time_ns").to_numpy()[keep], arrival_ns)
    picked = rows if keep.size == rows.num_rows else rows.take(pa.array(keep))
    groups = group(picked, LABELS, starts)
    size = len(groups.texts)
    is_readable = added.is_exponential | (added.explicit.lengths == bounds(rows).lengths + 1)
    is_duration = named(picked, DURATIONS) & is_readable[keep]
    seconds = _unit_seconds(picked)

    def total(values: Floats, where: Bools) -> list[float]:
        return list(add(groups.of, values * where, size).tolist())

    count, sums = np.maximum(added.count[keep], 0.0), np.maximum(added.sum[keep], 0.0)
    is_error = picked.column("error_type").is_valid().to_numpy(zero_copy_only=False)
    is_tokens = named(picked, TOKENS)
    is_input, is_output = _token_types(picked, is_tokens)
    explicit, exponential = _distributions(rows, added, keep, is_duration, groups.of, seconds)
    filled = cells(size, explicit, exponential)
    zero = filled.zero + add(groups.of, added.zero[keep] * is_duration, size)
    sum_s = add(groups.of, sums * seconds * is_duration, size)
    max_s = np.where(zero > 0, np.maximum(filled.max_s, 0.0), filled.max_s)
    latencies = histograms(filled.matrix, zero, sum_s, max_s)
    columns = zip(
        (PaneKey._make((*texts, METRIC)) for texts in groups.texts),
        groups.starts,
        total(count, is_duration),
        total(count, is_duration & is_error),
        latencies,
        total(sums, is_input),
        total(sums, is_output),
        total(sums, named(picked, SAMPLES)),
        strict=True,
    )
    return [
        PanePartial(key, start, requests, errors, latency, tokens_in, tokens_out, 0.0, samples)
        for key, start, requests, errors, latency, tokens_in, tokens_out, samples in columns
    ], clamped


def select(
    rows: pa.RecordBatch, names: frozenset[str], cursors: Cursors, arrival_ns: int
) -> tuple[pa.RecordBatch, Increments] | None:
    """The rows of metrics called one of *names*, and what they add; None where there are none."""
    is_wanted = named(rows, names)
    if not is_wanted.any():
        return None
    if not is_wanted.all():
        rows = rows.take(pa.array(np.flatnonzero(is_wanted)))
    added = increments(rows, cursors, arrival_ns)
    added.refuse(named(rows, TOKENS | SAMPLES) & (added.sum > MOST_COUNT))
    return rows, added


def by_service(rows: pa.RecordBatch, series: Set[int]) -> dict[str, int]:
    """How many rows of *series* each service has."""
    if not series:
        return {}
    where = np.flatnonzero(np.isin(rows.column("series_key").to_numpy(), np.array(list(series), np.uint64)))
    return Counter(texts_at(rows.column("service"), where))


def _distributions(
    rows: pa.RecordBatch, added: Increments, keep: Ints, is_duration: Bools, of: Ints, seconds: Floats
) -> tuple[Explicit | None, Exponential | None]:
    """The durations' histograms; *keep* are their rows, *of* their panes, *seconds* their units."""
    is_exponential = added.is_exponential[keep]
    which = np.flatnonzero(is_duration & ~is_exponential)
    explicit = exponential = None
    if which.size:
        at, unit = keep[which], seconds[which]
        upper, counts = bounds(rows).of(at), added.explicit.of(at)
        limits = upper.flat * np.repeat(unit, upper.lengths)
        sum_s, min_s, max_s = added.sum[at] * unit, added.min[at] * unit, added.max[at] * unit
        explicit = Explicit(of[which], counts.lengths, counts.flat, limits, sum_s, min_s, max_s)
    which = np.flatnonzero(is_duration & is_exponential)
    if which.size:
        at, unit = keep[which], seconds[which]
        counts = added.exponential.of(at)
        scale, offset = (
            rows.column(name).fill_null(0).to_numpy().astype(np.int64)[at] for name in ("scale", "positive_offset")
        )
        min_s, max_s = added.min[at] * unit, added.max[at] * unit
        exponential = Exponential(of[which], counts.lengths, counts.flat, scale, offset, np.log2(unit), min_s, max_s)
    return explicit, exponential


def _unit_seconds(rows: pa.RecordBatch) -> Floats:
    """How many seconds one unit of each row has; what is no unit of time is taken as seconds."""
    array = rows.column("unit")
    return np.array([_SECONDS.get(unit, 1.0) for unit in array.dictionary.to_pylist()] or [1.0])[codes(array)]


def _token_types(rows: pa.RecordBatch, is_tokens: Bools) -> tuple[Bools, Bools]:
    """Which rows count input tokens, which output tokens."""
    is_input, is_output = np.zeros(rows.num_rows, bool), np.zeros(rows.num_rows, bool)
    if not is_tokens.any():
        return is_input, is_output
    array = rows.column("attributes")
    coded = codes(array)
    for code in np.unique(coded[is_tokens]).tolist():
        word = json.loads(array.dictionary[code].as_py()).get(attributes.GEN_AI_TOKEN_TYPE)
        is_input |= is_tokens & (coded == code) & (word == "input")
        is_output |= is_tokens & (coded == code) & (word in ("output", "completion"))
    return is_input, is_output
