"""
Many values into one histogram of their standardised distances from an anchor.

With numpy, where the application has loaded it, and else in pure Python: every value falls into the same bucket. This
never imports numpy by itself.
"""

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from monitorx.sketch.anchor import Anchor
from monitorx.sketch.exponential import HIGHEST_EXPONENT, ExponentialHistogram, edges_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCALE: Final = 6  # of the histograms of features (docs/decisions/008-anchors-and-scale.md)
ZERO_THRESHOLD: Final = 2.0**-6

NUMPY_FROM = 48  # values; under it the pure Python loop is the faster one
FARTHEST: Final = 2.0**1000  # distances beyond are taken for this one, so that sums stay finite


def fold(values: "Sequence[float] | npt.NDArray[Any]", anchor: Anchor, *, scale: int = SCALE) -> ExponentialHistogram:
    """
    Counts of (x - center) / scale over all x of *values*.

    NaN and infinities are counted in `nonfinite`, and never bucketed.

    Args:
        values: Numbers, shape (n,).
        anchor: Where they are counted from, and in which unit.
        scale: Of the histogram; its zero threshold is `ZERO_THRESHOLD`.
    """
    made = ExponentialHistogram(scale, zero_threshold=ZERO_THRESHOLD)
    numpy = sys.modules.get("numpy") if len(values) >= NUMPY_FROM else None
    if numpy is None:
        _by_loop(values, anchor, made)
    else:
        _by_array(numpy, values, anchor, made)
    return made


def _by_loop(values: "Sequence[float] | npt.NDArray[Any]", anchor: Anchor, made: ExponentialHistogram) -> None:
    center, unit = anchor
    for value in values:
        x = float(value)
        if math.isfinite(x):
            made.record(min(max((x - center) / unit, -FARTHEST), FARTHEST))
        else:
            made.nonfinite += 1


def _by_array(numpy: Any, values: Any, anchor: Anchor, made: ExponentialHistogram) -> None:  # Any: numpy, unloaded
    np_ = numpy
    x = np_.asarray(values, dtype=np_.float64)
    finite = np_.isfinite(x)
    if not finite.all():
        x = x[finite]
        made.nonfinite = int(finite.size - x.size)
    if not x.size:
        return
    with np_.errstate(all="ignore"):
        u = np_.clip((x - anchor.center) / anchor.scale, -FARTHEST, FARTHEST)
    made.sum, made.min, made.max = float(u.sum()), float(u.min()), float(u.max())
    magnitude = np_.abs(u)
    near = magnitude <= made.zero_threshold
    made.zero_count = int(np_.count_nonzero(near))
    mantissa, exponent = np_.frexp(magnitude)
    index = ((exponent.astype(np_.int64) - 1) << made.scale) + np_.searchsorted(edges_of(made.scale), mantissa) - 1
    last = (HIGHEST_EXPONENT << made.scale) - 1
    made.clamped = int(np_.count_nonzero(index > last))
    index = np_.minimum(index, last)
    made.positive = _counts(np_, index[~near & (u > 0)])
    made.negative = _counts(np_, index[~near & (u < 0)])


def _counts(numpy: Any, index: "npt.NDArray[np.int64]") -> dict[int, int]:  # Any: see above
    if not index.size:
        return {}
    first = int(index.min())
    counts = numpy.bincount(index - first)
    filled = numpy.flatnonzero(counts)
    return dict(zip((filled + first).tolist(), counts[filled].tolist(), strict=True))
