"""The path behind the journal when something stands in its way: a store that is stuck, a disk that fails, a stop."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

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
from monitorx.backend.storage.store import Commit, Selection
from monitorx.backend.window import AHEAD_NS, Windows
from monitorx.backend.writer import Writer
from tests.support.memory_journal import MemoryJournal
from tests.support.otlp import spans
from tests.support.server import until

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


class World:
    """A pipeline on a real store and a journal in memory."""

    def __init__(self, folder: Path, journal: MemoryJournal | None = None, pace: Pace = FAST) -> None:
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
            clock=time.time_ns,
            count=ignore,
            pace=pace,
        )

    def again(self, record: Record):  # type: ignore[no-untyped-def]  # what decode_again gives
        return decode_again(self.decoder, record)

    def restore(self) -> State:
        restored = self.store.restore(0)
        state = State(Seen(), Windows(), None, restored.position)
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
            body = spans([next(self.ids).to_bytes(8) for _ in range(each)]).SerializeToString()
            decoded = self.decoder.decode(Signal.TRACES, body, tenant="default", arrival_ns=time.time_ns())
            record = Record(Signal.TRACES, "default", time.time_ns(), body, decoded.keys)
            self.journal.append(record, self.told(decoded))

    def told(self, decoded) -> Callable[[int, Exception | None], None]:  # type: ignore[no-untyped-def]  # a Decoded
        return lambda position, _: self.backlog.put(position, time.time_ns(), decoded)

    def start(self) -> None:
        self.writer.start()
        self.pipeline.start()

    def counted(self) -> tuple[float, int]:
        """Calls in panes, and rows."""
        now = time.time_ns()
        selection = Selection("default", now - 3600 * 10**9, now + 3600 * 10**9)
        in_panes = sum(each.requests for each in self.store.aggregates(selection, step_ns=0, by=[]))
        return in_panes, len(self.store.inferences(selection, limit=100_000))


def ignore(name: str, labels: Mapping[str, str], value: float = 1.0) -> None:
    """Where nobody counts."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.is_stuck = False
    made.pipeline.stop()
    made.writer.stop(5)
    made.store.close()


def test_what_arrives_is_judged_and_stored(world: World) -> None:
    world.start()

    world.send(5)
    until(lambda: world.counted() == (50.0, 50))

    assert world.observed[-1][1] == 5


def test_a_stuck_store_does_not_stop_the_judging_and_nothing_is_lost(world: World) -> None:
    world.start()
    world.send(5)
    until(lambda: world.counted() == (50.0, 50))

    world.store.is_stuck = True
    world.send(40)
    until(lambda: world.pipeline.is_detached)
    world.send(3)
    until(lambda: world.observed[-1][1] == 48)
    world.store.is_stuck = False

    until(lambda: world.counted() == (480.0, 480), 30)
    assert not world.pipeline.is_detached


def test_a_stop_does_not_wait_for_a_store_that_takes_nothing(world: World) -> None:
    world.start()
    world.store.is_stuck = True
    world.send(40)
    until(lambda: world.pipeline.is_detached)

    world.pipeline.stop()

    assert not world.pipeline.is_alive()
    assert not world.writer.stop(0.1)


def test_a_journal_that_cannot_be_read_for_a_moment_ends_nothing(tmp_path: Path) -> None:
    journal = BrokenJournal()
    journal.faults = 2
    world = World(tmp_path, journal)
    world.send(5)
    world.start()

    until(lambda: "input/output error" in world.pipeline.trouble)
    until(lambda: world.counted() == (50.0, 50))

    assert (world.pipeline.is_alive(), world.pipeline.trouble) == (True, "")
    world.pipeline.stop()
    world.writer.stop(5)
    world.store.close()


def test_a_step_that_fails_is_said_for_as_long_as_it_does(world: World) -> None:
    world.alerting_fault = "alertname"
    world.start()
    world.send(1)

    until(lambda: world.pipeline.failing_steps)
    during = world.pipeline.failing_steps
    world.alerting_fault = ""
    until(lambda: not world.pipeline.failing_steps)

    assert during == {"rules": "KeyError: 'alertname'"}
    assert world.pipeline.rule_count == 1


def test_judging_that_takes_long_leaves_time_to_take_what_arrives(tmp_path: Path) -> None:
    world = World(tmp_path, pace=replace(FAST, commit=timedelta(milliseconds=200)))
    world.start()
    world.send(1)
    until(lambda: world.observed and world.observed[-1][1] == 1)
    before = len(world.observed)

    world.judging = lambda: time.sleep(0.3)  # longer than a commit may wait
    world.send(60)
    until(lambda: world.observed[-1][1] == 61, 30)

    assert len(world.observed) - before < 30  # a record an evaluation, and the path would never catch up
    world.judging = lambda: None
    world.pipeline.stop()
    world.writer.stop(5)
    world.store.close()


def test_a_stop_has_an_end_and_the_next_start_reads_what_it_left(tmp_path: Path) -> None:
    journal, goes_on, is_judging = MemoryJournal(), threading.Event(), threading.Event()
    first = World(tmp_path, journal, pace=replace(FAST, stop=timedelta(0)))
    first.judging = lambda: (is_judging.set(), goes_on.wait(30))
    first.start()
    is_judging.wait(30)
    first.send(1000, each=1)

    first.pipeline.stop()
    was_left = first.pipeline.is_alive()  # still judging
    goes_on.set()
    until(lambda: not first.pipeline.is_alive())
    first.writer.stop(5)
    stored = first.counted()[1]
    first.store.close()

    second = World(tmp_path, journal)
    second.backlog.rewind(second.pipeline.state.position)
    second.start()
    until(lambda: second.counted() == (1000.0, 1000), 60)
    second.pipeline.stop()
    second.writer.stop(5)
    second.store.close()

    assert was_left
    assert stored < 1000


def test_a_row_of_the_far_future_is_stored_where_retention_comes_to_it(world: World) -> None:
    world.start()
    arrival_ns = time.time_ns()
    future = spans([b"12345678"], end_ns=arrival_ns + 10 * 365 * 86_400 * 10**9).SerializeToString()
    decoded = world.decoder.decode(Signal.TRACES, future, tenant="default", arrival_ns=arrival_ns)

    world.journal.append(
        Record(Signal.TRACES, "default", arrival_ns, future, decoded.keys),
        lambda position, _: world.backlog.put(position, arrival_ns, decoded),
    )
    until(lambda: world.counted() == (1.0, 1))

    selection = Selection("default", 0, 2**62)
    assert [row.time_ns for row in world.store.inferences(selection, limit=10)] == [arrival_ns + AHEAD_NS]


def test_a_stop_in_the_middle_of_a_replay_does_not_wait_for_its_end(tmp_path: Path) -> None:
    journal = MemoryJournal()
    first = World(tmp_path, journal)
    first.send(800, each=1)
    first.start()
    first.pipeline.stop()
    first.writer.stop(5)
    stored = first.counted()[1]
    first.store.close()

    second = World(tmp_path, journal)
    second.backlog.rewind(second.pipeline.state.position)
    second.start()
    until(lambda: second.counted() == (800.0, 800), 60)
    second.pipeline.stop()
    second.writer.stop(5)
    second.store.close()

    assert stored < 800
