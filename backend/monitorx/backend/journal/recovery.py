"""
Opening a folder of segments after whatever happened to the process before.

Only the last segment can have a torn end, because a segment is begun after the one before it was synced. What lies
behind its last whole record is cut off, and kept beside it where it might be more than an unfinished write.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import structlog

from monitorx.backend.errors import StorageError
from monitorx.backend.journal.disk import Disk
from monitorx.backend.journal.frame import (
    FRAME_HEAD_BYTES,
    SEGMENT_HEAD_BYTES,
    SegmentHead,
    unpack_head,
    unpack_segment_head,
)
from monitorx.backend.journal.segment import CUT_SUFFIX, SUFFIX, Damage, Index, Segment, Window, heads, is_whole

_log = structlog.get_logger(__name__)
_AHEAD_BYTES = 1024 * 1024
UNFINISHED_SUFFIX = ".new"


@dataclass(slots=True)
class Recovered:
    """
    What was found.

    Attributes:
        segments: In order of positions.
        next_position: Above every position that was ever acknowledged.
        cut_bytes: What was cut off the end of the last segment.
    """

    segments: list[Segment] = field(default_factory=list)
    next_position: int = 1
    cut_bytes: int = 0


def recover(disk: Disk, folder: Path) -> Recovered:
    """
    Read the heads of all segments and mend the end of the last one.

    Raises:
        ConfigError: A newer release wrote one of them.
        StorageError: The folder cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(f"*{SUFFIX}{UNFINISHED_SUFFIX}"):
            disk.remove(path)
        found = Recovered(_linked([_opened(disk, path) for path in _paths(folder)]))
        if found.segments:
            _mend(disk, found)
        disk.sync_folder(folder)
    except OSError as error:
        raise StorageError(f"journal: {folder} cannot be opened: {error}") from error
    return found


def _paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if len(path.stem) == 20 and path.stem.isdecimal())


def _opened(disk: Disk, path: Path) -> tuple[Segment, SegmentHead | None]:
    fd = disk.open(path, writable=False)
    try:
        head = unpack_segment_head(disk.read(fd, SEGMENT_HEAD_BYTES, 0), path.name)
        size = disk.size(fd)
    finally:
        disk.close(fd)
    first = int(path.stem)
    if head is not None and head.first != first:
        head = None
    # Where the head is damaged, this is above every position that the file can hold.
    below = first + size // FRAME_HEAD_BYTES + 1
    return Segment(path, first, None if head is None else head.salt, size, below), head


def _linked(opened: list[tuple[Segment, SegmentHead | None]]) -> list[Segment]:
    """Tell each segment what the head of the one behind it knows of it."""
    for (segment, _), (after, head) in pairwise(opened):
        segment.below = after.first
        if head is not None and head.previous_first == segment.first:
            segment.below = head.previous_last + 1
            segment.newest_ns = head.previous_newest_ns or None
    return [segment for segment, _ in opened]


def _mend(disk: Disk, found: Recovered) -> None:
    last = found.segments[-1]
    if last.salt is None:
        found.next_position = last.below
        return
    fd = disk.open(last.path, writable=True)
    try:
        size = last.end
        window = Window(disk, fd, ahead_bytes=_AHEAD_BYTES)
        _find_end(window, last, last.salt)
        if last.end < size:
            _cut(disk, fd, last, size)
            found.cut_bytes = size - last.end
        # The process before may have died between a write and its sync: what is read from here on must be on the disk.
        disk.sync(fd)
    finally:
        disk.close(fd)
    found.next_position = last.below


def _find_end(window: Window, last: Segment, salt: int) -> None:
    """Set the end of the last segment behind its last whole record, and learn what its records say."""
    size, last.end, last.below, last.index = last.end, SEGMENT_HEAD_BYTES, last.first, Index()
    for item in heads(window, salt=salt, start=SEGMENT_HEAD_BYTES, end=size, expected=last.first, below=None):
        if isinstance(item, Damage) or not is_whole(window, item):
            continue
        last.end, last.below = item.end, item.position + 1
        last.oldest_ns = item.arrival_ns if last.oldest_ns is None else last.oldest_ns
        last.newest_ns = item.arrival_ns if last.newest_ns is None else max(last.newest_ns, item.arrival_ns)
        last.index.add(item.position, item.offset)


def _cut(disk: Disk, fd: int, last: Segment, size: int) -> None:
    tail = disk.read(fd, size - last.end, last.end)
    kept = None if _is_unfinished(tail, last) else last.path.with_suffix(f"{SUFFIX}.{last.end}{CUT_SUFFIX}")
    if kept is not None:
        copy = disk.create(kept)
        try:
            disk.write(copy, [tail], 0)
            disk.sync(copy)
        finally:
            disk.close(copy)
    disk.truncate(fd, last.end)
    _log.warning(
        "journal.tail_cut", segment=last.path.name, offset=last.end, bytes=len(tail), kept=kept.name if kept else None
    )


def _is_unfinished(tail: bytes, last: Segment) -> bool:
    """Whether a tail is what a write leaves that did not finish: the beginning of one frame, or zeros."""
    if len(tail) < FRAME_HEAD_BYTES or not tail.rstrip(b"\0"):
        return True
    head = unpack_head(tail, 0, last.salt or 0)
    return head is not None and head.end > len(tail)
