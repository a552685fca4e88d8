"""
Two sketches on common cells, so that they can be compared; or the answer that their resolution does not allow it.

On one lattice this is exact. Between lattices the values inside of a cell are taken to be spread evenly over it, which
is good where no cell holds much. A cell that does may be an atom (integers, zero inflation), whose place inside of the
cell is not known: then there is no answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from monitorx.backend.detector.sketch import Floats, Ints, Lattice, Sketch, cells_of, merged

# The distance of two distributions is told to this share of the values; it is also the smallest that raises an alarm.
LARGEST_SHARE = 0.05
_PARTS = 16  # a cell is cut into so many for another lattice


class Aligned(NamedTuple):
    """
    Counts of two samples in the same cells, in the order of the values.

    Attributes:
        frame: Both samples as one sketch, whose cells these are.
        reference, current: float64, shape (cells,).
    """

    frame: Sketch
    reference: Floats
    current: Floats


def aligned(reference: Sketch, current: Sketch) -> Aligned | None:
    """The two on cells of *reference*'s lattice; None where the resolution is too low to tell them apart."""
    here = current
    if current.lattice != reference.lattice:
        if max(reference.largest_share, current.largest_share) > LARGEST_SHARE:
            return None
        here = moved(current, reference.lattice, reference.scale)
    scale = min(reference.scale, here.scale)
    zero = max(reference.coarsened(scale).zero_cell, here.coarsened(scale).zero_cell)
    one, other = reference.coarsened(scale, zero), here.coarsened(scale, zero)
    frame = merged([one, other])
    # All in one cell, and yet not all the same: whatever moved inside of it is not seen.
    if frame.cells.size == 1 and frame.min < frame.max:
        return None
    return Aligned(frame, *(counts_on(frame.cells, onto(each, frame)) for each in (one, other)))


def pooled(sketches: Sequence[Sketch]) -> Sketch | None:
    """
    All of *sketches* on the lattice that has most of the values; None where those of the others cannot be moved to it.

    Replicas that began with different samples may choose different anchors.
    """
    totals: dict[Lattice, float] = {}
    for sketch in sketches:
        totals[sketch.lattice] = totals.get(sketch.lattice, 0.0) + sketch.count
    if len(totals) == 1:
        return merged(sketches)
    if any(sketch.largest_share > LARGEST_SHARE for sketch in _by_lattice(sketches)):
        return None
    target = max(totals, key=lambda lattice: (totals[lattice], lattice))
    scale = min(sketch.scale for sketch in sketches)
    return merged([sketch if sketch.lattice == target else moved(sketch, target, scale) for sketch in sketches])


def onto(sketch: Sketch, target: Sketch) -> Sketch:
    """*sketch* in the cells of *target*, of which it is a part or into which it may be moved."""
    here = sketch if sketch.lattice == target.lattice else moved(sketch, target.lattice, target.scale)
    return here.coarsened(target.scale, target.zero_cell)


def moved(sketch: Sketch, lattice: Lattice, scale: int) -> Sketch:
    """*sketch* in cells of another lattice, the values of a cell spread evenly over it."""
    low, high = sketch.bounds()
    steps = (np.arange(_PARTS) + 0.5) / _PARTS
    values = low[:, None] + (high - low)[:, None] * steps
    cells = cells_of(values.ravel(), lattice, scale, 0)
    distinct, place = np.unique(cells, return_inverse=True)
    weights = np.repeat(sketch.counts / _PARTS, _PARTS)
    counts: Floats = np.bincount(place.ravel(), weights=weights).astype(np.float64)
    return replace(sketch, lattice=lattice, scale=scale, zero_cell=0, cells=distinct, counts=counts)


def counts_on(cells: Ints, sketch: Sketch) -> Floats:
    """Counts of *sketch* at each of *cells*, of which its own are a part."""
    counts = np.zeros(cells.size)
    counts[np.searchsorted(cells, sketch.cells)] = sketch.counts
    return counts


def _by_lattice(sketches: Sequence[Sketch]) -> list[Sketch]:
    lattices = dict.fromkeys(sketch.lattice for sketch in sketches)
    return [merged([sketch for sketch in sketches if sketch.lattice == lattice]) for lattice in lattices]
