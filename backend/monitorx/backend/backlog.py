"""
The queue between the journal and the windows: bounded in bytes, and never the place where something is lost.

What does not fit is left out; the reader then takes it from the journal, from the last position it has seen, until it
has caught up. A start is the same case: the reader begins behind, at the position that the store holds.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from monitorx.backend.batch import ColumnBatch
from monitorx.backend.decode import Decoded
from monitorx.backend.journal import Journal, Record


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one record held, and where it stands."""

    position: int
    arrival_ns: int
    batches: tuple[ColumnBatch, ...]


class Backlog:
    """
    Arrivals in the order of positions, each once.

    Args:
        journal: Where the reader catches up from.
        decode: Reads a record again; None where it cannot be read.
        after: The reader has everything up to this position.
        max_bytes: Columns held in memory at most.
    """

    def __init__(
        self, journal: Journal, decode: Callable[[Record], Decoded | None], *, after: int, max_bytes: int
    ) -> None:
        self._journal = journal
        self._decode = decode
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[Arrival, int]] = deque()
        self._bytes = 0
        self._behind = True
        self._last = after
        self._read_ns: int | None = None
        self._changed = threading.Condition()

    @property
    def position(self) -> int:
        """The last position handed out."""
        return self._last

    @property
    def is_behind(self) -> bool:
        """Whether the reader is still catching up from the journal."""
        return self._behind

    def bytes(self) -> int:
        """Bytes of columns waiting in memory."""
        return self._bytes

    def lag(self) -> int:
        """Records that are durable and not yet handed out."""
        return max(0, self._journal.end() - self._last)

    def waits_since(self) -> int | None:
        """
        When the oldest record that waits arrived, ns since epoch; None where none does, or none is known yet.

        While catching up it is the arrival of the last one read.
        """
        with self._changed:
            if self._waiting:
                return self._waiting[0][0].arrival_ns
            return self._read_ns if self._behind and self.lag() else None

    def put(self, position: int, arrival_ns: int, decoded: Decoded) -> None:
        """Called from the journal's thread, in the order of positions. Never blocks."""
        size = sum(batch.rows.nbytes for batch in decoded.batches)
        with self._changed:
            if not self._behind:
                if self._bytes and self._bytes + size > self._max_bytes:
                    self._behind = True
                else:
                    self._waiting.append((Arrival(position, arrival_ns, decoded.batches), size))
                    self._bytes += size
            self._changed.notify()

    def take(self, timeout_s: float) -> Iterator[Arrival]:
        """What has arrived; waits for *timeout_s* at most. Whoever iterates may stop at any point."""
        with self._changed:
            if not self._waiting and not self._behind:
                self._changed.wait(timeout_s)
        while (arrival := self._pop()) is not None:
            yield arrival
        if self._behind:
            yield from self._catch_up()

    def rewind(self, after: int) -> None:
        """Hand out everything behind *after* again, from the journal."""
        with self._changed:
            self._waiting.clear()
            self._bytes = 0
            self._last, self._read_ns = after, None
            self._behind = True

    def wake(self) -> None:
        """Let a waiting reader look at the clock."""
        with self._changed:
            self._changed.notify()

    def _pop(self) -> Arrival | None:
        with self._changed:
            while self._waiting:
                arrival, size = self._waiting.popleft()
                self._bytes -= size
                if arrival.position > self._last:
                    self._last = arrival.position
                    return arrival
            return None

    def _catch_up(self) -> Iterator[Arrival]:
        end = self._journal.end()
        for position, record in self._journal.read(self._last):
            decoded = self._decode(record)
            self._last, self._read_ns = position, record.arrival_ns
            if decoded is not None:
                yield Arrival(position, record.arrival_ns, decoded.batches)
        with self._changed:
            self._last = max(self._last, end)  # what is damaged or gone at the end is not waited for
            # The journal reports a record after it counts it in end(): one that is not in end() yet will be put.
            self._behind = self._journal.end() > self._last
            self._read_ns = None
