"""A latency histogram that merges exactly: fixed logarithmic buckets, 32 to a doubling."""

import math
import struct

import numpy as np
import numpy.typing as npt

from monitorx.backend.window.bucket import MAX_SECONDS, SCALE, STEPS, Floats, Points, fill, indexes, places
from monitorx.backend.window.distribution import Cells, Explicit, Exponential, cells

_HEADER = struct.Struct("<BBhIddd")  # version, type of the counts, offset, buckets, zero, sum, max
_VERSION = 1
_COUNT_TYPES = ("<u1", "<u2", "<u4", "<f8")


class LatencyHistogram:
    """
    Counts of durations in buckets (2^(i/32), 2^((i+1)/32)] seconds, i from `offset`.

    Attributes:
        offset: Index of the first bucket.
        counts: float64, shape (buckets,). Fractions arise where coarser histograms are spread over ours.
        zero: How many were 0 s or less.
        sum_s, max_s: Of all durations, seconds; max_s is -inf while empty.
    """

    __slots__ = ("counts", "max_s", "offset", "sum_s", "zero")

    def __init__(
        self,
        offset: int = 0,
        counts: npt.NDArray[np.float64] | None = None,
        *,
        zero: float = 0.0,
        sum_s: float = 0.0,
        max_s: float = -math.inf,
    ) -> None:
        self.offset = offset
        self.counts = np.zeros(0) if counts is None else counts
        self.zero = zero
        self.sum_s = sum_s
        self.max_s = max_s

    def merge(self, other: "LatencyHistogram") -> None:
        """Add *other*."""
        self._add(other.offset, other.counts)
        self.zero += other.zero
        self.sum_s += other.sum_s
        self.max_s = max(self.max_s, other.max_s)

    def add_values(self, seconds: Floats, weights: Floats) -> None:
        """Add single durations; *weights* says how many calls each stands for. Shape (n,) both."""
        if not seconds.size:
            return
        seconds = np.clip(np.nan_to_num(seconds), 0.0, MAX_SECONDS)
        is_zero = seconds <= 0
        timed, timed_weights = seconds[~is_zero], weights[~is_zero]
        row = np.zeros(timed.size, np.int64)
        matrix = fill(1, Points(row, indexes(places(timed)), timed_weights))
        self._add(matrix.first, matrix.cells[0])
        self.zero += float(weights[is_zero].sum())
        self.sum_s += float(seconds @ weights)
        self.max_s = max(self.max_s, float(seconds.max()))

    def add_exponential(
        self,
        *,
        scale: int,
        zero_count: float,
        offset: int,
        counts: Floats,
        sum_s: float,
        min_s: float = math.nan,
        max_s: float = math.nan,
    ) -> None:
        """
        Add an ExponentialHistogram of seconds: exactly from scale 5 on, else spread evenly within each bucket.

        `min_s` and `max_s` are NaN where unknown. What is called zero (its threshold is a rounding of 0) counts as 0 s.
        """
        count = np.asarray(counts, np.float64)
        self._add_cells(cells(1, exponential=Exponential.one(scale, offset, count, min_s, max_s)), zero_count, sum_s)

    def add_explicit(
        self,
        *,
        bounds: Floats,
        counts: Floats,
        sum_s: float,
        min_s: float = math.nan,
        max_s: float = math.nan,
    ) -> None:
        """
        Add a histogram of seconds with explicit upper *bounds*, len(counts) == len(bounds) + 1.

        Counts are spread over their bucket evenly on the logarithmic axis. The first bucket begins at `min_s`, else at
        half its bound; the last ends at `max_s`, else at twice its bound.
        """
        explicit = Explicit.one(np.asarray(bounds, np.float64), np.asarray(counts, np.float64), sum_s, min_s, max_s)
        self._add_cells(cells(1, explicit=explicit), 0.0, sum_s)

    @property
    def count(self) -> float:
        """How many durations there are."""
        return float(self.counts.sum()) + self.zero

    @property
    def mean(self) -> float:
        """Seconds; NaN while empty."""
        count = self.count
        return self.sum_s / count if count else math.nan

    def quantile(self, q: float) -> float:
        """
        Seconds below which a share *q* (0 to 1) of the durations lies, at most 2.2 % off; NaN while empty.

        Interpolated within the bucket, never above the largest duration.
        """
        running = np.cumsum(self.counts)
        timed = float(running[-1]) if running.size else 0.0
        if timed + self.zero <= 0:
            return math.nan
        rank = q * (timed + self.zero) - self.zero
        if rank <= 0 or not timed:
            return 0.0 if self.zero else self._low(running)
        index = min(int(np.searchsorted(running, rank)), running.size - 1)
        count = float(self.counts[index])
        within = 1.0 - (float(running[index]) - rank) / count if count else 1.0
        return self._capped((self.offset + index + min(within, 1.0)) / STEPS)

    def copy(self) -> "LatencyHistogram":
        """One that does not change with this."""
        return LatencyHistogram(self.offset, self.counts.copy(), zero=self.zero, sum_s=self.sum_s, max_s=self.max_s)

    def to_bytes(self) -> bytes:
        """34 bytes and the buckets in use, each as small as the largest count allows. Little-endian."""
        filled = np.flatnonzero(self.counts)
        begin, end = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0)
        counts = self.counts[begin:end]
        kind = _count_type(counts)
        header = _HEADER.pack(
            _VERSION, kind, self.offset + begin if filled.size else 0, end - begin, self.zero, self.sum_s, self.max_s
        )
        return header + counts.astype(_COUNT_TYPES[kind]).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "LatencyHistogram":
        """What `to_bytes` wrote."""
        version, kind, offset, size, zero, sum_s, max_s = _HEADER.unpack_from(data)
        if version != _VERSION:
            raise ValueError(f"latency histogram of version {version}; this program reads version {_VERSION}")
        counts = np.frombuffer(data, _COUNT_TYPES[kind], size, _HEADER.size).astype(np.float64)
        return cls(offset, counts, zero=zero, sum_s=sum_s, max_s=max_s)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LatencyHistogram) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment] # it changes, so it has no hash

    def __repr__(self) -> str:
        return f"LatencyHistogram(count={self.count:g}, sum_s={self.sum_s:g}, max_s={self.max_s:g}, scale={SCALE})"

    def _low(self, running: Floats) -> float:
        """The lower end of the first bucket in use."""
        return self._capped((self.offset + int(np.searchsorted(running, 0.0, side="right"))) / STEPS)

    def _capped(self, exponent: float) -> float:
        value = float(2.0**exponent)
        return min(value, self.max_s) if self.max_s > 0 else value

    def _add_cells(self, added: Cells, zero_count: float, sum_s: float) -> None:
        self._add(added.matrix.first, added.matrix.cells[0])
        self.zero += float(added.zero[0]) + zero_count
        self.sum_s += sum_s
        self.max_s = max(self.max_s, float(added.max_s[0]), 0.0 if zero_count else -math.inf)

    def _add(self, offset: int, counts: Floats) -> None:
        """Add bucket counts, widening the range where they lie outside."""
        begin, size = offset - self.offset, counts.size
        if begin >= 0 and begin + size <= self.counts.size:  # the usual case, and nothing at all
            self.counts[begin : begin + size] += counts
            return
        if not size:
            return
        if not self.counts.size:
            self.offset, self.counts = offset, counts.copy()
            return
        begin = min(self.offset, offset)
        end = max(self.offset + self.counts.size, offset + counts.size)
        if end - begin != self.counts.size:
            wider = np.zeros(end - begin)
            wider[self.offset - begin : self.offset - begin + self.counts.size] = self.counts
            self.offset, self.counts = begin, wider
        self.counts[offset - self.offset : offset - self.offset + counts.size] += counts


def _count_type(counts: Floats) -> int:
    """Index of the smallest type that keeps the counts as they are."""
    if not counts.size:
        return 0
    if (counts != np.floor(counts)).any() or counts.min() < 0:
        return 3
    largest = counts.max()
    return next((kind for kind, limit in enumerate((255, 65_535, 4_294_967_295)) if largest <= limit), 3)
