"""OTLP requests for tests: a message with what matters, and plain defaults for the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from monitorx.backend.batch import BatchKind, Signal
from monitorx.backend.decode import Decoded, Decoder

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
TRACE = bytes(range(1, 17))
SHOP = {"service.name": "shop", "service.instance.id": "i-1"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}

_KINDS = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def any_value(value: Any) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, list):
        built = AnyValue()
        built.array_value.values.extend(map(any_value, value))
        return built
    if isinstance(value, dict):
        built = AnyValue()
        built.kvlist_value.values.extend(attributes(value))
        return built
    return AnyValue(**{_KINDS[type(value)]: value})


def span(told: Mapping[str, Any], number: int = 1, **fields: Any) -> Span:
    """A span of half a second with the id *number*."""
    whole = {
        "trace_id": TRACE,
        "span_id": number.to_bytes(8, "big"),
        "start_time_unix_nano": NOW,
        "end_time_unix_nano": NOW + SECOND // 2,
        **fields,
    }
    return Span(attributes=attributes(told), **whole)


def traces(*spans: Span, resource: Mapping[str, Any] = SHOP) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    part.resource.attributes.extend(attributes(resource))
    part.scope_spans.add().spans.extend(spans)
    return request


def metrics(*parts: Metric, resource: Mapping[str, Any] = SHOP) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add()
    part.resource.attributes.extend(attributes(resource))
    part.scope_metrics.add().metrics.extend(parts)
    return request


def gauge(
    name: str, told: Sequence[Mapping[str, Any]] = ({},), *, value: float = 1.5, time_ns: int = NOW, flags: int = 0
) -> Metric:
    """One point for each set of attributes."""
    metric = Metric(name=name, unit="1")
    for each in told:
        metric.gauge.data_points.add(attributes=attributes(each), time_unix_nano=time_ns, as_double=value, flags=flags)
    return metric


def logs(*records: Mapping[str, Any], resource: Mapping[str, Any] = SHOP) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    part = request.resource_logs.add()
    part.resource.attributes.extend(attributes(resource))
    scope = part.scope_logs.add()
    for record in records:
        fields = {"time_unix_nano": NOW, **record}
        scope.log_records.add(**{**fields, "attributes": attributes(fields.get("attributes", {}))})
    return request


_SIGNALS = {
    ExportTraceServiceRequest: Signal.TRACES,
    ExportMetricsServiceRequest: Signal.METRICS,
    ExportLogsServiceRequest: Signal.LOGS,
}


def decoded(request: Any, decoder: Decoder | None = None, *, tenant: str = "t", arrival_ns: int = NOW) -> Decoded:
    body = request.SerializeToString()
    return (decoder or Decoder()).decode(_SIGNALS[type(request)], body, tenant=tenant, arrival_ns=arrival_ns)


def rows(result: Decoded, kind: BatchKind) -> list[dict[str, Any]]:
    """The rows of one kind, without the columns that are null."""
    return [
        {name: value for name, value in row.items() if value is not None}
        for batch in result.batches
        if batch.kind is kind
        for row in batch.rows.to_pylist()
    ]


def column(result: Decoded, name: str, kind: BatchKind) -> list[Any]:
    return [row.get(name) for row in rows(result, kind)]
