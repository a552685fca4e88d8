"""
One segment file, read: from bytes to frames, and past what is damaged.

A reader trusts no byte that a crc does not cover. Where a frame is damaged it looks for the next whole one behind it
and says how many records are missing in between, so one bad sector never costs a segment.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from monitorx.backend.journal.disk import Disk
from monitorx.backend.journal.frame import (
    FRAME_HEAD_BYTES,
    FRAME_MAGIC,
    Head,
    is_whole_body,
    is_whole_label,
    unpack_head,
)

SUFFIX = ".journal"
CUT_SUFFIX = ".cut"

# One entry for 32 records: 16 bytes for what is usually a megabyte, and a look-up reads at most 32 heads.
_INDEX_EVERY = 32
_SEARCH_BYTES = 256 * 1024


@dataclass(slots=True)
class Index:
    """Where every 32nd record of a segment lies; positions and offsets both ascend."""

    positions: "array[int]" = field(default_factory=lambda: array("q"))
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    records: int = 0

    def add(self, position: int, offset: int) -> None:
        if self.records % _INDEX_EVERY == 0:
            # In this order: a reader in another thread that sees the position finds its offset.
            self.offsets.append(offset)
            self.positions.append(position)
        self.records += 1

    def start(self, position: int) -> tuple[int, int] | None:
        """The position and offset of the last entry at or before *position*."""
        entry = bisect_right(self.positions, position) - 1
        return (self.positions[entry], self.offsets[entry]) if entry >= 0 else None


@dataclass(slots=True)
class Segment:
    """
    What is known of one segment. It changes only under the catalog's lock.

    Attributes:
        path: The file.
        first: The position of its first record, also its name.
        salt: What its frames' crc begins with; None where its head is damaged and nothing in it can be read.
        end: Bytes that are durable; what lies behind them does not count.
        below: Its records lie before this position.
        oldest_ns: Arrival of its first record, where that is known.
        newest_ns: Latest arrival, None until somebody has looked.
        index: Where its records lie, None until somebody has looked.
        damaged: Offsets of the damaged places already reported, so that each counts once.
    """

    path: Path
    first: int
    salt: int | None
    end: int
    below: int
    oldest_ns: int | None = None
    newest_ns: int | None = None
    index: Index | None = None
    damaged: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes [offset, end) of a segment that hold no whole record, and how many records are missing there."""

    offset: int
    end: int
    missing: int


class Window:
    """A file read in larger pieces than it is asked for."""

    def __init__(self, disk: Disk, fd: int, *, ahead_bytes: int) -> None:
        self._disk = disk
        self._fd = fd
        self._ahead_bytes = ahead_bytes
        self._start = 0
        self._chunk = b""

    def read(self, offset: int, length: int) -> bytes:
        """*length* bytes from *offset*; fewer only where the file ends."""
        at = offset - self._start
        if at < 0 or at + length > len(self._chunk):
            self._chunk = self._disk.read(self._fd, max(length, self._ahead_bytes), offset)
            self._start, at = offset, 0
        return self._chunk[at : at + length]


def segment_path(folder: Path, first: int) -> Path:
    """Where the segment that begins with position *first* lies; names sort as positions do."""
    return folder / f"{first:020d}{SUFFIX}"


def heads(
    window: Window, *, salt: int, start: int, end: int, expected: int, below: int | None
) -> Iterator[Head | Damage]:
    """
    The frames between the offsets *start* and *end*, in order, and the damaged places among them.

    Args:
        salt: The segment's.
        expected: The position of the frame at *start*.
        below: Where the records of a later segment begin: frames from there on were never acknowledged, and all
            before it must be here. None where nobody knows how many there are.
    """
    offset = start
    while offset < end if below is None else expected < below:
        head = _head(window, offset, salt, end, expected) or _next_head(window, offset + 1, salt, end, expected)
        found = below if head is None or (below is not None and head.position > below) else head.position
        if found != expected:
            yield Damage(offset, end if head is None else head.offset, 0 if found is None else found - expected)
        if head is None or found == below:
            return
        yield head
        offset, expected = head.end, head.position + 1


def is_whole(window: Window, head: Head) -> bool:
    """Whether a frame's label and body are what was written."""
    label = window.read(head.label_offset, head.label_bytes)
    return is_whole_label(head, label) and is_whole_body(head, window.read(head.body_offset, head.body_bytes))


def _head(window: Window, offset: int, salt: int, end: int, expected: int) -> Head | None:
    if offset + FRAME_HEAD_BYTES > end:
        return None
    head = unpack_head(window.read(offset, FRAME_HEAD_BYTES), offset, salt)
    return head if head is not None and head.end <= end and head.position >= expected else None


def _next_head(window: Window, offset: int, salt: int, end: int, expected: int) -> Head | None:
    while offset < end and (chunk := window.read(offset, min(_SEARCH_BYTES, end - offset))):
        at = chunk.find(FRAME_MAGIC)
        while at >= 0:
            head = _head(window, offset + at, salt, end, expected)
            if head is not None:
                return head
            at = chunk.find(FRAME_MAGIC, at + 1)
        # A magic may lie across two chunks, so the next one begins with the last bytes of this one.
        offset += max(len(chunk) - len(FRAME_MAGIC) + 1, 1)
    return None
