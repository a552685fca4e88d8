"""
A histogram over logarithmic buckets of a fixed scale, as OpenTelemetry's ExponentialHistogram carries it.

Since the scale never changes, counts of two histograms add up exactly, in any order and any grouping. Pure Python, so
that an instrumented application loads no numeric library for it.

Source: OpenTelemetry metrics data model, ExponentialHistogram.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from math import frexp, isfinite

LATENCY_SCALE = 5  # 32 buckets to a doubling: a quantile is at most 2.2 % off

# Bucket edges end at 2^±40 (1e-12 to 1e12), which bounds a histogram at 80 * 2^scale buckets a sign.
LOWEST_EXPONENT, HIGHEST_EXPONENT = -40, 40
_LOWEST, _HIGHEST = 2.0**LOWEST_EXPONENT, 2.0**HIGHEST_EXPONENT


class ExponentialHistogram:
    """
    Counts of values in buckets (2^(i/2^scale), 2^((i+1)/2^scale)], for each sign, and of those near zero.

    Attributes:
        scale: Resolution; histograms merge only at the same one.
        zero_threshold: Values whose magnitude is at most this count as zero.
        positive, negative: Bucket index to count.
        zero_count: Values near zero.
        nonfinite: NaN and infinities: counted here, never bucketed, not part of `count`.
        clamped: Values beyond the outermost edge, counted in the outermost bucket (or as zero) all the same.
        sum, min, max: Of all finite values; min is inf and max -inf while empty.
    """

    __slots__ = (
        "_first",
        "_last",
        "clamped",
        "max",
        "min",
        "negative",
        "nonfinite",
        "positive",
        "scale",
        "sum",
        "zero_count",
        "zero_threshold",
    )

    def __init__(self, scale: int = LATENCY_SCALE, *, zero_threshold: float = 0.0) -> None:
        self.scale = scale
        self._first = LOWEST_EXPONENT << scale
        self._last = (HIGHEST_EXPONENT << scale) - 1
        self.zero_threshold = zero_threshold
        self.positive: dict[int, int] = {}
        self.negative: dict[int, int] = {}
        self.zero_count = 0
        self.nonfinite = 0
        self.clamped = 0
        self.sum = 0.0
        self.min = math.inf
        self.max = -math.inf

    @property
    def count(self) -> int:
        """How many finite values were recorded."""
        return self.zero_count + sum(self.positive.values()) + sum(self.negative.values())

    def record(self, value: float, times: int = 1) -> None:
        """Count *value*, which stands for *times* equal ones."""
        if not isfinite(value):
            self.nonfinite += times
            return
        self.sum += value * times
        self.min = min(self.min, value)
        self.max = max(self.max, value)
        magnitude = abs(value)
        if magnitude <= self.zero_threshold:
            self.zero_count += times
            return
        index = bucket_index(magnitude, self.scale)
        if index < self._first:
            self.clamped += times
            self.zero_count += times
            return
        if index > self._last:
            self.clamped += times
            index = self._last
        buckets = self.positive if value > 0 else self.negative
        buckets[index] = buckets.get(index, 0) + times

    def record_all(self, values: Sequence[float]) -> None:
        """Count each of *values*: what `record` makes of them one by one, in less time."""
        if not values:
            return
        total, least, most = sum(values), min(values), max(values)
        if not (isfinite(total) and max(self.zero_threshold, _LOWEST) < least and most <= _HIGHEST):
            for value in values:
                self.record(value)
            return
        self.sum += total
        self.min = min(self.min, least)
        self.max = max(self.max, most)
        buckets, scale, edges = self.positive, self.scale, edges_of(self.scale)
        for value in values:
            mantissa, exponent = frexp(value)
            index = ((exponent - 1) << scale) + bisect_left(edges, mantissa) - 1  # as bucket_index
            buckets[index] = buckets.get(index, 0) + 1

    def merge(self, other: "ExponentialHistogram") -> None:
        """
        Add *other*.

        Raises:
            ValueError: The two differ in scale or zero threshold.
        """
        if (self.scale, self.zero_threshold) != (other.scale, other.zero_threshold):
            raise ValueError(
                f"cannot merge scale {other.scale}, zero threshold {other.zero_threshold} into scale {self.scale}, "
                f"zero threshold {self.zero_threshold}; both must be equal"
            )
        for mine, theirs in ((self.positive, other.positive), (self.negative, other.negative)):
            for index, count in theirs.items():
                mine[index] = mine.get(index, 0) + count
        self.zero_count += other.zero_count
        self.nonfinite += other.nonfinite
        self.clamped += other.clamped
        self.sum += other.sum
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)


def bucket_index(magnitude: float, scale: int) -> int:
    """
    Index i of the bucket (2^(i/2^scale), 2^((i+1)/2^scale)] that holds *magnitude* > 0: ceil(log2(m) * 2^scale) - 1.

    It is looked up among the edges, not computed by a logarithm, so every platform and any vectorised twin of it gives
    the same bucket to the last bit.

    >>> bucket_index(1.0, 5), bucket_index(1.0000001, 5), bucket_index(2.0, 5)
    (-1, 0, 31)
    """
    mantissa, exponent = frexp(magnitude)  # mantissa in [0.5, 1)
    edges = _EDGES.get(scale) or edges_of(scale)
    return ((exponent - 1) << scale) + bisect_left(edges, mantissa) - 1


def dense(buckets: dict[int, int]) -> tuple[int, list[int]]:
    """Offset and counts of *buckets* from the first to the last one filled; (0, []) where there is none."""
    if not buckets:
        return 0, []
    first, last = min(buckets), max(buckets)
    return first, [buckets.get(index, 0) for index in range(first, last + 1)]


def edges_of(scale: int) -> list[float]:
    """The edges from 0.5 up to under 1, 2^scale of them: mantissas are looked up here, by whoever counts."""
    if scale not in _EDGES:
        steps = 1 << scale
        _EDGES[scale] = [2.0 ** (step / steps - 1.0) for step in range(steps)]
    return _EDGES[scale]


_EDGES: dict[int, list[float]] = {}  # by scale: the edges between 0.5 and 1, from which all others follow by doubling
