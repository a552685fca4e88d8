"""Wasserstein distance: how far, on average, a value must go to turn one distribution into the other."""

import numpy as np

from monitorx.backend.detector.sketch import Floats


def wasserstein(edges: Floats, reference: Floats, current: Floats, *, unit: float) -> float:
    """
    The first distance between counts over the same cells, in units of *unit*.

    Args:
        edges: Where the values of each cell lie, shape (cells,), rising.
        reference, current: Counts, shape (cells,).
        unit: Above 0, in the unit of the edges: the spread of the reference, say.

    >>> wasserstein(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0]), unit=0.5)
    2.0

    Source: Vallender (1974), Theory of Probability and its Applications 18: the area between the functions.
    """
    difference = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
    return float(np.dot(np.abs(difference[:-1]), np.diff(edges)) / unit)
