"""
The plainest way to read OTLP in Python: parse with protobuf, touch every field, one tuple a point or span.

This is the reference N that decoding is measured against. It is kept as it is: nothing cached, no columns.
"""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from monitorx.backend.batch import Signal

Row = tuple[Any, ...]  # of whatever types the message holds: this is a measure, not an interface


def plain_walk(signal: Signal, body: bytes) -> list[Row]:
    """A tuple for each data point or span, with its attributes and its resource's as dicts."""
    return _spans(body) if signal is Signal.TRACES else _points(body)


def _spans(body: bytes) -> list[Row]:
    rows: list[Row] = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        origin = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                rows.append(
                    (
                        origin,
                        scope.scope.name,
                        span.name,
                        span.kind,
                        span.trace_id,
                        span.span_id,
                        span.parent_span_id,
                        span.trace_state,
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        span.status.code,
                        span.status.message,
                        _attributes(span.attributes),
                    )
                )
    return rows


def _points(body: bytes) -> list[Row]:
    rows: list[Row] = []
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        origin = _attributes(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points if kind else ():
                    rows.append(
                        (
                            origin,
                            scope.scope.name,
                            metric.name,
                            metric.unit,
                            kind,
                            point.start_time_unix_nano,
                            point.time_unix_nano,
                            point.flags,
                            _measure(kind, point),
                            _attributes(point.attributes),
                        )
                    )
    return rows


def _measure(kind: str, point: Any) -> Any:
    if kind in ("gauge", "sum"):
        which = point.WhichOneof("value")
        return getattr(point, which) if which else None
    if kind == "histogram":
        return (point.count, point.sum, point.min, point.max, list(point.bucket_counts), list(point.explicit_bounds))
    if kind == "summary":
        return (point.count, point.sum, [(item.quantile, item.value) for item in point.quantile_values])
    sides = [(side.offset, list(side.bucket_counts)) for side in (point.positive, point.negative)]
    return (point.count, point.sum, point.min, point.max, point.scale, point.zero_count, point.zero_threshold, *sides)


def _attributes(items: Iterable[KeyValue]) -> dict[str, Any]:
    return {item.key: _value(item.value) for item in items}


def _value(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_value(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, which) if which else None
