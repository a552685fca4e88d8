"""
The journal as files in one folder: see `journal.py` for what it promises and docs/decisions for its format.

It puts the parts together: `writer` (queue and thread) and `appender` (the open segment) on one side, `reader` on the
other, and the `catalog` of what is durable between them. Whoever opens the folder must be alone in it.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from monitorx.backend.errors import StorageError
from monitorx.backend.journal.appender import Appender
from monitorx.backend.journal.catalog import Catalog
from monitorx.backend.journal.disk import Disk, PosixDisk
from monitorx.backend.journal.journal import Keys, Record
from monitorx.backend.journal.limit import Counters, Limits
from monitorx.backend.journal.reader import Reader
from monitorx.backend.journal.recovery import recover
from monitorx.backend.journal.segment import CUT_SUFFIX, Segment
from monitorx.backend.journal.writer import Done, Writer

_log = structlog.get_logger(__name__)


class FileJournal:
    """
    A `Journal` in append-only segment files.

    Args:
        folder: Made where it is missing.
        limits: Sizes, ages and bounds.
        after: Positions begin above this; what the sinks hold, so that a lost folder never reuses a position.
        disk: How files are reached.
        clock: A monotonic clock, in seconds.
        salt: 32 random bits for a new segment.

    Raises:
        ConfigError: A newer release wrote the folder.
        StorageError: The folder cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits | None = None,
        *,
        after: int = 0,
        disk: Disk | None = None,
        clock: Callable[[], float] = time.monotonic,
        salt: Callable[[], int] = lambda: secrets.randbits(32),
    ) -> None:
        limits = limits or Limits()
        self._disk = disk or PosixDisk()
        self._folder = folder
        found = recover(self._disk, folder)
        self._counters = Counters(cut_bytes=found.cut_bytes)
        self._catalog = Catalog(found.segments, max(found.next_position, after + 1))
        self._reader = Reader(self._disk, self._catalog, self._counters)
        appender = Appender(self._disk, folder, limits, self._catalog, self._counters, salt)
        try:
            appender.resume()
        except OSError as error:
            raise StorageError(f"journal: {folder} cannot be written: {error}") from error
        self._writer = Writer(appender, limits, self._counters, clock)

    def append(self, record: Record, done: Done) -> None:
        """Compress in the caller's thread and put in line; `Overloaded` and a closed journal are told at once."""
        self._writer.append(record, done)

    def read(self, after: int) -> Iterator[tuple[int, Record]]:
        """All records behind *after* that are durable now, in order."""
        return self._reader.read(self._catalog.extents(after), after)

    def record(self, position: int) -> Record | None:
        """The record at *position*, None where there is none; StorageError where it is damaged."""
        return self._reader.record(self._catalog.extents(position - 1)[:1], position)

    def keys(self, since_ns: int, upto: int) -> Iterator[Keys]:
        """Keys of the records that arrived at or after *since_ns*, up to *upto*, without reading bodies."""
        return self._reader.keys(self._catalog.extents(0), since_ns, upto)

    def trim(self, before_ns: int, upto: int) -> int:
        """Delete closed segments of which all is older than *before_ns* and at or before *upto*; bytes freed."""
        freed_bytes = 0
        is_older = False
        # From the youngest back: a segment that cannot be read is as old as the next one that can.
        for segment in reversed(self._catalog.closed_upto(upto)):
            newest_ns = self._reader.newest_ns(segment)
            is_older = is_older if newest_ns is None else newest_ns < before_ns
            if is_older:
                freed_bytes += self._delete(segment)
        return freed_bytes

    def end(self) -> int:
        """The last durable position; 0 in an empty journal."""
        return self._catalog.next_position() - 1

    def counters(self) -> Counters:
        """What happened so far and what waits, for the health answer and /metrics."""
        now = self._counters.copy()
        now.queued_bytes = self._writer.queued_bytes()
        now.segments = self._catalog.count()
        now.disk_bytes = self._catalog.size_bytes()
        return now

    def close(self) -> None:
        """Make what was appended durable, then release the files. Safe twice."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _delete(self, segment: Segment) -> int:
        try:
            self._disk.remove(segment.path)
            for cut in self._folder.glob(f"{segment.path.name}.*{CUT_SUFFIX}"):
                self._disk.remove(cut)
        except OSError as error:
            _log.warning("journal.not_deleted", segment=segment.path.name, error=str(error))
            return 0
        self._catalog.remove(segment)
        return segment.end
