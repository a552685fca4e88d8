"""
Histograms as OTLP carries them, read into the buckets of latency histograms, many at once.

Takes columns of explicit and exponential histograms, each with the row (a pane, say) that it is added to; gives a
bucket matrix, the zeros and the largest duration of each row. Buckets finer than ours or equal add up exactly; coarser
ones are spread evenly on the logarithmic axis, between the smallest and the largest duration where those are known.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitorx.backend.window.bucket import (
    MAX_SECONDS,
    SCALE,
    STEPS,
    Floats,
    Intervals,
    Ints,
    Matrix,
    Points,
    clip_indexes,
    fill,
    places,
)

_MAX_SHIFT = 60  # scales further from ours than this hold nothing that differs


class Explicit(NamedTuple):
    """
    n histograms with explicit bounds, in seconds.

    Attributes:
        row: Where each is added, shape (n,).
        lengths: How many buckets each has, shape (n,): its bounds and one more.
        counts, bounds: Of all of them, one after the other.
        sum_s, min_s, max_s: Shape (n,); NaN where unknown.
    """

    row: Ints
    lengths: Ints
    counts: Floats
    bounds: Floats
    sum_s: Floats
    min_s: Floats
    max_s: Floats

    @classmethod
    def one(cls, bounds: Floats, counts: Floats, sum_s: float, min_s: float, max_s: float) -> "Explicit":
        """A single histogram, in row 0."""
        scalars = (np.array([value]) for value in (sum_s, min_s, max_s))
        return cls(np.zeros(1, np.int64), np.array([counts.size]), counts, bounds, *scalars)


class Exponential(NamedTuple):
    """
    n exponential histograms of positive values.

    Attributes:
        row: Where each is added, shape (n,).
        lengths: How many buckets each has, shape (n,).
        counts: Of all of them, one after the other.
        scale, offset: Shape (n,).
        shift: log2 of the seconds in one unit, shape (n,); 0 for histograms in seconds.
        min_s, max_s: Shape (n,); NaN where unknown.
    """

    row: Ints
    lengths: Ints
    counts: Floats
    scale: Ints
    offset: Ints
    shift: Floats
    min_s: Floats
    max_s: Floats

    @classmethod
    def one(cls, scale: int, offset: int, counts: Floats, min_s: float, max_s: float) -> "Exponential":
        """A single histogram in seconds, in row 0."""
        zero = np.zeros(1, np.int64)
        ends = (np.array([min_s]), np.array([max_s]))
        return cls(zero, np.array([counts.size]), counts, np.array([scale]), np.array([offset]), np.zeros(1), *ends)


class Cells(NamedTuple):
    """What is added to each row: bucket counts, zeros, and the largest duration (-inf where there is none)."""

    matrix: Matrix
    zero: Floats
    max_s: Floats


def cells(rows: int, explicit: Explicit | None = None, exponential: Exponential | None = None) -> Cells:
    """All of them, added up by row."""
    zero, max_s = np.zeros(rows), np.full(rows, -np.inf)
    points, intervals = [], []
    if explicit is not None:
        intervals.append(_explicit(explicit, zero, max_s))
    if exponential is not None:
        exact, spread = _exponential(exponential, max_s)
        points.append(exact)
        intervals.append(spread)
    matrix = fill(
        rows,
        Points(*map(np.concatenate, zip(*points, strict=True))) if points else None,
        Intervals(*map(np.concatenate, zip(*intervals, strict=True))) if intervals else None,
    )
    return Cells(matrix, zero, max_s)


def _explicit(histograms: Explicit, zero: Floats, max_s: Floats) -> Intervals:
    which, position, count = _filled(histograms.lengths, histograms.counts)
    bounds = np.append(_sane(histograms.bounds), np.nan)  # so that the place after the last bound can be looked at
    upper = position + (np.cumsum(histograms.lengths - 1) - (histograms.lengths - 1))[which]
    is_first, is_last = position == 0, position == histograms.lengths[which] - 1
    low = np.where(is_first, np.nan, bounds[np.maximum(upper - 1, 0)])
    high = np.where(is_last, np.nan, bounds[np.minimum(upper, bounds.size - 1)])
    is_only = is_first & is_last
    smallest, largest = _sane(histograms.min_s)[which], _sane(histograms.max_s)[which]
    mean = _sane(histograms.sum_s)[which] / np.where(is_only, np.maximum(count, 1e-300), 1.0)
    # fmax and fmin pass over NaN: an end that is unknown is taken from the other numbers of the histogram.
    low, high = np.fmax(low, smallest), np.fmin(high, largest)
    high = np.where(np.isnan(high), np.where(is_only, np.fmax(mean, low), 2.0 * low), high)
    low = np.where(np.isnan(low) | (low <= 0), np.where(is_only & np.isnan(largest), high, high / 2.0), low)
    row = histograms.row[which]
    is_zero = ~(high > 0)
    np.add.at(zero, row[is_zero], count[is_zero])
    np.maximum.at(max_s, row, np.where(is_zero, 0.0, high))
    keep = ~is_zero
    return Intervals(row[keep], places(np.minimum(low, high)[keep]), places(high[keep]), count[keep])


def _exponential(histograms: Exponential, max_s: Floats) -> tuple[Points, Intervals]:
    which, position, count = _filled(histograms.lengths, histograms.counts)
    index = histograms.offset[which] + position
    finer = np.clip(histograms.scale - SCALE, -_MAX_SHIFT, _MAX_SHIFT)
    shift = histograms.shift * STEPS
    smallest, largest = _sane(histograms.min_s), _sane(histograms.max_s)
    np.maximum.at(max_s, histograms.row, np.fmax(largest, -np.inf))
    # Where the largest is not told, it is the upper end of the highest bucket in use.
    untold = np.flatnonzero(np.isnan(largest)[which])
    of = which[untold]
    edges = np.exp2(np.clip((np.ldexp(index[untold] + 1.0, -finer[of]) + shift[of]) / STEPS, -1000.0, 24.0))
    np.maximum.at(max_s, histograms.row[of], edges)
    is_exact = ((finer >= 0) & (shift == 0))[which]
    of, rest = which[is_exact], which[~is_exact]
    exact = Points(histograms.row[of], clip_indexes(index[is_exact] >> finer[of]), count[is_exact])
    coarse = index[~is_exact].astype(np.float64)
    low, high = np.ldexp(coarse, -finer[rest]) + shift[rest], np.ldexp(coarse + 1.0, -finer[rest]) + shift[rest]
    low = np.fmax(low, np.where(smallest > 0, places(smallest), np.nan)[rest])
    high = np.fmin(high, np.where(largest > 0, places(largest), np.nan)[rest])
    return exact, Intervals(histograms.row[rest], np.minimum(low, high), high, count[~is_exact])


def _sane(seconds: Floats) -> Floats:
    """Without infinities and what else no duration can be; NaN stays."""
    return np.clip(seconds, -MAX_SECONDS, MAX_SECONDS)


def _filled(lengths: Ints, counts: Floats) -> tuple[Ints, Ints, Floats]:
    """The buckets that hold something: whose they are, where in it, and how many."""
    counts = np.nan_to_num(counts, posinf=0.0)
    flat = np.flatnonzero(counts > 0)
    begins: npt.NDArray[np.int64] = np.cumsum(lengths) - lengths
    which = np.repeat(np.arange(lengths.size), lengths)[flat]
    return which, flat - begins[which], counts[flat]
