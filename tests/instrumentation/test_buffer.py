"""Who folds what, and who waits for whom: nobody."""

import gc
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from monitorx.instrumentation.buffer import FOLD_AT, Buffer
from monitorx.instrumentation.features import LARGE, Intake
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject

SUBJECT = Subject("predict", Model("fraud"), Kind.TABULAR)


class Quick:
    """A sink that callers serve; keeps by which thread it was given how many."""

    is_quick = True

    def __init__(self) -> None:
        self.folds: list[tuple[str, int]] = []
        self.folded = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.fault: Exception | None = None

    def fold(self, inferences: Sequence[Inference]) -> None:
        self.folds.append((threading.current_thread().name, len(inferences)))
        self.folded.set()
        assert self.may_go_on.wait(20)
        if self.fault is not None:
            raise self.fault


def append(buffer: Buffer, number: int) -> None:
    for _ in range(number):
        buffer.append(Inference(SUBJECT, 0))


def folders() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "monitorx-fold"}


def test_the_caller_of_each_512th_folds_and_there_is_no_thread() -> None:
    sink, before = Quick(), folders()
    buffer = Buffer(sink)

    append(buffer, 2 * FOLD_AT + 5)

    assert sink.folds == [("MainThread", FOLD_AT), ("MainThread", FOLD_AT)]
    assert folders() <= before  # those of other tests may end meanwhile
    buffer.flush()
    assert sink.folds[2:] == [("MainThread", 5)]


def test_who_comes_while_somebody_folds_goes_on() -> None:
    sink = Quick()
    buffer = Buffer(sink)
    sink.may_go_on.clear()
    folding = threading.Thread(target=append, args=(buffer, FOLD_AT), name="folding")
    folding.start()
    assert sink.folded.wait(20)

    append(buffer, FOLD_AT + 7)

    assert sink.folds == [("folding", FOLD_AT)]
    sink.may_go_on.set()
    folding.join()
    append(buffer, 1)
    assert sink.folds == [("folding", FOLD_AT), ("MainThread", FOLD_AT + 8)]


def test_a_call_within_a_fold_is_kept_for_the_next_one() -> None:
    class Calling(Quick):
        def fold(self, inferences: Sequence[Inference]) -> None:
            super().fold(inferences)
            if len(self.folds) == 1:
                append(buffer, FOLD_AT)

    sink = Calling()
    buffer = Buffer(sink)

    append(buffer, FOLD_AT)
    buffer.flush()

    assert [number for _, number in sink.folds] == [FOLD_AT, FOLD_AT]


def test_what_a_sink_raises_stays_from_the_caller_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    sink = Quick()
    sink.fault = RuntimeError("not today")
    buffer = Buffer(sink)

    append(buffer, FOLD_AT)
    sink.fault = None
    append(buffer, FOLD_AT)

    assert (buffer.failed, [number for _, number in sink.folds]) == (FOLD_AT, [FOLD_AT, FOLD_AT])
    assert f"{FOLD_AT} inferences could not be folded and are lost" in caplog.text


def test_a_large_input_is_folded_by_a_thread_at_once() -> None:
    sink = Quick()
    buffer = Buffer(sink)
    intake = Intake()
    buffer.observe(intake)
    append(buffer, 3)

    intake.copy(np.zeros((LARGE, 1)))

    assert sink.folded.wait(20)
    assert sink.folds == [("monitorx-fold", 3)]


@pytest.mark.parametrize("rows", [np.array([["a", None]], dtype=object), [[1.0, 2.0]], np.zeros((LARGE - 1, 1))])
def test_what_takes_time_to_count_is_left_to_a_thread(rows: object) -> None:
    sink, intake = Quick(), Intake()
    buffer = Buffer(sink)
    buffer.observe(intake)
    for _ in range(5):
        intake.copy(rows)

    append(buffer, FOLD_AT)

    assert sink.folded.wait(20)
    assert {name for name, _ in sink.folds} == {"monitorx-fold"}


def test_an_interrupt_passes_and_what_it_ended_is_counted() -> None:
    class Interrupted(Quick):
        def fold(self, inferences: Sequence[Inference]) -> None:
            if not self.folds:
                self.folds.append(("", 0))
                raise KeyboardInterrupt
            super().fold(inferences)

    sink = Interrupted()
    buffer = Buffer(sink)

    with pytest.raises(KeyboardInterrupt):
        append(buffer, FOLD_AT)
    append(buffer, FOLD_AT)

    assert (buffer.failed, sink.folds[1:]) == (FOLD_AT, [("MainThread", FOLD_AT)])


def test_a_lock_that_was_left_held_does_not_end_the_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitorx.instrumentation.buffer.LOST_S", 0.01)
    sink = Quick()
    buffer = Buffer(sink)
    append(buffer, 3)
    buffer._lock.acquire()

    buffer.flush()
    append(buffer, FOLD_AT)

    assert sink.folds == [("MainThread", 3), ("MainThread", FOLD_AT)]


def test_a_slow_fold_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitorx.instrumentation.buffer.LOST_S", 0.01)
    sink = Quick()
    buffer = Buffer(sink)
    sink.may_go_on.clear()
    folding = threading.Thread(target=append, args=(buffer, FOLD_AT), name="folding")
    folding.start()
    assert sink.folded.wait(20)
    append(buffer, 3)
    threading.Timer(0.1, sink.may_go_on.set).start()

    folds = buffer.drain(lambda: list(sink.folds))

    folding.join()
    assert folds == [("folding", FOLD_AT), ("MainThread", 3)]


def test_a_large_input_within_a_fold_waits_for_nobody() -> None:
    class Calling(Quick):
        def fold(self, inferences: Sequence[Inference]) -> None:
            super().fold(inferences)
            if len(self.folds) == 1:  # as a finaliser or a handler of signals may, on this thread
                intake.copy(np.zeros((LARGE, 1)))
                append(buffer, 1)

    sink, intake = Calling(), Intake()
    buffer = Buffer(sink)
    buffer.observe(intake)

    append(buffer, FOLD_AT)
    buffer.flush()

    assert sum(number for _, number in sink.folds) == FOLD_AT + 1


def test_nothing_is_folded_between_draining_and_what_is_taken() -> None:
    sink = Quick()
    buffer = Buffer(sink)
    append(buffer, 3)

    def take() -> list[tuple[str, int]]:
        other = threading.Thread(target=append, args=(buffer, FOLD_AT))
        other.start()
        other.join()
        return list(sink.folds)

    assert buffer.drain(take) == [("MainThread", 3)]
    buffer.flush()
    assert sink.folds == [("MainThread", 3), ("MainThread", FOLD_AT)]


def test_an_abandoned_buffer_ends_its_thread() -> None:
    before = folders()
    buffer = Buffer(Quick())
    intake = Intake()
    buffer.observe(intake)
    intake.wake()
    (thread,) = folders() - before

    del buffer, intake
    gc.collect()
    thread.join(20)

    assert not thread.is_alive()
