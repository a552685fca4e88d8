import contextvars
import threading

import pytest
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracerProvider

from monitorx.instrumentation.buffer import Buffer
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.instrumentation.sink import MetricsApi
from monitorx.instrumentation.telemetry import Emitter, active, quiet
from tests.support.watch import SECOND_NS, START_NS, Kept, Watch

FRAUD = Subject("predict", Model("fraud", "3", "app.Fraud"), Kind.TABULAR, "scikit-learn", "1.9.1", "cpu")
POINT = {
    "ml.operation.name": "predict",
    "ml.model.name": "fraud",
    "ml.model.version": "3",
    "ml.model.kind": "tabular",
    "ml.framework.name": "scikit-learn",
}
SPAN = {
    **POINT,
    "ml.framework.version": "1.9.1",
    "ml.model.class": "app.Fraud",
    "ml.device.type": "cpu",
}


def start(watch: Watch, batch_size: int | None = None) -> Inference:
    inference = watch.emitter.start(FRAUD, batch_size)
    assert inference is not None
    return inference


def test_a_stopped_inference_is_one_span_and_one_record() -> None:
    watch = Watch()

    start(watch, 4).stop()

    assert watch.spans == [
        {
            "name": "predict fraud",
            "kind": "INTERNAL",
            "trace_id": 1,
            "span_id": 1,
            "parent": None,
            "start_ns": START_NS,
            "end_ns": START_NS + SECOND_NS // 2,
            "status": "UNSET",
            "events": 0,
            "attributes": {**SPAN, "ml.request.batch.size": 4},
        }
    ]
    (inference,) = watch.inferences
    assert (inference.start_ns, inference.duration_s, inference.batch_size) == (START_NS, 0.5, 4)
    assert (inference.operation, inference.framework, inference.model, inference.kind, inference.error_type) == (
        "predict",
        "scikit-learn",
        Model("fraud", "3", "app.Fraud"),
        Kind.TABULAR,
        None,
    )
    assert inference.span_context is not None
    assert inference.span_context.span_id == 1


def test_a_failed_inference_says_what_failed_and_quotes_nothing() -> None:
    watch = Watch()

    start(watch).fail(KeyError("a name from the data"))

    (span,) = watch.spans
    assert (span["status"], span["events"], span["attributes"]) == ("ERROR", 0, {**SPAN, "error.type": "KeyError"})
    assert watch.calls == [("predict", "fraud", None, "KeyError")]


def test_only_the_first_end_of_an_inference_counts() -> None:
    watch = Watch()
    inference = start(watch)

    inference.stop()
    inference.fail(ValueError())
    inference.stop()

    assert watch.calls == [("predict", "fraud", None, None)]
    assert len(watch.spans) == 1
    assert watch.inferences[0].duration_s == 0.5


def test_a_batch_size_known_late_reaches_span_and_record() -> None:
    watch = Watch()
    inference = start(watch, 1)

    inference.batch_size = 7
    inference.stop()

    assert watch.spans[0]["attributes"]["ml.request.batch.size"] == 7
    assert watch.calls == [("predict", "fraud", 7, None)]


def test_only_the_outermost_call_is_an_inference() -> None:
    watch = Watch()
    outer = start(watch)

    assert watch.emitter.start(FRAUD) is None
    assert watch.emitter.start(FRAUD, is_current=False) is None

    outer.stop()
    start(watch).stop()

    assert len(watch.inferences) == 2


def test_the_span_is_current_within_the_call_and_not_after() -> None:
    watch = Watch()
    tracer = watch.provider.get_tracer("app")

    inference = start(watch)
    tracer.start_span("child").end()
    inference.stop()
    tracer.start_span("sibling").end()

    assert [(span["name"], span["parent"]) for span in watch.spans] == [
        ("child", 1),
        ("predict fraud", None),
        ("sibling", None),
    ]


def test_a_prepared_inference_is_current_only_in_its_steps() -> None:
    watch = Watch()
    inference = watch.emitter.start(FRAUD, is_current=False)
    assert inference is not None

    with active(inference):
        inside = (watch.emitter.start(FRAUD), trace.get_current_span().get_span_context().span_id)
    between = watch.emitter.start(FRAUD)

    assert inside == (None, 1)
    assert between is not None
    between.stop()


def test_nothing_is_an_inference_while_suppressed_or_quiet() -> None:
    watch = Watch()

    with suppress_instrumentation():
        assert watch.emitter.start(FRAUD) is None
    with quiet():
        assert watch.emitter.start(FRAUD) is None

    assert (watch.spans, watch.inferences) == ([], [])


def test_the_mark_of_being_inside_travels_with_the_context() -> None:
    watch = Watch()
    inference = start(watch)
    from opentelemetry.context import get_current

    context, seen = get_current(), []

    def elsewhere() -> None:
        token = attach(context)
        seen.append(watch.emitter.start(FRAUD))
        detach(token)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    inference.stop()

    assert seen == [None]


def test_what_a_call_started_is_watched_once_the_call_has_ended() -> None:
    watch = Watch()
    inference = start(watch)
    begun_within = contextvars.copy_context()  # as of a task that outlives the call
    inference.stop()
    with quiet():
        begun_in_a_training = contextvars.copy_context()

    for context in (begun_within, begun_in_a_training):
        context.run(lambda: start(watch).stop())

    assert len(watch.inferences) == 3


def test_without_a_tracer_there_is_a_record_without_a_span() -> None:
    sink = Kept()
    emitter = Emitter(NoOpTracerProvider(), Buffer(sink, fold_every_s=3600))

    inference = emitter.start(FRAUD)
    assert inference is not None
    inference.stop()
    emitter.buffer.flush()

    assert [record.span_context for record in sink.inferences] == [None]


def test_a_fault_of_ours_is_counted_and_not_raised() -> None:
    class BrokenTracer(trace.NoOpTracer):
        def start_span(self, *args: object, **kwargs: object) -> trace.Span:  # type: ignore[override]
            raise RuntimeError("no span today")

    class Broken(NoOpTracerProvider):
        def get_tracer(self, *args: object, **kwargs: object) -> trace.Tracer:  # type: ignore[override]
            return BrokenTracer()

    emitter = Emitter(Broken(), Buffer(Kept(), fold_every_s=3600))

    assert emitter.start(FRAUD) is None
    assert emitter.start(FRAUD, is_current=False) is None
    assert emitter.faults == 2
    assert trace.get_current_span(Context()) is trace.INVALID_SPAN


def test_a_full_buffer_drops_and_counts() -> None:
    watch = Watch(capacity=2)

    for _ in range(5):
        start(watch).stop()

    assert watch.buffer.dropped == 3
    assert len(watch.inferences) == 2


def test_a_sink_that_raises_does_not_end_the_buffer(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    kept, watch.buffer.sink = watch.buffer.sink, object()  # type: ignore[assignment]

    start(watch).stop()
    watch.buffer.flush()
    watch.buffer.sink = kept
    start(watch).stop()

    assert len(watch.inferences) == 1
    assert "1 inferences could not be folded and are lost" in caplog.text
    assert watch.buffer.failed == 1


def test_threads_lose_and_double_nothing() -> None:
    watch = Watch()

    def work() -> None:
        for _ in range(200):
            start(watch, 1).stop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(watch.inferences) == len(watch.spans) == 1600


def test_without_attach_duration_batch_size_and_samples_go_through_the_metrics_api() -> None:
    reader = InMemoryMetricReader()
    emitter = Emitter(NoOpTracerProvider(), Buffer(MetricsApi(MeterProvider([reader])), fold_every_s=3600))
    for error in (None, None, ValueError()):
        inference = emitter.start(FRAUD, 3)
        assert inference is not None
        inference.fail(error) if error else inference.stop()
    emitter.buffer.flush()

    found = {
        (metric.name, metric.unit, point.attributes.get("error.type")): getattr(point, "count", None) or point.value
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics  # type: ignore[union-attr]
        for metric in scope.metrics
        for point in metric.data.data_points
        if POINT.items() <= dict(point.attributes or {}).items()
    }
    assert found == {
        ("ml.inference.duration", "s", None): 2,
        ("ml.inference.duration", "s", "ValueError"): 1,
        ("ml.inference.batch.size", "{sample}", None): 2,
        ("ml.inference.batch.size", "{sample}", "ValueError"): 1,
        ("ml.inference.samples", "{sample}", None): 6,
        ("ml.inference.samples", "{sample}", "ValueError"): 3,
    }
