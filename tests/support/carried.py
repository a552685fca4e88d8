"""What a collector must carry to the last bit, and what of it has arrived."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogram, ExponentialHistogramDataPoint, Metric

from monitorx.backend.journal import FileJournal
from tests.support.otlp import attributes

Request = ExportTraceServiceRequest | ExportMetricsServiceRequest | ExportLogsServiceRequest
REQUESTS: dict[str, type[Request]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
SECOND_NS = 1_000_000_000
RESOURCE: dict[str, str | int | float] = {"service.name": "shop", "service.instance.id": "replica-1"}
# Numbers that a detour over float32, decimal text or another anchor would change.
ANCHORS = [(0.1 + 0.2, 2.0**-7), (-1e15 - 0.125, 4096.0), (0.0, 5e-324), (1.7976931348623157e308, 1.0)]


def sketches(end_ns: int, *, model: str = "fraud", interval_ns: int = SECOND_NS) -> ExportMetricsServiceRequest:
    """A delta interval of four anchored features that ends at *end_ns*, both signs, exemplars and all."""
    points = [_sketch(f"f{number}", *anchor, end_ns, interval_ns) for number, anchor in enumerate(ANCHORS)]
    for point in points:
        point.attributes.extend(attributes({"ml.model.name": model, "ml.model.version": "1"}))
    metric = Metric(name="ml.feature.distribution", unit="1", description="standardised values")
    metric.exponential_histogram.CopyFrom(ExponentialHistogram(aggregation_temporality=1, data_points=points))
    return _metrics([metric])


def other_metrics(end_ns: int) -> ExportMetricsServiceRequest:
    """One metric of each of the other kinds; the counter holds a number that no double can."""
    gauge = Metric(name="room.temperature", unit="Cel", description="warm")
    gauge.gauge.data_points.add(as_double=36.6, time_unix_nano=end_ns).attributes.extend(attributes({"room": "a"}))
    counter = Metric(name="calls", unit="{call}")
    counter.sum.aggregation_temporality, counter.sum.is_monotonic = 2, True
    counter.sum.data_points.add(as_int=2**53 + 1, start_time_unix_nano=end_ns - SECOND_NS, time_unix_nano=end_ns)
    spread = Metric(name="ml.inference.batch.size", unit="{sample}")
    spread.histogram.aggregation_temporality = 1
    spread.histogram.data_points.add(
        start_time_unix_nano=end_ns - SECOND_NS,
        time_unix_nano=end_ns,
        count=3,
        sum=0.1 + 0.2,
        bucket_counts=[1, 2, 0],
        explicit_bounds=[0.1, 1e300],
        attributes=attributes({"ml.model.name": "fraud", "ml.operation.name": "predict"}),
    )
    return _metrics([gauge, counter, spread])


def feedback(predictions: Iterable[str], end_ns: int) -> ExportLogsServiceRequest:
    """A delayed label for each prediction."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(attributes(RESOURCE))
    scope = resource.scope_logs.add()
    scope.scope.name = "labels"
    for prediction in predictions:
        record = scope.log_records.add(
            time_unix_nano=end_ns,
            observed_time_unix_nano=end_ns,
            event_name="ml.feedback",
            trace_id=os.urandom(16),
            span_id=os.urandom(8),
            flags=1,
            severity_number=9,
        )
        record.body.string_value = "a label came"
        known: dict[str, str | int | float] = {"ml.prediction.id": prediction, "ml.model.name": "fraud"}
        record.attributes.extend(attributes(known))
    return request


def grains(request: Request) -> list[bytes]:
    """
    Each item alone with all that says whose it is: the same however a collector has split and joined requests.

    A part that is there but empty is as good as none; the Collector writes `status {}` where there was no status.
    """
    return [_without_empty(single).SerializeToString(deterministic=True) for single in _singles(request)]


class Arrived:
    """
    What a server that has ended holds in its folder.

    Attributes:
        records: For each journalled request its signal and its items.
    """

    def __init__(self, folder: Path) -> None:
        self._database = folder / "data" / "telemetry.duckdb"
        with FileJournal(folder / "data" / "journal") as journal:
            self.records = [
                (record.signal.value, grains(REQUESTS[record.signal.value].FromString(record.body)))
                for _, record in journal.read(0)
            ]

    def grains(self, signal: str) -> Counter[bytes]:
        """How often each item was journalled."""
        return Counter(each for found, items in self.records if found == signal for each in items)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer of the store's database."""
        with duckdb.connect(str(self._database), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def _sketch(name: str, center: float, scale: float, end_ns: int, interval_ns: int) -> ExponentialHistogramDataPoint:
    point = ExponentialHistogramDataPoint(
        start_time_unix_nano=end_ns - interval_ns,
        time_unix_nano=end_ns,
        count=2**40 + 17,
        sum=-0.1,
        scale=6,
        zero_count=3,
        zero_threshold=2.0**-6,
        min=-3.0000000000000004,
        max=1e-320,
        positive=ExponentialHistogramDataPoint.Buckets(offset=-7, bucket_counts=[1, 0, 2**40, 5]),
        negative=ExponentialHistogramDataPoint.Buckets(offset=2**31 - 1 - 4, bucket_counts=[3, 0, 5]),
        attributes=attributes(
            {
                "ml.feature.name": name,
                "ml.feature.role": "input",
                "monitorx.anchor.center": center,
                "monitorx.anchor.scale": scale,
            }
        ),
    )
    point.exemplars.add(
        as_double=0.30000000000000004,
        time_unix_nano=end_ns - 1,
        trace_id=bytes(range(16)),
        span_id=bytes(range(8, 16)),
        filtered_attributes=attributes({"row": 7}),
    )
    return point


def _metrics(metrics: Iterable[Metric]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add(schema_url="https://opentelemetry.io/schemas/1.30.0")
    resource.resource.attributes.extend(attributes(RESOURCE))
    scope = resource.scope_metrics.add(metrics=metrics, schema_url="https://monitorx.dev/schemas/0.1.0")
    scope.scope.name, scope.scope.version = "monitorx", "0.1"
    return request


def _singles(request: Request) -> Iterator[Message]:
    if isinstance(request, ExportMetricsServiceRequest):
        yield from _single_points(request)
        return
    signal, items = ("spans", "spans") if isinstance(request, ExportTraceServiceRequest) else ("logs", "log_records")
    for resource in getattr(request, f"resource_{signal}"):
        for scope in getattr(resource, f"scope_{signal}"):
            for item in getattr(scope, items):
                single = type(request)()
                own = getattr(single, f"resource_{signal}").add(
                    resource=resource.resource, schema_url=resource.schema_url
                )
                of_scope = getattr(own, f"scope_{signal}").add(scope=scope.scope, schema_url=scope.schema_url)
                getattr(of_scope, items).append(item)
                yield single


def _without_empty(message: Message) -> Message:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if field.is_repeated else [value]:
            _without_empty(part)
        if not field.is_repeated and field.containing_oneof is None and not value.ByteSize():
            message.ClearField(field.name)
    return message


def _single_points(request: ExportMetricsServiceRequest) -> Iterator[Message]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data") or "gauge"
                for point in getattr(metric, kind).data_points:
                    single = ExportMetricsServiceRequest()
                    own = single.resource_metrics.add(resource=resource.resource, schema_url=resource.schema_url)
                    of_scope = own.scope_metrics.add(scope=scope.scope, schema_url=scope.schema_url)
                    copy = of_scope.metrics.add()
                    copy.CopyFrom(metric)
                    del getattr(copy, kind).data_points[:]
                    getattr(copy, kind).data_points.append(point)
                    yield single
