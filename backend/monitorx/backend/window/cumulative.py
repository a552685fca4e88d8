"""
Cumulative series made delta: what each point adds to the one before it.

Keeps a cursor for each series: the last point's start, time and counts. The rules are those of the OTel data model:

- A point no newer than the cursor is ignored. One of the same start adds the difference.
- Another start, or a count that went down, is a reset: the point counts in full.
- A series never seen before counts in full if it began within five minutes of the arrival; else the point is only the
  baseline for the next, since we cannot know when its counts came about.
- Gaps need nothing: the next point carries what was missed.

Cursors are bounded in number; the ones not touched for longest go first (`evicted` counts them).
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitorx.backend.window.bucket import Floats

BASELINE_NS = 300_000_000_000
MAX_SERIES = 100_000

_HEAD = struct.Struct("<BBqqdddd16sqI")  # version, type, start, time, count, sum, zero, max, shape, offset, buckets
_VERSION = 1
_TYPES = ("<u1", "<u2", "<u4", "<f8")
_LIMITS = (255, 65_535, 4_294_967_295)

Shape = bytes  # 16 bytes, equal for buckets that mean the same, but for their offset
NO_BUCKETS: Shape = bytes(16)
_EXPONENTIAL = b"exponential"


@dataclass(slots=True)
class Point:
    """
    The state of one series at one time.

    Attributes:
        shape: Of the buckets: `explicit_shape`, `exponential_shape` or NO_BUCKETS.
        offset: Index of the first bucket.
        max: Largest value since the start; NaN where unknown.
    """

    start_ns: int
    time_ns: int
    count: float
    sum: float
    zero: float
    max: float
    shape: Shape
    offset: int
    buckets: Floats


class Cursors:
    """The last point of each cumulative series."""

    def __init__(self, limit: int = MAX_SERIES) -> None:
        self.evicted = self.resets = self.ignored = self.baselines = 0
        self._limit = limit
        self._points: dict[int, Point] = {}
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._points)

    def advance(self, series: int, point: Point, arrival_ns: int) -> Point | None:
        """What *point* adds, as a point of its own; None where it adds nothing that may be counted."""
        last = self._points.pop(series, None)
        if last is not None and point.time_ns <= last.time_ns:
            self._points[series] = last
            self.ignored += 1
            return None
        point.buckets = point.buckets.copy()  # it came as a part of a whole batch
        self._points[series] = point
        self._changed.add(series)
        if last is None:
            self._bound()
            if point.start_ns < arrival_ns - BASELINE_NS:
                self.baselines += 1
                return None
            return point
        added = _difference(point, last) if point.start_ns == last.start_ns else None
        if added is None:
            self.resets += 1
            return point
        return added

    def take(self) -> dict[int, bytes]:
        """The cursors that changed since the last take, as bytes."""
        changed = {series: _to_bytes(self._points[series]) for series in self._changed if series in self._points}
        self._changed.clear()
        return changed

    def restore(self, cursors: Mapping[int, bytes]) -> None:
        """Begin with what was taken once."""
        self._points.update((series, _from_bytes(data)) for series, data in cursors.items())
        self._bound()

    def _bound(self) -> None:
        while len(self._points) > self._limit:
            del self._points[next(iter(self._points))]
            self.evicted += 1


def _difference(point: Point, last: Point) -> Point | None:
    """*point* without *last*; None where *last* is not contained in it."""
    count, zero = point.count - last.count, point.zero - last.zero
    buckets = _subtract(point, last)
    if buckets is None or count < 0 or zero < 0:
        return None
    # The largest since the start is this interval's only if it grew; else the buckets say how large it may be.
    largest = point.max if not point.max <= last.max else np.nan
    total = point.sum - last.sum
    return Point(point.start_ns, point.time_ns, count, total, zero, largest, point.shape, point.offset, buckets)


def _subtract(point: Point, last: Point) -> Floats | None:
    if point.shape == last.shape and point.offset == last.offset and point.buckets.size == last.buckets.size:
        buckets = point.buckets - last.buckets
    else:
        aligned = _aligned(last, point)
        if aligned is None:
            return None
        buckets = point.buckets - aligned
    if buckets.size and buckets.min() < 0:
        return None
    return buckets


def _aligned(last: Point, point: Point) -> Floats | None:
    """The buckets of *last* laid over those of *point*: an exponential histogram gets coarser and wider as it grows."""
    if not (_is_exponential(last.shape) and _is_exponential(point.shape)):
        return None
    coarser = _scale(last.shape) - _scale(point.shape)
    if coarser < 0:
        return None
    filled = np.flatnonzero(last.buckets)
    index = ((last.offset + filled) >> min(coarser, 62)) - point.offset
    if index.size and (index.min() < 0 or index.max() >= point.buckets.size):
        return None
    return np.bincount(index, weights=last.buckets[filled], minlength=point.buckets.size).astype(np.float64)


def explicit_shape(bounds: Floats) -> Shape:
    """The shape of a histogram with *bounds*."""
    return hashlib.blake2b(bounds.tobytes(), digest_size=16).digest()


def exponential_shape(scale: int) -> Shape:
    """The shape of an exponential histogram."""
    return _EXPONENTIAL + struct.pack("<ix", scale)


def _is_exponential(shape: Shape) -> bool:
    return shape.startswith(_EXPONENTIAL)


def _scale(shape: Shape) -> int:
    return int(struct.unpack_from("<i", shape, len(_EXPONENTIAL))[0])


def _to_bytes(point: Point) -> bytes:
    buckets = point.buckets
    is_whole = not buckets.size or ((buckets == np.floor(buckets)).all() and buckets.min() >= 0)
    largest = buckets.max() if buckets.size else 0
    kind = next((i for i, limit in enumerate(_LIMITS) if is_whole and largest <= limit), 3)
    head = (_VERSION, kind, point.start_ns, point.time_ns, point.count, point.sum, point.zero, point.max)
    return _HEAD.pack(*head, point.shape, point.offset, buckets.size) + buckets.astype(_TYPES[kind]).tobytes()


def _from_bytes(data: bytes) -> Point:
    version, kind, start_ns, time_ns, count, total, zero, largest, shape, offset, size = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise ValueError(f"cursor of version {version}; this program reads version {_VERSION}")
    buckets = np.frombuffer(data, _TYPES[kind], size, _HEAD.size).astype(np.float64)
    return Point(start_ns, time_ns, count, total, zero, largest, shape, offset, buckets)
