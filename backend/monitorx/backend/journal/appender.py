"""
The end of the journal that is written: one open segment, and what to do when the disk fails in the middle.

Nothing here runs in more than one thread. After any failure the rule is the same: what was not synced was never
written, and the next write must not depend on it.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from monitorx.backend.errors import StorageError
from monitorx.backend.journal.catalog import Catalog, Placed
from monitorx.backend.journal.disk import Disk
from monitorx.backend.journal.frame import SEGMENT_HEAD_BYTES, Packed, SegmentHead, pack_head, pack_segment_head
from monitorx.backend.journal.limit import Counters, Limits
from monitorx.backend.journal.recovery import UNFINISHED_SUFFIX
from monitorx.backend.journal.segment import Segment, segment_path

_log = structlog.get_logger(__name__)


class Appender:
    """Writes records behind the last durable one."""

    def __init__(
        self, disk: Disk, folder: Path, limits: Limits, catalog: Catalog, counters: Counters, salt: Callable[[], int]
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._limits = limits
        self._age_ns = limits.segment_age // timedelta(microseconds=1) * 1000
        self._catalog = catalog
        self._counters = counters
        self._salt = salt
        self._segment: Segment | None = None
        self._fd = -1

    def write(self, records: Sequence[Packed]) -> list[Placed]:
        """
        Make records durable, all or none.

        Raises:
            OSError, StorageError: None of them is.
        """
        free_bytes = self._disk.free_bytes(self._folder)
        if free_bytes < self._limits.free_bytes:
            raise StorageError(
                f"{self._folder} has {free_bytes} bytes free, and the journal leaves {self._limits.free_bytes} to the "
                "stores; free some disk or shorten the retention"
            )
        segment = self._current(records[0].arrival_ns)
        placed, buffers = _frames(records, self._catalog.next_position(), segment)
        self._put(segment, buffers)
        self._sync()
        self._catalog.publish(segment, placed)
        self._counters.bytes += placed[-1].end - placed[0].offset
        return placed

    def resume(self) -> None:
        """
        Go on in the last segment of an opened folder, where that can be.

        Raises:
            OSError: It cannot be opened.
        """
        last = self._catalog.last()
        if last is not None and last.salt is not None and last.below == self._catalog.next_position():
            self._fd = self._disk.open(last.path, writable=True)
            self._segment = last

    def abandon(self) -> None:
        """Go on in a new segment; the head of that one says where this one ends, whatever else lies in the file."""
        segment, fd = self._segment, self._fd
        if segment is None:
            return
        self._segment, self._fd = None, -1
        self._counters.abandoned += 1
        _log.error("journal.segment_abandoned", segment=segment.path.name, end=segment.end)
        try:
            self._disk.truncate(fd, segment.end)
        except OSError as error:
            _log.warning("journal.not_truncated", segment=segment.path.name, error=str(error))
        finally:
            self._disk.close(fd)

    def close(self) -> None:
        """Release the file."""
        fd, self._fd, self._segment = self._fd, -1, None
        if fd >= 0:
            self._disk.close(fd)

    def _put(self, segment: Segment, buffers: Sequence[bytes]) -> None:
        try:
            self._disk.write(self._fd, buffers, segment.end)
        except OSError:
            self._cut_back(segment)
            raise

    def _sync(self) -> None:
        try:
            self._disk.sync(self._fd)
        except OSError:
            # The kernel reports a lost page once and then calls it clean: no later sync of this file proves anything.
            self.abandon()
            raise

    def _cut_back(self, segment: Segment) -> None:
        try:
            self._disk.truncate(self._fd, segment.end)
        except OSError:
            self.abandon()

    def _current(self, arrival_ns: int) -> Segment:
        segment = self._segment
        if segment is not None and not self._is_full(segment, arrival_ns):
            return segment
        # Closed first: the head of the next one says where this one ends, so it must not grow even if beginning fails.
        self.close()
        head = self._catalog.successor(self._salt())
        self._fd = self._begun(head)
        path = segment_path(self._folder, head.first)
        self._segment = Segment(path, head.first, head.salt, SEGMENT_HEAD_BYTES, head.first)
        self._catalog.add(self._segment)
        return self._segment

    def _is_full(self, segment: Segment, arrival_ns: int) -> bool:
        if segment.oldest_ns is None:
            return False
        return segment.end >= self._limits.segment_bytes or arrival_ns - segment.oldest_ns > self._age_ns

    def _begun(self, head: SegmentHead) -> int:
        """A new file under its final name, all of it durable: nobody ever sees a segment without a head."""
        path = segment_path(self._folder, head.first)
        unfinished = path.with_name(path.name + UNFINISHED_SUFFIX)
        fd = self._disk.create(unfinished)
        try:
            self._disk.write(fd, [pack_segment_head(head)], 0)
            self._disk.sync(fd)
            self._disk.rename(unfinished, path)
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(fd)
            raise
        return fd


def _frames(records: Sequence[Packed], position: int, segment: Segment) -> tuple[list[Placed], list[bytes]]:
    placed: list[Placed] = []
    buffers: list[bytes] = []
    offset, salt = segment.end, segment.salt or 0
    for number, record in enumerate(records, position):
        end = offset + record.bytes
        placed.append(Placed(number, offset, end, record.arrival_ns))
        buffers += (pack_head(record, number, salt), record.label, record.body)
        offset = end
    return placed, buffers
