"""
The one emitter: it makes a span of an inference while it runs, and hands the finished record to the buffer.

Nothing here raises into, blocks or changes the call that is watched. Of calls inside calls only the outermost is an
inference. The mark of being inside one travels in the OpenTelemetry context, so whatever carries that context to
another thread carries the mark along.
"""

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import Span, Status, StatusCode

from monitorx.instrumentation.boundary import is_ours
from monitorx.instrumentation.buffer import Buffer
from monitorx.instrumentation.inference import Inference, Subject
from monitorx.instrumentation.scope import SCOPE_NAME, scope_version
from monitorx.instrumentation.sink import MetricsApi
from monitorx.instrumentation.span import Start, start_of
from monitorx.instrumentation.turn import has_spans_waiting
from monitorx.semconv import SCHEMA_URL, attributes

logger = logging.getLogger(__name__)

# The key of a list that is empty once the call has ended: its context may outlive it, in a task that it started.
_INSIDE = otel.create_key("monitorx-inside")
# The key under which the API keeps the current span, so that span and mark are set in one new context.
(_SPAN,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())
with suppress_instrumentation():
    _SUPPRESSING = tuple(otel.get_current())  # the keys that switch instrumentation off in a context
_ERROR = Status(StatusCode.ERROR)


class Emitter:
    """
    Starts inferences.

    Args:
        tracer_provider: The process's global one where not given.
        buffer: Takes the finished records; the default folds them through the metrics API.
        clock: Nanoseconds since epoch. timer: monotonic nanoseconds.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        buffer: Buffer | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
        timer: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.buffer = Buffer(MetricsApi()) if buffer is None else buffer
        self.clock = clock
        self.timer = timer
        self._tracer_provider = tracer_provider
        self._start_span: Start | None = None
        self._has_tracer = False
        self._faults = itertools.count(1)
        self.faults = 0  # errors of our own that were kept from the application

    def start(
        self,
        subject: Subject,
        batch_size: int | None = None,
        context: Context | None = None,
        feature_count: int | None = None,
        *,
        is_current: bool = True,
    ) -> Inference | None:
        """
        Begin an inference; None where there is none to begin.

        Args:
            subject: What is called.
            batch_size: Where it is known already; it may be set until the inference stops.
            context: What `outermost` gave, for callers that asked it themselves.
            feature_count: Of one sample, where it is known.
            is_current: On this thread until it stops; else only within `active(inference)`, for calls in several steps.
        """
        try:
            if context is None and (context := outermost()) is None:
                return None
            inference = Inference(subject, self.clock(), batch_size, self)
            start_span = self._start_span if self._has_tracer else self._tracer()
            if start_span is not None:
                inference.span, inference.span_context = start_span(
                    subject.span_name, context, subject.span_attributes, inference.start_ns, batch_size, feature_count
                )
            if is_current:
                inference.token = otel.attach(_inside(inference, context))
            inference.started_ns = self.timer()
            return inference
        except BaseException as error:
            if context is not None and is_inside():
                otel.attach(context)
            if not is_ours(error):
                raise
            self.count_fault("starting an inference")
            return None

    def _tracer(self) -> Start | None:
        """What starts spans; asked again as long as the process has no provider of tracers."""
        provider = self._tracer_provider
        if provider is None or isinstance(provider, trace.ProxyTracerProvider):
            provider = trace.get_tracer_provider()
            if isinstance(provider, trace.ProxyTracerProvider):
                return None
        tracer = provider.get_tracer(SCOPE_NAME, scope_version(), schema_url=SCHEMA_URL)
        self._start_span = start_of(tracer)
        if self._start_span is not None:
            self.buffer.turns.add(lambda: has_spans_waiting(getattr(tracer, "span_processor", None)))
        self._has_tracer = True
        return self._start_span

    def finish(self, inference: Inference) -> None:
        """Close *inference* and hand it on; called by the inference itself, once."""
        try:
            inference.finisher = None
            inference.mark.clear()
            duration_ns = self.timer() - inference.started_ns
            inference.duration_s = duration_ns * 1e-9
            _leave(inference)
            span, inference.span = inference.span, None
            if span is not None and inference.span_context is not None:
                _end(span, inference, inference.start_ns + duration_ns)
            self.buffer.append(inference)
        except BaseException as error:
            if otel.get_current().get(_INSIDE) is inference.mark:
                _leave(inference)
            if not is_ours(error):
                raise
            self.count_fault("finishing an inference")

    def count_fault(self, doing: str) -> None:
        """Note an error of our own, raised while *doing*; the application does not see it."""
        self.faults = next(self._faults)
        logger.debug("error while %s; the application is not affected", doing, exc_info=True)


def outermost() -> Context | None:
    """The current context where an inference may begin in it; None inside another one, and where suppressed."""
    context = otel.get_current()
    if context and (context.get(_INSIDE) or any(map(context.get, _SUPPRESSING))):
        return None
    return context


def _inside(inference: Inference, context: Context) -> Context:
    if inference.span is not None:
        return Context({**context, _INSIDE: inference.mark, _SPAN: inference.span})
    return Context({**context, _INSIDE: inference.mark})


def _leave(inference: Inference) -> None:
    if inference.token is not None:
        otel.detach(inference.token)
        inference.token = None


def _end(span: Span, inference: Inference, end_ns: int) -> None:
    if inference.batch_size != inference.known_batch_size and inference.batch_size is not None:
        span.set_attribute(attributes.ML_REQUEST_BATCH_SIZE, inference.batch_size)
    if inference.input_shape is not None:
        span.set_attribute(attributes.ML_REQUEST_INPUT_SHAPE, inference.input_shape)
    if inference.error_type is not None:
        # No exception event: its message may quote the data, and content stays in the process.
        span.set_attribute(attributes.ERROR_TYPE, inference.error_type)
        span.set_status(_ERROR)
    span.end(end_ns)


@contextmanager
def active(inference: Inference | None) -> Iterator[None]:
    """Make an inference current for one of its steps; None changes nothing."""
    if inference is None:
        yield
        return
    try:
        inference.token = otel.attach(_inside(inference, otel.get_current()))
        yield
    finally:
        _leave(inference)


@contextmanager
def quiet() -> Iterator[None]:
    """Within this, calls of models are no inferences: they are part of a training, or of an inference elsewhere."""
    mark = [True]
    token = otel.attach(Context({**otel.get_current(), _INSIDE: mark}))
    try:
        yield
    finally:
        mark.clear()
        otel.detach(token)


def is_inside() -> bool:
    """Whether this thread is inside an inference or a training."""
    return bool(otel.get_current().get(_INSIDE))


def is_disabled() -> bool:
    """Whether `OTEL_SDK_DISABLED` switches all telemetry off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


@cache
def emitter() -> Emitter:
    """The emitter of this process."""
    return Emitter()
