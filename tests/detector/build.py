"""Sketches, references and batches as tests need them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from monitorx.backend.batch import ColumnBatch, Signal
from monitorx.backend.decode import Decoder
from monitorx.backend.detector import Reference, Sketch, reference_of, sketch_of
from monitorx.sketch import Anchor, choose, fold
from monitorx.sketch.exponential import dense
from tests.support.sketching import sketches

Values = npt.NDArray[np.float64]
SECOND = 1_000_000_000


def sketch(values: Values | Sequence[float], anchor: Anchor | None = None, *, scale: int = 6) -> Sketch:
    """*values* as the backend sees them, counted from their own anchor unless one is given."""
    anchor = anchor or choose(values)
    histogram = fold(values, anchor, scale=scale)
    (positive_offset, positive), (negative_offset, negative) = dense(histogram.positive), dense(histogram.negative)
    return sketch_of(
        center=anchor.center,
        anchor=anchor.scale,
        scale=histogram.scale,
        zero_count=histogram.zero_count,
        zero_threshold=histogram.zero_threshold,
        positive_offset=positive_offset,
        positive=positive,
        negative_offset=negative_offset,
        negative=negative,
        low=histogram.min,
        high=histogram.max,
    )


def reference(windows: Sequence[Values], anchor: Anchor | None = None, *, name: str = "r") -> Reference:
    """A reference of *windows*, all counted from one anchor."""
    anchor = anchor or choose(windows[0])
    made = reference_of(name, [sketch(window, anchor) for window in windows])
    assert made is not None
    return made


def batch(
    features: Mapping[str, Values | Sequence[float]],
    *,
    at_ns: int,
    model: str = "fraud",
    version: str = "1",
    anchors: Mapping[str, Anchor] | None = None,
) -> ColumnBatch:
    """What decoding makes of one point for each feature, sent at *at_ns*."""
    request = sketches(features, model=model, version=version, at_ns=at_ns, anchors=anchors)
    decoded = Decoder().decode(Signal.METRICS, request.SerializeToString(), tenant="default", arrival_ns=at_ns)
    (found,) = decoded.batches
    return found


def told(one: Sketch) -> tuple[object, ...]:
    """Everything a sketch counts, to be compared."""
    return one.lattice, one.scale, one.zero_cell, one.cells.tolist(), one.counts.tolist(), one.min, one.max
