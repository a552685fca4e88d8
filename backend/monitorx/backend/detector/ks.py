"""Kolmogorov-Smirnov distance: the largest difference of two distribution functions. It is the drift score."""

import numpy as np

from monitorx.backend.detector.sketch import Floats


def ks(reference: Floats, current: Floats) -> float:
    """
    The distance of counts over the same cells, in the order of the values: 0 for equal shares, 1 for no overlap.

    >>> ks(np.array([5.0, 5.0]), np.array([2.0, 8.0]))
    0.3

    Source: Kolmogorov (1933), Smirnov (1939). Inside of a cell it is not seen: at most the share of a cell is missed.
    """
    difference = np.cumsum(current) / current.sum() - np.cumsum(reference) / reference.sum()
    return float(np.round(np.abs(difference).max(), 12))
