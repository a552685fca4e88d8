"""The path behind the journal on a real store, with parts that a test can break."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from monitorx.alerting.alert import Observation
from monitorx.backend.backlog import Backlog
from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder
from monitorx.backend.dedup import Seen
from monitorx.backend.errors import StorageError
from monitorx.backend.ingest import decode_again
from monitorx.backend.journal import Record
from monitorx.backend.pipeline import Pace, Pipeline, State
from monitorx.backend.rule import Rule, parse
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.store import Commit, DriftRow, Selection
from monitorx.backend.window import Windows
from monitorx.backend.writer import Writer
from tests.support.memory_journal import MemoryJournal
from tests.support.otlp import spans

FAST = Pace(
    evaluate=timedelta(milliseconds=5),
    idle=timedelta(milliseconds=20),
    commit=timedelta(milliseconds=10),
    commit_rows=50,
    rows_held=100,
    after_fault=timedelta(milliseconds=50),
    last_commit=timedelta(milliseconds=100),
)


class StuckStore(DuckDBStore):
    """The real store; while `is_stuck` it takes nothing."""

    is_stuck = False

    def write(self, commit: Commit) -> None:
        if self.is_stuck:
            raise StorageError("the disk is full")
        super().write(commit)


class BrokenJournal(MemoryJournal):
    """Cannot be read the first `faults` times."""

    faults = 0

    def read(self, after: int) -> Iterator[tuple[int, Record]]:
        if self.faults:
            self.faults -= 1
            raise StorageError("input/output error")
        return super().read(after)


class NewJournal(MemoryJournal):
    """Begun anew behind position 3; holds nothing yet."""

    def end(self) -> int:
        return 3


class Finder:
    """Stands for drift, and finds something at every evaluation; nothing of it is ever saved."""

    found = 0
    taken = 0

    def add(self, batch: object, *, position: int, arrival_ns: int) -> None:
        """Whatever comes."""

    def evaluate(self, now_ns: int) -> None:
        self.found += 1

    def take(self) -> list[DriftRow]:
        ends, self.taken = range(self.taken, self.found), self.found
        of = ("default", "fraud", "1", "age", "input", "rank_location", "small")
        return [DriftRow(end, end + 1, *of, False, None, None, None, None, 1.0, "") for end in ends]

    def scores(self, now_ns: int) -> Iterable[Any]:
        return ()

    def resume(self, position: int) -> None:
        """Nothing was added."""

    def save(self, position: int, *, stored: int) -> None:
        raise StorageError("drift.sqlite cannot be written: the disk is full")


class World:
    """A pipeline on a real store and a journal in memory."""

    def __init__(
        self,
        folder: Path,
        journal: MemoryJournal | None = None,
        pace: Pace = FAST,
        *,
        drift: Any = None,  # Any: Drift, or what stands for it
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.store = StuckStore(folder / "store.duckdb")
        self.journal = journal or MemoryJournal()
        self.decoder = Decoder()
        self.ids = itertools.count(1)
        self.observed: list[tuple[Sequence[Observation], int]] = []
        self.alerting_fault = ""
        self.judging: Callable[[], object] = lambda: None  # goes on while rules are judged
        self.backlog = Backlog(self.journal, self.again, after=0, max_bytes=10**9)
        self.writer = Writer(self.store, position=0, on_written=lambda _: None, count=ignore)
        rule = Rule("Busy", parse("rate(requests[1m]) > 0"))
        self.pipeline = Pipeline(
            self.backlog,
            self.restore,
            lambda: (rule,),
            self.observe,
            self.writer,
            tenant="default",
            clock=clock,
            count=ignore,
            drift=drift,
            pace=pace,
        )

    def again(self, record: Record):  # type: ignore[no-untyped-def]  # what decode_again gives
        return decode_again(self.decoder, record)

    def restore(self) -> State:
        restored = self.store.restore(0)
        state = State(Seen(), Windows(), restored.position)
        state.windows.restore(restored.open_panes, restored.closed_panes, restored.cursors)
        for keys in self.journal.keys(0, restored.position):
            state.seen.add(keys.keys, keys.arrival_ns)
        return state

    def observe(self, observations: Sequence[Observation], position: int) -> list[object]:
        if self.alerting_fault:
            raise KeyError(self.alerting_fault)
        self.observed.append((observations, position))
        self.judging()
        return []

    def send(self, requests: int, each: int = 10) -> None:
        for _ in range(requests):
            self.arrive(Signal.TRACES, spans([next(self.ids).to_bytes(8) for _ in range(each)]).SerializeToString())

    def arrive(self, signal: Signal, body: bytes) -> None:
        decoded = self.decoder.decode(signal, body, tenant="default", arrival_ns=time.time_ns())
        record = Record(signal, "default", time.time_ns(), body, decoded.keys)
        self.journal.append(record, self.told(decoded))

    def told(self, decoded) -> Callable[[int, Exception | None], None]:  # type: ignore[no-untyped-def]  # a Decoded
        return lambda position, _: self.backlog.put(position, time.time_ns(), decoded)

    def start(self) -> None:
        self.writer.start()
        self.pipeline.start()

    def end(self) -> None:
        self.pipeline.stop()
        self.writer.stop(5)
        self.store.close()

    def counted(self) -> tuple[float, int]:
        """Calls in panes, and rows."""
        now = time.time_ns()
        selection = Selection("default", now - 3600 * 10**9, now + 3600 * 10**9)
        in_panes = sum(each.requests for each in self.store.aggregates(selection, step_ns=0, by=[]))
        return in_panes, len(self.store.inferences(selection, limit=100_000))


def ignore(name: str, labels: Mapping[str, str], value: float = 1.0) -> None:
    """Where nobody counts."""
