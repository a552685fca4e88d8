"""
Mann-Whitney: are the values of one sample larger or smaller than those of another?

Values of one cell are ties: half of each pair counts for either side, and the variance is corrected for them, so that
the test is exact in what it knows: the order of the cells.
"""

from typing import NamedTuple

import numpy as np

from monitorx.backend.detector.sketch import Floats


class RankLocation(NamedTuple):
    """
    The shift between two samples.

    Attributes:
        effect: P(current > reference) + P(equal) / 2 - 1/2, from -1/2 to 1/2; 0 without a shift.
        variance: Of the effect, where both samples are of the same distribution.
    """

    effect: float
    variance: float


def rank_location(reference: Floats, current: Floats) -> RankLocation:
    """
    The Mann-Whitney statistic of counts over the same cells.

    Args:
        reference, current: Counts, shape (cells,), in the order of the values; each has at least one above 0.

    >>> rank_location(np.array([3.0, 0.0]), np.array([0.0, 3.0])).effect
    0.5
    >>> rank_location(np.array([2.0, 2.0]), np.array([1.0, 1.0])).effect
    0.0

    Source: Mann and Whitney (1947), Annals of Mathematical Statistics 18; the correction for ties is that of Lehmann
    (1975), Nonparametrics, 1.4.
    """
    m, n = reference.sum(), current.sum()
    below = np.cumsum(reference) - reference / 2.0
    effect = float(np.dot(current, below) / (m * n) - 0.5)
    return RankLocation(effect, _variance(reference + current, float(m), float(n)))


def _variance(ties: Floats, m: float, n: float) -> float:
    total = m + n
    if total <= 1.0:
        return 0.0
    # As shares: counts to the third power would leave the range in which whole numbers are exact.
    share = ties / total
    spread = max(0.0, 1.0 - float(np.dot(share * share, share)))
    return spread * total / (total - 1.0) * (1.0 / m + 1.0 / n) / 12.0
