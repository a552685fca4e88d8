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
    import numpy.typing as npt

SCALE: Final = 6  # of the histograms of features (docs/decisions/008-anchors-and-scale.md)
ZERO_THRESHOLD: Final = 2.0**-6

NUMPY_FROM = 64  # values; under it the pure Python loop is the faster one
CHUNK = 16_384  # values at once, which stay in the processor's cache
HIGHEST: Final = 2.0**HIGHEST_EXPONENT
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
    fold_into(made, values, anchor)
    return made


def fold_into(made: ExponentialHistogram, values: "Sequence[float] | npt.NDArray[Any]", anchor: Anchor) -> None:
    """Add *values* to *made*, which `fold` has begun around the same anchor."""
    numpy = sys.modules.get("numpy") if len(values) >= NUMPY_FROM else None
    if numpy is None:
        _by_loop(values, anchor, made)
    else:
        _by_array(numpy, values, anchor, made)


def _by_loop(values: "Sequence[float] | npt.NDArray[Any]", anchor: Anchor, made: ExponentialHistogram) -> None:
    center, unit = anchor
    for value in values:
        x = float(value)
        if math.isfinite(x):
            made.record(min(max((x - center) / unit, -FARTHEST), FARTHEST))
        else:
            made.nonfinite += 1


def _by_array(numpy: Any, values: Any, anchor: Anchor, made: ExponentialHistogram) -> None:  # Any: numpy, unloaded
    lookup = _LOOKUPS.get(made.scale) or _LOOKUPS.setdefault(made.scale, _Lookup(numpy, made.scale))
    x = numpy.asarray(values, dtype=numpy.float64)
    counts = numpy.zeros(2 * lookup.span, dtype=numpy.int64)
    for start in range(0, len(x), CHUNK):
        _add_chunk(numpy, x[start : start + CHUNK], anchor, lookup, made, counts)
    made.zero_count += int(counts[0] + counts[lookup.span])
    for buckets, side in ((made.positive, counts[1 : lookup.span]), (made.negative, counts[lookup.span + 1 :])):
        filled = numpy.flatnonzero(side)
        for index, count in zip((filled + lookup.first).tolist(), side[filled].tolist(), strict=True):
            buckets[index] = buckets.get(index, 0) + count


def _add_chunk(
    numpy: Any,  # Any: as above
    x: Any,
    anchor: Anchor,
    lookup: "_Lookup",
    made: ExponentialHistogram,
    counts: Any,
) -> None:
    finite = numpy.isfinite(x)
    if not finite.all():
        made.nonfinite += len(x)
        x = x[finite]
        made.nonfinite -= len(x)
    if not len(x):
        return
    with numpy.errstate(all="ignore"):
        u = (x - anchor.center) / anchor.scale
    lowest, highest = float(u.min()), float(u.max())
    if not -FARTHEST <= lowest <= highest <= FARTHEST:
        u = numpy.clip(u, -FARTHEST, FARTHEST)
        lowest, highest = float(u.min()), float(u.max())
    made.sum += float(u.sum())
    made.min, made.max = min(made.min, lowest), max(made.max, highest)
    magnitude = numpy.abs(u)
    if max(-lowest, highest) > HIGHEST:
        made.clamped += int(numpy.count_nonzero(magnitude > HIGHEST))
    index = lookup.index(numpy, magnitude) + (u < 0) * lookup.span
    counts += numpy.bincount(index, minlength=len(counts))


class _Lookup:
    """
    The bucket of a magnitude from its bits: one look into a table, and one comparison with the edge that is near.

    A cell of the table is an exponent with the first bits of a mantissa; so small a stretch holds at most one edge.

    Attributes:
        first: Index of the bucket above the zero threshold.
        span: How many buckets there are on a side, with one in front for what is near zero.
    """

    def __init__(self, numpy: Any, scale: int) -> None:  # Any: see above
        self._shift = 52 - (scale + 3)  # edges are at least 0.69 / 2^scale apart, cells an eighth of 1 / 2^scale wide
        lowest, highest = (int(numpy.float64(edge).view(numpy.int64)) for edge in (ZERO_THRESHOLD, HIGHEST))
        self._offset = lowest >> self._shift
        starts = numpy.arange(self._offset, (highest >> self._shift) + 1, dtype=numpy.int64) << self._shift
        zero = math.frexp(ZERO_THRESHOLD)[1] - 1
        octaves = numpy.ldexp(1.0, numpy.arange(zero + 1, HIGHEST_EXPONENT + 1))
        within = numpy.array(edges_of(scale))  # times a power of two: exact
        edges = numpy.append(numpy.outer(octaves, within), HIGHEST).view(numpy.int64)
        # How many edges are below a cell's start, and which comes next: a magnitude above that is one bucket further.
        self._below = numpy.searchsorted(edges, starts)
        self._edge = edges[numpy.minimum(self._below, len(edges) - 1)]
        self.first = zero << scale
        self.span = len(edges)

    def index(self, numpy: Any, magnitude: Any) -> Any:  # Any: see above
        """Place of each *magnitude*: 0 near zero, then the buckets; what is too large is in the last one."""
        bits = numpy.clip(magnitude, ZERO_THRESHOLD, HIGHEST).view(numpy.int64)
        cell = (bits >> self._shift) - self._offset
        return self._below[cell] + (bits > self._edge[cell])


_LOOKUPS: dict[int, _Lookup] = {}  # by scale
