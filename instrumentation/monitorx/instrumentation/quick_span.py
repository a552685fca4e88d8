"""
The SDK's spans, made with a third of its work.

The SDK makes some twenty objects for a span, most of which stay empty in one that ends as it began. Here those are made
when somebody asks for them. Which sampler, ids, limits and processors hold, and what every method does, is the SDK's
own: a `QuickSpan` is one of its spans. That leans on names that the SDK does not promise. So they are compared first,
and where they are others, the tracer starts its spans itself (docs/decisions/014-quick-spans.md).
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Tracer, _Span
from opentelemetry.sdk.trace._tracer_metrics import NoOpTracerMetrics
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, StaticSampler
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from monitorx.instrumentation.span import INTERNAL, Known, Start, of_call

logger = logging.getLogger(__name__)

_new = tuple.__new__

OF_A_SPAN: Final = {
    *("_name", "_context", "_parent", "_kind", "_start_time", "_end_time", "_status"),
    *("_attributes", "_events", "_links", "_limits", "_resource", "_instrumentation_info", "_instrumentation_scope"),
    *("_sampler", "_span_processor", "_record_exception", "_set_status_on_exception", "_record_end_metrics"),
    *("_lock", "_trace_config"),
}
OF_A_TRACER: Final = {
    *("sampler", "resource", "span_processor", "id_generator", "instrumentation_info", "_instrumentation_scope"),
    *("_span_limits", "_tracer_config", "_tracer_metrics"),
}
_SAMPLED, _RANDOM = TraceFlags.SAMPLED, TraceFlags.RANDOM_TRACE_ID
_FLAGS: Final = tuple(map(TraceFlags, range(4)))
_NO_STATE = TraceState()
_RANDOM_IDS: Final = SystemRandom()
_SAMPLE, _DROP = Decision.RECORD_AND_SAMPLE, Decision.DROP


def quick_start(tracer: trace.Tracer) -> Start | None:
    """What starts the spans of *tracer*; None where it is not the SDK's, or the SDK is not as we know it."""
    if type(tracer) is not Tracer or set(vars(tracer)) != OF_A_TRACER or not _is_known():
        return None
    if not hasattr(tracer._tracer_config, "is_enabled"):
        return None
    processor, limits = tracer.span_processor, tracer._span_limits
    new_trace, new_span = tracer.id_generator.generate_trace_id, tracer.id_generator.generate_span_id
    root_flags = _RANDOM if tracer.id_generator.is_trace_id_random() else 0
    makes_random_ids = type(tracer.id_generator) is RandomIdGenerator
    make_context = _valid if makes_random_ids else SpanContext
    count_start = tracer._tracer_metrics.start_span
    is_counted = type(tracer._tracer_metrics) is not NoOpTracerMetrics
    most = limits.max_span_attributes if limits.max_span_attribute_length is None else 0
    shared = {  # what all spans of one tracer share is kept once, in their class
        "_instrumentation_info": tracer.instrumentation_info,
        "_instrumentation_scope": tracer._instrumentation_scope,
        "_limits": limits,
        "_span_processor": processor,
    }
    of_tracer: type[QuickSpan] = type("_Span", (QuickSpan,), shared)

    # Whoever makes ids of his own is asked for those of each span, in their order.
    dropping = tracer.sampler if makes_random_ids and _drops_all(tracer.sampler) else None

    def start(
        name: str,
        context: Context,
        known: Known,
        start_ns: int,
        batch_size: int | None = None,
        feature_count: int | None = None,
    ) -> tuple[Span, SpanContext | None]:
        above = trace.get_current_span(context).get_span_context() if context else None
        if not tracer._tracer_config.is_enabled:
            return NonRecordingSpan(INVALID_SPAN_CONTEXT if above is None else above), None
        parent = above if above is not None and above.is_valid else None
        sampler = tracer.sampler
        if sampler is dropping:
            if is_counted:
                count_start(parent, _DROP)
            dropped = DroppedSpan()
            if parent is not None:
                dropped._parent = parent
            return dropped, None
        if parent is None:
            trace_id, flags = new_trace(), root_flags
        else:
            trace_id, flags = parent.trace_id, parent.trace_flags & _RANDOM
        result = sampler.should_sample(context, trace_id, name, INTERNAL, {**known}, ())
        decision = result.decision
        if decision is _SAMPLE:
            flags |= _SAMPLED
        own = make_context(trace_id, new_span(), False, _FLAGS[flags], result.trace_state)
        count_end = count_start(parent, decision)
        if decision is _DROP:
            return NonRecordingSpan(own), None
        is_plain = result.attributes == known
        given = of_call(result.attributes or {}, batch_size, feature_count)
        span = of_tracer(name, own, parent, given, tracer.resource, start_ns, count_end)
        if not is_plain or (most is not None and len(given) > most):
            _ = span._attributes  # made at once, which checks what a sampler gave and keeps to the limits
        span._sampler = sampler
        processor.on_start(span, parent_context=context)
        return span, own

    return start


class _Made:
    """An attribute that is made when somebody asks for it, and kept in the object."""

    def __init__(self, make: Callable[[Any], object]) -> None:  # Any: the object, of the class that this stands in
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, span: Span | None, owner: type) -> object:
        if span is None:
            return self
        return vars(span).setdefault(self._name, self._make(span))  # of two threads both get the same


class DroppedSpan(NonRecordingSpan):
    """A span of which nothing is recorded, with random ids; it makes its context when somebody asks for it."""

    _context: Any = _Made(lambda span: _dropped(span._parent))
    _parent: SpanContext | None = None

    __init__ = object.__init__

    def __reduce__(self) -> tuple[type[NonRecordingSpan], tuple[SpanContext]]:
        return NonRecordingSpan, (self.get_span_context(),)


class QuickSpan(_Span):
    """
    A span that makes its attributes, events and links when they are asked for.

    It does not call the constructor that it inherits: what that one sets is set here, or stands on the class.
    """

    _given: Mapping[str, Any]  # Any: of any type that an attribute may have
    _end_time: int | None = None
    _attributes: Any = _Made(lambda span: span._bound())
    _events: Any = _Made(lambda span: BoundedList(span._limits.max_events))
    _links: Any = _Made(lambda span: BoundedList(span._limits.max_links))
    _kind = INTERNAL
    _record_exception = True
    _set_status_on_exception = True
    _status = Status(StatusCode.UNSET)
    _trace_config = None

    def __init__(  # the class that it inherits from has one that does more
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        given: Mapping[str, Any],  # Any: as above
        resource: Resource,
        start_ns: int,
        count_end: Callable[[], None],
    ) -> None:
        self._name = name
        self._context = context
        self._parent = parent
        self._given = given
        self._resource = resource
        self._start_time = start_ns
        self._count_end = self._record_end_metrics = count_end
        self._lock = threading.Lock()

    def _bound(self) -> BoundedAttributes:
        limits = self._limits
        return BoundedAttributes(
            limits.max_span_attributes,
            self._given,
            immutable=self._end_time is not None,
            max_value_len=limits.max_span_attribute_length,
        )

    def end(self, end_time: int | None = None) -> None:
        """As the SDK's, for attributes that may not have been made."""
        with self._lock:
            if self._end_time is not None:
                logger.warning("Calling end() on an ended span.")
                return
            self._end_time = time.time_ns() if end_time is None else end_time
            if "_attributes" in vars(self):
                self._attributes._immutable = True
        self._count_end()
        self._span_processor._on_ending(self)
        self._span_processor.on_end(self._readable_span())

    def _readable_span(self) -> ReadableSpan:
        made = vars(self)
        return ReadableSpan(
            self._name,
            self._context,
            self._parent,
            self._resource,
            made.get("_attributes", self._given),
            made.get("_events", ()),
            made.get("_links", ()),
            self._kind,
            self._instrumentation_info,
            self._status,
            self._start_time,
            self._end_time,
            self._instrumentation_scope,
        )


def _dropped(parent: SpanContext | None) -> SpanContext:
    # Not from the application's random numbers: a seed must give the same whether somebody asks for the ids or not.
    span_id = _RANDOM_IDS.getrandbits(64) or 1
    if parent is None:
        return _valid(_RANDOM_IDS.getrandbits(128) or 1, span_id, False, _FLAGS[_RANDOM], None)
    return _valid(parent.trace_id, span_id, False, _FLAGS[parent.trace_flags & _RANDOM], parent.trace_state)


def _drops_all(sampler: Sampler) -> bool:
    return type(sampler) is StaticSampler and sampler.should_sample(None, 1, "").decision is _DROP


def _valid(
    trace_id: int, span_id: int, is_remote: bool, trace_flags: TraceFlags, trace_state: TraceState | None
) -> SpanContext:
    """A context of ids that are known to be right, so that nobody looks at them again."""
    state = _NO_STATE if trace_state is None else trace_state
    return _new(SpanContext, (trace_id, span_id, is_remote, trace_flags, state, True))


def _is_known() -> bool:
    """Whether spans of this SDK hold what we set, and no more."""
    context = SpanContext(3, 4, False, _FLAGS[1])
    return (
        tuple(context) == (3, 4, False, _FLAGS[1], _NO_STATE, True)
        and vars(NonRecordingSpan(context)) == {"_context": context}
        and set(vars(_Span("", context, resource=Resource({})))) == OF_A_SPAN
    )
