"""Who waits for the interpreter gets it, and nobody else notices."""

import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

from monitorx.instrumentation.buffer import FOLD_AT, TURN_AT, Buffer
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.instrumentation.telemetry import Emitter
from monitorx.instrumentation.turn import Turns, has_spans_waiting
from tests.support.watch import Kept

SUBJECT = Subject("predict", Model("fraud"), Kind.TABULAR)
Sleep = Callable[[float], None]


class QuickKept(Kept):
    is_quick = True


class Asked(Turns):
    """Keeps after how many inferences it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.after: list[int] = []
        self.appended = 0

    def give(self) -> None:
        self.after.append(self.appended)


@pytest.fixture
def nobody_asks_for_a_turn() -> Iterator[None]:
    """As it is in a loop of calls into numpy: who waits gets the interpreter only from who lets go of it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1_000)
    yield
    sys.setswitchinterval(before)


def turns(clock: Callable[[], float] = time.monotonic) -> Turns:
    made = Turns(clock)
    made.add(lambda: False)
    made.add(lambda: True)
    return made


@pytest.mark.usefixtures("nobody_asks_for_a_turn")
def test_a_thread_that_waits_has_its_turn() -> None:
    gate, came = threading.Lock(), []
    gate.acquire()
    thread = threading.Thread(target=lambda: (gate.acquire(), came.append(True)))
    thread.start()
    gate.release()
    assert not came

    for _ in range(10_000):
        turns().give()
        if came:
            break

    assert came
    thread.join()


def in_python(sleep: Sleep) -> Sleep:
    def own(seconds: float) -> None:
        sleep(seconds)

    return own


@pytest.mark.parametrize("is_of_c", [True, False])
def test_a_sleep_that_is_not_pythons_is_left_alone(is_of_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append if is_of_c else in_python(slept.append))

    turns().give()

    assert slept == []


def test_a_turn_comes_at_most_every_20_ms() -> None:
    now_s = [0.0]
    turning = turns(lambda: now_s[0])

    def sleeps_at(time_s: float) -> bool:
        now_s[0] = time_s
        return sleeps(turning)

    assert [sleeps_at(time_s) for time_s in (7.0, 7.019, 7.021, 7.03, 9.0)] == [True, False, True, False, True]


def sleeps(turns: Turns) -> bool:
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    turns.give()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw > before


def test_where_nobody_waits_nobody_has_a_turn() -> None:
    turns = Turns()
    assert not sleeps(turns)

    turns.add(lambda: False)

    assert not sleeps(turns)


class Blocking(SpanExporter):
    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        assert self.may_go_on.wait(20)
        return SpanExportResult.SUCCESS


def test_a_batch_processor_waits_from_when_it_woke_its_thread_until_that_has_exported() -> None:
    exporter = Blocking()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=9, max_export_batch_size=3))
    tracer = provider.get_tracer("app")
    assert isinstance(tracer, Tracer)
    waits = [has_spans_waiting(tracer.span_processor)]

    for _ in range(3):
        waits.append(has_spans_waiting(tracer.span_processor))
        tracer.start_span("child").end()
    waits.append(has_spans_waiting(tracer.span_processor))
    exporter.may_go_on.set()

    assert waits == [False, False, False, False, True]
    deadline_s = time.monotonic() + 20
    while has_spans_waiting(tracer.span_processor):
        assert time.monotonic() < deadline_s
    provider.shutdown()


@pytest.mark.parametrize("processor", [None, SpanProcessor(), SimpleSpanProcessor(Blocking())])
def test_others_do_not_wait(processor: object) -> None:
    assert not has_spans_waiting(processor)


def test_an_emitter_has_its_spans_exported() -> None:
    exporter, asked = Blocking(), Asked()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=9, max_export_batch_size=1))
    emitter = Emitter(provider, Buffer(Kept(), fold_every_s=3600, turns=asked))

    inference = emitter.start(SUBJECT)
    assert inference is not None
    before = asked.is_wanted
    inference.stop()

    assert (before, asked.is_wanted) == (False, True)
    exporter.may_go_on.set()
    provider.shutdown()


@pytest.mark.parametrize("sink", [Kept, QuickKept])
def test_a_buffer_lets_others_have_a_turn_now_and_then(sink: type[Kept]) -> None:
    turns = Asked()
    buffer = Buffer(sink(), fold_every_s=3600, turns=turns)

    for turns.appended in range(FOLD_AT):
        buffer.append(Inference(SUBJECT, 0))

    assert turns.after == list(range(TURN_AT, FOLD_AT, TURN_AT))
