"""The path behind the journal when something stands in its way: a store that is stuck, a disk that fails, a stop."""

import itertools
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitorx.backend.batch import Signal
from monitorx.backend.detector import Drift, RankLocationDetector, SQLiteState
from monitorx.backend.journal import Record
from monitorx.backend.pipeline import Pace
from monitorx.backend.storage.store import Selection
from monitorx.backend.window import AHEAD_NS
from tests.pipeline.world import FAST, BrokenJournal, Finder, NewJournal, World
from tests.support.memory_journal import MemoryJournal
from tests.support.otlp import spans
from tests.support.server import until
from tests.support.sketching import sketches


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


def test_a_path_that_fails_is_in_the_log_once_for_each_cause(tmp_path: Path) -> None:
    journal = BrokenJournal()
    journal.faults = 3
    world = World(tmp_path, journal)
    world.send(5)

    with capture_logs() as lines:
        world.start()
        until(lambda: world.counted() == (50.0, 50))
    world.end()

    assert [line["event"] for line in lines] == [
        "the path behind the journal failed; beginning again at the store's state",
        "the path behind the journal works again",
    ]


def test_a_state_of_drift_that_cannot_be_written_holds_up_neither_rules_nor_store(tmp_path: Path) -> None:
    path = tmp_path / "drift.sqlite"
    state = SQLiteState(path)
    world = World(tmp_path, drift=Drift(RankLocationDetector(), state))
    world.start()
    backup = sqlite3.connect(path, isolation_level=None)
    backup.execute("BEGIN IMMEDIATE")

    world.arrive(Signal.METRICS, sketches({"age": [1.0] * 400}).SerializeToString())
    world.send(5)
    until(lambda: world.counted() == (50.0, 50) and world.pipeline.failing_steps)
    said = world.pipeline.failing_steps
    world.store.is_stuck = True  # and with it gone for a while as well
    world.send(40)
    until(lambda: world.pipeline.is_detached)
    world.store.is_stuck = False
    until(lambda: world.counted() == (450.0, 450), 30)
    until(lambda: world.observed[-1][1] == 46)
    trouble = world.pipeline.trouble
    backup.execute("ROLLBACK")
    backup.close()
    until(lambda: not world.pipeline.failing_steps)  # though nothing arrives
    world.end()
    state.close()

    assert said == {"drift_state": f"StorageError: {path} cannot be written: database is locked"}
    assert trouble == ""
    kept = SQLiteState(path)
    # Once, though the journal has told it twice.
    assert [sum(sketch.count for sketch in each) for each in kept.read().windows.values()] == [400.0]
    kept.close()


def test_what_drift_finds_while_the_store_is_stuck_is_stored_later(tmp_path: Path) -> None:
    drift = Finder()
    world = World(tmp_path, drift=drift)
    world.start()
    world.store.is_stuck = True
    world.send(40)
    until(lambda: world.pipeline.is_detached)

    world.store.is_stuck = False
    until(lambda: world.counted() == (400.0, 400), 30)
    world.pipeline.stop()
    world.writer.stop(5)
    stored = world.store.drift(Selection("default", 0, 2**62), limit=100_000)
    world.store.close()

    assert [row.start_ns for row in reversed(stored)] == list(range(drift.found))


def test_verdicts_and_findings_that_wait_are_let_go_of_as_rows_are(tmp_path: Path) -> None:
    ticks = itertools.count(time.time_ns(), 10 * 10**9)  # every evaluation is in a pane of its own: a verdict each
    world = World(tmp_path, clock=lambda: next(ticks))
    world.start()
    world.store.is_stuck = True

    world.send(1)
    until(lambda: world.pipeline.is_detached)
    world.store.is_stuck = False
    world.end()

    assert world.observed[-1][1] == 1


def test_rules_go_on_where_the_journal_was_taken_away(tmp_path: Path) -> None:
    """A new journal begins behind all that store and alerting have seen; what is said before that is a replay."""
    world = World(tmp_path, NewJournal())
    world.start()

    until(lambda: world.observed and world.writer.position == 3)
    world.end()

    assert {position for _, position in world.observed} == {3}


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


@pytest.mark.parametrize(
    ("evaluation_s", "is_fresh", "pause_s"),
    [
        pytest.param(0.01, True, 0.2, id="usual"),
        pytest.param(0.01, False, 1.0, id="nothing arrives"),
        pytest.param(3.0, True, 3.0, id="as long as it took"),
        pytest.param(3600.0, True, 5.0, id="the machine stood still for an hour"),
    ],
)
def test_rules_rest_after_an_evaluation(evaluation_s: float, is_fresh: bool, pause_s: float) -> None:
    assert Pace().pause_s(evaluation_s, is_fresh=is_fresh) == pause_s


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
