"""
Which segments there are and how far each is durable: the one thing that the writer and the readers share.

The writer adds to it after each sync, so a reader never sees a record that could still be lost.
"""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from monitorx.backend.journal.frame import SEGMENT_HEAD_BYTES, SegmentHead
from monitorx.backend.journal.segment import Damage, Index, Segment


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of a segment that was durable at one moment: offsets [start, end), positions [expected, below)."""

    segment: Segment
    start: int
    end: int
    expected: int
    below: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the writer put one record."""

    position: int
    offset: int
    end: int
    arrival_ns: int


class Catalog:
    """All segments, in the order of positions. Safe in any thread."""

    def __init__(self, segments: Sequence[Segment], next_position: int) -> None:
        self._segments = list(segments)
        self._next = next_position
        self._lock = threading.Lock()

    def next_position(self) -> int:
        """The position that the next durable record gets."""
        with self._lock:
            return self._next

    def last(self) -> Segment | None:
        """The segment that is written, or was."""
        with self._lock:
            return self._segments[-1] if self._segments else None

    def successor(self, salt: int) -> SegmentHead:
        """What a new segment has to say: it begins at the next position and knows the one before it."""
        with self._lock:
            before = [segment for segment in self._segments if segment.first < self._next]
            if not before:
                return SegmentHead(salt, self._next, 0, 0, 0)
            return SegmentHead(salt, self._next, before[-1].first, before[-1].below - 1, before[-1].newest_ns or 0)

    def add(self, segment: Segment) -> None:
        """Begin a segment. One without a durable record, whose name the new one took, is forgotten."""
        with self._lock:
            self._segments = [known for known in self._segments if known.first < segment.first]
            self._segments.append(segment)

    def publish(self, segment: Segment, placed: Sequence[Placed]) -> None:
        """Records of the last segment are durable now."""
        with self._lock:
            index = segment.index = segment.index or Index()
            for record in placed:
                index.add(record.position, record.offset)
            newest_ns = max(record.arrival_ns for record in placed)
            segment.newest_ns = newest_ns if segment.newest_ns is None else max(segment.newest_ns, newest_ns)
            segment.oldest_ns = placed[0].arrival_ns if segment.oldest_ns is None else segment.oldest_ns
            segment.end = placed[-1].end
            segment.below = self._next = placed[-1].position + 1

    def extents(self, after: int) -> list[Extent]:
        """Everything durable behind the position *after*."""
        with self._lock:
            begin = max(bisect_right(self._segments, after, key=lambda segment: segment.first) - 1, 0)
            return [
                _extent(segment, after + 1)
                for segment in self._segments[begin:]
                if segment.below > max(after + 1, segment.first)
            ]

    def learn(self, segment: Segment, index: Index, newest_ns: int | None) -> None:
        """Keep what somebody found out by reading a whole segment that is no longer written."""
        with self._lock:
            segment.index = index
            if segment.newest_ns is None:
                segment.newest_ns = newest_ns

    def is_new_damage(self, segment: Segment, damage: Damage) -> bool:
        """Whether nobody has met this damage before; from now on somebody has."""
        with self._lock:
            if damage.offset in segment.damaged:
                return False
            segment.damaged.add(damage.offset)
            return True

    def closed_upto(self, upto: int) -> list[Segment]:
        """Segments that are no longer written and lie wholly at or before *upto*."""
        with self._lock:
            return [segment for segment in self._segments[:-1] if segment.below <= upto + 1]

    def remove(self, segment: Segment) -> None:
        """Forget a segment that was deleted."""
        with self._lock:
            self._segments = [known for known in self._segments if known is not segment]

    def count(self) -> int:
        """How many segments there are."""
        with self._lock:
            return len(self._segments)

    def size_bytes(self) -> int:
        """How many durable bytes the segments have."""
        with self._lock:
            return sum(segment.end for segment in self._segments)


def _extent(segment: Segment, wanted: int) -> Extent:
    known = segment.index.start(wanted) if segment.index is not None else None
    expected, start = known or (segment.first, SEGMENT_HEAD_BYTES)
    return Extent(segment, start, segment.end, expected, segment.below)
