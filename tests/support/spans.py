"""A span that one way starts, and everything that sampler, processors, exporter and caller see of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import Span, SpanContext, SpanKind, TraceState

from monitorx.instrumentation.span import Known, Start
from tests.support.watch import SECOND_NS, START_NS, CountingIds

Way = Callable[[trace.Tracer], Start | None]
Act = Callable[[Span], object]
Parent = Callable[[Start], Context]

KNOWN: Known = {"ml.model.name": "fraud", "ml.model.kind": "tabular", "ml.request.batch.size": 4}
END_NS = START_NS + SECOND_NS


class RandomIds(CountingIds):
    def is_trace_id_random(self) -> bool:
        return True


@dataclass(frozen=True)
class Custom(Sampler):
    """Decides one thing, and gives what `change` makes of the attributes."""

    change: Callable[[dict[str, Any]], Mapping[str, Any] | None] = dict
    decision: Decision = Decision.RECORD_AND_SAMPLE
    trace_state: TraceState | None = None

    def should_sample(self, *asked: Any, **more: Any) -> SamplingResult:
        return SamplingResult(self.decision, self.change(dict(asked[4])), self.trace_state)

    def get_description(self) -> str:
        return "Custom"


class Asked(Sampler):
    """Another sampler, with all that it was asked."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.asked: list[object] = []

    def should_sample(self, parent_context: Context | None, *asked: Any, **more: Any) -> SamplingResult:
        self.asked.append((trace.get_current_span(parent_context).get_span_context(), *asked, more))
        return self._sampler.should_sample(parent_context, *asked, **more)

    def get_description(self) -> str:
        return "Asked"


@dataclass(frozen=True)
class Situation:
    sampler: Sampler = ALWAYS_ON
    parent: Parent = lambda _: Context()
    known: Known = field(default_factory=lambda: KNOWN)
    limits: SpanLimits | None = None
    act: Act = lambda span: span.end(END_NS)
    at_start: Act = id  # what a processor does to it
    at_end: Act = id
    ids: type[CountingIds] = CountingIds
    is_enabled: bool = True


class Seeing(SpanProcessor):
    """Acts on spans, and keeps what it sees; of running ones only where `is_read`, as reading makes what they hold."""

    def __init__(self, situation: Situation, is_read: bool) -> None:
        self._at_start, self._at_end, self._is_read = situation.at_start, situation.at_end, is_read
        self.seen: list[object] = []

    def on_start(self, span: sdk.Span, parent_context: Context | None = None) -> None:
        self._at_start(span)
        above = trace.get_current_span(parent_context).get_span_context()
        self.seen.append(("start", above, value_of(span) if self._is_read else span.get_span_context()))

    def _on_ending(self, span: sdk.Span) -> None:
        self._at_end(span)
        self.seen.append(("ending", value_of(span) if self._is_read else span.get_span_context()))

    def on_end(self, span: ReadableSpan) -> None:
        self.seen.append(("end", type(span), value_of(span)))


def by_sdk(tracer: trace.Tracer) -> Start:
    def start(name: str, context: Context, known: Known, start_ns: int) -> tuple[Span, SpanContext | None]:
        span = tracer.start_span(name, context, SpanKind.INTERNAL, known, None, start_ns)
        return span, span.get_span_context() if span.is_recording() else None

    return start


def seen(way: Way, of: Situation, is_read: bool) -> dict[str, object]:
    """All that sampler, processors, exporter and caller see of the one span that *way* starts."""
    sampler, seeing, exporter = Asked(of.sampler), Seeing(of, is_read), InMemorySpanExporter()
    resource = Resource({"service.name": "shop"})
    provider = TracerProvider(sampler, resource, id_generator=of.ids(), span_limits=of.limits, shutdown_on_exit=False)
    provider.add_span_processor(seeing)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    start = way(provider.get_tracer("scope", "1.2", "https://schema.test/1", {"scope": "attribute"}))
    assert start is not None
    provider._set_tracer_configurator(tracer_configurator=lambda _: sdk._TracerConfig(of.is_enabled))

    span, own = start("predict fraud", of.parent(start), dict(of.known), START_NS)
    began = span.is_recording(), own, value_of(span) if is_read else span.get_span_context()
    of.act(span)

    return {
        "asked": sampler.asked,
        "began": began,
        "is_recording": span.is_recording(),
        "returned": value_of(span),
        "processed": seeing.seen,
        "exported": [value_of(ended) for ended in exporter.get_finished_spans()],
    }


def value_of(span: Span | ReadableSpan) -> dict[str, object]:
    """A span as plain values."""
    context = span.get_span_context()
    assert context is not None
    flags = context.trace_flags.sampled, context.trace_flags.random_trace_id, type(context.trace_flags)
    if not isinstance(span, ReadableSpan):
        return {"type": type(span), "context": context, "flags": flags}
    return {
        "is_span": isinstance(span, sdk.Span),
        "context": (context, flags, repr(context.trace_state)),
        "known": (span.name, span.kind, span.parent, span.start_time, span.end_time),
        "attributes": list((span.attributes or {}).items()),
        "events": [(e.name, e.timestamp, dict(e.attributes or {}), e.dropped_attributes) for e in span.events],
        "links": [(link.context, dict(link.attributes or {}), link.dropped_attributes) for link in span.links],
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "status": (span.status.status_code, span.status.description),
        "source": (span.resource, span.instrumentation_scope, span._instrumentation_info),
        "json": span.to_json(),
    }
