"""
An interval as OTLP metrics: delta histograms of a fixed scale, sent by the SDK's public exporters.

The SDK has no producer to feed such points through its own pipeline, so they go beside it, with the resource of the
providers that the application configured.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    DataPointT,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from monitorx.instrumentation.scope import SCOPE_NAME, scope_version
from monitorx.processor.aggregate import Interval, Series
from monitorx.processor.distribution import Distribution
from monitorx.processor.identity import who, with_identity
from monitorx.semconv import SCHEMA_URL
from monitorx.semconv.attributes import ANCHOR_CENTER, ANCHOR_SCALE, DROP_REASON, SERVICE_INSTANCE_ID
from monitorx.semconv.metrics import (
    DROPPED,
    FEATURE_DISTRIBUTION,
    FEATURE_MISSING,
    FEATURE_NONFINITE,
    INFERENCE_BATCH_SIZE,
    INFERENCE_DURATION,
    INFERENCE_SAMPLES,
    UP,
    VALUES_DROPPED,
)
from monitorx.sketch import exponential

DELTA: Final = AggregationTemporality.DELTA


def metrics_data(interval: Interval, resource: Resource) -> MetricsData:
    """*interval* and the heartbeat, as one export."""
    times = (interval.start_ns, interval.end_ns)
    series = [(dict(point), series) for point, series in interval.series.items()]
    features = [(dict(point), found) for point, found in interval.features.items()]
    values_dropped = interval.values_dropped.items()
    found = [
        _histogram(INFERENCE_DURATION, "s", [_point(a, s.duration, times, _exemplars(s)) for a, s in series]),
        _histogram(INFERENCE_BATCH_SIZE, "{sample}", [_point(a, s.batch_size, times) for a, s in series]),
        _counter(INFERENCE_SAMPLES, "{sample}", [(a, s.samples) for a, s in series], times),
        _histogram(FEATURE_DISTRIBUTION, "1", _distributions(features, times)),
        _counter(FEATURE_MISSING, "{value}", [(a, f.missing) for a, f in features], times),
        _counter(FEATURE_NONFINITE, "{value}", [(a, f.nonfinite) for a, f in features], times),
        _counter(DROPPED, "{inference}", [({DROP_REASON: r}, n) for r, n in interval.dropped.items()], times),
        _counter(VALUES_DROPPED, "{value}", [({DROP_REASON: r}, n) for r, n in values_dropped], times),
        Metric(UP, "", "1", Gauge([NumberDataPoint({}, 0, interval.end_ns, 1)] if interval.is_alive else [])),
    ]
    scope = InstrumentationScope(SCOPE_NAME, scope_version(), SCHEMA_URL)
    sent = ScopeMetrics(scope, [metric for metric in found if metric.data.data_points], SCHEMA_URL)
    return MetricsData([ResourceMetrics(resource, [sent], resource.schema_url)])


def exporter_from_environment() -> Callable[[], MetricExporter]:
    """What makes the OTLP exporter that `OTEL_EXPORTER_OTLP_*` describes: protobuf over HTTP unless it says gRPC."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if (protocol or "").strip() == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter

        return GrpcExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter

    return HttpExporter


@cache
def own_resource() -> Resource:
    """What the environment and the command line say of this program, for one that has no providers."""
    return Resource.create(who(os.environ, sys.orig_argv, {}))


def application_resource() -> Resource:
    """
    The resource of the application's providers, with an instance id.

    Spans must say the same as these metrics, or one process would look like two. So the providers are given the id, and
    where an SDK does not allow that the resource stays as it is.
    """
    found = None
    for provider in (metrics.get_meter_provider(), trace.get_tracer_provider()):
        found = _identified(provider) or found  # the tracer provider's, where there is one
    return found or Resource(with_identity(own_resource().attributes))


def _identified(provider: Any) -> Resource | None:  # Any: the SDK's provider, another one, or a proxy
    resource = _resource_of(provider)
    if resource is None:
        return None
    wanted = with_identity(resource.attributes)[SERVICE_INSTANCE_ID]
    update: Callable[[Resource], None] | None = getattr(provider, "_update_resource", None)
    if wanted != resource.attributes.get(SERVICE_INSTANCE_ID) and update is not None:
        update(Resource({SERVICE_INSTANCE_ID: wanted}))
        return _resource_of(provider)
    return resource


def _resource_of(provider: Any) -> Resource | None:  # Any: see above
    resource = getattr(provider, "resource", None) or getattr(getattr(provider, "_sdk_config", None), "resource", None)
    return resource if isinstance(resource, Resource) else None


def _histogram(name: str, unit: str, points: Sequence[DataPointT]) -> Metric:
    filled = [point for point in points if isinstance(point, ExponentialHistogramDataPoint) and point.count]
    return Metric(name, "", unit, ExponentialHistogram(filled, DELTA))


def _counter(name: str, unit: str, counts: Sequence[tuple[dict[str, Any], int]], times: tuple[int, int]) -> Metric:
    points = [NumberDataPoint(attributes, *times, count) for attributes, count in counts if count]
    return Metric(name, "", unit, Sum(points, DELTA, is_monotonic=True))


def _distributions(features: Sequence[tuple[dict[str, Any], Distribution]], times: tuple[int, int]) -> list[DataPointT]:
    return [
        _point({**attributes, ANCHOR_CENTER: f.anchor.center, ANCHOR_SCALE: f.anchor.scale}, f.histogram, times)
        for attributes, f in features
        if f.anchor is not None and f.histogram is not None
    ]


def _point(
    attributes: dict[str, Any],
    histogram: exponential.ExponentialHistogram,
    times: tuple[int, int],
    exemplars: Sequence[Exemplar] = (),
) -> ExponentialHistogramDataPoint:
    return ExponentialHistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=times[0],
        time_unix_nano=times[1],
        count=histogram.count,
        sum=histogram.sum,
        scale=histogram.scale,
        zero_count=histogram.zero_count,
        positive=Buckets(*exponential.dense(histogram.positive)),
        negative=Buckets(*exponential.dense(histogram.negative)),
        flags=0,
        min=histogram.min,
        max=histogram.max,
        exemplars=exemplars,
    )


def _exemplars(series: Series) -> list[Exemplar]:
    return [
        Exemplar({}, exemplar.duration_s, exemplar.time_ns, exemplar.span_id, exemplar.trace_id)
        for exemplar in series.exemplars
    ]
