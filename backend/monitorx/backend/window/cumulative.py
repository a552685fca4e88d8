"""
Cumulative series made delta: what each point adds to the one before it.

Keeps a cursor for each series and process that writes it: the last point's start, time and counts. Processes that
nothing else tells apart (no `service.instance.id`) are told apart by their starts. The rules are those of the OTel data
model, for each writer:

- A point no newer than the cursor is ignored. One of the same start adds the difference.
- A count that went down is a reset: the point counts in full.
- Another start is another writer. One that began after the last points of all the others is a restart: it counts in
  full. Else, and where the series was never seen before, it counts in full if it began within five minutes of the
  arrival; if not, the point is only the baseline for the next, since we cannot know when its counts came about.
- Gaps need nothing: the next point carries what was missed.

Cursors are bounded in number; the series not touched for longest go first (`evicted` counts them). So are the writers
of a series: one that is silent for five minutes gives way to a new one, and where none is, the new one is left out
(`crowded` counts its points). A writer that was forgotten and comes back is a baseline: nothing is counted twice.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitorx.backend.window.bucket import Floats

BASELINE_NS = 300_000_000_000
FORGET_NS = 3_600_000_000_000  # a silent writer of a series that has others is kept so long
MAX_SERIES = 100_000
MAX_WRITERS = 32  # of one series

_HEAD = struct.Struct("<BBqqdddd16sqI")  # version, type, start, time, count, sum, zero, max, shape, offset, buckets
_VERSION = 1
_TYPES = ("<u1", "<u2", "<u4", "<f8")
_WIDTHS = (1, 2, 4, 8)
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
        self.evicted = self.resets = self.ignored = self.baselines = self.crowded = self.shared = self.unreadable = 0
        self._limit = limit
        self._size = 0
        self._writers: dict[int, list[Point]] = {}  # the last point of each; those touched last are at the end
        self._changed: set[int] = set()
        self._shared: set[int] = set()

    def __len__(self) -> int:
        return self._size

    def advance(self, series: int, point: Point, arrival_ns: int) -> Point | None:
        """What *point* adds, as a point of its own; None where it adds nothing that may be counted."""
        writers = self._writers.pop(series, None)
        if writers is None:
            writers = []
        self._writers[series] = writers
        place = 0
        if not writers or writers[0].start_ns != point.start_ns:  # most series have one writer
            place = _place(writers, point.start_ns)
            if place < 0:
                return self._join(series, writers, point, arrival_ns)
        last = writers[place]
        if point.time_ns <= last.time_ns:
            self.ignored += 1
            return None
        self._changed.add(series)
        point.buckets = point.buckets.copy()  # it came as a part of a whole batch
        writers[place] = point
        if len(writers) > 1:
            self._share(series, writers, last, arrival_ns)
        added = _difference(point, last)
        if added is None:
            self.resets += 1
            return point
        return added

    def take(self) -> dict[int, bytes]:
        """The cursors that changed since the last take, as bytes."""
        changed = {
            series: b"".join(map(_to_bytes, self._writers[series]))
            for series in self._changed
            if series in self._writers
        }
        self._changed.clear()
        return changed

    def take_shared(self) -> set[int]:
        """The series that several processes were seen to write at the same time, since the last call."""
        shared, self._shared = self._shared, set()
        return shared

    def restore(self, cursors: Mapping[int, bytes]) -> None:
        """Begin with what was taken once. What cannot be read is as if never seen (`unreadable` counts it)."""
        for series, data in cursors.items():
            writers = _from_bytes(data)
            if writers:
                self._size += len(writers) - len(self._writers.get(series, ()))
                self._writers[series] = writers
            else:
                self.unreadable += 1
        self._bound()

    def _join(self, series: int, writers: list[Point], point: Point, arrival_ns: int) -> Point | None:
        """The first point of a writer."""
        is_restart = bool(writers) and all(writer.time_ns <= point.start_ns for writer in writers)
        if len(writers) >= MAX_WRITERS:
            silent = min(range(len(writers)), key=lambda place: writers[place].time_ns)
            if not is_restart and writers[silent].time_ns > arrival_ns - BASELINE_NS:
                self.crowded += 1
                return None
            del writers[silent]
            self._size -= 1
        point.buckets = point.buckets.copy()
        writers.append(point)
        self._size += 1
        self._changed.add(series)
        self._bound()
        if is_restart:
            self.resets += 1
        elif point.start_ns < arrival_ns - BASELINE_NS:
            self.baselines += 1
            return None
        return point

    def _share(self, series: int, writers: list[Point], last: Point, arrival_ns: int) -> None:
        """Note whether others wrote since the writer's *last* point; forget those silent for long."""
        if any(writer.time_ns > last.time_ns for writer in writers if writer.start_ns != last.start_ns):
            self.shared += 1
            self._shared.add(series)
        before = len(writers)
        # By the arrival, not by the newest of them: a clock that is ahead must not make the others forgotten.
        writers[:] = [
            writer for writer in writers if writer.time_ns >= arrival_ns - FORGET_NS or writer.start_ns == last.start_ns
        ]
        self._size -= before - len(writers)

    def _bound(self) -> None:
        while self._size > self._limit and len(self._writers) > 1:
            self._size -= len(self._writers.pop(next(iter(self._writers))))
            self.evicted += 1


def _place(writers: list[Point], start_ns: int) -> int:
    """Where the writer is that began then; -1 where there is none."""
    return next((place for place, writer in enumerate(writers) if writer.start_ns == start_ns), -1)


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


def _from_bytes(data: bytes) -> list[Point]:
    """The writers of a series, one after the other; none where the bytes are not of this version."""
    writers: list[Point] = []
    place = 0
    while place < len(data):
        if data[place] != _VERSION or len(data) - place < _HEAD.size:
            return []
        _, kind, start_ns, time_ns, count, total, zero, largest, shape, offset, size = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        if kind >= len(_TYPES) or len(data) - place < size * _WIDTHS[kind]:
            return []
        buckets = np.frombuffer(data, _TYPES[kind], size, place)
        place += buckets.nbytes
        writer = Point(start_ns, time_ns, count, total, zero, largest, shape, offset, buckets.astype(np.float64))
        writers.append(writer)
    return writers
