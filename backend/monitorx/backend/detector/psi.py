"""Population stability index over tenths of the reference, freed of what chance alone makes of it."""

import math
from typing import NamedTuple

import numpy as np

from monitorx.backend.detector.sketch import Floats

_TENTHS = 10
_HALF = 0.5  # added to each count, so that empty cells stay finite (Jeffreys' prior)
_Z90 = 1.6448536269514722


class PSI(NamedTuple):
    """
    The index in nats.

    Attributes:
        value: As it is usually told.
        debiased: Less what two samples of one distribution would show; not below 0.
        low, high: Where the debiased value lies in 90 of 100 cases.
    """

    value: float
    debiased: float
    low: float
    high: float


def psi(reference: Floats, current: Floats) -> PSI:
    """
    The index of counts over the same cells, in the order of the values, put together to tenths of the reference.

    >>> psi(np.array([50.0, 50.0]), np.array([50.0, 50.0])).value
    0.0
    >>> round(psi(np.array([5000.0, 5000.0]), np.array([2500.0, 7500.0])).value, 3)
    0.275

    Source: Siddiqi (2006), Credit Risk Scorecards. That the index of two samples is about (1/m + 1/n) times a
    chi-square of (tenths - 1) degrees of freedom, not central where there is a difference: Yurdakul and Naranjo (2020),
    Statistical properties of the population stability index.
    """
    expected, observed = _tenths(reference, current)
    m, n = float(reference.sum()), float(current.sum())
    cells = expected.size
    p = (expected + _HALF) / (m + _HALF * cells)
    q = (observed + _HALF) / (n + _HALF * cells)
    value = float(np.dot(q - p, np.log(q / p)))
    noise = 1.0 / m + 1.0 / n
    debiased = max(0.0, value - (cells - 1) * noise)
    spread = _Z90 * math.sqrt(2.0 * (cells - 1) * noise**2 + 4.0 * debiased * noise)
    return PSI(value, debiased, max(0.0, debiased - spread), debiased + spread)


def _tenths(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """Counts of both in groups of neighbouring cells that hold about a tenth of the reference each."""
    before = (np.cumsum(reference) - reference / 2.0) / reference.sum()  # of the middle of each cell
    group = np.minimum((before * _TENTHS).astype(np.int64), _TENTHS - 1)
    _, group = np.unique(group, return_inverse=True)
    one, other = (np.bincount(group, weights=counts).astype(np.float64) for counts in (reference, current))
    return one, other
