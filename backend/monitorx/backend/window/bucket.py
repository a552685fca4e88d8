"""
The buckets of a latency histogram, filled for many histograms at once.

Bucket i holds durations in (2^(i/32), 2^((i+1)/32)] seconds: the buckets of an OTel ExponentialHistogram of scale 5.
A place within a bucket is a real number, log2(seconds) * 32, so that bucket i spans the places (i, i + 1].
Indexes are clipped to [MIN_INDEX, MAX_INDEX], so that no scale, offset or bound a sender makes up can cost memory.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SCALE = 5  # base 2^(1/32), so a quantile is at most 2.2 % off
STEPS = 1 << SCALE
MIN_INDEX, MAX_INDEX = -32 * STEPS, 24 * STEPS - 1  # 0.2 ns to 194 days
MAX_SECONDS = 2.0**24

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Points(NamedTuple):
    """Counts that lie in one known bucket each: three arrays of one length."""

    row: Ints
    bucket: Ints
    weight: Floats


class Intervals(NamedTuple):
    """Counts known to lie between two places, taken as even between them: four arrays of one length."""

    row: Ints
    low: Floats
    high: Floats
    weight: Floats


class Matrix(NamedTuple):
    """Bucket counts of several histograms, shape (rows, width); column 0 is bucket `first`."""

    first: int
    cells: Floats


def places(seconds: Floats) -> Floats:
    """Where durations lie; MIN_INDEX for what is 0 or less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        place: Floats = np.log2(seconds) * STEPS
    place[np.isnan(place)] = MIN_INDEX
    return np.clip(place, MIN_INDEX, MAX_INDEX + 1)


def indexes(place: Floats) -> Ints:
    """The buckets that hold places. A bound belongs to the bucket below it."""
    return clip_indexes((np.ceil(place) - 1).astype(np.int64))


def clip_indexes(index: Ints) -> Ints:
    """Indexes within the range that is kept."""
    return np.clip(index, MIN_INDEX, MAX_INDEX)


def fill(rows: int, points: Points | None, intervals: Intervals | None = None) -> Matrix:
    """
    The bucket counts of *rows* histograms.

    An interval fills the buckets at its ends in part and those between evenly; the latter is written as one step up
    and one step down, which a running sum turns into counts. O(points + intervals + rows * width).
    """
    parts = [points] if points is not None and points.bucket.size else []
    steps = []
    if intervals is not None and intervals.weight.size:
        ends, inner = _split(intervals)
        parts.append(ends)
        steps.append(inner)
    if not parts:
        return Matrix(0, np.zeros((rows, 0)))
    first = min(int(part.bucket.min()) for part in parts)
    width = max(int(part.bucket.max()) for part in parts) - first + 1
    counts = np.zeros((rows, width))
    for part in parts:
        counts += _scatter(part, rows, first, width)
    for inner in steps:
        if inner.bucket.size:
            even = np.cumsum(_scatter(inner, rows, first, width), axis=1)
            # What rounding leaves behind the last step of a row is not a count.
            even[even <= 1e-12 * np.abs(even).max(axis=1, keepdims=True)] = 0.0
            counts += even
    return Matrix(first, counts)


def added(row: Ints, weight: Floats, rows: int) -> Floats:
    """The sum of the weights of each row, shape (rows,)."""
    return np.bincount(row, weights=weight, minlength=rows).astype(np.float64, copy=False)


def spans(matrix: Matrix) -> tuple[Ints, Ints]:
    """The first and one past the last column that is not 0, shape (rows,) each; (0, 0) for an empty row."""
    filled = matrix.cells != 0
    if not filled.size:
        empty = np.zeros(filled.shape[0], np.int64)
        return empty, empty
    begin = filled.argmax(axis=1)
    end = filled.shape[1] - filled[:, ::-1].argmax(axis=1)
    return begin, np.where(filled[np.arange(len(begin)), begin], end, 0)


def _split(intervals: Intervals) -> tuple[Points, Points]:
    """Counts of the buckets at the ends, and steps of density for those in between."""
    low = np.clip(intervals.low, MIN_INDEX, MAX_INDEX)
    high = np.clip(intervals.high, MIN_INDEX, MAX_INDEX + 1)
    row, count = intervals.row, intervals.weight
    last = indexes(high)
    begin = np.minimum(np.floor(low).astype(np.int64), last)
    is_wide = begin < last
    density = np.where(is_wide, count / np.where(is_wide, high - low, 1.0), 0.0)
    at_begin = np.where(is_wide, density * (begin + 1 - low), count)
    ends = Points(
        np.concatenate([row, row[is_wide]]),
        np.concatenate([begin, last[is_wide]]),
        np.concatenate([at_begin, (density * (high - last))[is_wide]]),
    )
    has_inner = last - begin > 1
    step = density[has_inner]
    inner = Points(
        np.concatenate([row[has_inner], row[has_inner]]),
        np.concatenate([begin[has_inner] + 1, last[has_inner]]),
        np.concatenate([step, -step]),
    )
    return ends, inner


def _scatter(points: Points, rows: int, first: int, width: int) -> Floats:
    cell = points.row * width + (points.bucket - first)
    return added(cell, points.weight, rows * width).reshape(rows, width)
