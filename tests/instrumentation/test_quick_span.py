"""A span of `quick_start` against the span that the SDK's tracer itself starts, in everything that others can see."""

import copy
import pickle
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider, sampling
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, ParentBased, Sampler
from opentelemetry.trace import NonRecordingSpan, NoOpTracer, Span, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from monitorx.instrumentation import quick_span
from monitorx.instrumentation.quick_span import quick_start
from monitorx.instrumentation.span import Start, start_of
from tests.support.spans import END_NS, KNOWN, Act, Custom, Parent, RandomIds, Situation, Way, by_sdk, seen
from tests.support.watch import SECOND_NS, START_NS, CountingIds

NOW_NS = START_NS + 9 * SECOND_NS
ELSEWHERE = SpanContext(7, 8, is_remote=True)
ONE = SpanLimits(max_span_attributes=1)
KEPT_STATE = TraceState([("vendor", "kept")])
Check = Callable[..., None]  # of a situation and, where it is not the quick one, a way


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NOW_NS)
    monkeypatch.setattr(sdk, "time_ns", lambda: NOW_NS)


@pytest.fixture(params=[False, True], ids=["read once ended", "read all along"])
def assert_same(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Check:
    """Asserts that what a way shows and warns of in a situation is what the SDK's tracer does."""

    def check(situation: Situation, way: Way = quick_start) -> None:
        theirs = seen(by_sdk, situation, request.param), warned(caplog)
        ours = seen(way, situation, request.param), warned(caplog)
        assert ours == theirs

    return check


def warned(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


def local(start: Start) -> Context:
    return trace.set_span_in_context(start("checkout", Context(), {"a": 1}, START_NS - SECOND_NS)[0], Context())


def remote(flags: int, trace_state: TraceState | None = None, trace_id: int = 7) -> Parent:
    above = NonRecordingSpan(SpanContext(trace_id, 8, True, TraceFlags(flags), trace_state))
    return lambda _: trace.set_span_in_context(above, Context())


PARENTS = [
    pytest.param(lambda _: Context(), id="root"),
    pytest.param(lambda _: Context({"baggage": "x"}), id="root in a context"),
    pytest.param(local, id="local parent"),
    pytest.param(remote(TraceFlags.DEFAULT), id="not sampled parent"),
    pytest.param(remote(TraceFlags.SAMPLED), id="sampled parent"),
    pytest.param(remote(TraceFlags.RANDOM_TRACE_ID), id="not sampled random parent"),
    pytest.param(remote(0xFF, KEPT_STATE), id="all flags and a trace state"),
    pytest.param(remote(TraceFlags.SAMPLED, KEPT_STATE, trace_id=0), id="invalid parent"),
]


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(ALWAYS_ON, id="on"),
        pytest.param(ALWAYS_OFF, id="off"),
        pytest.param(ParentBased(ALWAYS_ON), id="parent or on"),
        pytest.param(ParentBased(ALWAYS_OFF), id="parent or off"),
        pytest.param(sampling.TraceIdRatioBased(1.0), id="all"),
        pytest.param(sampling.TraceIdRatioBased(2 / 2**64), id="trace 1 only"),
        pytest.param(sampling.AlwaysRecordSampler(ALWAYS_OFF), id="record only"),
        pytest.param(Custom(trace_state=TraceState([("sampler", "new")])), id="own trace state"),
    ],
)
@pytest.mark.parametrize("ids", [CountingIds, RandomIds])
def test_sampling_and_context_are_the_sdks(
    parent: Parent, sampler: Sampler, ids: type[CountingIds], assert_same: Check
) -> None:
    assert_same(Situation(sampler, parent, ids=ids))


@pytest.mark.parametrize("parent", PARENTS)
def test_what_a_sampler_drops_without_being_asked_has_the_sdks_context(parent: Parent) -> None:
    ours, theirs = (dropped(way, parent) for way in (quick_start, by_sdk))

    assert ours == theirs


def dropped(way: Way, parent: Parent) -> list[object]:
    """All but the ids, which are random."""
    start = of_fresh_tracer(way, sampler=ALWAYS_OFF)
    span, own = start("predict fraud", parent(start), KNOWN, START_NS)
    assert isinstance(span, NonRecordingSpan)
    assert isinstance(span, quick_span.DroppedSpan) is (way is quick_start)
    span.set_attribute("new", 1)
    context = span.get_span_context()
    assert context is span.get_span_context()
    span.end()
    above = trace.get_current_span(parent(start)).get_span_context()
    of_parent = context.trace_id == above.trace_id, context.span_id == above.span_id
    flags, state = context.trace_flags, repr(context.trace_state)
    return [own, span.is_recording(), context.is_valid, context.is_remote, of_parent, type(flags), flags, state]


def test_a_dropped_span_can_be_sent_and_says_who_it_is() -> None:
    span, _ = of_fresh_tracer(quick_start, sampler=ALWAYS_OFF)("predict fraud", Context(), KNOWN, START_NS)

    copies = [pickle.loads(pickle.dumps(span)), copy.copy(span), copy.deepcopy(span)]

    assert [made.get_span_context() for made in copies] == [span.get_span_context()] * 3
    assert [type(made) for made in copies] == [NonRecordingSpan] * 3
    assert repr(span) == repr(NonRecordingSpan(span.get_span_context()))


def test_who_asks_a_dropped_span_does_not_change_the_applications_random_numbers() -> None:
    start = of_fresh_tracer(quick_start, sampler=ALWAYS_OFF)
    random.seed(7)
    expected = random.random()

    random.seed(7)
    start("predict fraud", Context(), KNOWN, START_NS)[0].get_span_context()

    assert random.random() == expected


def test_who_makes_ids_of_his_own_makes_those_of_dropped_spans_too() -> None:
    start = of_fresh_tracer(quick_start, sampler=ALWAYS_OFF, id_generator=CountingIds())

    for _ in range(3):
        start("predict fraud", Context(), KNOWN, START_NS)

    assert start("predict fraud", Context(), KNOWN, START_NS)[0].get_span_context().span_id == 4


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(Situation(known={}), id="none"),
        pytest.param(Situation(Custom(lambda known: {**known, "ratio": 0.5})), id="added by the sampler"),
        pytest.param(Situation(Custom(lambda known: {**known, "ml.model.name": "other"})), id="changed by the sampler"),
        pytest.param(Situation(Custom(lambda known: dict(reversed(known.items())))), id="reordered by the sampler"),
        pytest.param(Situation(Custom(lambda _: None)), id="removed by the sampler"),
        pytest.param(Situation(Custom(lambda known: {**known, "list": [1, [2, "x"]]})), id="a list of the sampler"),
        pytest.param(Situation(Custom(lambda _: {"object": Decision.DROP, "": 1})), id="invalid from the sampler"),
        pytest.param(Situation(Custom(lambda _: {"a": "new"}, Decision.RECORD_ONLY)), id="changed and record only"),
        pytest.param(Situation(Custom(lambda _: {"a": "new"}, Decision.DROP)), id="changed and dropped"),
        pytest.param(Situation(limits=SpanLimits(max_span_attributes=2)), id="more than the limit"),
        pytest.param(Situation(limits=SpanLimits(max_span_attributes=3)), id="as many as the limit"),
        pytest.param(Situation(limits=SpanLimits(max_span_attributes=0)), id="no attributes allowed"),
        pytest.param(Situation(limits=SpanLimits(max_span_attributes=SpanLimits.UNSET)), id="no limit"),
        pytest.param(Situation(limits=SpanLimits(max_span_attribute_length=3)), id="too long for a span"),
        pytest.param(Situation(limits=SpanLimits(max_attribute_length=3)), id="too long for anything"),
        pytest.param(Situation(Custom(lambda _: {"a": 1, "b": 2}), limits=ONE), id="the sampler exceeds the limit"),
        pytest.param(Situation(Custom(lambda _: {"a": 1}), limits=ONE), id="the sampler keeps to the limit"),
        pytest.param(Situation(act=id), id="never ended"),
    ],
)
def test_attributes_at_the_start_are_the_sdks(situation: Situation, assert_same: Check) -> None:
    assert_same(situation)


def fail(span: Span) -> None:
    with pytest.raises(KeyError), trace.use_span(span, end_on_exit=True):
        raise KeyError("a name from the data")


def fail_in_its_block(span: Span) -> None:
    with pytest.raises(ValueError, match="no"), span:
        raise ValueError("no")


ACTS = [
    pytest.param(lambda span: span.set_attribute("new", [1, 2]), id="set_attribute"),
    pytest.param(lambda span: span.set_attribute("ml.model.name", "other"), id="set_attribute again"),
    pytest.param(lambda span: span.set_attributes({"new": True, "ml.model.kind": "llm"}), id="set_attributes"),
    pytest.param(lambda span: span.add_event("seen", {"a": "long value"}), id="add_event"),
    pytest.param(lambda span: span.add_event("seen", None, START_NS + 1), id="add_event at a time"),
    pytest.param(lambda span: [span.add_event(f"{i}", {"a": 1, "b": 2}) for i in range(3)], id="many events"),
    pytest.param(lambda span: span.add_link(ELSEWHERE, {"why": "batch"}), id="add_link"),
    pytest.param(lambda span: [span.add_link(ELSEWHERE, {"i": i, "j": i}) for i in range(3)], id="many links"),
    pytest.param(lambda span: span.add_link(trace.INVALID_SPAN_CONTEXT), id="invalid link"),
    pytest.param(lambda span: span.record_exception(ValueError("no"), {"a": 1}), id="record_exception"),
    pytest.param(lambda span: span.set_status(StatusCode.ERROR, "no"), id="set_status"),
    pytest.param(lambda span: [span.set_status(Status(code)) for code in reversed(StatusCode)], id="many statuses"),
    pytest.param(lambda span: span.update_name("classify"), id="update_name"),
    pytest.param(lambda span: span.attributes, id="read attributes"),
    pytest.param(lambda span: (span.events, span.links, span.to_json()), id="read the rest"),
    pytest.param(lambda span: span.start(START_NS), id="start again"),
]
ENDS = [
    pytest.param(lambda span: span.end(), id="end without a time"),
    pytest.param(lambda span: span.end(0), id="end at 0"),
    pytest.param(lambda span: (span.end(END_NS + 1), span.end(NOW_NS)), id="end twice"),
    pytest.param(lambda span: span.__exit__(None, None, None), id="leave its block"),
    pytest.param(fail, id="fail while it is current"),
    pytest.param(fail_in_its_block, id="fail in its block"),
]
LOW = SpanLimits(max_events=2, max_links=1, max_event_attributes=1, max_link_attributes=1, max_attribute_length=5)
MOMENTS: dict[str, Callable[[Act], dict[str, Any]]] = {
    "while it runs": lambda act: {"act": lambda span: (act(span), span.end(END_NS))},
    "once ended": lambda act: {"act": lambda span: (span.end(END_NS), act(span))},
    "by a processor at the start": lambda act: {"at_start": act},
    "by a processor at the end": lambda act: {"at_end": act},
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("limits", [None, LOW], ids=["usual limits", "low limits"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_is_done_to_a_span_does_what_it_does_to_the_sdks(
    act: Act, limits: SpanLimits | None, moment: str, assert_same: Check
) -> None:
    assert_same(Situation(limits=limits, **MOMENTS[moment](act)))


@pytest.mark.parametrize("act", ENDS)
@pytest.mark.parametrize("moment", ["while it runs", "once ended", "by a processor at the end"])
def test_ends_are_the_sdks(act: Act, moment: str, assert_same: Check) -> None:
    assert_same(Situation(**MOMENTS[moment](act)))


@pytest.mark.parametrize("parent", [lambda _: Context(), remote(TraceFlags.SAMPLED, KEPT_STATE)], ids=["root", "child"])
def test_a_disabled_tracer_starts_nothing(parent: Parent, assert_same: Check) -> None:
    assert_same(Situation(parent=parent, is_enabled=False))


def test_the_current_span_is_no_parent_in_another_context(assert_same: Check) -> None:
    with trace.use_span(NonRecordingSpan(ELSEWHERE)):
        assert_same(Situation())


def test_where_all_names_are_known_it_is_a_quick_span_and_a_span_of_the_sdk() -> None:
    span, own = of_fresh_tracer(start_of)("predict fraud", Context(), KNOWN, START_NS)

    kinds = (Span, ReadableSpan, sdk.Span, sdk._Span, quick_span.QuickSpan)
    assert [isinstance(span, kind) for kind in kinds] == [True] * 5
    assert own is span.get_span_context()


def of_fresh_tracer(way: Way, **settings: Any) -> Start:
    start = way(TracerProvider(shutdown_on_exit=False, **settings).get_tracer("scope"))
    assert start is not None
    return start


@pytest.mark.parametrize("decision", Decision)
@pytest.mark.parametrize("parent", [lambda _: Context(), local, remote(TraceFlags.SAMPLED)])
def test_the_sdks_metrics_count_the_same(decision: Decision, parent: Parent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED, "true")

    ours, theirs = (counted(way, decision, parent) for way in (quick_start, by_sdk))

    assert ours == theirs
    assert {name for name, _ in ours[1]} >= {"otel.sdk.span.started"}


def counted(way: Way, decision: Decision, parent: Parent) -> list[dict[tuple[str, str], float]]:
    """Spans started and live while one runs, and after it ended twice."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    start = of_fresh_tracer(way, sampler=Custom(decision=decision), meter_provider=meters)
    span, _ = start("predict fraud", parent(start), KNOWN, START_NS)
    running = points(reader)
    span.end(END_NS)
    span.end(END_NS)
    return [running, points(reader)]


def points(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        (metric.name, str(sorted((point.attributes or {}).items()))): point.value
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name.startswith("otel.sdk.span")  # and not what the reader counts of itself
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }


@pytest.mark.parametrize("before", [id, lambda span: span.attributes], ids=["made once ended", "made before"])
def test_the_attributes_of_an_ended_span_are_fixed(before: Act) -> None:
    span, _ = of_fresh_tracer(quick_start)("predict fraud", Context(), KNOWN, START_NS)
    assert isinstance(span, sdk.Span)

    before(span)
    span.end(END_NS)

    with pytest.raises(TypeError):
        span._attributes["new"] = 1  # type: ignore[index]  # that it cannot be is the point


def test_two_threads_that_ask_first_get_the_same_attributes() -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Meeting(dict[str, Any]):
        def items(self) -> Any:  # read while attributes are made, so that both threads make some
            meeting.wait()
            return super().items()

    span, _ = of_fresh_tracer(quick_start)("predict fraud", Context(), Meeting(KNOWN), START_NS)
    assert isinstance(span, sdk.Span)
    got: list[object] = []

    threads = [threading.Thread(target=lambda: got.append(span._attributes)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    first, second = got
    assert first is second is span._attributes
    assert first == KNOWN


class OwnTracer(sdk.Tracer):
    pass


def as_subclass(tracer: trace.Tracer) -> None:
    tracer.__class__ = OwnTracer


def with_more(tracer: trace.Tracer) -> None:
    vars(tracer)["_novel"] = 1


@pytest.mark.parametrize("change", [as_subclass, with_more])
def test_a_tracer_that_is_not_known_starts_its_spans_itself(
    change: Callable[[trace.Tracer], None], assert_same: Check
) -> None:
    def way(tracer: trace.Tracer) -> Start | None:
        change(tracer)
        assert quick_start(tracer) is None
        return start_of(tracer)

    assert_same(Situation(), way)


@pytest.mark.parametrize("names", [quick_span.OF_A_SPAN | {"_novel"}, quick_span.OF_A_SPAN - {"_lock"}])
def test_a_span_that_is_not_known_is_started_by_the_tracer_itself(
    names: set[str], monkeypatch: pytest.MonkeyPatch, assert_same: Check
) -> None:
    monkeypatch.setattr(quick_span, "OF_A_SPAN", names)

    assert quick_start(TracerProvider(shutdown_on_exit=False).get_tracer("scope")) is None
    assert type(of_fresh_tracer(start_of)("predict fraud", Context(), KNOWN, START_NS)[0]) is sdk._Span
    assert_same(Situation(), start_of)


def test_where_dropped_spans_hold_something_else_the_tracer_starts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(span: Any, context: SpanContext) -> None:
        span._kept = context

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("scope")
    assert quick_start(tracer) is not None

    monkeypatch.setattr(NonRecordingSpan, "__init__", keep)

    assert quick_start(tracer) is None


def test_a_tracer_that_makes_no_spans_starts_none() -> None:
    assert quick_start(NoOpTracer()) is None
    assert start_of(NoOpTracer()) is None
