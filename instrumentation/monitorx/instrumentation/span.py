"""How spans are started: by the tracer itself, or by a shorter way to the same span where the tracer is the SDK's."""

import logging
import sys
from collections.abc import Mapping
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracer, Span, SpanContext, SpanKind, Tracer

from monitorx.semconv.attributes import ML_REQUEST_BATCH_SIZE, ML_REQUEST_FEATURE_COUNT

Known = Mapping[str, str | int]


class Start(Protocol):
    """
    Starts a span, and gives its context as well where it is recorded.

    Args:
        name: Of the span.
        context: Where the parent is looked for.
        known: Attributes that are the same for each call of the model.
        start_ns: Since epoch.
        batch_size, feature_count: Of this call, where they are known.
    """

    def __call__(
        self,
        name: str,
        context: Context,
        known: Known,
        start_ns: int,
        batch_size: int | None = None,
        feature_count: int | None = None,
    ) -> tuple[Span, SpanContext | None]: ...


INTERNAL = SpanKind.INTERNAL

logger = logging.getLogger(__name__)


def start_of(tracer: Tracer) -> Start | None:
    """What starts the spans of *tracer*; None where it makes none."""
    if type(tracer) is NoOpTracer:
        return None
    return _quick(tracer) or _plain(tracer)


def _quick(tracer: Tracer) -> Start | None:
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    try:
        from monitorx.instrumentation.quick_span import quick_start

        return quick_start(tracer)
    except Exception:
        logger.debug("spans are started by the tracer itself: this SDK is not as we know it", exc_info=True)
        return None


def _plain(tracer: Tracer) -> Start:
    start_span = tracer.start_span

    def start(
        name: str,
        context: Context,
        known: Known,
        start_ns: int,
        batch_size: int | None = None,
        feature_count: int | None = None,
    ) -> tuple[Span, SpanContext | None]:
        span = start_span(name, context, INTERNAL, of_call(known, batch_size, feature_count), None, start_ns)
        return span, span.get_span_context() if span.is_recording() else None

    return start


def of_call(known: Known, batch_size: int | None, feature_count: int | None) -> dict[str, str | int]:
    """*known*, and what is known of one call."""
    every = {**known}
    if batch_size is not None:
        every[ML_REQUEST_BATCH_SIZE] = batch_size
        if feature_count is not None:
            every[ML_REQUEST_FEATURE_COUNT] = feature_count
    return every
