"""A journal in memory: for tests of what stands above the port."""

from collections.abc import Callable, Iterator

from monitorx.backend.errors import StorageError
from monitorx.backend.journal.journal import Keys, Record


class MemoryJournal:
    """Keeps records in a list; `done` is called before `append` returns. `failure`, where set, answers every append."""

    def __init__(self, *, segment_records: int = 1) -> None:
        self.failure: Exception | None = None
        self._records: dict[int, Record] = {}
        self._end = 0
        self._segment_records = segment_records
        self._is_closed = False

    def append(self, record: Record, done: Callable[[int, Exception | None], None]) -> None:
        failure = StorageError("the journal is closed") if self._is_closed else self.failure
        if failure is not None:
            done(0, failure)
            return
        self._end += 1
        self._records[self._end] = record
        done(self._end, None)

    def read(self, after: int) -> Iterator[tuple[int, Record]]:
        return iter([(position, record) for position, record in self._records.items() if position > after])

    def record(self, position: int) -> Record | None:
        return self._records.get(position)

    def keys(self, since_ns: int, upto: int) -> Iterator[Keys]:
        return iter(
            [
                Keys(position, record.arrival_ns, record.keys)
                for position, record in self._records.items()
                if record.arrival_ns >= since_ns and position <= upto
            ]
        )

    def trim(self, before_ns: int, upto: int) -> int:
        freed_bytes = 0
        for segment in self._closed_segments():
            if segment[-1] <= upto and all(self._records[position].arrival_ns < before_ns for position in segment):
                freed_bytes += sum(len(self._records.pop(position).body) for position in segment)
        return freed_bytes

    def end(self) -> int:
        return self._end

    def close(self) -> None:
        self._is_closed = True

    def _closed_segments(self) -> list[list[int]]:
        size = self._segment_records
        groups: dict[int, list[int]] = {}
        for position in self._records:
            groups.setdefault((position - 1) // size, []).append(position)
        return list(groups.values())[:-1]
