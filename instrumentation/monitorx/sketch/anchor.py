"""
Anchors: the center and unit in which a feature's values are counted, so that its bulk falls where buckets are fine.

Replicas and restarts choose from different samples of the same feature, and their sketches add up exactly only where
they choose the same. So the choice is coarse: the unit is a power of two, and the center is the simplest number, the
one with the fewest binary digits, among those near the median. Zero is the simplest of all.

Source: docs/decisions/008-anchors-and-scale.md.
"""

import math
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple

ENOUGH: Final = 200  # finite values, from which on a choice is as good as replicas need it
SAMPLE: Final = 1_000  # finite values looked at, where there are as many
REACH: Final = 8.0  # how far from the median, in spreads, the center may lie
DECILES_IN_SIGMAS: Final = 2.5631031310892007  # from the first to the last decile of a normal distribution

_LOWEST, _HIGHEST = sys.float_info.min_exp, sys.float_info.max_exp - 1


class Anchor(NamedTuple):
    """Values x are counted as (x - center) / scale; `scale` is a power of two where it was chosen here."""

    center: float
    scale: float


def choose(values: Iterable[float]) -> Anchor:
    """
    The anchor for a feature whose first values are *values*; the first `SAMPLE` finite ones are looked at.

    With fewer than `ENOUGH` replicas disagree more often. Of no finite value at all it is (0, 1).

    >>> choose([99.0, 100.0, 101.0] * 70)
    Anchor(center=96.0, scale=1.0)
    """
    sample = sorted(islice((value for value in map(float, values) if math.isfinite(value)), SAMPLE))
    if not sample:
        return Anchor(0.0, 1.0)
    median = _quantile(sample, 0.5)
    spread = (_quantile(sample, 0.9) / 2 - _quantile(sample, 0.1) / 2) / (DECILES_IN_SIGMAS / 2)  # no overflow
    center = simplest(median - REACH * spread, median + REACH * spread)
    if not spread:
        spread = _spread_around(center, sample)
    return Anchor(center, power_of_two(spread))


def simplest(low: float, high: float) -> float:
    """The multiple of the largest power of two in [*low*, *high*]; 0 where that lies in it."""
    if low <= 0.0 <= high or not math.isfinite(low - high):
        return 0.0
    if high < 0.0:
        return -simplest(-high, -low)
    exponent = math.frexp(high)[1]
    step = math.ldexp(1.0, exponent - 1)  # the largest power of two up to high
    while step > 0.0:
        found = math.floor(high / step) * step
        if found >= low:
            return found
        step /= 2.0
    return high


def power_of_two(spread: float) -> float:
    """The power of two nearest to *spread* > 0, by ratio."""
    mantissa, exponent = math.frexp(spread)
    nearest = exponent if mantissa >= math.sqrt(0.5) else exponent - 1
    return math.ldexp(1.0, min(max(nearest, _LOWEST), _HIGHEST))


def _spread_around(center: float, sample: list[float]) -> float:
    distances = sorted(abs(value - center) for value in sample if value != center)
    return (distances and _quantile(distances, 0.5)) or 1.0


def _quantile(ordered: list[float], share: float) -> float:
    """An observed value, so that of integers it is an integer."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
