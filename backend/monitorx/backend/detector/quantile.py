"""Quantiles of a sketch, in the unit of the feature."""

from collections.abc import Sequence

import numpy as np

from monitorx.backend.detector.sketch import Sketch


def quantiles(sketch: Sketch, shares: Sequence[float]) -> list[float]:
    """
    The values below which each of *shares* lies, at most a cell off; the sketch is not empty.

    Inside of a cell values are taken to be spread evenly (Hyndman and Fan, definition 4, on grouped data).
    """
    low, high = sketch.bounds()
    total = np.cumsum(sketch.counts)
    found: list[float] = []
    for share in shares:
        rank = min(max(share, 0.0), 1.0) * total[-1]
        place = min(int(np.searchsorted(total, rank)), total.size - 1)
        within = (rank - (total[place] - sketch.counts[place])) / sketch.counts[place]
        found.append(float(low[place] + (high[place] - low[place]) * within))
    return found
