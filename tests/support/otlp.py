"""OTLP requests as a test needs them."""

import os
import time
from collections.abc import Iterable

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


def attributes(values: dict[str, str | int | float]) -> list[KeyValue]:
    """OTLP attributes of plain values."""
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    return [KeyValue(key=key, value=AnyValue(**{kinds[type(value)]: value})) for key, value in values.items()]


def spans(
    span_ids: Iterable[bytes],
    *,
    model: str = "fraud",
    duration_s: float = 0.1,
    end_ns: int | None = None,
    error: str = "",
    instance: str = "i-1",
) -> ExportTraceServiceRequest:
    """One inference for each span id, ended at *end_ns* (now)."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(attributes({"service.name": "shop", "service.instance.id": instance}))
    scope = resource.scope_spans.add()
    end = time.time_ns() if end_ns is None else end_ns
    for span_id in span_ids:
        span = scope.spans.add(name=f"predict {model}", kind=1, trace_id=os.urandom(16), span_id=span_id)
        span.start_time_unix_nano = end - int(duration_s * 1e9)
        span.end_time_unix_nano = end
        known: dict[str, str | int | float] = {
            "ml.operation.name": "predict",
            "ml.model.name": model,
            "ml.model.version": "1",
            "ml.model.kind": "tabular",
            "ml.framework.name": "sklearn",
            "ml.request.batch.size": 1,
        }
        if error:
            known["error.type"] = error
            span.status.code = 2
        span.attributes.extend(attributes(known))
    return request


def gauge(name: str, value: float, *, at_ns: int | None = None, **labels: str) -> ExportMetricsServiceRequest:
    """One point of one gauge."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(attributes({"service.name": "shop", "service.instance.id": "i-1"}))
    metric = resource.scope_metrics.add().metrics.add(name=name, unit="1")
    point = metric.gauge.data_points.add(as_double=value, time_unix_nano=at_ns or time.time_ns())
    point.attributes.extend(attributes(dict(labels)))
    return request
