"""
Inferences that were told over REST, as the OTLP requests that an instrumented process would have sent.

From here on nobody can tell them apart: they are journalled, counted, judged and stored on the same path.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes.hw_attributes import HW_ID
from opentelemetry.semconv._incubating.metrics.hw_metrics import HW_GPU_MEMORY_USAGE, HW_GPU_UTILIZATION
from opentelemetry.semconv._incubating.metrics.process_metrics import PROCESS_CPU_UTILIZATION, PROCESS_MEMORY_USAGE

from monitorx.backend.api.instant import SECOND_NS
from monitorx.backend.api.written import NewInference, NewInferences
from monitorx.semconv import attributes as key

SCOPE: Final = "monitorx.rest"
_LLM: Final = "llm"
_TABULAR: Final = "tabular"
_GAUGES: Final = (  # metric, unit, field of Resources
    (HW_GPU_MEMORY_USAGE, "By", "gpu_memory_bytes"),
    (HW_GPU_UTILIZATION, "1", "gpu_utilization"),
    (PROCESS_MEMORY_USAGE, "By", "memory_bytes"),
    (PROCESS_CPU_UTILIZATION, "1", "cpu_utilization"),
)
_GPU_GAUGES: Final = frozenset({HW_GPU_MEMORY_USAGE, HW_GPU_UTILIZATION})


@dataclass(frozen=True, slots=True)
class Call:
    """
    One inference with all that it left open decided.

    Attributes:
        told: What the sender said.
        kind: llm, vision or tabular.
        end_ns: When it ended.
    """

    told: NewInference
    kind: str
    end_ns: int


def decided(told: NewInference, end_ns: int, registered_kind: Callable[[str], str | None]) -> Call:
    """*told* with its kind: what it says itself, else what its model was registered with, else tabular."""
    return Call(told, told.kind or registered_kind(told.model) or _TABULAR, end_ns)


def traces(body: NewInferences, calls: Iterable[Call], new_id: Callable[[int], bytes]) -> bytes:
    """
    A traces request with a span for each call.

    Args:
        new_id: Gives that many random bytes.
    """
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add(resource=_resource(body)).scope_spans.add(scope=_scope())
    spans.spans.extend(_span(call, new_id) for call in calls)
    return request.SerializeToString()


def metrics(body: NewInferences, calls: Iterable[Call]) -> bytes:
    """A metrics request with the resources that were in use; empty where none are told."""
    gauges = {name: Metric(name=name, unit=unit) for name, unit, _ in _GAUGES}
    for call in calls:
        if call.told.resources is None:
            continue
        for name, _, field in _GAUGES:
            value = getattr(call.told.resources, field)
            if value is not None:
                point = gauges[name].gauge.data_points.add(time_unix_nano=call.end_ns, as_double=value)
                gpu = {HW_ID: call.told.resources.gpu} if name in _GPU_GAUGES else {}
                point.attributes.extend(_attributes(_model(call) | gpu))
    told = [metric for metric in gauges.values() if metric.gauge.data_points]
    if not told:
        return b""
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add(resource=_resource(body)).scope_metrics.add(scope=_scope(), metrics=told)
    return request.SerializeToString()


def _span(call: Call, new_id: Callable[[int], bytes]) -> Span:
    told = call.told
    is_generative = call.kind == _LLM
    operation = told.operation or ("chat" if is_generative else "predict")
    return Span(
        trace_id=bytes.fromhex(told.trace_id) if told.trace_id else new_id(16),
        span_id=bytes.fromhex(told.span_id) if told.span_id else new_id(8),
        name=f"{operation} {told.model}",
        kind=Span.SPAN_KIND_CLIENT if is_generative else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=max(call.end_ns - round(told.duration_s * SECOND_NS), 1),
        end_time_unix_nano=call.end_ns,
        attributes=_attributes(_model(call) | _facts(told, operation, is_generative=is_generative)),
        status=Status(code=Status.STATUS_CODE_ERROR) if told.error_type else None,
    )


def _model(call: Call) -> dict[str, str | float | None]:
    name = key.GEN_AI_REQUEST_MODEL if call.kind == _LLM else key.ML_MODEL_NAME
    return {name: call.told.model, key.ML_MODEL_VERSION: call.told.version, key.ML_MODEL_KIND: call.kind}


def _facts(told: NewInference, operation: str, *, is_generative: bool) -> dict[str, str | float | None]:
    return {
        key.GEN_AI_OPERATION_NAME if is_generative else key.ML_OPERATION_NAME: operation,
        key.GEN_AI_PROVIDER_NAME if is_generative else key.ML_FRAMEWORK_NAME: told.framework,
        key.ERROR_TYPE: told.error_type,
        key.ML_REQUEST_BATCH_SIZE: told.batch_size,
        key.GEN_AI_USAGE_INPUT_TOKENS: told.input_tokens,
        key.GEN_AI_USAGE_OUTPUT_TOKENS: told.output_tokens,
        key.GEN_AI_USAGE_COST: told.cost_usd,
        key.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: told.ttft_s,
    }


def _resource(body: NewInferences) -> Resource:
    known = {key.SERVICE_NAME: body.service, key.SERVICE_INSTANCE_ID: body.instance or None}
    return Resource(attributes=_attributes(known))


def _scope() -> InstrumentationScope:
    return InstrumentationScope(name=SCOPE)


def _attributes(values: Mapping[str, str | float | None]) -> list[KeyValue]:
    """OTLP attributes; what is None or empty is left out."""
    told = {name: value for name, value in values.items() if value is not None and value != ""}
    return [KeyValue(key=name, value=_value(value)) for name, value in told.items()]


def _value(value: str | float) -> AnyValue:
    return AnyValue(string_value=value) if isinstance(value, str) else AnyValue(double_value=value)
