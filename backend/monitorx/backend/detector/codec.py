"""Sketches as bytes for our own state, and back."""

from collections.abc import Sequence

import msgspec
import numpy as np

from monitorx.backend.detector.sketch import Lattice, Sketch


class _Packed(msgspec.Struct, array_like=True):
    """A sketch; the arrays are little-endian int64 and float64."""

    center: float
    unit: float
    scale: int
    zero_cell: int
    cells: bytes
    counts: bytes
    min: float
    max: float
    start_ns: int
    end_ns: int


_decoder = msgspec.msgpack.Decoder(list[_Packed])


def dump(sketches: Sequence[Sketch]) -> bytes:
    """*sketches* as bytes."""
    return msgspec.msgpack.encode([_packed(sketch) for sketch in sketches])


def load(value: bytes) -> list[Sketch]:
    """The sketches again, equal to the last bit."""
    return [
        Sketch(
            Lattice(each.center, each.unit),
            each.scale,
            each.zero_cell,
            np.frombuffer(each.cells, dtype="<i8").astype(np.int64),
            np.frombuffer(each.counts, dtype="<f8").astype(np.float64),
            each.min,
            each.max,
            each.start_ns,
            each.end_ns,
        )
        for each in _decoder.decode(value)
    ]


def _packed(sketch: Sketch) -> _Packed:
    return _Packed(
        *sketch.lattice,
        sketch.scale,
        sketch.zero_cell,
        sketch.cells.astype("<i8").tobytes(),
        sketch.counts.astype("<f8").tobytes(),
        sketch.min,
        sketch.max,
        sketch.start_ns,
        sketch.end_ns,
    )
