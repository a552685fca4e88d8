"""What bounds the journal, and what it counts."""

from dataclasses import dataclass, fields
from datetime import timedelta

from monitorx.backend.errors import ConfigError

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The journal's bounds.

    Attributes:
        segment_bytes: A segment is closed once it has this many bytes.
        segment_age: A segment is closed once it spans more than this, so retention can delete it.
        sync_interval: The least time between two syncs; what comes in between shares the second.
        queued_bytes: What waits for a sync; an append beyond it is refused.
        free_bytes: Below this much free disk an append is refused, so the stores keep room.
    """

    segment_bytes: int = 64 * MIB
    segment_age: timedelta = timedelta(hours=1)
    sync_interval: timedelta = timedelta(milliseconds=2)
    queued_bytes: int = 64 * MIB
    free_bytes: int = 256 * MIB

    def __post_init__(self) -> None:
        for name in ("segment_bytes", "queued_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"journal.{name}: {getattr(self, name)} is less than one byte; try {64 * MIB}")
        if self.free_bytes < 0:
            raise ConfigError(f"journal.free_bytes: {self.free_bytes} is negative; 0 switches the floor off")
        if self.segment_age <= timedelta(0):
            raise ConfigError(f"journal.segment_age: {self.segment_age} is not longer than nothing; try 1:00:00")
        if not timedelta(0) <= self.sync_interval <= timedelta(seconds=1):
            raise ConfigError(f"journal.sync_interval: {self.sync_interval} is not between 0 and 1 s; try 0:00:00.002")


@dataclass(slots=True)
class Counters:
    """
    What happened since the journal was opened.

    Attributes:
        records: Records made durable.
        bytes: Bytes that they take on disk.
        syncs: Groups of records that were made durable together.
        overloaded: Appends refused because too much was waiting.
        failed: Appends that the disk did not take.
        abandoned: Segments given up after the disk failed in the middle.
        damaged: Damaged places met while reading, each counted once.
        missing: Records that were there once and cannot be read.
        cut_bytes: Bytes cut off the last segment when it was opened.
        callback_errors: Callers' `done` that raised.
        queued_bytes: What waits for a sync now.
        segments: Segments on disk now.
        disk_bytes: Durable bytes on disk now.
        last_error: The last trouble with the disk, in words; "" after a write that went well.
    """

    records: int = 0
    bytes: int = 0
    syncs: int = 0
    overloaded: int = 0
    failed: int = 0
    abandoned: int = 0
    damaged: int = 0
    missing: int = 0
    cut_bytes: int = 0
    callback_errors: int = 0
    queued_bytes: int = 0
    segments: int = 0
    disk_bytes: int = 0
    last_error: str = ""

    def copy(self) -> "Counters":
        """The counters as they are now."""
        return Counters(**{item.name: getattr(self, item.name) for item in fields(self)})
