"""Which of many p-values count, so that few of those that count are false."""

from collections.abc import Sequence

import numpy as np


def rejected(p: Sequence[float], q: float) -> list[bool]:
    """
    For each of *p* whether it counts, with a false discovery rate of at most *q*.

    Where nothing has changed at all, the chance that any counts is *q*, however many there are.

    >>> rejected([0.001, 0.04, 0.03, 0.5], 0.05)
    [True, False, False, False]
    >>> rejected([0.01, 0.02, 0.03, 0.04], 0.05)
    [True, True, True, True]

    Source: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)
    is_below = values[order] <= q * np.arange(1, values.size + 1) / max(values.size, 1)
    last = int(np.flatnonzero(is_below)[-1]) if is_below.any() else -1
    threshold = values[order[last]] if last >= 0 else -1.0
    return [bool(value <= threshold) for value in values]
