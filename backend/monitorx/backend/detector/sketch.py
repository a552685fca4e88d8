"""
One feature over one stretch of time, as counts in cells that are in the order of the values.

Takes exponential histograms of u = (x - center) / anchor. A power of two in the anchor only moves bucket indexes, so it
is taken out: sketches with equal center and equal rest of the anchor (`Lattice`) merge exactly, whatever their powers,
scales and zero thresholds are. Cells are numbered through: ..., -2, -1, 0 (near the center), 1, 2, ...
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Magnitudes from 2^-2048 to 2^2048: more than a float has, since an anchor may be as large or small as a value.
_EXPONENTS = 2048
MAX_SCALE = 20  # of OpenTelemetry's histograms
MAX_CELLS = 1 << 14  # filled ones in a sketch; with more of them it is made coarser


class Unreadable(Exception):
    """A histogram that cannot be put into cells; `reason` is one word for a counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Lattice(NamedTuple):
    """Where cells lie: x = center ± unit * 2^(n / 2^scale) are their edges; 1 <= unit < 2."""

    center: float
    unit: float


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """
    Counts of the values of a feature.

    Attributes:
        lattice, scale: Where the edges of the cells are.
        zero_cell: Cells up to this number on either side are counted in cell 0.
        cells: int64, shape (filled cells,), rising.
        counts: float64, the same shape, above 0. Whole numbers, unless it was put onto another lattice.
        min, max: Smallest and largest value, NaN where a sender did not tell.
        start_ns, end_ns: The time it tells of, [start, end).
    """

    lattice: Lattice
    scale: int
    zero_cell: int
    cells: Ints
    counts: Floats
    min: float
    max: float
    start_ns: int = 0
    end_ns: int = 0

    @property
    def count(self) -> float:
        """How many values."""
        return float(self.counts.sum())

    @property
    def largest_share(self) -> float:
        """The share of the values that the fullest cell has: how blind the sketch is inside of a cell."""
        return float(self.counts.max() / self.counts.sum()) if self.counts.size else 0.0

    def during(self, start_ns: int, end_ns: int) -> Self:
        """The same counts, said to be of another time."""
        return replace(self, start_ns=start_ns, end_ns=end_ns)

    def coarsened(self, scale: int, zero_cell: int = 0) -> Self:
        """The same counts in cells of a lower scale and with at least that zero cell (in cells of the new scale)."""
        shift = self.scale - scale
        zero = max(zero_cell, _shifted(self.zero_cell, shift))
        if not shift and zero == self.zero_cell:
            return self
        sizes = ((np.abs(self.cells) - 1) >> shift) + 1
        cells = np.where(sizes <= zero, 0, np.sign(self.cells) * sizes)
        cells, counts = _added(cells, self.counts)
        return replace(self, scale=scale, zero_cell=zero, cells=cells, counts=counts)

    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper edge of each filled cell as values x; no further out than min and max."""
        sizes = np.abs(self.cells)
        inner = np.where(sizes == self.zero_cell + 1, self._edge(np.array(self.zero_cell)), self._edge(sizes - 1))
        outer = np.where(sizes == 0, self._edge(np.array(self.zero_cell)), self._edge(sizes))
        low = np.where(self.cells > 0, inner, -outer) + self.lattice.center
        high = np.where(self.cells < 0, -inner, outer) + self.lattice.center
        if not math.isnan(self.min):
            low, high = np.maximum(low, self.min), np.maximum(high, self.min)
        if not math.isnan(self.max):
            low, high = np.minimum(low, self.max), np.minimum(high, self.max)
        return low, high

    def _edge(self, sizes: Ints) -> Floats:
        """Distance of the outer edge of cells from the center; 0 for cell 0 of a sketch without a zero cell."""
        exponents = sizes / (1 << self.scale) - _EXPONENTS
        distance: Floats = np.where(sizes > 0, self.lattice.unit * np.exp2(np.clip(exponents, -1074, 1022)), 0.0)
        return distance


def sketch_of(
    *,
    center: float,
    anchor: float,
    scale: int,
    zero_count: float,
    zero_threshold: float,
    positive_offset: int,
    positive: npt.ArrayLike,
    negative_offset: int,
    negative: npt.ArrayLike,
    low: float = math.nan,
    high: float = math.nan,
) -> Sketch:
    """
    An exponential histogram of (x - center) / anchor, whose smallest and largest value are *low* and *high*.

    Raises:
        Unreadable: Its scale is below 0 or above 20, its anchor is not above 0, or a number is not finite.
    """
    if not 0 <= scale <= MAX_SCALE:
        raise Unreadable("scale")
    if not (math.isfinite(center) and math.isfinite(anchor) and anchor > 0 and math.isfinite(zero_threshold)):
        raise Unreadable("anchor")
    mantissa, exponent = math.frexp(anchor)
    moved = ((exponent - 1) << scale) + (_EXPONENTS << scale) + 1  # from a bucket's index to its cell
    last = (2 * _EXPONENTS) << scale
    zero = min(max(_bucket_of(zero_threshold, scale) + moved, 0), last) if zero_threshold > 0 else 0
    over, under = _filled(positive), _filled(negative)
    sizes = [
        np.clip(filled + offset + moved, 1, last)
        for (filled, _), offset in ((over, positive_offset), (under, negative_offset))
    ]
    cells = np.concatenate([sizes[0], -sizes[1], [0]])
    counts = np.concatenate([over[1], under[1], [float(zero_count)]])
    if not np.isfinite(counts).all():
        raise Unreadable("count")
    cells, counts = _added(np.where(np.abs(cells) <= zero, 0, cells), np.maximum(counts, 0.0))
    ends = _finite(center + anchor * low), _finite(center + anchor * high)
    return _bounded(Sketch(Lattice(float(center), mantissa * 2.0), scale, zero, cells, counts, *ends))


def merged(sketches: Sequence[Sketch]) -> Sketch:
    """
    All of *sketches*, at least one, which lie on one lattice: exact, in any order and grouping.

    Raises:
        ValueError: Their lattices differ.
    """
    first = sketches[0]
    if len(sketches) == 1:
        return first
    if any(sketch.lattice != first.lattice for sketch in sketches):
        raise ValueError(f"cannot merge lattices {sorted({sketch.lattice for sketch in sketches})}; they must be equal")
    scale = min(sketch.scale for sketch in sketches)
    zero = max(_shifted(sketch.zero_cell, sketch.scale - scale) for sketch in sketches)
    alike = [sketch.coarsened(scale, zero) for sketch in sketches]
    cells, counts = _added(
        np.concatenate([sketch.cells for sketch in alike]), np.concatenate([sketch.counts for sketch in alike])
    )
    return _bounded(
        Sketch(
            first.lattice,
            scale,
            zero,
            cells,
            counts,
            float(np.fmin.reduce([sketch.min for sketch in sketches])),
            float(np.fmax.reduce([sketch.max for sketch in sketches])),
            min(sketch.start_ns for sketch in sketches),
            max(sketch.end_ns for sketch in sketches),
        )
    )


def cells_of(values: Floats, lattice: Lattice, scale: int, zero_cell: int) -> Ints:
    """The cells that *values* belong to, by a logarithm: within rounding of an edge either side may be meant."""
    distance = np.abs(values - lattice.center) / lattice.unit
    with np.errstate(divide="ignore"):
        exponents = np.clip(np.log2(distance), -_EXPONENTS, _EXPONENTS)
    sizes = np.ceil((exponents + _EXPONENTS) * (1 << scale)).astype(np.int64)
    cells: Ints = np.where(sizes <= zero_cell, 0, np.sign(values - lattice.center).astype(np.int64) * sizes)
    return cells


def _bucket_of(magnitude: float, scale: int) -> int:
    """The bucket that *magnitude* > 0 is in; exact for powers of two, which zero thresholds are."""
    mantissa, exponent = math.frexp(magnitude)
    return ((exponent - 1) << scale) + math.ceil((math.log2(mantissa) + 1.0) * (1 << scale)) - 1


def _filled(counts: npt.ArrayLike) -> tuple[Ints, Floats]:
    """Positions and counts of the buckets that are not empty."""
    values = np.asarray(counts, dtype=np.float64)
    filled = np.flatnonzero(values)
    return filled, values[filled]


def _added(cells: Ints, counts: Floats) -> tuple[Ints, Floats]:
    """Each filled cell once, in order."""
    distinct, place = np.unique(cells, return_inverse=True)
    total: Floats = np.bincount(place, weights=counts, minlength=distinct.size).astype(np.float64)
    is_filled = total > 0
    return distinct[is_filled], total[is_filled]


def _shifted(cell: int, shift: int) -> int:
    return ((cell - 1) >> shift) + 1


def _bounded(sketch: Sketch) -> Sketch:
    while sketch.cells.size > MAX_CELLS and sketch.scale:
        sketch = sketch.coarsened(sketch.scale - 1)
    return sketch


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
