"""A latency histogram that merges exactly: fixed logarithmic buckets, 32 to a doubling."""

import math

import numpy as np
import numpy.typing as npt

SCALE = 5  # OTel exponential scale: base 2^(1/32), so a quantile is at most 2.2 % off
_STEPS = 1 << SCALE


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
        raise NotImplementedError
