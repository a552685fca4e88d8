"""The sink of a process that did not attach: each inference goes through the OpenTelemetry metrics API."""

from collections.abc import Sequence

from opentelemetry import metrics, trace
from opentelemetry.context import Context

from monitorx.instrumentation.inference import Inference
from monitorx.instrumentation.scope import SCOPE_NAME, scope_version
from monitorx.semconv import SCHEMA_URL, attributes
from monitorx.semconv.metrics import INFERENCE_BATCH_SIZE, INFERENCE_DURATION, INFERENCE_SAMPLES


class MetricsApi:
    """Records duration, batch size and samples; the trace of each goes along, for exemplars."""

    is_quick = False

    def __init__(self, meter_provider: metrics.MeterProvider | None = None) -> None:
        meter = metrics.get_meter(SCOPE_NAME, scope_version(), meter_provider, schema_url=SCHEMA_URL)
        self._duration = meter.create_histogram(INFERENCE_DURATION, "s", "Duration of a call of a model.")
        self._batch_size = meter.create_histogram(INFERENCE_BATCH_SIZE, "{sample}", "Samples in one call of a model.")
        self._samples = meter.create_counter(INFERENCE_SAMPLES, "{sample}", "Samples given to a model.")

    def fold(self, inferences: Sequence[Inference]) -> None:
        """Record each of *inferences*."""
        for inference in inferences:
            point = point_attributes(inference)
            context = _context(inference)
            self._duration.record(inference.duration_s, point, context)
            if inference.batch_size is not None:
                self._batch_size.record(inference.batch_size, point, context)
                self._samples.add(inference.batch_size, point, context)


def point_attributes(inference: Inference) -> dict[str, str]:
    """Attributes of the data points of *inference*."""
    if inference.error_type is None:
        return inference.subject.point_attributes
    return {**inference.subject.point_attributes, attributes.ERROR_TYPE: inference.error_type}


def _context(inference: Inference) -> Context:
    if inference.span_context is None:
        return Context()
    return trace.set_span_in_context(trace.NonRecordingSpan(inference.span_context), Context())
