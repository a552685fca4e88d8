"""
The journal's own thread: takes what waits, makes it durable in one go, and tells each caller.

While one group is synced the next one gathers, so the slower the disk, the larger the groups. Everything that waits
or is being written counts against the bound in bytes.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from monitorx.backend.errors import Overloaded, StorageError, TooLarge
from monitorx.backend.journal.appender import Appender
from monitorx.backend.journal.frame import Packed, pack
from monitorx.backend.journal.journal import Record
from monitorx.backend.journal.limit import MIB, Counters, Limits

Done = Callable[[int, Exception | None], None]

_log = structlog.get_logger(__name__)
_GROUP_BYTES = 8 * MIB
# What a waiting record costs beside its bytes.
_OVERHEAD_BYTES = 512
_RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    packed: Packed
    done: Done

    @property
    def bytes(self) -> int:
        return self.packed.bytes + _OVERHEAD_BYTES


class Writer:
    """A bounded queue and the thread that empties it."""

    def __init__(self, appender: Appender, limits: Limits, counters: Counters, clock: Callable[[], float]) -> None:
        self._appender = appender
        self._limits = limits
        self._counters = counters
        self._clock = clock
        self._interval_s = limits.sync_interval.total_seconds()
        self._group_bytes = min(_GROUP_BYTES, limits.segment_bytes)
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._is_idle = False
        self._is_closing = False
        self._next_sync_s = clock()
        self._thread = threading.Thread(target=self._run, name="monitorx-journal", daemon=True)
        self._thread.start()

    def append(self, record: Record, done: Done) -> None:
        """Compress in the caller's thread, then wait in line; refusals are told at once, in the caller's thread."""
        with self._changed:
            refusal = self._refusal(0)  # spares the compression where the answer is known
        if refusal is None:
            refusal = self._enqueue(record, done)
        if refusal is not None:
            self._tell(done, 0, refusal)

    def queued_bytes(self) -> int:
        """What waits or is being written."""
        return self._queued_bytes

    def close(self) -> None:
        """Write what waits, then stop. Safe twice."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _enqueue(self, record: Record, done: Done) -> Exception | None:
        try:
            waiting = _Waiting(pack(record), done)
        except TooLarge as error:
            return error
        with self._changed:
            if refusal := self._refusal(waiting.bytes):
                return refusal
            self._queue.append(waiting)
            self._queued_bytes += waiting.bytes
            if self._is_idle:
                self._is_idle = False
                self._changed.notify()
            return None

    def _refusal(self, more_bytes: int) -> Exception | None:
        if self._is_closing:
            return StorageError("the journal is closed")
        # A record larger than the whole bound must pass some time: when nothing else waits.
        if not self._queued_bytes or self._queued_bytes + more_bytes <= self._limits.queued_bytes:
            return None
        self._counters.overloaded += 1
        return Overloaded(
            f"{self._queued_bytes} bytes wait for the journal's disk, the most is {self._limits.queued_bytes}",
            retry_after_s=_RETRY_AFTER_S,
        )

    def _run(self) -> None:
        while group := self._take():
            self._commit(group)
            self._next_sync_s = self._clock() + self._interval_s
            with self._changed:
                self._queued_bytes -= sum(waiting.bytes for waiting in group)
        self._appender.close()

    def _take(self) -> list[_Waiting]:
        """What waits, up to one group's size; nothing once the journal closes."""
        with self._changed:
            while not self._queue and not self._is_closing:
                self._is_idle = True
                self._changed.wait()
            self._is_idle = False
            rest_s = self._next_sync_s - self._clock()
            if rest_s > 0 and not self._is_closing and self._queued_bytes < self._group_bytes:
                self._changed.wait(rest_s)
            group: list[_Waiting] = []
            size = 0
            while self._queue and (not group or size + self._queue[0].packed.bytes <= self._group_bytes):
                group.append(self._queue.popleft())
                size += group[-1].packed.bytes
            return group

    def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            placed = self._appender.write([waiting.packed for waiting in group])
        except (OSError, StorageError) as error:
            self._fail(group, error)
        except Exception as error:  # noqa: BLE001  # this thread must outlive anything, or no sender gets an answer
            _log.exception("journal.write_failed")
            self._appender.abandon()
            self._fail(group, error)
        else:
            self._counters.records += len(group)
            self._counters.syncs += 1
            self._counters.last_error = ""
            for waiting, where in zip(group, placed, strict=True):
                self._tell(waiting.done, where.position, None)

    def _fail(self, group: Sequence[_Waiting], error: Exception) -> None:
        self._counters.failed += len(group)
        if not self._counters.last_error:  # once a streak, not once a group
            _log.error("journal.not_written", error=str(error), records=len(group))
        self._counters.last_error = str(error)
        refusal = error if isinstance(error, StorageError) else StorageError(f"the journal cannot write: {error}")
        for waiting in group:
            self._tell(waiting.done, 0, refusal)

    def _tell(self, done: Done, position: int, error: Exception | None) -> None:
        try:
            done(position, error)
        except Exception:  # noqa: BLE001  # a caller's fault must not cost the others their answer
            self._counters.callback_errors += 1
            _log.exception("journal.callback_failed", position=position)
