"""
Reading the journal while it is written: records, single records, keys.

A read sees what was durable when it began. Damage is logged and counted once and stepped over; a segment that
retention deletes in the middle of a read ends there without a word, because whoever trims says that nobody needs it.
"""

from collections.abc import Iterator

import structlog

from monitorx.backend.errors import StorageError
from monitorx.backend.journal.catalog import Catalog, Extent
from monitorx.backend.journal.disk import Disk
from monitorx.backend.journal.frame import SEGMENT_HEAD_BYTES, Head, unpack, unpack_keys
from monitorx.backend.journal.journal import Keys, Record
from monitorx.backend.journal.limit import Counters
from monitorx.backend.journal.segment import Damage, Index, Segment, Window, heads

_log = structlog.get_logger(__name__)
_READ_AHEAD_BYTES = 1024 * 1024
_HEAD_AHEAD_BYTES = 16 * 1024


class Reader:
    """Reads the segments of a catalog. Safe in any thread."""

    def __init__(self, disk: Disk, catalog: Catalog, counters: Counters) -> None:
        self._disk = disk
        self._catalog = catalog
        self._counters = counters

    def read(self, extents: list[Extent], after: int) -> Iterator[tuple[int, Record]]:
        """The records of *extents* behind the position *after*."""
        for extent in extents:
            for window, head in self._heads(extent, _READ_AHEAD_BYTES):
                if head.position <= after:
                    continue
                record = _record(window, head)
                if record is None:
                    self._report(extent.segment, Damage(head.offset, head.end, 1))
                    continue
                yield head.position, record

    def record(self, extents: list[Extent], position: int) -> Record | None:
        """
        The record at *position*, or None where no extent holds it.

        Raises:
            StorageError: It was there and is damaged.
        """
        if not extents or not extents[0].expected <= position < extents[0].below:
            return None
        for window, head in self._heads(self._indexed(extents[0], position), _HEAD_AHEAD_BYTES):
            if head.position < position:
                continue
            record = _record(window, head) if head.position == position else None
            if record is not None:
                return record
            if head.position == position:
                self._report(extents[0].segment, Damage(head.offset, head.end, 1))
            break
        if not extents[0].segment.path.exists():
            return None
        raise StorageError(f"record {position} in {extents[0].segment.path.name} is damaged")

    def keys(self, extents: list[Extent], since_ns: int, upto: int) -> Iterator[Keys]:
        """The keys of the records in *extents* that arrived at or after *since_ns*, up to the position *upto*."""
        for extent in extents:
            newest_ns = extent.segment.newest_ns
            if extent.expected > upto or (newest_ns is not None and newest_ns < since_ns):
                continue
            for window, head in self._heads(extent, _HEAD_AHEAD_BYTES):
                if head.position > upto:
                    break
                if head.arrival_ns < since_ns:
                    continue
                keys = unpack_keys(head, window.read(head.label_offset, head.label_bytes))
                if keys is None:
                    self._report(extent.segment, Damage(head.offset, head.end, 1))
                    continue
                yield Keys(head.position, head.arrival_ns, keys)

    def newest_ns(self, segment: Segment) -> int | None:
        """The latest arrival in a segment that is no longer written; None where none of it can be read."""
        if segment.newest_ns is None and segment.salt is not None:
            try:
                self._learn(_whole(segment))
            except StorageError as error:
                _log.warning("journal.not_read", segment=segment.path.name, error=str(error))
        return segment.newest_ns

    def _indexed(self, extent: Extent, position: int) -> Extent:
        """The extent again, from an offset near *position*; the first time in an old segment costs a pass over it."""
        if extent.segment.index is None:
            self._learn(_whole(extent.segment))
        index = extent.segment.index
        near = index.start(position) if index is not None else None
        if near is None:
            return extent
        return Extent(extent.segment, near[1], extent.end, near[0], extent.below)

    def _learn(self, extent: Extent) -> None:
        index, newest_ns = Index(), None
        for _, head in self._heads(extent, _HEAD_AHEAD_BYTES):
            index.add(head.position, head.offset)
            newest_ns = head.arrival_ns if newest_ns is None else max(newest_ns, head.arrival_ns)
        self._catalog.learn(extent.segment, index, newest_ns)

    def _heads(self, extent: Extent, ahead_bytes: int) -> Iterator[tuple[Window, Head]]:
        segment = extent.segment
        if segment.salt is None:
            self._report(segment, Damage(0, segment.end, segment.below - segment.first))
            return
        try:
            fd = self._disk.open(segment.path, writable=False)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"the journal cannot be read: {error}") from error
        try:
            window = Window(self._disk, fd, ahead_bytes=ahead_bytes)
            yield from self._undamaged(window, extent, segment.salt)
        except OSError as error:
            raise StorageError(f"the journal cannot be read: {segment.path}: {error}") from error
        finally:
            self._disk.close(fd)

    def _undamaged(self, window: Window, extent: Extent, salt: int) -> Iterator[tuple[Window, Head]]:
        found = heads(
            window, salt=salt, start=extent.start, end=extent.end, expected=extent.expected, below=extent.below
        )
        for item in found:
            if isinstance(item, Damage):
                self._report(extent.segment, item)
            else:
                yield window, item

    def _report(self, segment: Segment, damage: Damage) -> None:
        if not self._catalog.is_new_damage(segment, damage):
            return
        self._counters.damaged += 1
        self._counters.missing += damage.missing
        _log.error(
            "journal.damaged",
            segment=segment.path.name,
            offset=damage.offset,
            end=damage.end,
            missing_records=damage.missing,
        )


def _record(window: Window, head: Head) -> Record | None:
    label = window.read(head.label_offset, head.label_bytes)
    return unpack(head, label, window.read(head.body_offset, head.body_bytes))


def _whole(segment: Segment) -> Extent:
    return Extent(segment, SEGMENT_HEAD_BYTES, segment.end, segment.first, segment.below)
